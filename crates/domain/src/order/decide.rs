//! The state machine: one match is the transition table.

use super::{Capture, Order, OrderStatus, PaymentSummary, RejectReason};
use crate::event::{Confirmed, OrderEvent, Rejected};
use crate::{ChargeOutcome, PaymentStatus, Shortage};

/// What is to be done with an order that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Its total is 0 and its goods are promised.
    ConfirmWithoutPayment,
    /// Not all its goods could be promised.
    RefuseForStock(Vec<Shortage>),
    /// The provider answered.
    SettlePayment(ChargeOutcome),
}

/// Why an order refuses a command. It stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The order's state does not allow it.
    #[error("an order that is {} does not allow that", .0.as_str())]
    WrongStatus(OrderStatus),
    /// There is something to pay.
    #[error("the order has something to pay")]
    NotFree,
    /// The provider's answer is not known; the order waits.
    #[error("the payment is not known yet: {0}")]
    PaymentUnknown(String),
    /// The provider captured where it should have held the money, or the other way round.
    #[error("the provider's answer does not fit what was asked")]
    PaymentMismatch,
}

/// What happens to `order` by `command`. The caller records the event and applies it with
/// [`Order::after`].
///
/// # Errors
/// See [`Refusal`].
pub fn decide(order: &Order, command: Command) -> Result<OrderEvent, Refusal> {
    match (order.status, command) {
        (OrderStatus::Pending, Command::ConfirmWithoutPayment) if order.amounts.total == 0 => {
            let payment =
                PaymentSummary { status: PaymentStatus::NotNeeded, ..order.payment.clone() };
            Ok(confirmed(order, payment, 0, 0))
        }
        (OrderStatus::Pending, Command::ConfirmWithoutPayment) => Err(Refusal::NotFree),
        (OrderStatus::Pending, Command::RefuseForStock(shortages)) => {
            let reason = RejectReason::OutOfStock { shortages };
            let payment =
                PaymentSummary { status: PaymentStatus::NotNeeded, ..order.payment.clone() };
            Ok(OrderEvent::Rejected(Rejected { reason, payment: Some(payment) }))
        }
        (OrderStatus::Pending, Command::SettlePayment(outcome)) => settle(order, outcome),
        (status, _) => Err(Refusal::WrongStatus(status)),
    }
}

fn settle(order: &Order, outcome: ChargeOutcome) -> Result<OrderEvent, Refusal> {
    let total = order.amounts.total;
    let known = |status, provider_ref, decline_code| PaymentSummary {
        status,
        provider_ref,
        decline_code,
        ..order.payment.clone()
    };
    match (outcome, order.capture) {
        (ChargeOutcome::Captured { provider_ref }, Capture::Automatic) => {
            let payment = known(PaymentStatus::Captured, Some(provider_ref), None);
            Ok(confirmed(order, payment, total, total))
        }
        (ChargeOutcome::Authorized { provider_ref }, Capture::Manual) => {
            let payment = known(PaymentStatus::Authorized, Some(provider_ref), None);
            Ok(confirmed(order, payment, total, 0))
        }
        (ChargeOutcome::Declined { code, provider_ref }, _) => Ok(OrderEvent::Rejected(Rejected {
            reason: RejectReason::PaymentDeclined { decline_code: code.clone() },
            payment: Some(known(PaymentStatus::Declined, provider_ref, Some(code))),
        })),
        (ChargeOutcome::Unknown { why }, _) => Err(Refusal::PaymentUnknown(why)),
        (ChargeOutcome::Captured { .. } | ChargeOutcome::Authorized { .. }, _) => {
            Err(Refusal::PaymentMismatch)
        }
    }
}

fn confirmed(order: &Order, payment: PaymentSummary, authorized: i64, captured: i64) -> OrderEvent {
    OrderEvent::Confirmed(Confirmed {
        payment,
        amount_authorized: authorized,
        amount_captured: captured,
        customer_id: order.customer_id,
        lines: order.lines.clone(),
    })
}
