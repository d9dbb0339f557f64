//! Adds up what became of the orders. Pure: no clock, no I/O.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::client::Retries;
use super::dataset::Order;
use super::returns::Sales;
use super::wire::{OrderAnswer, Outcome};

/// How many failures are kept in words.
pub(super) const MAX_ERRORS: usize = 10;

/// Whether an order was placed by this run or by an earlier one with the same run id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The answer is new.
    Fresh,
    /// The answer was given to an earlier run first.
    Earlier,
    /// Cannot be told: the answer came after an attempt that may have placed the order, or over
    /// the import call, which does not say.
    Unknown,
}

/// One order and its answer.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) order: Order,
    /// What the outcome is counted under, for example `201 confirmed`.
    pub(super) label: String,
    pub(super) outcome: Outcome,
    pub(super) origin: Origin,
    pub(super) retries: Retries,
    /// From when the order was due (open loop) or first sent (closed loop) to its answer.
    pub(super) latency: Duration,
}

/// An order that was accepted but not settled when it was answered.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: String,
    pub(super) order: Order,
    pub(super) origin: Origin,
}

/// Running sums over the answers. Amounts are in minor units.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: u64,
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) failed: u64,
    /// Orders that were answered as pending.
    pub(super) pending: u64,
    /// Answers by [`Origin`]; failures are not counted.
    pub(super) fresh: u64,
    pub(super) earlier: u64,
    /// Answers by status and code; pending ones by what they settled to as well.
    pub(super) outcomes: BTreeMap<String, u64>,
    pub(super) retries: Retries,
    pub(super) errors: Vec<String>,
    /// Sums of the accepted answers, in the server's words.
    pub(super) lines: u64,
    pub(super) units: u64,
    pub(super) gross: i64,
    pub(super) discount: i64,
    pub(super) total: i64,
    /// Σ `total_minor` of the accepted orders in the file's words, by currency.
    pub(super) file_total: BTreeMap<String, i64>,
    /// Of those, what this run placed for certain, and what cannot be told.
    fresh_total: BTreeMap<String, i64>,
    unknown_total: BTreeMap<String, i64>,
    /// Accepted orders whose amounts in the answer are not those of the file.
    pub(super) differing: u64,
    /// Units of the accepted orders by SKU, in the file's words.
    pub(super) sold: HashMap<String, u64>,
    pub(super) customers: HashSet<String>,
    /// What of the accepted orders may come back.
    pub(super) sales: Sales,
    latencies: Vec<Duration>,
}

impl Tally {
    /// Counts one answer; hands a pending order back to be followed up.
    pub(super) fn record(&mut self, sent: Sent) -> Option<Pending> {
        let Sent { order, label, outcome, origin, retries, latency } = sent;
        self.sent += 1;
        self.latencies.push(latency);
        self.retries.add(retries);
        *self.outcomes.entry(label).or_default() += 1;
        if !matches!(outcome, Outcome::Failed(_)) {
            match origin {
                Origin::Fresh => self.fresh += 1,
                Origin::Earlier => self.earlier += 1,
                Origin::Unknown => {}
            }
        }
        match outcome {
            Outcome::Accepted(answer) => self.accept(order, &answer, origin),
            Outcome::Refused => self.refused += 1,
            Outcome::Failed(detail) => self.fail(&order.order_ref, &detail),
            Outcome::Pending(id) => {
                self.pending += 1;
                return Some(Pending { id, order, origin });
            }
        }
        None
    }

    /// Counts a pending order that turned out to be sold.
    pub(super) fn settle_accepted(&mut self, pending: Pending, answer: &OrderAnswer) {
        *self.outcomes.entry(format!("202, then {}", answer.status)).or_default() += 1;
        self.accept(pending.order, answer, pending.origin);
    }

    /// Counts a pending order that turned out not to be sold; `status` is its last one.
    pub(super) fn settle_refused(&mut self, status: &str) {
        *self.outcomes.entry(format!("202, then {status}")).or_default() += 1;
        self.refused += 1;
    }

