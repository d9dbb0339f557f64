//! Sends the returns: orders side by side, the steps of one order one after the other.

use std::sync::Arc;

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use super::super::client::{Body, Call, Retries};
use super::super::drive::{NO_ANSWER, Run, origin};
use super::super::tally::Origin;
use super::super::wire;
use super::matching::{Coming, Job};
use super::sales::{Sold, Units};
use super::tally::{Given, Step};

/// The body of a step that concerns all units.
const ALL: &[u8] = b"{}";

#[derive(Serialize)]
struct ReturnBody<'a> {
    lines: Vec<UnitsBody<'a>>,
    restock: bool,
}

#[derive(Serialize)]
struct UnitsBody<'a> {
    sku: &'a str,
    quantity: u64,
}

/// The part of an answer to a shipment that the replay looks at.
#[derive(Deserialize)]
struct ShipmentAnswer {
    shipment: Moved,
}

/// The part of an answer to a return that the replay looks at. Amounts are in minor units.
#[derive(Deserialize)]
struct ReturnAnswer {
    /// Of the order, all refunds together.
    amount_refunded: i64,
    #[serde(rename = "return")]
    taken_back: Moved,
}

#[derive(Deserialize)]
struct Moved {
    lines: Vec<MovedLine>,
    #[serde(default)]
    restock: bool,
    #[serde(default)]
    amount_refunded: i64,
}

#[derive(Deserialize)]
struct MovedLine {
    quantity: u64,
}

impl Moved {
    fn units(&self) -> u64 {
        self.lines.iter().map(|line| line.quantity).sum()
    }
}

/// Sends all jobs and adds up their answers in `given`.
///
/// # Errors
/// The server stopped answering.
pub(super) async fn send(
    run: &Arc<Run>,
    jobs: Vec<Job>,
    given: &mut Given,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    // So many orders without an answer in a row can only mean that nobody is there.
    let hopeless = (2 * run.connections).max(20);
    let mut unanswered = 0;
    let mut done = stream::iter(jobs)
        .map(|job| {
            let (run, bar) = (Arc::clone(run), bar.clone());
            async move { job_done(&run, job, &bar).await }
        })
        .buffer_unordered(run.connections)
        .boxed();
    while let Some(steps) = done.next().await {
        let lost = steps
            .iter()
            .any(|step| matches!(step, Step::Failed { label, .. } if label == NO_ANSWER));
        unanswered = if lost { unanswered + 1 } else { 0 };
        steps.into_iter().for_each(|step| given.record(step));
        if unanswered >= hopeless {
            let first = given.errors.first().cloned().unwrap_or_default();
            anyhow::bail!("the server stopped answering after {} returns: {first}", given.returned);
        }
    }
    Ok(())
}

/// Ships one order and takes back what comes back to it. What follows a failure is not tried: the
/// server would compute other refunds.
async fn job_done(run: &Run, job: Job, bar: &ProgressBar) -> Vec<Step> {
    let Job { order, returns } = job;
    let mut steps = Vec::with_capacity(1 + returns.len());
    steps.push(ship(run, &order).await);
    let mut refunded = 0;
    for coming in returns {
        let broken = steps.last().is_some_and(Step::is_failure);
        steps.push(if broken {
            Step::NotTried
        } else {
            refunded += coming.cost;
            take_back(run, &order, coming, refunded).await
        });
        bar.inc(1);
    }
    steps
}

/// An answer to a step, before it is read.
struct Told {
    label: String,
    body: Vec<u8>,
    origin: Origin,
    retries: Retries,
}

/// Takes one step of an order; `Err` is the step as it failed.
async fn step(run: &Run, name: &str, call: Call<'_>) -> Result<Told, Step> {
    let failed = |label: String, detail: String, retries| Step::Failed {
        label,
        detail: format!("{name}: {detail}"),
        retries,
    };
    match run.api.call(call).await {
        Err(error) => {
            let detail = format!("{:#}", anyhow::Error::from(error));
            Err(failed(NO_ANSWER.to_owned(), detail, Retries::default()))
        }
        Ok(answer) => {
            let what = call.path.rsplit('/').next().unwrap_or_default();
            let code = wire::problem_code(&answer.body);
            if answer.status != 201 {
                let label = format!("{what}: {} {}", answer.status, code.unwrap_or_default());
                return Err(failed(label, wire::excerpt(&answer.body), answer.retries));
            }
            Ok(Told {
                label: format!("{what}: 201"),
                origin: origin(answer.replayed, answer.retries),
                body: answer.body,
                retries: answer.retries,
            })
        }
    }
}

/// What an answer says that cannot be read.
fn unreadable(name: &str, told: &Told, error: &serde_json::Error) -> Step {
    Step::Failed {
        label: format!("{}, unreadable", told.label),
        detail: format!("{name}: {error}: {}", wire::excerpt(&told.body)),
        retries: told.retries,
    }
}

