//! What the answers to orders add up to. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::goods::OrderPlan;
use crate::latency;

/// How many errors are kept in words.
const ERRORS_KEPT: usize = 10;

/// Which order was sent with which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Place of the order in the list of orders.
    pub(crate) order: usize,
    /// Number of its key.
    pub(crate) number: u64,
}

/// What became of an order, as far as its answer tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Reserved and paid.
    Accepted,
    /// Durable and not settled; to be asked for by this id.
    Pending(String),
    /// Refused by the business: out of stock, or the payment was declined.
    Refused,
    /// Turned away before anything happened: overload or quota.
    TurnedAway,
    /// Anything else; whether it exists has to be asked with the same key.
    Unknown(String),
}

/// Reads the outcome from status and body.
pub(crate) fn outcome(status: u16, made: Option<&str>, body: &[u8]) -> Outcome {
    let says = |code: &str| body.windows(code.len()).any(|window| window == code.as_bytes());
    let unknown = || {
        let end = body.len().min(300);
        Outcome::Unknown(format!("{status} {}", String::from_utf8_lossy(&body[..end])))
    };
    match (status, made) {
        (201, _) => Outcome::Accepted,
        (202, Some(id)) => Outcome::Pending(id.to_owned()),
        (402, _) => Outcome::Refused,
        (409, _) if says("\"OUT_OF_STOCK\"") => Outcome::Refused,
        (429, _) => Outcome::TurnedAway,
        (503, _) if says("\"OVERLOADED\"") => Outcome::TurnedAway,
        _ => unknown(),
    }
}

/// When an order should have been sent, was sent, and was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) due: Instant,
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
}

/// The part of a run that counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from: Instant,
    pub(crate) until: Instant,
    /// Whether an order's latency counts if it was due within the window, however late its answer
    /// came (open loop), and not if its answer came within it (closed loop).
    pub(crate) by_due: bool,
}

impl Window {
    /// Whether a moment lies in it.
    pub(crate) fn holds(&self, at: Instant) -> bool {
        self.from <= at && at < self.until
    }

    /// Its length.
    pub(crate) fn length(&self) -> Duration {
        self.until.saturating_duration_since(self.from)
    }
}

/// What was counted within the window.
pub(crate) struct Measured {
    pub(crate) window: Window,
    /// Orders that were accepted or are durable.
    pub(crate) done: u64,
    /// Orders turned away.
    pub(crate) turned_away: u64,
    /// Time to the answer of the former, and of the latter, in microseconds.
    pub(crate) latency: Histogram<u64>,
    pub(crate) refusal: Histogram<u64>,
    /// How late orders were sent, in microseconds: the generator's own doing, or for want of a free
    /// connection.
    pub(crate) late: Histogram<u64>,
    /// Orders done in each second of the window.
    pub(crate) by_second: Vec<u64>,
    /// When the first order was done, in the window or not.
    pub(crate) first: Option<Instant>,
}

impl Measured {
    /// Nothing yet.
    pub(crate) fn new(window: Window) -> anyhow::Result<Self> {
        let seconds = usize::try_from(window.length().as_secs()).unwrap_or_default();
        Ok(Self {
            window,
            done: 0,
            turned_away: 0,
            latency: latency::histogram()?,
            refusal: latency::histogram()?,
            late: latency::histogram()?,
            by_second: vec![0; seconds + 1],
            first: None,
        })
    }

    /// Orders per second within the window.
    pub(crate) fn rate(&self) -> f64 {
        let seconds = self.window.length().as_secs_f64();
        if seconds > 0.0 { self.done as f64 / seconds } else { 0.0 }
    }

    fn done_at(&mut self, now: Instant) {
        self.done += 1;
        let second = now.saturating_duration_since(self.window.from).as_secs();
        let second = usize::try_from(second).ok();
        if let Some(count) = second.and_then(|second| self.by_second.get_mut(second)) {
            *count += 1;
        }
    }
}

/// All answers of a run.
pub(crate) struct Tally {
    pub(crate) measured: Measured,
    /// Orders sent, in the window or not.
    pub(crate) sent: u64,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) turned_away: u64,
    /// Answers by status.
    pub(crate) answers: BTreeMap<String, u64>,
    /// Units of accepted orders by place of the SKU.
    pub(crate) sold: Vec<u64>,
    /// What accepted orders cost, by place of the currency.
    pub(crate) totals: Vec<i64>,
    /// What was given back of that.
    pub(crate) refunded: Vec<i64>,
    /// Later steps of orders of which it is not known whether they were done.
    pub(crate) operations_failed: u64,
    /// Orders that are not settled yet.
    pub(crate) pending: Vec<(String, usize)>,
    /// Orders of which nothing is known yet.
    pub(crate) unknown: Vec<Sent>,
    /// The first few errors, in words.
    pub(crate) errors: Vec<String>,
}

