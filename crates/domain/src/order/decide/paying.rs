//! Decisions until the payment is known.

use super::Refusal;
use crate::event::{
    CancelRequested, Cancelled, Confirmed, GoodsReleased, OrderEvent, PaidTooLate, Rejected,
};
use crate::order::{Capture, Goods, Order, PaymentSummary, RejectReason};
use crate::{ChargeOutcome, PaymentStatus, Shortage};

/// Reason of an order that ended because its goods were gone when the money came.
const GOODS_GONE: &str = "paid after its goods were given to others";
/// Reason of an order that ended because the provider knows of no payment.
const NEVER_PAID: &str = "no payment came";

pub(super) fn confirm_free(order: &Order) -> Result<OrderEvent, Refusal> {
    if order.amounts.total != 0 {
        return Err(Refusal::NotFree);
    }
    Ok(confirmed(order, not_needed(order), 0, 0))
}

pub(super) fn refuse_for_stock(order: &Order, shortages: Vec<Shortage>) -> OrderEvent {
    let reason = RejectReason::OutOfStock { shortages };
    OrderEvent::Rejected(Rejected { reason, payment: Some(not_needed(order)) })
}

pub(super) fn refuse_for_coupons(order: &Order, coupons: Vec<String>) -> OrderEvent {
    let reason = RejectReason::CouponsUsedUp { coupons };
    OrderEvent::Rejected(Rejected { reason, payment: Some(not_needed(order)) })
}

pub(super) fn settle(
    order: &Order,
    outcome: ChargeOutcome,
    goods: bool,
) -> Result<OrderEvent, Refusal> {
    let total = order.amounts.total;
    let (payment, captured) = match (outcome, order.capture) {
        (ChargeOutcome::Captured { provider_ref }, Capture::Automatic) => {
            (known(order, PaymentStatus::Captured, Some(provider_ref), None), total)
        }
        (ChargeOutcome::Authorized { provider_ref }, Capture::Manual) => {
            (known(order, PaymentStatus::Authorized, Some(provider_ref), None), 0)
        }
        (ChargeOutcome::Declined { code, provider_ref }, _) => {
            return Ok(declined(order, code, provider_ref));
        }
        (ChargeOutcome::Unknown { why }, _) => return Err(Refusal::PaymentUnknown(why)),
        (ChargeOutcome::Captured { .. } | ChargeOutcome::Authorized { .. }, _) => {
            return Err(Refusal::PaymentMismatch);
        }
    };
    let reason = match &order.cancel_requested {
        Some(reason) => reason.clone(),
        None if goods => return Ok(confirmed(order, payment, total, captured)),
        None => GOODS_GONE.to_owned(),
    };
    Ok(OrderEvent::Cancelled(Cancelled {
        reason,
        payment: Some(payment),
        amount_captured: captured,
        amount_refunded: captured,
    }))
}

fn declined(order: &Order, code: String, provider_ref: Option<String>) -> OrderEvent {
    let payment = known(order, PaymentStatus::Declined, provider_ref, Some(code.clone()));
    match &order.cancel_requested {
        Some(reason) => OrderEvent::Cancelled(Cancelled {
            reason: reason.clone(),
            payment: Some(payment),
            amount_captured: 0,
            amount_refunded: 0,
        }),
        None => OrderEvent::Rejected(Rejected {
            reason: RejectReason::PaymentDeclined { decline_code: code },
            payment: Some(payment),
        }),
    }
}

/// An order that ended while nobody knew of its payment was paid after all: the money goes back.
pub(super) fn too_late(order: &Order, outcome: ChargeOutcome) -> Result<OrderEvent, Refusal> {
    if order.payment.status != PaymentStatus::Sending {
        return Err(Refusal::MovedOn);
    }
    let total = order.amounts.total;
    let (payment, captured) = match (outcome, order.capture) {
        (ChargeOutcome::Captured { provider_ref }, Capture::Automatic) => {
            (known(order, PaymentStatus::Captured, Some(provider_ref), None), total)
        }
        (ChargeOutcome::Authorized { provider_ref }, Capture::Manual) => {
            (known(order, PaymentStatus::Authorized, Some(provider_ref), None), 0)
        }
        (ChargeOutcome::Declined { code, provider_ref }, _) => {
            (known(order, PaymentStatus::Declined, provider_ref, Some(code)), 0)
        }
        (ChargeOutcome::Unknown { why }, _) => return Err(Refusal::PaymentUnknown(why)),
        (ChargeOutcome::Captured { .. } | ChargeOutcome::Authorized { .. }, _) => {
            return Err(Refusal::PaymentMismatch);
        }
    };
    Ok(OrderEvent::PaidTooLate(PaidTooLate {
        payment,
        amount_captured: captured,
        amount_refunded: captured,
    }))
}

pub(super) fn release_goods(order: &Order) -> Result<OrderEvent, Refusal> {
    match order.goods {
        Goods::Held => Ok(OrderEvent::GoodsReleased(GoodsReleased {})),
        Goods::Free => Err(Refusal::MovedOn),
    }
}

/// Only an order that holds no goods may end so: until then its payment is waited for.
pub(super) fn give_up(order: &Order) -> Result<OrderEvent, Refusal> {
    let reason = match (&order.cancel_requested, order.goods) {
        (Some(reason), _) => reason.clone(),
        (None, Goods::Free) => NEVER_PAID.to_owned(),
        (None, Goods::Held) => return Err(Refusal::MovedOn),
    };
    Ok(OrderEvent::Cancelled(Cancelled {
        reason,
        payment: None,
        amount_captured: 0,
        amount_refunded: 0,
    }))
}

pub(super) fn request_cancel(order: &Order, reason: String) -> Result<OrderEvent, Refusal> {
    match order.cancel_requested {
        None => Ok(OrderEvent::CancelRequested(CancelRequested { reason })),
        Some(_) => Err(Refusal::CancelPending),
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

fn not_needed(order: &Order) -> PaymentSummary {
    PaymentSummary { status: PaymentStatus::NotNeeded, ..order.payment.clone() }
}

fn known(
    order: &Order,
    status: PaymentStatus,
    provider_ref: Option<String>,
    decline_code: Option<String>,
) -> PaymentSummary {
    PaymentSummary { status, provider_ref, decline_code, ..order.payment.clone() }
}
