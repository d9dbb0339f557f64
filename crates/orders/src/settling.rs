//! The second half of an order's way: what became of the payments, in one transaction per batch.

use crate::batch::{Part, in_halves};
use crate::books;
use crate::coupons::give_coupons_back;
use crate::hops;
use crate::messages::{
    Asked, Given, OrderError, Origin, Outcome, Settled, Settlement, Step, Waits,
};
use crate::operating::{Onward, operate_batch};
use crate::placing::outcome_label;
use crate::shop::{BatchError, Parts};
use actors::RequestContext;
use domain::{
    ChargeOutcome, Command, EventId, Order, OrderEvent, OrderId, OrderStatus, Payment, Recorded,
    decide,
};
use metrics::counter;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use store::answers::{self, Answer, RequestKey, Stored};
use store::leases::Held;
use store::{Tx, outbox};
use tracing::{Instrument, field};

/// Settles a batch. Everyone in it who still waits is answered.
pub(crate) async fn settle_batch(onward: Onward, batch: Vec<Settlement>) {
    let shop = onward.shop.clone();
    let span =
        tracing::info_span!("orders.settle_batch", orders = batch.len(), trace_id = field::Empty);
    let context = shop.batch_context(&span);
    async {
        let parts = in_halves("settle", &batch, async |part: &[Settlement]| {
            write(&shop, part, &context).await
        })
        .await;
        let mut batch = batch.into_iter();
        for Part { items, result } in parts {
            let part: Vec<Settlement> = batch.by_ref().take(items).collect();
            match result {
                Ok(Settling { mut answers, overtaken }) => {
                    if !overtaken.is_empty() {
                        answers.extend(settle_again(&onward, &part, &overtaken).await);
                    }
                    answer(part, &answers);
                }
                Err(error) => fail(part, Arc::new(error)),
            }
        }
    }
    .instrument(span)
    .await;
}

/// What a batch came to.
struct Settling {
    /// The answer that each key has from now on.
    answers: HashMap<RequestKey, Answer>,
    /// Orders that somebody else had moved on meanwhile.
    overtaken: HashSet<OrderId>,
}

/// Orders that moved on while their payment was asked for (somebody wants to cancel them, or
/// another node was faster) are read again, and settled as they stand now.
async fn settle_again(
    onward: &Onward,
    part: &[Settlement],
    overtaken: &HashSet<OrderId>,
) -> HashMap<RequestKey, Answer> {
    let late: Vec<&Settlement> =
        part.iter().filter(|s| overtaken.contains(&s.kept.order.id)).collect();
    let steps = late.iter().filter_map(|settlement| {
        let Settled::Known { payment, outcome } = &settlement.what else { return None };
        let origin = Origin {
            actor: settlement.actor.clone(),
            trace_id: settlement.trace_id.clone(),
            cause: "payment_settled",
        };
        let step = settle_step(payment.clone(), outcome.clone(), origin, None);
        Some(Asked { step, waits: Waits::Nobody })
    });
    operate_batch(onward.clone(), steps.collect()).await;
    let keys: Vec<RequestKey> = late.iter().map(|settlement| settlement.kept.key.clone()).collect();
    match answers::find(&onward.shop.db, &keys).await {
        Ok(found) => found.into_iter().map(|(key, stored)| (key, stored.answer)).collect(),
        Err(error) => {
            tracing::warn!(
                event = "answers_unread",
                cause = &error as &dyn std::error::Error,
                "the answers of settled orders cannot be read; their clients may ask again"
            );
            HashMap::new()
        }
    }
}

/// The step that settles an order's payment, whatever has become of the order.
pub(crate) fn settle_step(
    payment: Payment,
    outcome: ChargeOutcome,
    origin: Origin,
    lease: Option<Held>,
) -> Step {
    Step {
        order_id: payment.order_id,
        command: Some(Command::SettlePayment { outcome, goods: true }),
        origin,
        wish: None,
        payment: Some(payment),
        money: None,
        lease,
    }
}

/// An order that moves on.
struct Move<'a> {
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
) -> Result<Settling, BatchError> {
    let now = shop.clock.now();
    let mut steps: Vec<Move<'_>> = Vec::with_capacity(batch.len());
    let mut seen = HashSet::with_capacity(batch.len());
    for settlement in batch {
        let Settled::Known { payment, outcome } = &settlement.what else { continue };
        let order = &settlement.kept.order;
        if !seen.insert(order.id) {
            // Recovery asked too; the first answer settles it.
            continue;
        }
        match decide(order, Command::SettlePayment { outcome: outcome.clone(), goods: true }) {
            Ok(event) => {
                let next = order.clone().after(&event, now);
                steps.push(Move { settlement, next, event, payment });
            }
            Err(refusal) => tracing::warn!(
                event = "settlement_refused",
                order_id = %order.id,
                cause = &refusal as &dyn std::error::Error,
                "an order does not take the provider's answer"
            ),
        }
    }
    // The order in which rows are locked everywhere.
    steps.sort_unstable_by_key(|step| step.next.id);
    let mut tx = shop.db.begin().await?;
    let next: Vec<&Order> = steps.iter().map(|step| &step.next).collect();
    let moved = books::update(&mut tx, &next).await?;
    // Whoever lost the race for a version changes nothing else either.
    let lost = steps.iter().map(|step| step.next.id).filter(|id| !moved.contains(id));
    let overtaken: HashSet<OrderId> = lost.collect();
    steps.retain(|step| moved.contains(&step.next.id));
    let tx = move_goods_and_money(shop, tx, &steps, context).await?;
    let answers = finish(shop, tx, batch, &steps).await?;
    Ok(Settling { answers, overtaken })
}

