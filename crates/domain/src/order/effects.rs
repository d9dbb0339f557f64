//! What an event means for goods and money: the books of other services move in the transaction
//! that records it.

use super::{LineUnits, Order};
use crate::event::OrderEvent;
use crate::{PaymentStatus, Sku};
use std::collections::BTreeMap;

/// What is to be done with the payment. It is recorded with the event, done after the commit, and
/// done until the provider has taken it or refused it for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyMove {
    /// Take so much of what is held, in minor units.
    Capture {
        /// How much.
        amount: i64,
        /// Whether the rest is let go.
        is_final: bool,
    },
    /// Let go of all that is still held.
    Void,
    /// Give so much of what was taken back, in minor units.
    Refund {
        /// How much.
        amount: i64,
    },
}

/// What an event moves besides the order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Whether all that is still promised to the order is given back.
    pub release: bool,
    /// Whether the coupons that the order uses can be used again.
    pub coupons: bool,
    /// Whether the order's goods are promised to it again.
    pub reserve: bool,
    /// Units that leave.
    pub ship: BTreeMap<Sku, i64>,
    /// Units that come back to the shelf.
    pub restock: BTreeMap<Sku, i64>,
    /// Units that come back, but not to the shelf.
    pub discard: BTreeMap<Sku, i64>,
    /// What is to be done with the payment.
    pub money: Option<MoneyMove>,
}

/// What `event`, decided for `before`, moves. Pure.
#[must_use]
pub fn effects(before: &Order, event: &OrderEvent) -> Effects {
    let mut effects = Effects::default();
    match event {
        OrderEvent::Placed(_)
        | OrderEvent::CancelRequested(_)
        | OrderEvent::Delivered(_)
        | OrderEvent::RefundFailed(_) => {}
        // Whatever else is held is of no use any more.
        OrderEvent::CaptureFailed(_) => effects.money = Some(MoneyMove::Void),
        OrderEvent::Confirmed(_) => effects.reserve = before.goods == super::Goods::Free,
        OrderEvent::Rejected(_) => {
            effects.release = before.goods == super::Goods::Held;
            effects.coupons = !before.coupons().is_empty();
        }
        OrderEvent::GoodsReleased(_) => effects.release = before.goods == super::Goods::Held,
        OrderEvent::Cancelled(data) => {
            effects.coupons = !before.coupons().is_empty();
            effects.release = before.goods == super::Goods::Held;
            let held = data.payment.as_ref().unwrap_or(&before.payment).status
                == PaymentStatus::Authorized;
            effects.money = undo(data.amount_refunded, held);
        }
        OrderEvent::RemainderCancelled(data) => {
            effects.release = true;
            let held = before.amounts.authorized > before.amounts.captured;
            effects.money = undo(data.amount_refunded, held);
        }
        OrderEvent::Shipped(data) => {
            effects.ship = by_sku(&data.lines);
            effects.money = (data.amount_captured > 0).then_some(MoneyMove::Capture {
                amount: data.amount_captured,
                is_final: data.is_last,
            });
        }
        OrderEvent::Refunded(data) => effects.money = refund(data.amount),
        OrderEvent::Returned(data) => {
            let units = by_sku(&data.lines);
            if data.restock {
                effects.restock = units;
            } else {
                effects.discard = units;
            }
            effects.money = refund(data.amount_refunded);
        }
        OrderEvent::PaidTooLate(data) => {
            let held = data.payment.status == PaymentStatus::Authorized;
            effects.money = undo(data.amount_refunded, held);
        }
    }
    effects
}

const fn undo(refunded: i64, held: bool) -> Option<MoneyMove> {
    if held { Some(MoneyMove::Void) } else { refund(refunded) }
}

const fn refund(amount: i64) -> Option<MoneyMove> {
    if amount > 0 { Some(MoneyMove::Refund { amount }) } else { None }
}

fn by_sku(lines: &[LineUnits]) -> BTreeMap<Sku, i64> {
    let mut units = BTreeMap::new();
    for line in lines {
        *units.entry(line.sku.clone()).or_insert(0) += line.quantity;
    }
    units
}