impl Tally {
    /// Nothing yet, of so many SKUs and currencies.
    pub(crate) fn new(window: Window, skus: usize, currencies: usize) -> anyhow::Result<Self> {
        let measured = Measured::new(window)?;
        Ok(Self {
            measured,
            sent: 0,
            accepted: 0,
            refused: 0,
            turned_away: 0,
            answers: BTreeMap::new(),
            sold: vec![0; skus],
            totals: vec![0; currencies],
            refunded: vec![0; currencies],
            operations_failed: 0,
            pending: Vec::new(),
            unknown: Vec::new(),
            errors: Vec::new(),
        })
    }

    /// Measures another window from now on, and hands over what was measured so far.
    pub(crate) fn begin(&mut self, window: Window) -> anyhow::Result<Measured> {
        Ok(std::mem::replace(&mut self.measured, Measured::new(window)?))
    }

    /// Notes that an order that was due is sent.
    pub(crate) fn sending(&mut self, due: Instant, now: Instant) {
        if self.measured.window.holds(due) {
            latency::record(&mut self.measured.late, now.saturating_duration_since(due));
        }
    }

    /// Adds an answer that came at `now` to an order that was due at `due`.
    pub(crate) fn answered(
        &mut self,
        sent: Sent,
        plan: &OrderPlan,
        outcome: Outcome,
        times: Times,
    ) {
        self.sent += 1;
        let Times { due, sent: began, answered: now } = times;
        let window = self.measured.window;
        let inside = window.holds(now);
        let timed = if window.by_due { window.holds(due) } else { inside };
        match &outcome {
            Outcome::Accepted | Outcome::Pending(_) => {
                self.measured.first.get_or_insert(now);
                if inside {
                    self.measured.done_at(now);
                }
                if timed {
                    let took = now.saturating_duration_since(due);
                    latency::record(&mut self.measured.latency, took);
                }
            }
            Outcome::TurnedAway => {
                self.measured.turned_away += u64::from(inside);
                if timed {
                    // How long the server took to say no, whenever it was asked.
                    let took = now.saturating_duration_since(began);
                    latency::record(&mut self.measured.refusal, took);
                }
            }
            Outcome::Refused | Outcome::Unknown(_) => {}
        }
        let label = match outcome {
            Outcome::Accepted => {
                self.accept(plan);
                "201"
            }
            Outcome::Pending(id) => {
                self.pending.push((id, sent.order));
                "202"
            }
            Outcome::Refused => {
                self.refused += 1;
                "refused"
            }
            Outcome::TurnedAway => {
                self.turned_away += 1;
                "turned away"
            }
            Outcome::Unknown(story) => {
                self.unknown.push(sent);
                self.error(story);
                "no clear answer"
            }
        };
        match self.answers.get_mut(label) {
            Some(count) => *count += 1,
            None => drop(self.answers.insert(label.to_owned(), 1)),
        }
    }

    /// Adds an order that is known to be accepted.
    pub(crate) fn accept(&mut self, plan: &OrderPlan) {
        self.accepted += 1;
        for (place, units) in &plan.units {
            if let Some(sold) = self.sold.get_mut(*place as usize) {
                *sold += units;
            }
        }
        if let Some(total) = self.totals.get_mut(plan.currency) {
            *total += plan.total;
        }
    }

    /// Keeps an error in words, if there is room.
    pub(crate) fn error(&mut self, story: String) {
        if self.errors.len() < ERRORS_KEPT {
            self.errors.push(story);
        }
    }

    /// Takes an accepted order back whose goods were released and whose money was refunded.
    pub(crate) fn cancel(&mut self, plan: &OrderPlan) {
        for (place, units) in &plan.units {
            if let Some(sold) = self.sold.get_mut(*place as usize) {
                *sold = sold.saturating_sub(*units);
            }
        }
        self.refund(plan, plan.total);
    }

