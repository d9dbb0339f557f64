//! I1 to I3: what was told is there, once, and is told again.

use super::facts::{Facts, OrderRow};
use super::{Check, by_order};
use crate::clients::{CATALOGUE, Finding, Record};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Statuses that an order cannot be in once its client was told that it is confirmed.
const NEVER_AFTER_CONFIRMED: &[&str] = &["pending", "rejected"];

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    vec![
        every_told_order_is_there(facts),
        one_order_per_key(facts),
        steps_once(facts),
        answers_stay(facts),
    ]
}

fn every_told_order_is_there(facts: &Facts) -> Check {
    let mut check = Check::new("I1", "every order that was told is there");
    let orders = by_order(&facts.orders, |order| order.id.as_str());
    for record in facts.records.iter().filter(|record| record.places_order()) {
        let Some(answer) = record.decided() else { continue };
        let id = answer.order_id().unwrap_or_default();
        let row = orders.get(id.as_str()).and_then(|rows| rows.first());
        check.look(row.is_some(), || format!("LOST: {} was told order {id}", record.key()));
        if let Some(row) = row {
            let wrong = differences(record, answer.status, &answer.json(), row);
            check.look(wrong.is_empty(), || {
                format!("order {id} of {}: {}", record.key(), wrong.join(", "))
            });
        }
    }
    check
}

/// What of an order is not as it was asked for, or not as it was told.
fn differences(record: &Record, status: u16, told: &Value, row: &OrderRow) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut same = |what: &str, wanted: &Value, found: Value| {
        if *wanted != found {
            wrong.push(format!("{what} was {wanted} and is {found}"));
        }
    };
    let asked = record.request.body.clone().unwrap_or_default();
    same("idempotency_key", &record.key().into(), row.idempotency_key.as_str().into());
    same("external_ref", &asked["external_ref"], row.external_ref.clone().into());
    same("currency", &asked["currency"], row.currency.as_str().into());
    same("lines", &units_asked(&asked), units_kept(row));
    if let Some(total) = total_asked(&asked) {
        same("amount_total", &total.into(), row.amount_total.into());
    }
    if status < 300 {
        same("the total that was told", &told["amount_total"], row.amount_total.into());
    }
    if told["status"] == "confirmed" && NEVER_AFTER_CONFIRMED.contains(&row.status.as_str()) {
        wrong.push(format!("told as confirmed, and is {}", row.status));
    }
    if matches!(status, 402 | 409) && row.status != "rejected" {
        wrong.push(format!("told as refused, and is {}", row.status));
    }
    wrong
}

fn units_asked(asked: &Value) -> Value {
    let lines = asked["lines"].as_array();
    let units = lines.map(|lines| {
        lines.iter().map(|line| Value::from(vec![line["sku"].clone(), line["quantity"].clone()]))
    });
    units.map_or(Value::Null, |units| units.collect::<Vec<_>>().into())
}

fn units_kept(row: &OrderRow) -> Value {
    let units = row.lines.iter();
    let pair = |sku: &str, quantity: i64| Value::from(vec![Value::from(sku), quantity.into()]);
    units.map(|line| pair(&line.sku, line.quantity)).collect::<Vec<_>>().into()
}

/// What the lines cost by the harness's own catalogue; `None` if something is not in it.
fn total_asked(asked: &Value) -> Option<i64> {
    let mut total = 0;
    for line in asked["lines"].as_array()? {
        let sku = line["sku"].as_str()?;
        let good = CATALOGUE.iter().find(|good| good.sku == sku)?;
        total += good.unit_amount * line["quantity"].as_i64()?;
    }
    Some(total)
}

fn one_order_per_key(facts: &Facts) -> Check {
    let mut check = Check::new("I2", "a key makes one order at most, and only if it was sent");
    let sent: HashSet<&str> =
        facts.records.iter().filter(|record| record.places_order()).map(Record::key).collect();
    let mut made: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for order in &facts.orders {
        let key = (order.principal_id.as_str(), order.idempotency_key.as_str());
        made.entry(key).or_default().push(&order.id);
    }
    for ((_, key), ids) in &made {
        check.look(ids.len() == 1, || format!("{key} made {} orders: {ids:?}", ids.len()));
        check.look(sent.contains(key), || format!("order {ids:?} of {key}, which nobody sent"));
    }
    check
}

/// Operations that are one event of their order each, if they are done.
const STEPS: &[(&str, &str)] = &[
    ("ship", "order.shipped"),
    ("deliver", "order.delivered"),
    ("refund", "order.refunded"),
    ("return", "order.returned"),
];

/// A step of an order's life that was told has happened once; one of doubt, once at most.
fn steps_once(facts: &Facts) -> Check {
    let mut check = Check::new("I2", "a step of an order happens once");
    // Steps that were told, steps in doubt, and events.
    let mut steps: BTreeMap<(&str, &str), [usize; 3]> = BTreeMap::new();
    for record in facts.records.iter().filter(|record| record.owns_key) {
        let event = STEPS.iter().find(|(operation, _)| *operation == record.operation);
        let (Some((_, event)), Some(order)) = (event, record.about.as_deref()) else { continue };
        let counts = steps.entry((order, event)).or_default();
        match record.decided() {
            Some(answer) => counts[0] += usize::from(answer.status < 300),
            None => counts[1] += 1,
        }
    }
    for event in &facts.events {
        if STEPS.iter().any(|(_, kind)| *kind == event.kind) {
            steps.entry((&event.order_id, &event.kind)).or_default()[2] += 1;
        }
    }
    for ((order, event), [told, doubt, done]) in steps {
        check.look(told <= done && done <= told + doubt, || {
            format!("order {order}: {told} were told and {doubt} in doubt, and {done} × {event}")
        });
    }
    check
}

fn answers_stay(facts: &Facts) -> Check {
    let mut check = Check::new("I3", "the same request is told the same, on every node");
    for replay in &facts.replays {
        check.look(replay.difference.is_none(), || {
            let what = replay.difference.as_deref().unwrap_or_default();
            format!("{} on {}: {what}", replay.key, replay.node)
        });
    }
    let mut told: HashMap<&str, Vec<&Finding>> = HashMap::new();
    for record in &facts.records {
        let found = record.findings.iter().filter(|finding| finding.invariant == "I3");
        told.entry(record.key()).or_default().extend(found);
    }
    for (key, findings) in told {
        check.look(findings.is_empty(), || {
            let what: Vec<&str> = findings.iter().map(|finding| finding.what.as_str()).collect();
            format!("{key}: {}", what.join("; "))
        });
    }
    check
}
