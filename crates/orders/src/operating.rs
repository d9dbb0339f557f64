//! Steps of orders that exist: what clients, timers, the provider and the operators want of them.
//!
//! Unlike the two halves of an order's first way, which know the order by heart, a step reads it
//! again and holds it until the commit: whoever comes second decides on what the first one left.
//! One transaction takes the steps of many orders, one step of each.

mod after;
mod entry;

use crate::batch::{Part, in_halves};
use crate::books;
use crate::messages::{Asked, OrderError, Step};
use crate::shop::{BatchError, Parts};
use actors::RequestContext;
use domain::{Command, Demand, Goods, OrderEvent, OrderId, ReservationOutcome, decide};
use entry::{Book, Verdict};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use store::answers::{self, RequestKey, Stored};
use store::{StoreError, Tx, leases, outbox};
use tracing::{Instrument, field};

pub(crate) use after::{Onward, carry_out_money};

/// Works on a batch of steps. Everyone who waits is answered.
pub(crate) async fn operate_batch(onward: Onward, mut batch: Vec<Asked>) {
    let shop = onward.shop.clone();
    let span =
        tracing::info_span!("orders.operate_batch", steps = batch.len(), trace_id = field::Empty);
    let context = shop.batch_context(&span);
    async {
        while !batch.is_empty() {
            let round = one_step_each(&mut batch);
            let steps: Vec<&Step> = round.iter().map(|asked| &asked.step).collect();
            let parts = in_halves("operate", &steps, async |part: &[&Step]| {
                write(&shop, part, &context).await
            })
            .await;
            let mut round = round.into_iter();
            for Part { items, result } in parts {
                let part: Vec<Asked> = round.by_ref().take(items).collect();
                match result {
                    Ok(verdicts) => onward.answer(part, verdicts),
                    Err(error) => fail(part, &Arc::new(error)),
                }
            }
        }
    }
    .instrument(span)
    .await;
}

/// Takes the first step of each order and of each key out of `batch`; what is left waits for the
/// next round, and finds there what the first one was told.
fn one_step_each(batch: &mut Vec<Asked>) -> Vec<Asked> {
    let mut orders = HashSet::with_capacity(batch.len());
    let mut keys = HashSet::new();
    let all = std::mem::take(batch);
    let (round, later) = all.into_iter().partition(|asked| {
        let wish = asked.step.wish.as_ref();
        let is_first = wish.is_none_or(|wish| !keys.contains(&wish.key));
        let takes = is_first && orders.insert(asked.step.order_id);
        if takes {
            keys.extend(wish.map(|wish| wish.key.clone()));
        }
        takes
    });
    *batch = later;
    round
}

/// One transaction for the steps of as many orders. Gives what became of each.
async fn write(
    shop: &Parts,
    steps: &[&Step],
    context: &RequestContext,
) -> Result<Vec<Verdict>, BatchError> {
    let mut tx = shop.db.begin().await?;
    let ids: Vec<OrderId> = steps.iter().map(|step| step.order_id).collect();
    let orders = books::lock(&mut tx, &ids).await?;
    let known = known_answers(&mut tx, steps).await?;
    let fenced = fenced_off(shop, &mut tx, steps).await?;
    let (tx, open) = settle_operations(shop, tx, steps, &fenced, context).await?;
    // Nothing is written for a step that is fenced off, so nothing may be promised for it.
    let careless = faults::planted("fenced-step-promises-goods");
    let unfenced: Vec<&Step> =
        steps.iter().copied().filter(|step| !fenced.contains(&step.order_id) || careless).collect();
    let (mut tx, reserved) = reserve_again(shop, tx, &unfenced, &orders, context).await?;
    let mut book = Book::new(shop);
    for step in steps {
        let kept = orders.get(&step.order_id);
        let replay = step.wish.as_ref().and_then(|wish| known.get(&wish.key));
        let replay = replay.filter(|_| !faults::planted("step-replay-not-recognised"));
        let goods = reserved.get(&step.order_id).copied().unwrap_or(true);
        let moved_on = fenced.contains(&step.order_id)
            || step.money.as_ref().is_some_and(|money| !open.contains(&money.operation.id));
        book.enter(step, kept, replay, goods && !moved_on, moved_on);
    }
    if let Some(refusal) = book.contradiction.take() {
        tx.rollback().await?;
        return Err(refusal.into());
    }
    tx = book.move_goods_and_money(shop, tx, context).await?;
    answers::store(&mut tx, &book.first_answers).await?;
    if answers::store(&mut tx, &book.answers).await? != book.answers.len() as u64 {
        // The same key was used elsewhere a moment ago: look again.
        tx.rollback().await?;
        return Err(StoreError::Overtaken { statement: "store_answers" }.into());
    }
    outbox::append(&mut tx, &book.events).await?;
    faults::point("operate.before_commit").await;
    tx.commit().await?;
    faults::point("operate.after_commit").await;
    (shop.committed)(&book.partitions());
    Ok(book.verdicts)
}

