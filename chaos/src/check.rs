//! The checker: what clients were told, what the database holds and what the bank holds, compared.
//! Facts go in, findings come out; nothing here asks anybody.

mod events;
mod facts;
mod gather;
mod money;
mod orders;
mod stock;
#[cfg(test)]
mod tests;

pub use facts::{
    AdjustmentRow, EventRow, Facts, LineRow, OrderRow, ParkedRow, PaymentRow, ReplayFact,
    ReservationRow, ShipmentRow, StockRow,
};
pub use gather::{Unsettled, gather_database, unsettled};

use crate::clients::{Finding, Outcome};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

/// Findings shown of one check; the rest is only counted.
const SHOWN_MAX: usize = 10;

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The invariant that it keeps, such as `I5`.
    pub invariant: &'static str,
    /// What it says.
    pub name: &'static str,
    /// Number of things looked at.
    pub checked: usize,
    /// Number of things that are wrong.
    pub wrong: usize,
    /// The first of them.
    pub shown: Vec<String>,
}

impl Check {
    pub(crate) const fn new(invariant: &'static str, name: &'static str) -> Self {
        Self { invariant, name, checked: 0, wrong: 0, shown: Vec::new() }
    }

    /// Looks at one thing.
    pub(crate) fn look(&mut self, good: bool, tell: impl FnOnce() -> String) {
        self.checked += 1;
        if !good {
            self.wrong += 1;
            if self.shown.len() < SHOWN_MAX {
                self.shown.push(tell());
            }
        }
    }
}

/// Every check.
#[must_use]
pub fn check(facts: &Facts) -> Vec<Check> {
    let mut checks = orders::checks(facts);
    checks.extend(money::checks(facts));
    checks.extend(stock::checks(facts));
    checks.extend(events::checks(facts));
    checks.push(nothing_is_left(facts));
    checks.push(told(facts, "I4", "a key names one request"));
    checks.push(told(facts, "I15", "clients read what they were told"));
    checks.push(told(facts, "I19", "every answer is one that may be"));
    checks.push(complaints(facts));
    checks
}

/// What clients found by themselves.
fn told(facts: &Facts, invariant: &'static str, name: &'static str) -> Check {
    let mut check = Check::new(invariant, name);
    for record in &facts.records {
        let found: Vec<&Finding> =
            record.findings.iter().filter(|finding| finding.invariant == invariant).collect();
        check.look(found.is_empty(), || {
            let what: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
            format!("{} {}: {}", record.operation, record.key(), what.join("; "))
        });
    }
    check
}

/// After the faults have stopped, everything comes to its end.
fn nothing_is_left(facts: &Facts) -> Check {
    let mut check = Check::new("I16", "everything comes to its end");
    for order in &facts.orders {
        check.look(order.status != "pending", || format!("order {} is still pending", order.id));
    }
    payments_end(facts, &mut check);
    for record in &facts.records {
        let gave_up_early = record.attempts.len() < 3;
        let undecided = record.outcome == Outcome::Info && record.request.key.is_some();
        check.look(!undecided || gave_up_early, || {
            let tries: Vec<String> = record
                .attempts
                .iter()
                .rev()
                .take(3)
                .map(|a| format!("{} {}", a.status, a.note))
                .collect();
            format!("{} {} was never decided: {tries:?}", record.operation, record.key())
        });
    }
    for parked in &facts.parked {
        check.look(false, || format!("an event is parked: {parked:?}"));
    }
    for (node, note) in &facts.audits {
        check.look(note.is_none(), || {
            format!("the audit of {node}: {}", note.as_deref().unwrap_or_default())
        });
    }
    check
}

/// A payment that stays unknown is right for one reason alone: its order was given up because the
/// bank knows nothing of it.
fn payments_end(facts: &Facts, check: &mut Check) {
    let cancelled = facts.orders.iter().filter(|order| order.status == "cancelled");
    let cancelled: HashSet<&str> = cancelled.map(|order| order.id.as_str()).collect();
    let known = facts.ledger.iter().filter_map(|entry| entry.order_id.as_deref());
    let known: HashSet<&str> = known.collect();
    for payment in &facts.payments {
        let order = payment.order_id.as_str();
        let given_up = cancelled.contains(order) && !known.contains(order);
        check.look(payment.status != "sending" || given_up, || {
            format!("the payment of order {order} is still unknown")
        });
    }
}

/// What was noticed by the way: panics, leaks, ends that nobody asked for.
fn complaints(facts: &Facts) -> Check {
    let mut check = Check::new("I18", "no panic, no leak, no end that nobody asked for");
    check.checked = facts.looks;
    for complaint in &facts.complaints {
        check.look(false, || complaint.clone());
    }
    check
}

/// Things by the order that they belong to.
fn by_order<'a, T>(
    things: &'a [T],
    order: impl Fn(&'a T) -> &'a str,
) -> BTreeMap<&'a str, Vec<&'a T>> {
    let mut found: BTreeMap<&str, Vec<&T>> = BTreeMap::new();
    for thing in things {
        found.entry(order(thing)).or_default().push(thing);
    }
    found
}
