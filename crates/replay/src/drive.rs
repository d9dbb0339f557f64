//! Sends the orders: a reader feeds a bounded queue, a bounded number of requests is in flight,
//! one collector adds up the answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{Stream, StreamExt as _, stream};
use indicatif::ProgressBar;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::client::{Answer, Api, Body, Call, Retries};
use super::dataset::{Dataset, DatasetError, Order};
use super::load;
use super::tally::{Origin, Pending, Sent, Tally};
use super::wire::{self, Outcome, Settled};

/// Orders read ahead of the ones in flight.
const READ_AHEAD: usize = 256;
/// Questions in flight while pending orders are followed up.
const FOLLOW_UP: usize = 16;
/// How long pending orders are followed up, all waits together.
const FOLLOW_UP_FOR: Duration = Duration::from_secs(120);
/// The longest wait between two rounds of questions.
const LONGEST_ROUND: Duration = Duration::from_secs(2);

/// What every order of a run is sent with.
pub(super) struct Run {
    pub(super) api: Api,
    pub(super) run_id: String,
    /// Ids by `customer_ref`.
    pub(super) customers: HashMap<String, String>,
    /// Requests in flight, at least 1.
    pub(super) connections: usize,
    /// Orders a second; `None`: as fast as the answers come.
    pub(super) rate: Option<f64>,
}

/// Sends the first `limit` orders, or all, and adds the answers up in `tally`. Hands the pending
/// ones back.
///
/// # Errors
/// The order file cannot be read, or the server stopped answering.
pub(super) async fn orders(
    run: &Arc<Run>,
    dataset: &Dataset,
    limit: Option<usize>,
    tally: &mut Tally,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Pending>> {
    let mut pending = Vec::new();
    // So many orders without an answer in a row can only mean that nobody is there.
    let hopeless = (2 * run.connections).max(20);
    let mut unanswered = 0;
    let mut answers = paced(read(dataset, limit), run.rate)
        .map(|(order, due)| {
            let run = Arc::clone(run);
            async move { anyhow::Ok(place(&run, order?, due).await) }
        })
        .buffer_unordered(run.connections)
        .boxed();
    while let Some(sent) = answers.next().await {
        let sent = sent?;
        unanswered = if sent.label == NO_ANSWER { unanswered + 1 } else { 0 };
        pending.extend(tally.record(sent));
        bar.inc(1);
        if unanswered >= hopeless {
            let first = tally.errors.first().cloned().unwrap_or_default();
            anyhow::bail!("the server stopped answering after {} orders: {first}", tally.sent);
        }
    }
    Ok(pending)
}

/// Reads the orders on a thread of its own, a few ahead of the sender.
fn read(dataset: &Dataset, limit: Option<usize>) -> mpsc::Receiver<Result<Order, DatasetError>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let dataset = dataset.clone();
    tokio::task::spawn_blocking(move || match dataset.orders() {
        Err(error) => drop(sender.blocking_send(Err(error))),
        Ok(orders) => {
            for order in orders.take(limit.unwrap_or(usize::MAX)) {
                if sender.blocking_send(order).is_err() {
                    break;
                }
            }
        }
    });
    receiver
}

/// Hands the orders out: with a rate each at its time, also when the ones before are late.
fn paced<T>(
    queue: mpsc::Receiver<T>,
    rate: Option<f64>,
) -> impl Stream<Item = (T, Option<Instant>)> {
    let interval = rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
    stream::unfold((queue, None), move |(mut queue, last): (_, Option<Instant>)| async move {
        let order = queue.recv().await?;
        let due = interval.map(|interval| next_due(last, interval, Instant::now()));
        if let Some(due) = due {
            tokio::time::sleep_until(due).await;
        }
        Some(((order, due), (queue, due)))
    })
}

/// When the next order is due: by the plan, not by when the last one really went out, so that a
/// slow answer does not slow the plan down.
fn next_due(last: Option<Instant>, interval: Duration, now: Instant) -> Instant {
    last.map_or(now, |last| last + interval)
}

