//! I1–I4, I15: what clients were told.

use super::Findings;
use crate::facts::{Facts, OrderRow};
use crate::ledger::{Entry, Ledger, Misuse, Reply, Step, What};
use serde_json::Value;
use std::collections::BTreeMap;

fn by_key(facts: &Facts) -> BTreeMap<&str, Vec<&OrderRow>> {
    let mut rows: BTreeMap<&str, Vec<&OrderRow>> = BTreeMap::new();
    for order in &facts.orders {
        rows.entry(&order.key).or_default().push(order);
    }
    rows
}

/// I1: an order that a client was told of exists, with what was asked for in it.
pub(super) fn creations(facts: &Facts, ledger: &Ledger, findings: &mut Findings) {
    for entry in &ledger.entries {
        let What::Place { units, total } = &entry.what else { continue };
        for reply in entry.replies.iter().filter(|reply| reply.is_kept()) {
            let Some(id) = reply.order_id() else {
                findings.add("I1", format!("{}: {} names no order", entry.key, reply.status));
                continue;
            };
            let Some(row) = facts.orders.iter().find(|order| order.id.to_string() == id) else {
                findings.add("I1", format!("{}: order {id} is lost", entry.key));
                continue;
            };
            findings.unless(row.key == entry.key, "I1", || {
                format!("{}: order {id} has the key {}", entry.key, row.key)
            });
            let fits = match reply.status {
                201 => !matches!(row.status.as_str(), "pending" | "rejected"),
                409 if reply.code.as_deref() == Some("ORDER_CANCELLED") => {
                    row.status == "cancelled"
                }
                402 | 409 => row.status == "rejected",
                _ => true,
            };
            findings.unless(fits, "I1", || {
                format!("{}: told {}, but order {id} is {}", entry.key, reply.status, row.status)
            });
            match facts.told.get(&id) {
                Some(told) => content(entry, units, *total, told, findings),
                None => findings.add("I1", format!("{}: order {id} is not shown", entry.key)),
            }
        }
    }
}

fn content(
    entry: &Entry,
    units: &BTreeMap<String, i64>,
    total: i64,
    told: &Value,
    findings: &mut Findings,
) {
    let mut has: BTreeMap<String, i64> = BTreeMap::new();
    for line in told["lines"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let sku = line["sku"].as_str().unwrap_or_default().to_owned();
        *has.entry(sku).or_insert(0) += line["quantity"].as_i64().unwrap_or(0);
    }
    let same = has == *units && told["amount_total"] == total && told["currency"] == "USD";
    findings.unless(same, "I1", || {
        format!("{}: asked for {units:?} at {total}, and the order is {told}", entry.key)
    });
}

/// I2: a key has at most one order, and one whose client knows has exactly what it knows.
pub(super) fn keys(facts: &Facts, ledger: &Ledger, findings: &mut Findings) {
    let rows = by_key(facts);
    for (key, orders) in &rows {
        findings.unless(orders.len() == 1, "I2", || format!("{key} has {} orders", orders.len()));
        let asked = ledger.entries.iter().any(|entry| entry.key == *key && entry.sent > 0);
        findings.unless(asked, "I2", || format!("nobody asked for the order of {key}"));
    }
    for entry in &ledger.entries {
        let has = rows.contains_key(entry.key.as_str());
        if entry.what == What::Nonsense {
            findings.unless(!has, "I2", || format!("{} made an order of nothing", entry.key));
            let refused = entry.decided().is_none_or(|reply| reply.status == 422);
            findings.unless(refused, "I2", || format!("{} was not refused", entry.key));
        }
        if matches!(entry.what, What::Step { .. }) {
            findings.unless(!has, "I2", || format!("{} made an order", entry.key));
        }
        findings.unless(!entry.persistent || entry.decided().is_some(), "I16", || {
            format!("{} was never answered, in {} tries", entry.key, entry.sent)
        });
    }
}