    /// Notes that so much of an order was given back.
    pub(crate) fn refund(&mut self, plan: &OrderPlan, amount: i64) {
        if let Some(refunded) = self.refunded.get_mut(plan.currency) {
            *refunded += amount;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> OrderPlan {
        OrderPlan { body: Vec::new(), units: vec![(0, 2), (2, 1)], currency: 0, total: 30 }
    }

    fn times(due: Instant, answered: Instant) -> Times {
        Times { due, sent: due, answered }
    }

    fn tally() -> Tally {
        let from = Instant::now();
        let window = Window { from, until: from + Duration::from_secs(10), by_due: false };
        Tally::new(window, 3, 1).unwrap()
    }

    #[test]
    fn in_an_open_loop_a_late_answer_counts_where_it_was_due() {
        let mut tally = tally();
        let Window { from, until, .. } = tally.measured.window;
        tally.measured.window.by_due = true;
        let sent = Sent { order: 0, number: 1 };
        let late = until + Duration::from_secs(5);
        tally.sending(from, late);
        tally.answered(sent, &plan(), Outcome::Accepted, times(from, late));
        assert_eq!((tally.measured.done, tally.measured.latency.len()), (0, 1));
        assert!(tally.measured.latency.max() >= 14_900_000, "it took fifteen seconds");
        assert_eq!(tally.measured.late.len(), 1);
    }

    #[test]
    fn answers_are_read_by_status_and_code() {
        let read = |status, body: &str| outcome(status, Some("id"), body.as_bytes());
        assert_eq!(read(201, "{}"), Outcome::Accepted);
        assert_eq!(read(202, "{}"), Outcome::Pending("id".into()));
        assert!(matches!(outcome(202, None, b""), Outcome::Unknown(_)));
        assert_eq!(read(402, "{}"), Outcome::Refused);
        assert_eq!(read(409, r#"{"code":"OUT_OF_STOCK"}"#), Outcome::Refused);
        assert!(matches!(read(409, r#"{"code":"IDEMPOTENCY_IN_PROGRESS"}"#), Outcome::Unknown(_)));
        assert_eq!(read(429, ""), Outcome::TurnedAway);
        assert_eq!(read(503, r#"{"code":"OVERLOADED"}"#), Outcome::TurnedAway);
        assert_eq!(
            read(503, r#"{"code":"UNAVAILABLE"}"#),
            Outcome::Unknown(r#"503 {"code":"UNAVAILABLE"}"#.into())
        );
    }

    #[test]
    fn only_what_is_answered_within_the_window_is_measured() {
        let mut tally = tally();
        let Window { from, until, .. } = tally.measured.window;
        let sent = Sent { order: 0, number: 1 };
        let early = from - Duration::from_millis(1);
        for now in [early, from, until - Duration::from_millis(1), until] {
            tally.answered(sent, &plan(), Outcome::Accepted, times(early, now));
        }
        assert_eq!((tally.sent, tally.accepted, tally.measured.done), (4, 4, 2));
        assert_eq!((tally.sold.as_slice(), tally.totals[0]), (&[8, 0, 4][..], 120));
        assert_eq!(tally.measured.rate(), 0.2);
        assert_eq!(tally.measured.latency.len(), 2);
        assert_eq!((tally.measured.by_second[0], tally.measured.by_second[9]), (1, 1));
        let before = tally.begin(Window { from: until, until, by_due: false }).unwrap();
        assert_eq!((before.done, tally.measured.done, tally.accepted), (2, 0, 4));
    }

    #[test]
    fn what_is_cancelled_was_not_sold() {
        let mut tally = tally();
        tally.accept(&plan());
        tally.accept(&plan());
        tally.cancel(&plan());
        tally.refund(&plan(), 7);
        assert_eq!(tally.sold, [2, 0, 1]);
        assert_eq!((tally.totals[0], tally.refunded[0]), (60, 37));
    }

    #[test]
    fn what_is_not_accepted_sells_nothing() {
        let mut tally = tally();
        let now = tally.measured.window.from;
        let sent = Sent { order: 4, number: 9 };
        for outcome in [
            Outcome::Pending("id".into()),
            Outcome::Refused,
            Outcome::TurnedAway,
            Outcome::Unknown("reset".into()),
        ] {
            tally.answered(sent, &plan(), outcome, times(now, now));
        }
        assert_eq!((tally.sent, tally.accepted, tally.refused, tally.turned_away), (4, 0, 1, 1));
        assert_eq!(tally.sold, [0, 0, 0]);
        assert_eq!(tally.pending, [("id".to_owned(), 4)]);
        assert_eq!(tally.unknown, [sent]);
        assert_eq!(tally.errors, ["reset"]);
        assert_eq!((tally.measured.done, tally.measured.turned_away), (1, 1));
    }
}