/// The label of a call that was never answered.
pub(super) const NO_ANSWER: &str = "no answer";

/// Places one order and says what became of it. `due` is when it should have been sent.
async fn place(run: &Run, order: Order, due: Option<Instant>) -> Sent {
    let start = due.unwrap_or_else(Instant::now);
    let answered = if order.lines.len() > wire::MAX_SINGLE_LINES {
        place_long(run, &order).await
    } else {
        place_single(run, &order).await
    };
    let latency = start.elapsed();
    let Placed { label, outcome, origin, retries } = answered.unwrap_or_else(|error| Placed {
        label: NO_ANSWER.to_owned(),
        outcome: Outcome::Failed(format!("{error:#}")),
        origin: Origin::Unknown,
        retries: Retries::default(),
    });
    Sent { order, label, outcome, origin, retries, latency }
}

/// The answer to one order, read.
struct Placed {
    label: String,
    outcome: Outcome,
    origin: Origin,
    retries: Retries,
}

/// `POST /v1/orders`.
async fn place_single(run: &Run, order: &Order) -> anyhow::Result<Placed> {
    let key = wire::idempotency_key(&run.run_id, &order.order_ref);
    let body = wire::order(order, customer(run, order)?, None)?;
    let call = Call {
        path: "/v1/orders",
        body: Some(Body::Json(&body)),
        key: Some(&key),
        ..Call::default()
    };
    let Answer { status, replayed, body, retries } = run.api.call(call).await?;
    let (label, outcome) = wire::classify(status, &body);
    Ok(Placed { label, outcome, origin: origin(replayed, retries), retries })
}

/// Where an answer to a call with a key comes from.
pub(super) fn origin(replayed: bool, retries: Retries) -> Origin {
    match replayed {
        false => Origin::Fresh,
        true if retries.unclear() => Origin::Unknown,
        true => Origin::Earlier,
    }
}

/// `POST /v1/orders:batch` with this one order: the import call takes longer orders.
async fn place_long(run: &Run, order: &Order) -> anyhow::Result<Placed> {
    let key = wire::idempotency_key(&run.run_id, &order.order_ref);
    let body = wire::order(order, customer(run, order)?, Some(&key))?;
    let call =
        Call { path: "/v1/orders:batch", body: Some(Body::Ndjson(&body)), ..Call::default() };
    let mut retries = Retries::default();
    // The call itself waits for an overloaded server; a line can be refused for that as well.
    for round in 0..=5_u32 {
        let answer = run.api.call(call).await?;
        retries.add(answer.retries);
        if !(200..300).contains(&answer.status) {
            let (label, outcome) = wire::classify(answer.status, &answer.body);
            return Ok(Placed { label, outcome, origin: Origin::Unknown, retries });
        }
        let lines = load::outcomes(&call, &answer)?;
        let line = lines.into_iter().next().context("the import call answered nothing")?;
        let body = serde_json::to_vec(&line.order.or(line.error))?;
        let (label, outcome) = wire::classify(line.status, &body);
        let later = matches!(line.status, 429 | 503 | 504)
            || wire::problem_code(&body).as_deref() == Some("IDEMPOTENCY_IN_PROGRESS");
        if !later || round == 5 {
            return Ok(Placed { label, outcome, origin: Origin::Unknown, retries });
        }
        retries.overloaded += 1;
        tokio::time::sleep(Duration::from_secs(1 << round)).await;
    }
    anyhow::bail!("the import call was never answered")
}

fn customer<'a>(run: &'a Run, order: &Order) -> anyhow::Result<&'a str> {
    let id = run.customers.get(&order.customer_ref).map(String::as_str);
    id.with_context(|| format!("customer {} was not created", order.customer_ref))
}

