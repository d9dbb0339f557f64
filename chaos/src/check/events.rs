//! I10 to I13: the log, and what consumers made of it.

use super::facts::{EventRow, Facts};
use super::{Check, by_order};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    vec![no_gaps(facts), effects_once(facts), effects_in_order(facts), histories_are_paths(facts)]
}

/// I10: an order has the events 1 to its version, each once, and there are no others.
fn no_gaps(facts: &Facts) -> Check {
    let mut check = Check::new("I10", "every change is one event, without a gap");
    let mut events = by_order(&facts.events, |event| event.order_id.as_str());
    for order in &facts.orders {
        let mut versions: Vec<i64> = events
            .remove(order.id.as_str())
            .map(|events| events.iter().map(|event| event.version).collect())
            .unwrap_or_default();
        let in_order = versions.is_sorted();
        versions.sort_unstable();
        let whole = versions.iter().copied().eq(1..=order.version);
        check.look(whole, || {
            format!("order {} has version {} and the events {versions:?}", order.id, order.version)
        });
        check.look(in_order, || {
            format!("the events of order {} are not in order in the log", order.id)
        });
    }
    for (order, events) in events {
        check.look(false, || format!("{} events of {order}, which is no order", events.len()));
    }
    check
}

/// I11: each confirmation had its effect in each group, once, and nothing else had one.
fn effects_once(facts: &Facts) -> Check {
    let mut check = Check::new("I11", "every event has its effects once");
    let confirmed: Vec<&EventRow> =
        facts.events.iter().filter(|event| event.kind == "order.confirmed").collect();
    let mut shipments: HashMap<&str, Vec<_>> = HashMap::new();
    for shipment in &facts.shipments {
        shipments.entry(&shipment.order_id).or_default().push(shipment);
    }
    for event in confirmed {
        let wanted = units_of(&event.data);
        let found = shipments.remove(event.order_id.as_str()).unwrap_or_default();
        let right = found.iter().all(|shipment| {
            shipment.units.iter().map(|(sku, units)| (sku.as_str(), *units)).eq(wanted.clone())
        });
        check.look(found.len() == 1 && right, || {
            format!("order {} was confirmed with {wanted:?}, to ship: {found:?}", event.order_id)
        });
    }
    for order in shipments.keys() {
        check.look(false, || format!("a shipment of {order}, which was not confirmed"));
    }
    check
}

fn units_of(confirmed: &Value) -> BTreeMap<&str, i64> {
    let mut units = BTreeMap::new();
    for line in confirmed["lines"].as_array().into_iter().flatten() {
        let sku = line["sku"].as_str().unwrap_or_default();
        *units.entry(sku).or_insert(0) += line["quantity"].as_i64().unwrap_or(0);
    }
    units
}

/// I12: the last event of an order that a group was told is the last one that happened.
fn effects_in_order(facts: &Facts) -> Check {
    let mut check = Check::new("I12", "effects follow the order of events");
    let orders = by_order(&facts.orders, |order| order.id.as_str());
    for shipment in &facts.shipments {
        let order = orders.get(shipment.order_id.as_str()).and_then(|orders| orders.first());
        let Some(order) = order else { continue };
        let wanted = match order.status.as_str() {
            "partially_shipped" => "partly_sent",
            "shipped" => "sent",
            "delivered" => "delivered",
            "cancelled" => "cancelled",
            _ => "preparing",
        };
        check.look(shipment.status == wanted, || {
            format!("order {} is {}, its shipment {}", order.id, order.status, shipment.status)
        });
    }
    check
}

/// I13: the events of an order lead from nothing to where it stands, and to the money it names.
fn histories_are_paths(facts: &Facts) -> Check {
    let mut check = Check::new("I13", "the events of an order lead to where it stands");
    let events = by_order(&facts.events, |event| event.order_id.as_str());
    for order in &facts.orders {
        let mut history = events.get(order.id.as_str()).cloned().unwrap_or_default();
        history.sort_by_key(|event| event.version);
        let wanted = End {
            status: &order.status,
            captured: order.amount_captured,
            refunded: order.amount_refunded,
        };
        let end = walk(&history);
        check.look(end.as_ref() == Ok(&wanted), || {
            let kinds: Vec<&str> = history.iter().map(|event| event.kind.as_str()).collect();
            format!("order {} is {wanted:?}, and {kinds:?} lead to {end:?}", order.id)
        });
    }
    check
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End<'a> {
    status: &'a str,
    captured: i64,
    refunded: i64,
}

/// Where events lead; `Err` if they lead nowhere.
fn walk(history: &[&EventRow]) -> Result<End<'static>, String> {
    let mut now = End { status: "nothing", captured: 0, refunded: 0 };
    for event in history {
        let next = step(now.status, event);
        now.status =
            next.ok_or_else(|| format!("{} after the order was {}", event.kind, now.status))?;
        move_money(&mut now, event);
    }
    Ok(now)
}

/// The state graph, written down a second time on purpose.
fn step(now: &str, event: &EventRow) -> Option<&'static str> {
    Some(match (now, event.kind.as_str()) {
        ("nothing", "order.placed")
        | ("pending", "order.cancel_requested" | "order.goods_released") => "pending",
        ("pending", "order.confirmed")
        | ("confirmed", "order.refunded" | "order.refund_failed") => "confirmed",
        ("pending", "order.rejected") => "rejected",
        ("pending" | "confirmed", "order.cancelled")
        | ("cancelled", "order.paid_too_late" | "order.refund_failed") => "cancelled",
        ("confirmed" | "partially_shipped", "order.shipped") => {
            if event.data["is_last"] == true {
                "shipped"
            } else {
                "partially_shipped"
            }
        }
        ("partially_shipped", "order.remainder_cancelled") => "shipped",
        ("shipped", "order.delivered") => "delivered",
        ("partially_shipped", kind) if is_afterwards(kind) => "partially_shipped",
        ("shipped", kind) if is_afterwards(kind) => "shipped",
        ("delivered", kind) if is_afterwards(kind) => "delivered",
        _ => return None,
    })
}

fn is_afterwards(kind: &str) -> bool {
    matches!(
        kind,
        "order.refunded" | "order.refund_failed" | "order.returned" | "order.capture_failed"
    )
}

fn move_money(now: &mut End<'_>, event: &EventRow) {
    let amount = |name: &str| event.data[name].as_i64().unwrap_or(0);
    match event.kind.as_str() {
        "order.confirmed" => now.captured = amount("amount_captured"),
        "order.shipped" => now.captured += amount("amount_captured"),
        "order.capture_failed" => now.captured -= amount("amount"),
        "order.cancelled" | "order.paid_too_late" => {
            now.captured = amount("amount_captured");
            now.refunded += amount("amount_refunded");
        }
        "order.remainder_cancelled" | "order.returned" => {
            now.refunded += amount("amount_refunded");
        }
        "order.refunded" => now.refunded += amount("amount"),
        "order.refund_failed" => now.refunded -= amount("amount"),
        _ => {}
    }
}
