//! The second half of an order's way: what became of the payments, in one transaction per batch.

use crate::batch::{Part, in_halves};
use crate::books;
use crate::messages::{Given, Outcome, PlaceError, Settled, Settlement};
use crate::placing::outcome_label;
use crate::shop::{BATCH_PATIENCE, BatchError, Parts};
use actors::RequestContext;
use domain::{
    ChargeOutcome, Command, EventId, Order, OrderEvent, OrderId, OrderStatus, Payment, Recorded,
    decide,
};
use metrics::counter;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use store::answers::{self, Answer, RequestKey, Stored};
use store::{Tx, outbox};
use tracing::Instrument;

/// Settles a batch. Everyone in it who still waits is answered.
pub(crate) async fn settle_batch(shop: Arc<Parts>, batch: Vec<Settlement>) {
    let span = tracing::info_span!("orders.settle_batch", orders = batch.len());
    let context = shop.own_context(BATCH_PATIENCE, span.clone());
    async {
        let parts = in_halves("settle", &batch, async |part: &[Settlement]| {
            write(&shop, part, &context).await
        })
        .await;
        let mut batch = batch.into_iter();
        for Part { items, result } in parts {
            let part = batch.by_ref().take(items);
            match result {
                Ok(answers) => answer(part, &answers),
                Err(error) => fail(part, Arc::new(error)),
            }
        }
    }
    .instrument(span)
    .await;
}

/// An order that moves on.
struct Step<'a> {
    settlement: &'a Settlement,
    next: Order,
    event: OrderEvent,
    payment: &'a Payment,
}

/// One transaction: orders, payments, reservations given back, answers, events. Gives the answer
/// that each key has from now on.
async fn write(
    shop: &Parts,
    batch: &[Settlement],
    context: &RequestContext,
) -> Result<HashMap<RequestKey, Answer>, BatchError> {
    let now = shop.clock.now();
    let mut steps: Vec<Step<'_>> = Vec::with_capacity(batch.len());
    let mut seen = HashSet::with_capacity(batch.len());
    for settlement in batch {
        let Settled::Known { payment, outcome } = &settlement.what else { continue };
        let order = &settlement.kept.order;
        if !seen.insert(order.id) {
            // The reconciler asked too; the first answer settles it.
            continue;
        }
        match decide(order, Command::SettlePayment(outcome.clone())) {
            Ok(event) => {
                let next = order.clone().after(&event, now);
                steps.push(Step { settlement, next, event, payment });
            }
            Err(refusal) => tracing::warn!(
                event = "settlement_refused",
                order_id = %order.id,
                cause = &refusal as &dyn std::error::Error,
                "an order does not take the provider's answer"
            ),
        }
    }
    let mut tx = shop.db.begin().await?;
    let next: Vec<&Order> = steps.iter().map(|step| &step.next).collect();
    let moved = books::update(&mut tx, &next).await?;
    // Whoever lost the race for a version changes nothing else either.
    steps.retain(|step| moved.contains(&step.next.id));
    let tx = move_goods_and_money(shop, tx, &steps, context).await?;
    let answers = finish(shop, tx, batch, &steps).await?;
    Ok(answers)
}