/// `POST /v1/orders/{id}/shipments`: the whole order leaves. The goods of a wholesaler's order go
/// out together; and only what left can come back.
async fn ship(run: &Run, order: &Sold) -> Step {
    let path = format!("/v1/orders/{}/shipments", order.id);
    let key = wire::idempotency_key(&run.run_id, &format!("ship-{}", order.order_ref));
    let call =
        Call { path: &path, body: Some(Body::Json(ALL)), key: Some(&key), ..Call::default() };
    let told = match step(run, &order.order_ref, call).await {
        Ok(told) => told,
        Err(failed) => return failed,
    };
    match serde_json::from_slice::<ShipmentAnswer>(&told.body) {
        Err(error) => unreadable(&order.order_ref, &told, &error),
        Ok(answer) => Step::Shipped {
            label: told.label,
            differs: answer.shipment.units() != count(&order.units),
            units: order.units.clone(),
            retries: told.retries,
        },
    }
}

/// `POST /v1/orders/{id}/returns`. `refunded` is what the order must have refunded after it.
async fn take_back(run: &Run, order: &Sold, coming: Coming, refunded: i64) -> Step {
    match try_take_back(run, order, &coming, refunded).await {
        Ok(step) => step,
        Err(error) => Step::Failed {
            label: "returns: not sent".to_owned(),
            detail: format!("{}: {error:#}", coming.note_ref),
            retries: Retries::default(),
        },
    }
}

async fn try_take_back(
    run: &Run,
    order: &Sold,
    coming: &Coming,
    refunded: i64,
) -> anyhow::Result<Step> {
    let path = format!("/v1/orders/{}/returns", order.id);
    let key = return_key(run, order, coming);
    let body = return_body(&coming.units).context("cannot write a request body")?;
    let call =
        Call { path: &path, body: Some(Body::Json(&body)), key: Some(&key), ..Call::default() };
    let told = match step(run, &coming.note_ref, call).await {
        Ok(told) => told,
        Err(failed) => return Ok(failed),
    };
    let answer: ReturnAnswer = match serde_json::from_slice(&told.body) {
        Ok(answer) => answer,
        Err(error) => return Ok(unreadable(&coming.note_ref, &told, &error)),
    };
    let back = &answer.taken_back;
    let as_planned = back.units() == count(&coming.units)
        && back.restock
        && back.amount_refunded == coming.cost
        && answer.amount_refunded == refunded;
    Ok(Step::Returned {
        label: told.label,
        units: coming.units.clone(),
        currency: order.currency.clone(),
        cost: coming.cost,
        refunded: back.amount_refunded,
        differs: (!as_planned).then(|| format!("{} on order {}", coming.note_ref, order.order_ref)),
        origin: told.origin,
        retries: told.retries,
    })
}

/// Names a return by its credit note and its order: a note that is split over several orders has a
/// key for each. The order's id has a fixed length, so different pairs give different keys.
fn return_key(run: &Run, order: &Sold, coming: &Coming) -> String {
    wire::idempotency_key(&run.run_id, &format!("return-{}-{}", coming.note_ref, order.id))
}

fn return_body(units: &[Units]) -> Result<Vec<u8>, serde_json::Error> {
    let lines = units.iter().map(|units| UnitsBody { sku: &units.sku, quantity: units.count });
    // What a customer cancelled is sold again; what cannot be sold is written off by other means.
    serde_json::to_vec(&ReturnBody { lines: lines.collect(), restock: true })
}

fn count(units: &[Units]) -> u64 {
    units.iter().map(|units| units.count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_names_its_units_and_puts_them_on_the_shelf() {
        let units = [("A", 2), ("B", 1)].map(|(sku, count)| Units { sku: sku.into(), count });
        let body: serde_json::Value =
            serde_json::from_slice(&return_body(&units).unwrap()).unwrap();
        let want = serde_json::json!({"restock": true,
            "lines": [{"sku": "A", "quantity": 2}, {"sku": "B", "quantity": 1}]});
        assert_eq!(body, want);
    }

    #[test]
    fn reads_the_parts_of_the_answers_that_it_needs() {
        let order = serde_json::json!({"id": "1", "status": "shipped", "amount_refunded": 30,
            "shipment": {"version": 3, "lines": [{"line": 0, "sku": "A", "quantity": 2},
                {"line": 1, "sku": "B", "quantity": 5}], "amount_captured": 0},
            "return": {"version": 4, "lines": [{"line": 0, "sku": "A", "quantity": 2}],
                "restock": true, "amount_refunded": 20}});
        let shipped: ShipmentAnswer = serde_json::from_value(order.clone()).unwrap();
        assert_eq!(shipped.shipment.units(), 7);
        let returned: ReturnAnswer = serde_json::from_value(order).unwrap();
        let back = returned.taken_back;
        assert_eq!((returned.amount_refunded, back.amount_refunded), (30, 20));
        assert_eq!((back.units(), back.restock), (2, true));
    }
}
