//! I5–I7, I14: what orders cost, against the bank's books.

use super::Findings;
use crate::bank::books::Intent;
use crate::catalogue;
use crate::facts::{Facts, OrderRow};
use serde_json::Value;

fn of<'a>(facts: &'a Facts, order: &OrderRow) -> Vec<&'a Intent> {
    let id = order.id.to_string();
    facts.intents.iter().filter(|intent| intent.order_id == id).collect()
}

/// I5, I6: every order has moved exactly the money that it says.
pub(super) fn orders(facts: &Facts, findings: &mut Findings) {
    for order in &facts.orders {
        let intents = of(facts, order);
        let captured: i64 = intents.iter().map(|intent| intent.captured).sum();
        let refunded: i64 = intents.iter().map(|intent| intent.refunded).sum();
        let held: i64 = intents.iter().map(|intent| intent.capturable).sum();
        let moving = intents.iter().filter(|i| i.captured > 0 || i.capturable > 0).count();
        let [total, authorized, has_captured, has_refunded] = order.amounts;
        findings.unless(moving <= 1, "I5", || format!("order {} was charged twice", order.id));
        let same = captured == has_captured
            && refunded == has_refunded
            && held == authorized - has_captured;
        findings.unless(same, "I5", || {
            format!(
                "order {} ({}) says {has_captured} taken of {authorized} and {has_refunded} given \
                 back; the bank says {captured} taken, {held} held and {refunded} given back",
                order.id, order.status
            )
        });
        findings.unless((0..=captured).contains(&refunded), "I6", || {
            format!("order {}: {refunded} of {captured} given back", order.id)
        });
        if order.has_ended() {
            findings.unless(captured == refunded && held == 0, "I6", || {
                format!(
                    "order {} is {}; {captured} taken, {refunded} given back, {held} held",
                    order.id, order.status
                )
            });
        } else {
            let told = facts.told.get(&order.id.to_string());
            let due = match order.capture.as_str() {
                "automatic" => total,
                _ => told.map_or(0, |told| worth_of(told, "quantity_shipped")),
            };
            findings.unless(captured == due, "I5", || {
                format!("order {} is {}; {captured} of {due} taken", order.id, order.status)
            });
        }
    }
}

/// What the units of an order cost that are counted in this member of its lines.
fn worth_of(told: &Value, member: &str) -> i64 {
    let lines = told["lines"].as_array().map(Vec::as_slice).unwrap_or_default();
    let worth = |line: &Value| {
        let sku = line["sku"].as_str().unwrap_or_default();
        catalogue::price(sku) * line[member].as_i64().unwrap_or(0)
    };
    lines.iter().map(worth).sum()
}

/// I7: the bank moved no money that the shop does not know of, and no payment is in doubt.
pub(super) fn intents(facts: &Facts, findings: &mut Findings) {
    for intent in &facts.intents {
        let order = facts.orders.iter().find(|order| order.id.to_string() == intent.order_id);
        let Some(order) = order else {
            findings
                .add("I7", format!("{} is of the unknown order {}", intent.id, intent.order_id));
            continue;
        };
        let payments = facts.payments.iter().filter(|p| p.order_id == order.id);
        let names = payments.filter(|p| p.provider_ref.as_ref() == Some(&intent.id)).count();
        let money = intent.captured > 0 || intent.capturable > 0;
        findings.unless(!money || names == 1, "I7", || {
            format!("{} moved money, and {names} payments name it", intent.id)
        });
    }
    for payment in &facts.payments {
        // One that was given up is looked for on, in case that the bank heard of it after all.
        let order = facts.orders.iter().find(|order| order.id == payment.order_id);
        let given_up = order.is_some_and(|order| order.status == "cancelled");
        findings.unless(payment.status != "sending" || given_up, "I7", || {
            format!("the payment of {} is in doubt", payment.order_id)
        });
    }
    let given: i64 = facts.refunds.iter().map(|refund| refund.amount).sum();
    let refunded: i64 = facts.intents.iter().map(|intent| intent.refunded).sum();
    findings.unless(given == refunded, "I14", || {
        format!("refunds of {given}, and {refunded} refunded")
    });
}
