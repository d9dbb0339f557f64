//! Decisions after the sale: cancel, ship, refund, take back.

use super::{PartRequest, RefundWish, Refusal};
use crate::event::{
    Cancelled, CaptureFailed, OrderEvent, RefundFailed, Refunded, RemainderCancelled, Returned,
    Shipped,
};
use crate::order::parts::choose;
use crate::order::{Capture, Line, LineUnits, Order};

/// Everything goes back: nothing has left yet.
pub(super) fn cancel(order: &Order, reason: String) -> OrderEvent {
    let amounts = order.amounts;
    OrderEvent::Cancelled(Cancelled {
        reason,
        payment: None,
        amount_captured: amounts.captured,
        amount_refunded: amounts.captured - amounts.refunded,
    })
}

/// What has left stays sold; the rest goes back. What was held for the rest is let go, what was
/// taken for it is refunded.
pub(super) fn cancel_remainder(order: &Order, reason: String) -> OrderEvent {
    let lines: Vec<LineUnits> = units(order, Line::units_open);
    let worth = match order.capture {
        Capture::Automatic => worth(order, &lines, |line, units| {
            (line.quantity_refunded, line.refunded_by_cancelling(units))
        }),
        Capture::Manual => 0,
    };
    let amount_refunded = worth.min(order.amounts.captured - order.amounts.refunded);
    OrderEvent::RemainderCancelled(RemainderCancelled { reason, lines, amount_refunded })
}

pub(super) fn ship(order: &Order, wanted: &[PartRequest]) -> Result<OrderEvent, Refusal> {
    let lines = choose(order, wanted, Line::units_open).map_err(Refusal::NothingToShip)?;
    if lines.is_empty() {
        return Err(Refusal::AllShipped);
    }
    let leaving: i64 = lines.iter().map(|part| part.quantity).sum();
    let open: i64 = order.lines.iter().map(Line::units_open).sum();
    let amount_captured = match order.capture {
        Capture::Automatic => 0,
        Capture::Manual => worth(order, &lines, |line, units| (line.quantity_shipped, units)),
    };
    if amount_captured > order.amounts.authorized - order.amounts.captured {
        return Err(Refusal::NotHeld);
    }
    Ok(OrderEvent::Shipped(Shipped { lines, amount_captured, is_last: leaving == open }))
}

pub(super) fn refund(
    order: &Order,
    wish: RefundWish,
    reason: String,
) -> Result<OrderEvent, Refusal> {
    let left = order.amounts.captured - order.amounts.refunded;
    let (amount, lines) = match wish {
        RefundWish::Amount(amount) => (amount, Vec::new()),
        RefundWish::Lines(wanted) => {
            let free = |line: &Line| match order.capture {
                Capture::Automatic => line.quantity - line.quantity_refunded,
                Capture::Manual => line.quantity_shipped - line.quantity_refunded,
            };
            let lines = choose(order, &wanted, free).map_err(|part| {
                // More units than the order has left to refund are worth more than was taken.
                Refusal::RefundExceedsCaptured { wanted: part.quantity, left: 0 }
            })?;
            (worth(order, &lines, |line, units| (line.quantity_refunded, units)), lines)
        }
    };
    if amount <= 0 || amount > left {
        return Err(Refusal::RefundExceedsCaptured { wanted: amount, left });
    }
    Ok(OrderEvent::Refunded(Refunded { amount, lines, reason }))
}

pub(super) fn take_back(
    order: &Order,
    wanted: &[PartRequest],
    restock: bool,
) -> Result<OrderEvent, Refusal> {
    let free = |line: &Line| line.quantity_shipped - line.quantity_returned;
    let lines = choose(order, wanted, free).map_err(Refusal::NothingToReturn)?;
    if lines.is_empty() {
        return Err(Refusal::AllReturned);
    }
    // Units that were refunded out of goodwill are not refunded again when they come back.
    let worth = worth(order, &lines, |line, units| {
        (line.quantity_refunded, line.refunded_by_returning(units, order.capture))
    });
    let amount_refunded = worth.min(order.amounts.captured - order.amounts.refunded);
    Ok(OrderEvent::Returned(Returned { lines, restock, amount_refunded }))
}

pub(super) fn capture_failed(
    order: &Order,
    amount: i64,
    lines: Vec<LineUnits>,
    code: String,
) -> Result<OrderEvent, Refusal> {
    if amount <= 0 || order.amounts.captured - amount < order.amounts.refunded {
        return Err(Refusal::MovedOn);
    }
    Ok(OrderEvent::CaptureFailed(CaptureFailed { amount, lines, code }))
}

pub(super) fn refund_failed(
    order: &Order,
    amount: i64,
    lines: Vec<LineUnits>,
    code: String,
) -> Result<OrderEvent, Refusal> {
    if amount <= 0 || amount > order.amounts.refunded {
        return Err(Refusal::MovedOn);
    }
    Ok(OrderEvent::RefundFailed(RefundFailed { amount, lines, code }))
}

fn units(order: &Order, count: impl Fn(&Line) -> i64) -> Vec<LineUnits> {
    let lines = order.lines.iter().enumerate();
    lines
        .filter_map(|(line, l)| {
            let quantity = count(l);
            (quantity > 0).then(|| LineUnits { line, sku: l.sku.clone(), quantity })
        })
        .collect()
}

/// What units of the lines are worth: `range` says from which unit of its line on, and how many.
fn worth(order: &Order, parts: &[LineUnits], range: impl Fn(&Line, i64) -> (i64, i64)) -> i64 {
    let line_of = |part: &LineUnits| order.lines.get(part.line).map(|line| (line, part.quantity));
    parts
        .iter()
        .filter_map(line_of)
        .map(|(line, units)| {
            let (from, count) = range(line, units);
            line.worth(from, from + count)
        })
        .sum()
}
