//! Carrying an operation out: which of the provider's payments it is about. Usually there is one.
//! When a hold has lapsed, what was captured later is a payment of its own, and what is given back
//! must be given back from where it was taken.

use crate::provider::PaymentProvider;
use domain::{Operation, OperationKind, OperationOutcome, OperationStatus, Payment};
use tokio::time::Instant;

/// Legs between the parts of one operation: more than an order has events. A part needs a leg of
/// its own, because its key may stand for no other amount.
const PART_LEGS: i64 = 1_000_000;

/// What the provider is asked to do with one of its payments.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    operation: Operation,
    payment: Payment,
    /// What was captured of this payment before, in minor units.
    taken: i64,
}

/// Does the operation, all of its parts. `history` is every operation of its order.
pub(crate) async fn carry_out(
    provider: &dyn PaymentProvider,
    operation: &Operation,
    payment: &Payment,
    history: &[Operation],
    deadline: Instant,
) -> OperationOutcome {
    let is_earlier = |other: &&Operation| other.leg < operation.leg;
    if history.iter().filter(is_earlier).any(|other| other.status == OperationStatus::Open) {
        let why = "an earlier operation of the order is still open".to_owned();
        return OperationOutcome::Unknown { why };
    }
    let mut done: Vec<String> = Vec::new();
    for part in parts(operation, payment, history) {
        let Part { operation, payment, taken } = part;
        match provider.carry_out_after(&operation, &payment, taken, deadline).await {
            OperationOutcome::Done { provider_ref } => done.push(provider_ref),
            OperationOutcome::Refused { code } if !done.is_empty() => {
                let why = format!("some of it was done, and the rest was refused: {code}");
                tracing::error!(event = "operation_half_done", code = "OPERATION_HALF_DONE",
                    order_id = %operation.order_id, cause = %why, "a person must look");
                return OperationOutcome::Unknown { why };
            }
            other => return other,
        }
    }
    OperationOutcome::Done { provider_ref: done.join(",") }
}

/// Shares an operation out over the provider's payments. The same at every time, because those
/// before it are settled.
fn parts(operation: &Operation, payment: &Payment, history: &[Operation]) -> Vec<Part> {
    let earlier = || {
        let is_done = |o: &&Operation| o.leg < operation.leg && o.status == OperationStatus::Done;
        history.iter().filter(is_done)
    };
    let sources = sources(payment, earlier());
    let whole = |payment: Payment, taken| Part { operation: operation.clone(), payment, taken };
    if operation.kind != OperationKind::Refund {
        let own = sources.iter().find(|(name, _)| *name == payment.provider_ref);
        return vec![whole(payment.clone(), own.map_or(0, |(_, taken)| *taken))];
    }
    let refunds = earlier().filter(|o| o.kind == OperationKind::Refund);
    let mut spent: i64 = refunds.map(|o| o.amount.minor).sum();
    let mut wanted = operation.amount.minor;
    let mut shares: Vec<(Option<String>, i64)> = Vec::new();
    for (name, taken) in sources {
        let gone = spent.min(taken);
        let share = wanted.min(taken - gone);
        (spent, wanted) = (spent - gone, wanted - share);
        if share > 0 {
            shares.push((name, share));
        }
    }
    // More than was taken: the provider will refuse it.
    match shares.last_mut() {
        Some((_, share)) => *share += wanted,
        None => return vec![whole(payment.clone(), 0)],
    }
    let part = |(number, (name, minor)): (i64, (Option<String>, i64))| {
        let mut part = whole(Payment { provider_ref: name, ..payment.clone() }, 0);
        part.operation.leg += number * PART_LEGS;
        part.operation.amount.minor = minor;
        part
    };
    (0..).zip(shares).map(part).collect()
}

/// The provider's payments of an order that took money, in the order in which they did, and how
/// much each took.
fn sources<'a>(
    payment: &Payment,
    done: impl Iterator<Item = &'a Operation>,
) -> Vec<(Option<String>, i64)> {
    let mut sources: Vec<(Option<String>, i64)> = Vec::new();
    for capture in done {
        if !matches!(capture.kind, OperationKind::Capture | OperationKind::FinalCapture) {
            continue;
        }
        let name = capture.provider_ref.as_ref().or(payment.provider_ref.as_ref());
        match sources.iter_mut().find(|(known, _)| known.as_ref() == name) {
            Some((_, taken)) => *taken += capture.amount.minor,
            None => sources.push((name.cloned(), capture.amount.minor)),
        }
    }
    sources
}

#[cfg(test)]
mod tests;