async fn known_answers(
    tx: &mut Tx,
    steps: &[&Step],
) -> Result<HashMap<RequestKey, Stored>, StoreError> {
    let keys: Vec<RequestKey> =
        steps.iter().filter_map(|step| step.wish.as_ref().map(|wish| wish.key.clone())).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    answers::find_in(tx, &keys).await
}

/// The orders whose steps were to be done under a lease that is held no longer.
async fn fenced_off(
    shop: &Parts,
    tx: &mut Tx,
    steps: &[&Step],
) -> Result<HashSet<OrderId>, StoreError> {
    let now = shop.clock.now();
    let mut asked: BTreeMap<&str, bool> = BTreeMap::new();
    let mut off = HashSet::new();
    for step in steps {
        let Some(lease) = &step.lease else { continue };
        let held = match asked.get(lease.name.as_str()) {
            Some(held) => *held,
            None => {
                let held = leases::still_held(tx, lease, now).await?;
                asked.insert(&lease.name, held);
                held
            }
        };
        if !held {
            metrics::counter!("recovery_fenced_off_total").increment(1);
            off.insert(step.order_id);
        }
    }
    Ok(off)
}

/// Records what the provider did; the operations that nobody had recorded before.
async fn settle_operations(
    shop: &Parts,
    tx: Tx,
    steps: &[&Step],
    fenced: &HashSet<OrderId>,
    context: &RequestContext,
) -> Result<(Tx, HashSet<domain::OperationId>), BatchError> {
    let operations: Vec<_> = steps
        .iter()
        .filter(|step| !fenced.contains(&step.order_id))
        .filter_map(|step| step.money.as_ref().map(|money| money.operation.clone()))
        .collect();
    if operations.is_empty() {
        return Ok((tx, HashSet::new()));
    }
    let (tx, open) = shop.payments.settle_operations(tx, operations, context).await?;
    Ok((tx, open.into_iter().collect()))
}

/// Promises goods again to orders that gave them back and were paid after all (rule D11). Whether
/// each got them.
async fn reserve_again(
    shop: &Parts,
    tx: Tx,
    steps: &[&Step],
    orders: &HashMap<OrderId, books::Kept>,
    context: &RequestContext,
) -> Result<(Tx, HashMap<OrderId, bool>), BatchError> {
    let wants = |step: &&&Step| {
        let order = orders.get(&step.order_id).map(|kept| &kept.order)?;
        let Some(Command::SettlePayment { outcome, .. }) = &step.command else { return None };
        let command = Command::SettlePayment { outcome: outcome.clone(), goods: true };
        let confirms = matches!(decide(order, command), Ok(OrderEvent::Confirmed(_)));
        (confirms && order.goods == Goods::Free)
            .then(|| Demand { order_id: order.id, units: order.units_by_sku() })
    };
    let demands: Vec<Demand> = steps.iter().filter_map(|step| wants(&step)).collect();
    if demands.is_empty() {
        return Ok((tx, HashMap::new()));
    }
    let ids: Vec<OrderId> = demands.iter().map(|demand| demand.order_id).collect();
    let (tx, outcomes) = shop.inventory.reserve(tx, demands, context).await?;
    let got = outcomes.iter().map(|outcome| *outcome == ReservationOutcome::Reserved);
    Ok((tx, ids.into_iter().zip(got).collect()))
}

fn fail(part: Vec<Asked>, error: &Arc<BatchError>) {
    tracing::error!(
        event = "batch_failed",
        code = "BATCH_FAILED",
        steps = part.len(),
        cause = &**error as &dyn std::error::Error,
        "steps of orders could not be written"
    );
    for asked in part {
        let source = error.clone().into();
        asked.waits.fail(if error.is_certainly_aborted() {
            OrderError::Unavailable { source }
        } else {
            OrderError::Unknown { source }
        });
    }
}
