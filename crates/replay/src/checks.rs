//! Compares the server's books with the file. Pure.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use super::books::{Audit, Figures, Level};
use super::expected::Totals;
use super::returns::Given;
use super::tally::Tally;

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What is compared.
    pub name: String,
    /// What it must be.
    pub expected: Value,
    /// What it is; null when the server does not say.
    pub found: Value,
    /// Whether both are equal.
    pub ok: bool,
    /// Where to look, when they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Check {
    /// Compares what must be with what is.
    pub fn new(
        name: impl Into<String>,
        expected: impl Into<Value>,
        found: impl Into<Value>,
    ) -> Self {
        let (expected, found) = (expected.into(), found.into());
        Self { name: name.into(), ok: expected == found, expected, found, detail: None }
    }

    /// A count that must be 0; `first` are the first few offenders.
    pub fn none(name: &str, count: usize, first: &[String]) -> Self {
        let detail = (count > 0 && !first.is_empty()).then(|| first.join("; "));
        Self { detail, ..Self::new(name, 0, count) }
    }
}

/// Everything the checks look at.
pub(super) struct Evidence<'a> {
    /// What the run must come to, when that is fixed.
    pub(super) totals: Option<&'a Totals>,
    pub(super) tally: &'a Tally,
    /// Units the run books per SKU before its first order.
    pub(super) opening: &'a HashMap<String, u64>,
    /// Whether a SKU's opening stock had been booked by an earlier run with the same id.
    pub(super) booked_before: &'a HashMap<String, bool>,
    /// Whether the orders ask for exactly the opening stock of every SKU.
    pub(super) sells_out: bool,
    /// What came back; `None` without a file of returns.
    pub(super) given: Option<&'a Given>,
    pub(super) stock_before: &'a HashMap<String, Level>,
    pub(super) stock_after: &'a HashMap<String, Level>,
    pub(super) audit_before: &'a Audit,
    pub(super) audit_after: &'a Audit,
}

/// All checks of a run.
///
/// A repetition (every answer was given to an earlier run with the same id) presumes that the
/// server holds nothing else: what it held before that earlier run is no longer known.
pub(super) fn checks(evidence: &Evidence<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(totals) = evidence.totals {
        fixed_totals(totals, evidence.tally, &mut checks);
    }
    orders(evidence.tally, &mut checks);
    stock(evidence, &mut checks);
    audit(evidence, &mut checks);
    checks
}

/// With enough stock for all, the sums are known beforehand.
fn fixed_totals(totals: &Totals, tally: &Tally, checks: &mut Vec<Check>) {
    checks.extend([
        Check::new("orders confirmed", totals.orders, tally.accepted),
        Check::new("order lines", totals.lines, tally.lines),
        Check::new("units", totals.units, tally.units),
        Check::new("gross, minor units", totals.gross_minor, tally.gross),
        Check::new("discounts, minor units", totals.discount_minor, tally.discount),
        Check::new("total, minor units", totals.total_minor, tally.total),
        Check::new("customers", totals.customers, tally.customers.len()),
        Check::new("SKUs sold", totals.skus, tally.sold.len()),
    ]);
}

/// What holds whichever orders were accepted.
fn orders(tally: &Tally, checks: &mut Vec<Check>) {
    checks.extend([
        Check::new("accepted + refused = sent", tally.sent, tally.accepted + tally.refused),
        Check::new(
            "Σ amount_total of the answers = Σ total of these orders in the file",
            tally.file_total.values().sum::<i64>(),
            tally.total,
        ),
        Check::new("accepted orders that differ from the file", 0, tally.differing),
    ]);
}

/// Offenders by what is wrong with them.
#[derive(Default)]
struct Offenders {
    missing: Vec<String>,
    negative: Vec<String>,
    unequal: Vec<String>,
    on_hand: Vec<String>,
    left_over: Vec<String>,
}