    /// Counts a pending order that cannot be brought to an end.
    pub(super) fn settle_failed(&mut self, pending: &Pending, detail: &str) {
        *self.outcomes.entry("202, then not settled".to_owned()).or_default() += 1;
        self.fail(&pending.order.order_ref, &format!("order {}: {detail}", pending.id));
    }

    fn fail(&mut self, order_ref: &str, detail: &str) {
        self.failed += 1;
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(format!("{order_ref}: {detail}"));
        }
    }

    fn accept(&mut self, order: Order, answer: &OrderAnswer, origin: Origin) {
        let units: u64 = order.lines.iter().map(|line| line.quantity).sum();
        let answered_units: u64 = answer.lines.iter().map(|line| line.quantity).sum();
        self.sales.add(&order, &answer.id);
        self.accepted += 1;
        self.lines += answer.lines.len() as u64;
        self.units += answered_units;
        self.gross += answer.amount_subtotal;
        self.discount += answer.amount_discount;
        self.total += answer.amount_total;
        if answer.amount_total != order.total_minor || answered_units != units {
            self.differing += 1;
        }
        let origin_total = match origin {
            Origin::Fresh => Some(&mut self.fresh_total),
            Origin::Unknown => Some(&mut self.unknown_total),
            Origin::Earlier => None,
        };
        if let Some(total) = origin_total {
            *total.entry(order.currency.clone()).or_default() += order.total_minor;
        }
        *self.file_total.entry(order.currency).or_default() += order.total_minor;
        for line in order.lines {
            *self.sold.entry(line.sku).or_default() += line.quantity;
        }
        self.customers.insert(order.customer_ref);
    }

    /// Whether every answer that can tell was given to an earlier run first: the replay repeats
    /// one that was complete.
    pub(super) fn is_repetition(&self) -> bool {
        self.earlier > 0 && self.fresh == 0
    }

    /// Σ `total_minor` of the accepted orders that this run placed, in `currency`.
    pub(super) fn placed_now(&self, currency: &str) -> i64 {
        let of = |totals: &BTreeMap<String, i64>| totals.get(currency).copied().unwrap_or(0);
        let unknown = if self.is_repetition() { 0 } else { of(&self.unknown_total) };
        of(&self.fresh_total) + unknown
    }

    /// Latency at the given percentile (nearest rank, 0 to 100); zero without orders.
    pub(super) fn latency(&mut self, percentile: u32) -> Duration {
        self.latencies.sort_unstable();
        let count = self.latencies.len();
        let rank = (count * percentile as usize).div_ceil(100).clamp(1, count.max(1));
        self.latencies.get(rank - 1).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::OrderLine;
    use super::super::wire::LineAnswer;
    use super::*;

    fn order(order_ref: &str, total: i64) -> Order {
        let line = |sku: &str, quantity| OrderLine {
            sku: sku.into(),
            quantity,
            unit_amount: 10,
            discount_amount: 0,
        };
        Order {
            order_ref: order_ref.into(),
            customer_ref: "c".into(),
            store_ref: None,
            timestamp: None,
            currency: "USD".into(),
            lines: vec![line("A", 2), line("B", 1)],
            total_minor: total,
        }
    }

    fn answer(total: i64) -> OrderAnswer {
        OrderAnswer {
            id: "id".into(),
            status: "confirmed".into(),
            amount_subtotal: total + 5,
            amount_discount: 5,
            amount_total: total,
            lines: vec![LineAnswer { quantity: 2 }, LineAnswer { quantity: 1 }],
        }
    }

    fn sent(outcome: Outcome, origin: Origin) -> Sent {
        Sent {
            order: order("o", 30),
            label: "label".into(),
            outcome,
            origin,
            retries: Retries { overloaded: 1, ..Retries::default() },
            latency: Duration::from_millis(1),
        }
    }

    #[test]
    fn adds_up_what_the_server_accepted() {
        let mut tally = Tally::default();
        for _ in 0..2 {
            tally.record(sent(Outcome::Accepted(answer(30)), Origin::Fresh));
        }
        assert_eq!((tally.sent, tally.accepted, tally.refused, tally.failed), (2, 2, 0, 0));
        assert_eq!((tally.lines, tally.units), (4, 6));
        assert_eq!((tally.gross, tally.discount, tally.total), (70, 10, 60));
        assert_eq!(tally.file_total["USD"], 60);
        assert_eq!((tally.sold["A"], tally.sold["B"]), (4, 2));
        assert_eq!(tally.customers.len(), 1);
        assert_eq!(tally.differing, 0);
        assert_eq!(tally.retries.overloaded, 2);
        assert_eq!(tally.outcomes["label"], 2);
    }

    #[test]
    fn notices_an_answer_that_differs_from_the_file() {
        let mut tally = Tally::default();
        tally.record(sent(Outcome::Accepted(answer(31)), Origin::Fresh));
        let mut short = answer(30);
        short.lines.pop();
        tally.record(sent(Outcome::Accepted(short), Origin::Fresh));
        assert_eq!(tally.differing, 2);
        assert_eq!((tally.total, tally.file_total["USD"]), (61, 60));
    }

    #[test]
    fn refusals_sell_nothing_and_failures_are_kept_in_words() {
        let mut tally = Tally::default();
        tally.record(sent(Outcome::Refused, Origin::Fresh));
        for _ in 0..12 {
            tally.record(sent(Outcome::Failed("500".into()), Origin::Fresh));
        }
        assert_eq!((tally.sent, tally.accepted, tally.refused, tally.failed), (13, 0, 1, 12));
        assert!(tally.sold.is_empty() && tally.file_total.is_empty());
        assert_eq!(tally.errors.len(), 10);
        assert_eq!(tally.errors[0], "o: 500");
        assert_eq!(tally.fresh, 1);
    }

    #[test]
    fn pending_orders_count_once_they_are_settled() {
        let mut tally = Tally::default();
        let mut pending = Vec::new();
        for _ in 0..3 {
            pending.extend(tally.record(sent(Outcome::Pending("id".into()), Origin::Fresh)));
        }
        assert_eq!((tally.sent, tally.pending, tally.accepted), (3, 3, 0));
        tally.settle_failed(&pending[0], "still pending");
        tally.settle_refused("rejected");
        tally.settle_accepted(pending.remove(1), &answer(30));
        assert_eq!((tally.accepted, tally.refused, tally.failed), (1, 1, 1));
        assert_eq!(tally.outcomes["202, then confirmed"], 1);
        assert_eq!(tally.outcomes["202, then rejected"], 1);
        assert_eq!(tally.errors, ["o: order id: still pending"]);
        assert_eq!(tally.placed_now("USD"), 30);
    }

    #[test]
    fn tells_a_repetition_from_a_resumed_run() {
        let mut tally = Tally::default();
        assert!(!tally.is_repetition());
        tally.record(sent(Outcome::Accepted(answer(30)), Origin::Earlier));
        tally.record(sent(Outcome::Accepted(answer(30)), Origin::Unknown));
        assert!(tally.is_repetition());
        assert_eq!(tally.placed_now("USD"), 0);
        tally.record(sent(Outcome::Accepted(answer(30)), Origin::Fresh));
        assert!(!tally.is_repetition());
        assert_eq!(tally.placed_now("USD"), 60, "fresh and unknown");
        assert_eq!(tally.placed_now("GBP"), 0);
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut tally = Tally::default();
        assert_eq!(tally.latency(50), Duration::ZERO);
        for ms in (1..=200).rev() {
            let mut one = sent(Outcome::Refused, Origin::Fresh);
            one.latency = Duration::from_millis(ms);
            tally.record(one);
        }
        let ms = [0, 50, 99, 100].map(|percentile| tally.latency(percentile).as_millis());
        assert_eq!(ms, [1, 100, 198, 200]);
    }
}
