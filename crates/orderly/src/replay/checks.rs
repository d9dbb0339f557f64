//! Compares the server's books with the file. Pure.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use super::books::{Audit, Figures};
use super::expected::Totals;
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
    fn new(name: impl Into<String>, expected: impl Into<Value>, found: impl Into<Value>) -> Self {
        let (expected, found) = (expected.into(), found.into());
        Self { name: name.into(), ok: expected == found, expected, found, detail: None }
    }

    /// A count that must be 0; `first` are the first few offenders.
    fn none(name: &str, count: usize, first: &[String]) -> Self {
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
    pub(super) available_before: &'a HashMap<String, i64>,
    pub(super) available_after: &'a HashMap<String, i64>,
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

fn stock(evidence: &Evidence<'_>, checks: &mut Vec<Check>) {
    let mut missing = Vec::new();
    let mut negative = Vec::new();
    let mut unequal = Vec::new();
    let mut left_over = Vec::new();
    let mut skus: Vec<(&String, u64)> = evidence.opening.iter().map(|(s, n)| (s, *n)).collect();
    skus.sort_unstable();
    for (sku, opening) in skus {
        let after = evidence.available_after.get(sku).copied();
        if after.is_none() && opening > 0 {
            missing.push(sku.clone());
            continue;
        }
        let after = i128::from(after.unwrap_or(0));
        if after < 0 {
            negative.push(format!("{sku}: {after}"));
        }
        // Stock of others is what was there before, unless that was this very opening stock.
        let ours = evidence.booked_before.get(sku).copied().unwrap_or(false);
        let before = evidence.available_before.get(sku).copied().unwrap_or(0);
        let others = if ours { 0 } else { i128::from(before) };
        let sold = i128::from(evidence.tally.sold.get(sku).copied().unwrap_or(0));
        let gone = others + i128::from(opening) - after;
        if gone != sold {
            unequal.push(format!("{sku}: {gone} gone, {sold} sold"));
        }
        if after != others {
            left_over.push(format!("{sku}: {}", after - others));
        }
    }
    let first = |list: &[String]| list.iter().take(3).cloned().collect::<Vec<_>>();
    checks.push(Check::none("SKUs without a stock row", missing.len(), &first(&missing)));
    checks.push(Check::none("SKUs below 0", negative.len(), &first(&negative)));
    checks.push(Check::none(
        "SKUs where opening − available ≠ units of accepted orders",
        unequal.len(),
        &first(&unequal),
    ));
    if evidence.sells_out {
        checks.push(Check::none("SKUs not sold out", left_over.len(), &first(&left_over)));
    }
}

fn audit(evidence: &Evidence<'_>, checks: &mut Vec<Check>) {
    let Evidence { tally, audit_before, audit_after, .. } = evidence;
    let failures = audit_after.failures();
    let detail = (!failures.is_empty()).then(|| failures.join(", "));
    checks.push(Check { detail, ..Check::new("the audit balances", true, audit_after.balanced) });
    let before = audit_before.figures().unwrap_or_default();
    let after = audit_after.figures();
    for (currency, total) in &tally.file_total {
        let (base, want) = if tally.is_repetition() {
            (Figures::default(), *total)
        } else {
            (before.get(currency).copied().unwrap_or_default(), tally.placed_now(currency))
        };
        let now = after.as_ref().map(|after| after.get(currency).copied().unwrap_or_default());
        let mut compare = |name: &str, of: fn(&Figures) -> i64| {
            let found = now.as_ref().map(|now| of(now) - of(&base));
            checks.push(Check::new(format!("{name}, {currency} minor units"), want, found));
        };
        compare("bank: captured for these orders", |figures| figures.ledger_captured);
        compare("payments: captured for these orders", |figures| figures.payments_captured);
        compare("orders: total of these orders", |figures| figures.orders_total);
    }
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
