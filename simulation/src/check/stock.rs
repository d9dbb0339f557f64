//! I8, I9: goods.

use super::Findings;
use crate::facts::Facts;
use crate::ledger::{Ledger, What};
use serde_json::Value;
use std::collections::BTreeMap;

/// I8: nothing is made of nothing.
pub(super) fn levels(facts: &Facts, findings: &mut Findings) {
    for (sku, level) in &facts.stock {
        let adjusted = facts.adjusted.get(sku).copied().unwrap_or(0);
        let came = adjusted + level.returned;
        findings.unless(came == level.on_hand + level.shipped, "I8", || {
            format!("{sku}: {adjusted} came, {level:?}")
        });
        let shipped = facts.units(sku, "quantity_shipped");
        findings.unless(shipped == level.shipped, "I8", || {
            format!("{sku}: orders say that {shipped} left, {level:?}")
        });
        let back = facts.units(sku, "quantity_returned");
        findings.unless((0..=back).contains(&level.returned), "I8", || {
            format!("{sku}: orders say that {back} came back, {level:?}")
        });
        let sound = 0 <= level.reserved && level.reserved <= level.on_hand && level.shipped >= 0;
        findings.unless(sound, "I8", || format!("{sku}: {level:?}"));
    }
}

/// I9: what is promised is what orders were promised.
pub(super) fn promises(facts: &Facts, findings: &mut Findings) {
    let mut promised: BTreeMap<&str, i64> = BTreeMap::new();
    for promise in facts.promises.iter().filter(|promise| promise.live) {
        *promised.entry(&promise.sku).or_insert(0) += promise.units;
    }
    for (sku, level) in &facts.stock {
        let promised = promised.get(sku.as_str()).copied().unwrap_or(0);
        findings.unless(promised == level.reserved, "I9", || {
            format!("{sku}: {promised} promised, {} reserved", level.reserved)
        });
    }
    for order in &facts.orders {
        let of =
            |live| facts.promises.iter().filter(move |p| p.order_id == order.id && p.live == live);
        let live: i64 = of(true).map(|promise| promise.units).sum();
        let id = order.id.to_string();
        let open: i64 = facts.told.get(&id).map_or(0, |told| {
            let lines = told["lines"].as_array().map(Vec::as_slice).unwrap_or_default();
            let number = |line: &Value, member: &str| line[member].as_i64().unwrap_or(0);
            let left = |line: &Value| {
                let gone = number(line, "quantity_shipped") + number(line, "quantity_cancelled");
                number(line, "quantity") - gone
            };
            lines.iter().map(left).sum()
        });
        let holds = matches!(order.status.as_str(), "pending" | "confirmed" | "partially_shipped");
        let wanted = if holds { open } else { 0 };
        findings.unless(live == wanted, "I9", || {
            format!("order {id} is {}, and {live} of its {wanted} units are promised", order.status)
        });
    }
    for promise in facts.promises.iter().filter(|promise| promise.live) {
        let known = facts.orders.iter().any(|order| order.id == promise.order_id);
        findings.unless(known, "I9", || format!("goods for the lost order {}", promise.order_id));
    }
}

/// I8: each adjustment counts once, and all that were answered count.
pub(super) fn adjustments(facts: &Facts, ledger: &Ledger, findings: &mut Findings) {
    let mut wanted: BTreeMap<&str, i64> = BTreeMap::new();
    for entry in &ledger.entries {
        let What::Adjust { sku, delta } = &entry.what else { continue };
        let kept = facts.answers.get(&entry.key) == Some(&200);
        let told = entry.replies.iter().any(|reply| reply.status == 200);
        findings.unless(kept || !told, "I1", || format!("{} was told and is lost", entry.key));
        if kept {
            *wanted.entry(sku).or_insert(0) += delta;
        }
    }
    for (sku, adjusted) in &facts.adjusted {
        let wanted = wanted.get(sku.as_str()).copied().unwrap_or(0);
        findings.unless(wanted == *adjusted, "I8", || {
            format!("{sku}: adjusted by {adjusted}, answered were {wanted}")
        });
    }
}