fn stock(evidence: &Evidence<'_>, checks: &mut Vec<Check>) {
    let mut found = Offenders::default();
    let mut skus: Vec<(&String, u64)> = evidence.opening.iter().map(|(s, n)| (s, *n)).collect();
    skus.sort_unstable();
    for (sku, opening) in skus {
        one_sku(evidence, sku, opening, &mut found);
    }
    let mut none = |name: &str, offenders: &[String]| {
        let first: Vec<String> = offenders.iter().take(3).cloned().collect();
        checks.push(Check::none(name, offenders.len(), &first));
    };
    none("SKUs without a stock row", &found.missing);
    none("SKUs below 0", &found.negative);
    if evidence.given.is_none() {
        none("SKUs where opening − available ≠ units of accepted orders", &found.unequal);
        if evidence.sells_out {
            none("SKUs not sold out", &found.left_over);
        }
    } else {
        none("SKUs where opening − available ≠ units sold − units returned", &found.unequal);
        none("SKUs where opening − on hand ≠ units shipped − units returned", &found.on_hand);
        if evidence.sells_out {
            none("SKUs where available ≠ units returned", &found.left_over);
        }
    }
}

fn one_sku(evidence: &Evidence<'_>, sku: &str, opening: u64, found: &mut Offenders) {
    let after = evidence.stock_after.get(sku).copied();
    if after.is_none() && opening > 0 {
        found.missing.push(sku.to_owned());
        return;
    }
    let after = after.unwrap_or_default();
    if after.available < 0 {
        found.negative.push(format!("{sku}: {}", after.available));
    }
    // Stock of others is what was there before, unless that was this very opening stock.
    let ours = evidence.booked_before.get(sku).copied().unwrap_or(false);
    let before = evidence.stock_before.get(sku).copied().filter(|_| !ours).unwrap_or_default();
    let units = |sums: &HashMap<String, u64>| i128::from(sums.get(sku).copied().unwrap_or(0));
    let returned = evidence.given.map_or(0, |given| units(&given.units_returned));
    let shipped = evidence.given.map_or(0, |given| units(&given.units_shipped));
    let sold = units(&evidence.tally.sold);
    let gone =
        |before: i64, after: i64| i128::from(before) + i128::from(opening) - i128::from(after);

    let sold_for_good = gone(before.available, after.available);
    if sold_for_good != sold - returned {
        let story = format!("{sku}: {sold_for_good} gone, {sold} sold, {returned} returned");
        found.unequal.push(story);
    }
    let left = gone(before.on_hand, after.on_hand);
    if left != shipped - returned {
        found.on_hand.push(format!("{sku}: {left} gone, {shipped} shipped, {returned} returned"));
    }
    let more = i128::from(after.available) - i128::from(before.available);
    if more != returned {
        found.left_over.push(format!("{sku}: {more}"));
    }
}

fn audit(evidence: &Evidence<'_>, checks: &mut Vec<Check>) {
    let Evidence { tally, audit_before, audit_after, .. } = evidence;
    let failures = audit_after.failures();
    let detail = (!failures.is_empty()).then(|| failures.join(", "));
    checks.push(Check { detail, ..Check::new("the audit balances", true, audit_after.balanced) });
    let before = audit_before.figures().unwrap_or_default();
    let after = audit_after.figures();
    let now = |currency: &str| {
        after.as_ref().map(|after| after.get(currency).copied().unwrap_or_default())
    };
    for (currency, total) in &tally.file_total {
        let (base, want) = if tally.is_repetition() {
            (Figures::default(), *total)
        } else {
            (before.get(currency).copied().unwrap_or_default(), tally.placed_now(currency))
        };
        let now = now(currency);
        let mut compare = |name: &str, of: fn(&Figures) -> i64| {
            let found = now.as_ref().map(|now| of(now) - of(&base));
            checks.push(Check::new(format!("{name}, {currency} minor units"), want, found));
        };
        compare("bank: captured for these orders", |figures| figures.ledger_captured);
        compare("payments: captured for these orders", |figures| figures.payments_captured);
        compare("orders: total of these orders", |figures| figures.orders_total);
    }
    let Some(given) = evidence.given else { return };
    for (currency, sums) in &given.refunds {
        let (base, want) = if given.is_repetition() {
            (Figures::default(), sums.cost)
        } else {
            (before.get(currency).copied().unwrap_or_default(), given.given_now(currency))
        };
        let now = now(currency);
        let mut compare = |name: &str, of: fn(&Figures) -> Option<i64>| {
            let found = now.as_ref().and_then(of).map(|now| now - of(&base).unwrap_or(0));
            checks.push(Check::new(format!("{name}, {currency} minor units"), want, found));
        };
        compare("bank: refunded for these returns", |figures| figures.ledger_refunded);
        compare("payments: refunded for these returns", |figures| figures.payments_refunded);
        compare("orders: refunded for these returns", |figures| figures.orders_refunded);
    }
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
