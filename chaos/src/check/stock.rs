//! I8, I9: the goods.

use super::Check;
use super::facts::Facts;
use crate::clients::{Outcome, Record};
use std::collections::{BTreeMap, HashMap};

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    vec![units_add_up(facts), promises_are_orders(facts), adjusted_once(facts)]
}

/// I8: no unit appears or vanishes, and no level was ever one that cannot be.
fn units_add_up(facts: &Facts) -> Check {
    let mut check = Check::new("I8", "units on the shelf and units that left are all units");
    for row in &facts.stock {
        let sane = 0 <= row.reserved && row.reserved <= row.on_hand && 0 <= row.shipped;
        check.look(sane, || format!("OVERSOLD: {row:?}"));
        check.look(row.adjusted + row.returned == row.on_hand + row.shipped, || {
            format!("units have appeared or vanished: {row:?}")
        });
    }
    check.checked += facts.samples;
    for bad in &facts.bad_levels {
        check.look(false, || format!("seen during the run: {bad}"));
    }
    check
}

/// I9: what is promised is what living orders want.
fn promises_are_orders(facts: &Facts) -> Check {
    let mut check = Check::new("I9", "what is promised is what living orders want");
    let mut held: BTreeMap<&str, i64> = BTreeMap::new();
    let mut live: HashMap<&str, BTreeMap<&str, i64>> = HashMap::new();
    for reservation in facts.reservations.iter().filter(|reservation| reservation.live) {
        for (sku, units) in &reservation.units {
            *held.entry(sku).or_default() += units;
            let of_order = live.entry(&reservation.order_id).or_default();
            *of_order.entry(sku).or_default() += units;
        }
    }
    let mut wanted: BTreeMap<&str, i64> = BTreeMap::new();
    for order in &facts.orders {
        let mut of_order: BTreeMap<&str, i64> = BTreeMap::new();
        let lives = matches!(order.status.as_str(), "pending" | "confirmed" | "partially_shipped");
        if lives && order.goods.as_deref() != Some("free") {
            for line in &order.lines {
                let units = line.quantity - line.quantity_shipped - line.quantity_cancelled;
                if units > 0 {
                    *of_order.entry(&line.sku).or_default() += units;
                    *wanted.entry(&line.sku).or_default() += units;
                }
            }
        }
        let promised = live.remove(order.id.as_str()).unwrap_or_default();
        check.look(promised == of_order, || {
            format!(
                "order {} ({}) wants {of_order:?} and holds {promised:?}",
                order.id, order.status
            )
        });
    }
    for (order, units) in live {
        check.look(false, || format!("units are held for {order}, which is no order: {units:?}"));
    }
    for row in &facts.stock {
        let wanted = wanted.get(row.sku.as_str()).copied().unwrap_or(0);
        check.look(row.reserved == wanted, || {
            let held = held.get(row.sku.as_str()).copied().unwrap_or(0);
            format!(
                "{}: {} are promised, reservations hold {held}, orders want {wanted}",
                row.sku, row.reserved
            )
        });
    }
    check
}

/// An adjustment that was told has happened once; one of doubt, once at most.
fn adjusted_once(facts: &Facts) -> Check {
    let mut check = Check::new("I2", "an adjustment happens once");
    let mut found: HashMap<&str, Vec<(&str, i64)>> = HashMap::new();
    for row in &facts.adjustments {
        found.entry(&row.reason).or_default().push((&row.sku, row.delta));
    }
    let restocks = |record: &&Record| record.owns_key && record.operation == "restock";
    for record in facts.records.iter().filter(restocks) {
        let rows = found.get(record.key()).map_or(&[][..], Vec::as_slice);
        let delta = record.request.body.as_ref().and_then(|body| body["delta"].as_i64());
        let right = rows.iter().all(|(_, changed)| Some(*changed) == delta);
        let once = match record.outcome {
            Outcome::Ok => rows.len() == 1,
            Outcome::Info | Outcome::Fail => rows.len() <= 1,
        };
        check.look(once && right, || {
            format!(
                "{} by {delta:?} ({:?}) has these effects: {rows:?}",
                record.key(),
                record.outcome
            )
        });
    }
    check
}