/// Asks for the pending orders, round by round with growing waits, until all are settled or the
/// time is up; what is left then counts as failed.
pub(super) async fn follow_up(
    run: &Arc<Run>,
    mut pending: Vec<Pending>,
    tally: &mut Tally,
    bar: &ProgressBar,
) {
    let mut wait = Duration::from_millis(50);
    let mut waited = Duration::ZERO;
    while !pending.is_empty() && waited < FOLLOW_UP_FOR {
        tokio::time::sleep(wait).await;
        waited += wait;
        wait = (wait * 2).min(LONGEST_ROUND);
        let asked = stream::iter(pending.drain(..).map(|order| {
            let run = Arc::clone(run);
            async move { (status_of(&run, &order.id).await, order) }
        }));
        let answers: Vec<_> = asked.buffer_unordered(FOLLOW_UP).collect().await;
        for (status, order) in answers {
            match status {
                Settled::NotYet(_) => {
                    pending.push(order);
                    continue;
                }
                Settled::Accepted(answer) => tally.settle_accepted(order, &answer),
                Settled::Refused(status) => tally.settle_refused(&status),
                Settled::Unknown(problem) => tally.settle_failed(&order, &problem),
            }
            bar.inc(1);
        }
    }
    for order in &pending {
        tally.settle_failed(order, "still pending");
    }
}

/// Where an order stands; a question without answer is asked again in the next round.
async fn status_of(run: &Run, id: &str) -> Settled {
    let path = format!("/v1/orders/{id}");
    match run.api.read(Call { path: &path, ..Call::default() }).await {
        Ok(order) => wire::settled(order),
        Err(super::client::ApiError::Unreachable { .. }) => Settled::NotYet(id.to_owned()),
        Err(error) => Settled::Unknown(format!("{:#}", anyhow::Error::from(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_does_not_slow_down_with_the_answers() {
        let (start, interval) = (Instant::now(), Duration::from_millis(100));
        let first = next_due(None, interval, start);
        assert_eq!(first, start);
        let late = start + Duration::from_secs(3);
        let second = next_due(Some(first), interval, late);
        assert_eq!(second, start + interval);
        assert_eq!(next_due(Some(second), interval, late), start + 2 * interval);
    }

    #[tokio::test]
    async fn with_a_rate_every_order_has_its_time() {
        let (sender, queue) = mpsc::channel(4);
        for n in 0..4 {
            sender.send(n).await.unwrap();
        }
        drop(sender);
        let paced: Vec<_> = paced(queue, Some(100_000.0)).collect().await;
        let due: Vec<Instant> = paced.iter().map(|(_, due)| due.unwrap()).collect();
        let gaps: Vec<u128> = due.windows(2).map(|two| (two[1] - two[0]).as_micros()).collect();
        assert_eq!(gaps, [10, 10, 10]);
    }

    #[tokio::test]
    async fn without_a_rate_nothing_is_due() {
        let (sender, queue) = mpsc::channel(1);
        sender.send(7).await.unwrap();
        drop(sender);
        let paced: Vec<_> = paced(queue, None).collect().await;
        assert_eq!(paced, [(7, None)]);
    }

    #[tokio::test]
    async fn reads_no_more_orders_than_asked_for() {
        let dataset = super::super::sample().unwrap();
        let mut queue = read(&dataset, Some(3));
        let mut refs = Vec::new();
        while let Some(order) = queue.recv().await {
            refs.push(order.unwrap().order_ref);
        }
        assert_eq!(refs.len(), 3);
        assert_eq!(refs[0], "31198570044");
    }

    #[test]
    fn a_replayed_answer_after_a_lost_one_may_be_our_own() {
        let lost = Retries { connection: 1, ..Retries::default() };
        let busy = Retries { overloaded: 1, ..Retries::default() };
        assert_eq!(origin(false, lost), Origin::Fresh);
        assert_eq!(origin(true, lost), Origin::Unknown);
        assert_eq!(origin(true, busy), Origin::Earlier);
    }
}
