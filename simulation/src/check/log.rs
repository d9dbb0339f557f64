//! I10–I13: the log, and what follows from it.

use super::Findings;
use crate::facts::Facts;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// I10: one event per version, without a gap.
pub(super) fn versions(facts: &Facts, findings: &mut Findings) {
    let histories = facts.histories();
    for order in &facts.orders {
        let empty = Vec::new();
        let history = histories.get(&order.id).unwrap_or(&empty);
        let versions: Vec<i64> = history.iter().map(|event| event.version).collect();
        let whole: Vec<i64> = (1..=order.version).collect();
        findings.unless(versions == whole, "I10", || {
            format!("order {} has version {}, and events {versions:?}", order.id, order.version)
        });
    }
    for order in histories.keys() {
        let known = facts.orders.iter().any(|row| row.id == *order);
        findings.unless(known, "I10", || format!("events of the lost order {order}"));
    }
}

/// How an order that stands so may stand after an event of this kind; nothing if it may not happen.
/// Written down once more, and not taken from the product.
fn after(status: &str, kind: &str) -> &'static [&'static str] {
    const LEFT: [&str; 3] = ["partially_shipped", "shipped", "delivered"];
    let sold = status == "confirmed" || LEFT.contains(&status);
    match (status, kind) {
        ("", "order.placed") => &["pending"],
        ("pending", "order.confirmed") => &["confirmed"],
        ("pending", "order.rejected") => &["rejected"],
        ("pending", "order.cancel_requested" | "order.goods_released") => &["pending"],
        ("pending" | "confirmed", "order.cancelled") => &["cancelled"],
        ("confirmed" | "partially_shipped", "order.shipped") => &["partially_shipped", "shipped"],
        ("partially_shipped", "order.remainder_cancelled") => &["shipped"],
        ("shipped", "order.delivered") => &["delivered"],
        ("cancelled", "order.paid_too_late" | "order.refund_failed") => &["cancelled"],
        (_, "order.refunded" | "order.refund_failed") if sold => same(status),
        (_, "order.returned" | "order.capture_failed") if LEFT.contains(&status) => same(status),
        _ => &[],
    }
}

fn same(status: &str) -> &'static [&'static str] {
    match status {
        "confirmed" => &["confirmed"],
        "partially_shipped" => &["partially_shipped"],
        "shipped" => &["shipped"],
        _ => &["delivered"],
    }
}

/// I13: an order's events are a way that an order can go, and end where the order stands.
pub(super) fn paths(facts: &Facts, findings: &mut Findings) {
    let histories = facts.histories();
    for order in &facts.orders {
        let Some(history) = histories.get(&order.id) else { continue };
        let mut may_be = BTreeSet::from([""]);
        for event in history {
            may_be = may_be.iter().flat_map(|status| after(status, &event.kind)).copied().collect();
        }
        findings.unless(may_be.contains(order.status.as_str()), "I13", || {
            let kinds: Vec<&str> = history.iter().map(|event| event.kind.as_str()).collect();
            format!("order {} is {}, and went {kinds:?}", order.id, order.status)
        });
    }
}

/// I11, I12: every event took effect once, in the order's order, and nothing else did.
pub(super) fn effects(facts: &Facts, findings: &mut Findings) {
    let confirmed = facts.events.iter().filter(|event| event.kind == "order.confirmed");
    let orders: BTreeSet<Uuid> = confirmed.clone().map(|event| event.order_id).collect();
    let confirmations = confirmed.count();
    let shipments: BTreeSet<Uuid> = facts.shipments.keys().copied().collect();
    for order in &facts.orders {
        let Some(shipment) = facts.shipments.get(&order.id) else { continue };
        let wanted = match order.status.as_str() {
            "confirmed" => "preparing",
            "partially_shipped" => "partly_sent",
            "shipped" => "sent",
            other => other,
        };
        findings.unless(shipment == wanted, "I11", || {
            format!("order {} is {}, its shipment is {shipment}", order.id, order.status)
        });
    }
    findings.unless(shipments == orders, "I11", || {
        let differ: Vec<&Uuid> = shipments.symmetric_difference(&orders).collect();
        format!("orders that are confirmed or have a shipment, but not both: {differ:?}")
    });
    findings.unless(facts.counted.iter().all(|counted| *counted == confirmations), "I11", || {
        format!("{confirmations} orders are confirmed, the nodes counted {:?}", facts.counted)
    });
    let mut seen: BTreeMap<i64, usize> = BTreeMap::new();
    let mut last: BTreeMap<Uuid, i64> = BTreeMap::new();
    for (seq, order, version) in &facts.observed {
        *seen.entry(*seq).or_insert(0) += 1;
        let before = last.insert(*order, *version).unwrap_or(0);
        findings.unless(before < *version, "I12", || {
            format!("version {version} of order {order} took effect after {before}")
        });
    }
    for event in &facts.events {
        let times = seen.remove(&event.seq).unwrap_or(0);
        findings.unless(times == 1, "I11", || {
            format!("event {} ({}) took effect {times} times", event.seq, event.kind)
        });
    }
    findings.unless(seen.is_empty(), "I11", || format!("effects without an event: {seen:?}"));
}