/// I3: the same key and request get the same answer, from whichever node and however often.
pub(super) fn sameness(facts: &Facts, ledger: &Ledger, findings: &mut Findings) {
    for entry in &ledger.entries {
        let kept: Vec<&Reply> = entry.replies.iter().filter(|reply| reply.is_kept()).collect();
        let Some(first) = kept.first() else { continue };
        for other in &kept[1..] {
            findings.unless(other.essence() == first.essence(), "I3", || {
                format!(
                    "{}: node {} said {:?}, node {} said {:?}",
                    entry.key,
                    first.node,
                    first.essence(),
                    other.node,
                    other.essence()
                )
            });
        }
        let stored = facts.answers.get(&entry.key).copied();
        findings.unless(stored == Some(i64::from(first.status)), "I3", || {
            format!("{} was told {}, and kept is {stored:?}", entry.key, first.status)
        });
    }
    for (key, status) in &facts.answers {
        let business = matches!(*status, 200..=299 | 402 | 404 | 409 | 422);
        findings.unless(business, "I3", || format!("{status} is kept for {key}"));
    }
}

/// I4: a key does not do two things.
pub(super) fn misuses(ledger: &Ledger, findings: &mut Findings) {
    for misuse in &ledger.misuses {
        let Misuse { key, reply, after_answer } = misuse;
        if !reply.is_final() {
            continue;
        }
        if *after_answer {
            let refused = reply.code.as_deref() == Some("IDEMPOTENCY_KEY_REUSED");
            findings.unless(refused, "I4", || {
                format!("{key} was used for another request, and told {}", reply.status)
            });
        }
        let own = ledger.entries.iter().find(|entry| entry.key == *key);
        let own_order = own
            .and_then(|entry| entry.replies.iter().find(|reply| reply.is_kept()))
            .and_then(Reply::order_id);
        if let (Some(one), Some(other), true) = (own_order, reply.order_id(), reply.is_kept()) {
            findings.add("I4", format!("{key} made {one} and {other}"));
        }
    }
}

/// I15: what a client was told is there for everybody, and never goes back.
pub(super) fn sights(ledger: &Ledger, findings: &mut Findings) {
    for sight in &ledger.sights {
        findings.unless(sight.status == 200, "I15", || {
            format!("order {} was told and is {}", sight.order, sight.status)
        });
        findings.unless(sight.status != 200 || sight.version >= sight.at_least, "I15", || {
            format!("order {} went from {} to {}", sight.order, sight.at_least, sight.version)
        });
    }
}

/// I4: a step that a client was told of was taken, and each key took one.
pub(super) fn steps(facts: &Facts, ledger: &Ledger, findings: &mut Findings) {
    let mut taken: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for entry in &ledger.entries {
        let What::Step { order, step } = &entry.what else { continue };
        let kept = facts.answers.get(&entry.key).copied();
        let done = kept.is_some_and(|status| status < 300);
        if let (Some(event), true) = (step.event(), done) {
            *taken.entry((order, event)).or_insert(0) += 1;
        }
        if *step == Step::Cancel && done {
            let row = facts.orders.iter().find(|row| row.id.to_string() == *order);
            let status = row.map_or("gone", |row| row.status.as_str());
            let right = match kept {
                // As soon as its payment is known: it may have been refused.
                Some(202) => matches!(status, "cancelled" | "rejected"),
                _ => matches!(status, "cancelled" | "shipped" | "delivered"),
            };
            findings.unless(right, "I13", || {
                format!("{}: cancelling was told {kept:?}, and {order} is {status}", entry.key)
            });
        }
    }
    let mut happened: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for event in &facts.events {
        *happened.entry((event.order_id.to_string(), event.kind.as_str())).or_insert(0) += 1;
    }
    for order in &facts.orders {
        let id = order.id.to_string();
        for step in [Step::Ship, Step::Deliver, Step::Refund, Step::Return] {
            let Some(event) = step.event() else { continue };
            let told = taken.get(&(id.as_str(), event)).copied().unwrap_or(0);
            let found = happened.get(&(id.clone(), event)).copied().unwrap_or(0);
            findings.unless(told == found, "I4", || {
                format!("order {id}: {found} times {event}, asked for {told} times")
            });
        }
    }
}
