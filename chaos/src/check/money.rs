//! I5 to I7, I14: the bank's books and ours.

use super::facts::{Facts, OrderRow};
use super::{Check, by_order};
use crate::bank::LedgerEntry;
use std::collections::{BTreeMap, HashSet};

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    vec![charged_once(facts), refused_for_free(facts), no_orphans(facts), sums_are_equal(facts)]
}

fn entries_by_order(facts: &Facts) -> BTreeMap<&str, Vec<&LedgerEntry>> {
    by_order(&facts.ledger, |entry| entry.order_id.as_deref().unwrap_or(""))
}

/// I5: what an order says of its money is what the bank says, and it was taken by one charge.
fn charged_once(facts: &Facts) -> Check {
    let mut check = Check::new("I5", "every order is charged once, and what it says");
    let ledger = entries_by_order(facts);
    for order in &facts.orders {
        let entries = ledger.get(order.id.as_str()).map_or(&[][..], Vec::as_slice);
        let captured: i64 = entries.iter().map(|entry| entry.captured).sum();
        let refunded: i64 = entries.iter().map(|entry| entry.refunded).sum();
        let charges = entries.iter().filter(|entry| entry.captured > 0).count();
        check.look(charges <= 1, || {
            format!("DOUBLE CHARGE: order {} was charged {charges} times: {entries:?}", order.id)
        });
        let fits = captured == order.amount_captured && refunded == order.amount_refunded;
        check.look(fits, || {
            let (taken, given) = (order.amount_captured, order.amount_refunded);
            format!(
                "order {} ({}) has {taken} for taken and {given} for given back, the bank \
                 {captured} and {refunded}",
                order.id, order.status
            )
        });
        check.look(is_paid(order), || {
            format!(
                "order {} is {} and costs {}, but was paid {}",
                order.id, order.status, order.amount_total, order.amount_captured
            )
        });
    }
    check
}

/// Whether an order that was confirmed has its money. What is captured later may be held only, and
/// what was cancelled may never have been taken.
fn is_paid(order: &OrderRow) -> bool {
    let lives = matches!(
        order.status.as_str(),
        "confirmed" | "partially_shipped" | "shipped" | "delivered"
    );
    if !lives {
        return true;
    }
    let sums = order.amount_captured <= order.amount_authorized
        && order.amount_authorized <= order.amount_total;
    sums && (order.capture != "automatic" || order.amount_captured == order.amount_total)
}

/// I6: an order without effect costs nothing in the end, and holds nothing.
fn refused_for_free(facts: &Facts) -> Check {
    let mut check = Check::new("I6", "an order that came to nothing costs nothing");
    let ledger = entries_by_order(facts);
    for order in &facts.orders {
        if !matches!(order.status.as_str(), "rejected" | "cancelled") {
            continue;
        }
        let entries = ledger.get(order.id.as_str()).map_or(&[][..], Vec::as_slice);
        let kept: i64 = entries.iter().map(|entry| entry.captured - entry.refunded).sum();
        check.look(kept == 0, || {
            format!("order {} is {}, and the bank keeps {kept}", order.id, order.status)
        });
        let held = entries.iter().find(|entry| entry.status == "requires_capture");
        check.look(held.is_none(), || {
            format!("order {} is {}, and the bank holds {held:?}", order.id, order.status)
        });
    }
    for entry in &facts.ledger {
        let sane = 0 <= entry.refunded
            && entry.refunded <= entry.captured
            && entry.captured <= entry.amount;
        check.look(sane, || format!("more is given back than taken: {entry:?}"));
    }
    check
}

/// I7: everything in the bank's books is a payment of ours, and the other way round.
fn no_orphans(facts: &Facts) -> Check {
    let mut check = Check::new("I7", "all money belongs to a payment of ours");
    let payments = by_order(&facts.payments, |payment| payment.order_id.as_str());
    let orders: HashSet<&str> = facts.orders.iter().map(|order| order.id.as_str()).collect();
    for entry in &facts.ledger {
        let of_order = entry.order_id.as_deref().and_then(|id| payments.get(id));
        let fits = of_order.is_some_and(|payments| {
            payments.iter().any(|payment| {
                payment.amount == entry.amount
                    && payment.currency.eq_ignore_ascii_case(&entry.currency)
            })
        });
        check.look(fits, || format!("ORPHAN: no payment of ours fits {entry:?}"));
    }
    let intents: HashSet<&str> =
        facts.ledger.iter().map(|entry| entry.payment_intent.as_str()).collect();
    for payment in &facts.payments {
        check.look(orders.contains(payment.order_id.as_str()), || {
            format!("a payment without an order: {payment:?}")
        });
        let known = payment.provider_ref.as_deref();
        check.look(known.is_none_or(|name| intents.contains(name)), || {
            format!("the bank does not know the payment {payment:?}")
        });
    }
    check
}

/// I14: the sums per currency.
fn sums_are_equal(facts: &Facts) -> Check {
    let mut check = Check::new("I14", "the sums of both books are equal");
    let mut sums: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for order in &facts.orders {
        let sum = sums.entry(order.currency.to_uppercase()).or_default();
        sum.0 += order.amount_captured - order.amount_refunded;
    }
    for entry in &facts.ledger {
        let sum = sums.entry(entry.currency.to_uppercase()).or_default();
        sum.1 += entry.captured - entry.refunded;
    }
    for (currency, (ours, theirs)) in sums {
        check.look(ours == theirs, || {
            format!("{currency}: our orders have {ours}, the bank {theirs}: {} off", ours - theirs)
        });
    }
    check
}