async fn move_goods_and_money(
    shop: &Parts,
    mut tx: Tx,
    steps: &[Move<'_>],
    context: &RequestContext,
) -> Result<Tx, BatchError> {
    give_coupons_back(shop, &mut tx, steps.iter().map(|step| &step.next)).await?;
    let rejected: Vec<OrderId> = steps
        .iter()
        .filter(|step| step.next.status == OrderStatus::Rejected)
        .map(|step| step.next.id)
        .collect();
    if !rejected.is_empty() && !faults::planted("declined-keeps-the-goods") {
        tx = shop.inventory.release(tx, rejected, context).await?;
    }
    let payments: Vec<Payment> = steps.iter().map(|step| step.payment.clone()).collect();
    if !payments.is_empty() && !faults::planted("payment-not-recorded") {
        tx = shop.payments.record(tx, payments, context).await?;
    }
    Ok(tx)
}

async fn finish(
    shop: &Parts,
    mut tx: Tx,
    batch: &[Settlement],
    steps: &[Move<'_>],
) -> Result<HashMap<RequestKey, Answer>, BatchError> {
    // Whoever waits has no answer yet: this node has the key's only request, and nobody else moved the
    // order on. Whoever does not was told "accepted" before, and that stays the answer; unless those
    // words were lost with the database.
    let (asked, told_before): (Vec<&Move<'_>>, Vec<&Move<'_>>) =
        steps.iter().partition(|step| step.settlement.reply.is_some());
    let mut stored: Vec<Stored> = asked.into_iter().map(|step| told(shop, step)).collect();
    answers::store_new(&mut tx, &stored).await?;
    let mut late: Vec<Stored> = told_before.into_iter().map(|step| told(shop, step)).collect();
    late.extend(batch.iter().filter_map(|settlement| waiting(shop, settlement)));
    let new = answers::store(&mut tx, &late).await?;
    let events: Vec<Recorded> = steps.iter().map(|step| recorded(shop, step)).collect();
    outbox::append(&mut tx, &events).await?;
    // A key that was answered before keeps its first answer: an order told "accepted", or one that
    // another node has settled meanwhile.
    let complete = new == late.len() as u64 && stored.len() + late.len() == batch.len();
    let answers = if complete {
        stored.extend(late);
        stored.into_iter().map(|stored| (stored.key, stored.answer)).collect()
    } else {
        let keys: Vec<RequestKey> = batch.iter().map(|s| s.kept.key.clone()).collect();
        let found = answers::find_in(&mut tx, &keys).await?;
        found.into_iter().map(|(key, stored)| (key, stored.answer)).collect()
    };
    faults::point("settle.before_commit").await;
    tx.commit().await?;
    faults::point("settle.after_commit").await;
    let partitions: HashSet<u8> = steps.iter().map(|step| step.next.id.partition()).collect();
    (shop.committed)(&partitions.into_iter().collect::<Vec<_>>());
    for step in steps {
        let label = if step.next.status == OrderStatus::Confirmed { 201 } else { 402 };
        counter!("orders_total", "outcome" => outcome_label(label)).increment(1);
        let events = [(step.next.version, step.event.name())];
        hops::written(&step.settlement.span, "orders.settle_batch", step.next.id, &events);
    }
    Ok(answers)
}

fn told(shop: &Parts, step: &Move<'_>) -> Stored {
    let kept = &step.settlement.kept;
    let outcome = match &step.settlement.what {
        Settled::Known { outcome: ChargeOutcome::Declined { code, .. }, .. }
            if !faults::planted("declined-told-as-paid") =>
        {
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
    let mut answer = (shop.render)(&kept.order, &outcome, &settlement.trace_id);
    if !degraded.is_empty() && faults::planted("doubt-kept-as-503") {
        answer.status = 503;
    }
    Some(Stored {
        key: kept.key.clone(),
        fingerprint: kept.fingerprint,
        answer,
        created_at: shop.clock.now(),
    })
}

fn recorded(shop: &Parts, step: &Move<'_>) -> Recorded {
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

fn answer(part: Vec<Settlement>, answers: &HashMap<RequestKey, Answer>) {
    for settlement in part {
        let Some(reply) = settlement.reply else { continue };
        reply.send(match answers.get(&settlement.kept.key) {
            Some(answer) => Ok(Given { answer: answer.clone(), replayed: false }),
            None => Err(OrderError::InProgress),
        });
    }
}

/// The orders stay pending; recovery will settle them.
fn fail(part: Vec<Settlement>, error: Arc<BatchError>) {
    tracing::error!(
        event = "batch_failed",
        code = "BATCH_FAILED",
        cause = &*error as &dyn std::error::Error,
        "orders could not be settled"
    );
    for settlement in part {
        if let Some(reply) = settlement.reply {
            let source = error.clone().into();
            reply.send(Err(OrderError::Unknown { source }));
        }
    }
}