async fn move_goods_and_money(
    shop: &Parts,
    mut tx: Tx,
    steps: &[Step<'_>],
    context: &RequestContext,
) -> Result<Tx, BatchError> {
    let rejected: Vec<OrderId> = steps
        .iter()
        .filter(|step| step.next.status == OrderStatus::Rejected)
        .map(|step| step.next.id)
        .collect();
    if !rejected.is_empty() {
        tx = shop.inventory.release(tx, rejected, context).await?;
    }
    let payments: Vec<Payment> = steps.iter().map(|step| step.payment.clone()).collect();
    if !payments.is_empty() {
        tx = shop.payments.record(tx, payments, context).await?;
    }
    Ok(tx)
}

async fn finish(
    shop: &Parts,
    mut tx: Tx,
    batch: &[Settlement],
    steps: &[Step<'_>],
) -> Result<HashMap<RequestKey, Answer>, BatchError> {
    let mut stored: Vec<Stored> = steps.iter().map(|step| told(shop, step)).collect();
    stored.extend(batch.iter().filter_map(|settlement| waiting(shop, settlement)));
    let new = answers::store(&mut tx, &stored).await?;
    let events: Vec<Recorded> = steps.iter().map(|step| recorded(shop, step)).collect();
    outbox::append(&mut tx, &events).await?;
    // A key that was answered before keeps its first answer: an order told "accepted" at its
    // deadline, or one that another node has settled meanwhile. Both are rare.
    let complete = new == stored.len() as u64 && steps.len() + count_waiting(batch) == batch.len();
    let answers = if complete {
        stored.into_iter().map(|stored| (stored.key, stored.answer)).collect()
    } else {
        let keys: Vec<RequestKey> = batch.iter().map(|s| s.kept.key.clone()).collect();
        let found = answers::find_in(&mut tx, &keys).await?;
        found.into_iter().map(|(key, stored)| (key, stored.answer)).collect()
    };
    tx.commit().await?;
    let partitions: HashSet<u8> = steps.iter().map(|step| step.next.id.partition()).collect();
    (shop.committed)(&partitions.into_iter().collect::<Vec<_>>());
    for step in steps {
        let label = if step.next.status == OrderStatus::Confirmed { 201 } else { 402 };
        counter!("orders_total", "outcome" => outcome_label(label)).increment(1);
    }
    Ok(answers)
}

fn count_waiting(batch: &[Settlement]) -> usize {
    batch.iter().filter(|s| matches!(s.what, Settled::Waiting { .. })).count()
}

fn told(shop: &Parts, step: &Step<'_>) -> Stored {
    let kept = &step.settlement.kept;
    let outcome = match &step.settlement.what {
        Settled::Known { outcome: ChargeOutcome::Declined { code, .. }, .. } => {
            Outcome::Declined { code }
        }
        _ => Outcome::Confirmed,
    };
    Stored {
        key: kept.key.clone(),
        fingerprint: kept.fingerprint,
        answer: (shop.render)(&step.next, &outcome, &step.settlement.trace_id),
        created_at: step.next.updated_at,
    }
}

/// The answer to a client who is not to wait longer.
fn waiting(shop: &Parts, settlement: &Settlement) -> Option<Stored> {
    let Settled::Waiting { degraded } = settlement.what else { return None };
    let degraded: &[&str] = if degraded { &["payment"] } else { &[] };
    let kept = &settlement.kept;
    let outcome = Outcome::Pending { degraded };
    Some(Stored {
        key: kept.key.clone(),
        fingerprint: kept.fingerprint,
        answer: (shop.render)(&kept.order, &outcome, &settlement.trace_id),
        created_at: shop.clock.now(),
    })
}

fn recorded(shop: &Parts, step: &Step<'_>) -> Recorded {
    let cause = match step.next.status {
        OrderStatus::Rejected => "payment_declined",
        _ => "payment_settled",
    };
    Recorded {
        id: EventId(shop.ids.uuid()),
        order_id: step.next.id,
        version: step.next.version,
        at: step.next.updated_at,
        actor: step.settlement.actor.clone(),
        cause: cause.to_owned(),
        trace_id: step.settlement.trace_id.clone(),
        event: step.event.clone(),
    }
}

fn answer(part: impl Iterator<Item = Settlement>, answers: &HashMap<RequestKey, Answer>) {
    for settlement in part {
        let Some(reply) = settlement.reply else { continue };
        reply.send(match answers.get(&settlement.kept.key) {
            Some(answer) => Ok(Given { answer: answer.clone(), replayed: false }),
            None => Err(PlaceError::InProgress),
        });
    }
}

/// The orders stay pending; the reconciler will settle them.
fn fail(part: impl Iterator<Item = Settlement>, error: Arc<BatchError>) {
    tracing::error!(
        event = "batch_failed",
        code = "BATCH_FAILED",
        cause = &*error as &dyn std::error::Error,
        "orders could not be settled"
    );
    for settlement in part {
        if let Some(reply) = settlement.reply {
            let source = error.clone().into();
            reply.send(Err(PlaceError::Unknown { source }));
        }
    }
}
