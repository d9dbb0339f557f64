//! The judgement: pure functions from facts to findings.

use super::facts::{Facts, OrderFact};
use domain::{OrderStatus, Payment, PaymentStatus};
use payments::LedgerEntry;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Findings shown of one check; the rest is only counted.
const SHOWN_MAX: usize = 20;

/// One check of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditCheck {
    /// Its stable name.
    pub name: &'static str,
    /// Whether nothing was found.
    pub ok: bool,
    /// Number of things looked at.
    pub checked: usize,
    /// What was found, at most twenty.
    pub violations: Vec<String>,
    /// The sums that were compared, per currency.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<&'static str, CurrencyFigures>,
}

/// Sums in minor units of one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CurrencyFigures {
    /// Σ taken, by the provider's books.
    pub ledger_captured: i64,
    /// Σ taken, by the payment service's books.
    pub payments_captured: i64,
    /// Σ taken, by the orders.
    pub orders_total: i64,
}

struct Findings {
    name: &'static str,
    checked: usize,
    found: usize,
    shown: Vec<String>,
}

impl Findings {
    const fn new(name: &'static str) -> Self {
        Self { name, checked: 0, found: 0, shown: Vec::new() }
    }

    fn check(&mut self, good: bool, tell: impl FnOnce() -> String) {
        self.checked += 1;
        if !good {
            self.found += 1;
            if self.shown.len() < SHOWN_MAX {
                self.shown.push(tell());
            }
        }
    }

    fn done(self) -> AuditCheck {
        AuditCheck {
            name: self.name,
            ok: self.found == 0,
            checked: self.checked,
            violations: self.shown,
            figures: BTreeMap::new(),
        }
    }
}

/// Every check. `before` and `after` are the provider's books, if it shows them.
pub(super) fn all(
    facts: &Facts,
    before: Option<&[LedgerEntry]>,
    after: Option<&[LedgerEntry]>,
) -> Vec<AuditCheck> {
    let mut checks = stock_checks(facts);
    checks.push(reservations_match_orders(facts));
    checks.push(order_amounts_add_up(facts));
    checks.push(events_match_versions(facts));
    checks.push(payments_match_orders(facts));
    if let (Some(before), Some(after)) = (before, after) {
        checks.push(bank_ledger_matches_payments(facts, before, after));
    }
    checks
}

fn stock_checks(facts: &Facts) -> Vec<AuditCheck> {
    let mut sane = Findings::new("stock_never_negative_or_oversold");
    let mut adjusted = Findings::new("stock_equals_adjustments");
    let mut held = Findings::new("reserved_equals_reservations");
    for sku in &facts.stock {
        let (name, level) = (&sku.sku, sku.level);
        sane.check(level.is_sane(), || format!("{name}: {level:?}"));
        adjusted.check(sku.adjusted == level.on_hand + sku.shipped, || {
            format!(
                "{name}: {} added, {} on hand, {} shipped",
                sku.adjusted, level.on_hand, sku.shipped
            )
        });
        held.check(sku.held == level.reserved, || {
            format!("{name}: {} reserved, reservations hold {}", level.reserved, sku.held)
        });
    }
    vec![sane.done(), adjusted.done(), held.done()]
}

fn reservations_match_orders(facts: &Facts) -> AuditCheck {
    let mut findings = Findings::new("reservations_match_orders");
    let held: BTreeMap<_, _> = facts.stock.iter().map(|sku| (&sku.sku, sku.held)).collect();
    for (sku, units) in &held {
        let wanted = facts.wanted.get(*sku).copied().unwrap_or(0);
        findings.check(wanted == *units, || {
            format!("{sku}: orders hold {wanted}, reservations {units}")
        });
    }
    for (sku, wanted) in facts.wanted.iter().filter(|(sku, _)| !held.contains_key(sku)) {
        findings.check(false, || format!("{sku}: orders hold {wanted}, there is no stock"));
    }
    findings.done()
}

fn order_amounts_add_up(facts: &Facts) -> AuditCheck {
    let mut findings = Findings::new("order_amounts_add_up");
    for (id, order) in &facts.orders {
        findings.check(order.adds_up, || format!("{id}: its sums do not fit together"));
    }
    findings.done()
}

fn events_match_versions(facts: &Facts) -> AuditCheck {
    let mut findings = Findings::new("events_match_versions");
    for (id, order) in &facts.orders {
        let good = facts
            .ends
            .get(id)
            .is_some_and(|end| end.events == order.version && end.last_version == order.version);
        findings
            .check(good, || format!("{id}: version {}, {:?}", order.version, facts.ends.get(id)));
    }
    for id in facts.ends.keys().filter(|id| !facts.orders.contains_key(id)) {
        findings.check(false, || format!("{id}: events without an order"));
    }
    findings.done()
}

fn payments_match_orders(facts: &Facts) -> AuditCheck {
    let mut findings = Findings::new("payments_match_orders");
    for (id, order) in &facts.orders {
        let good = match facts.payments.get(id) {
            Some(payment) => {
                payment.status == order.payment
                    && payment.amount.minor == order.total
                    && payment.amount.currency.code() == order.currency
                    && captured_of(payment) == order.captured
            }
            None => needs_no_payment(order),
        };
        findings.check(good, || format!("{id}: {order:?}, {:?}", facts.payments.get(id)));
    }
    for id in facts.payments.keys().filter(|id| !facts.orders.contains_key(id)) {
        findings.check(false, || format!("{id}: a payment without an order"));
    }
    findings.done()
}

fn needs_no_payment(order: &OrderFact) -> bool {
    order.captured == 0
        && order.payment == PaymentStatus::NotNeeded
        && (order.total == 0 || order.status == OrderStatus::Rejected)
}

const fn captured_of(payment: &Payment) -> i64 {
    match payment.status {
        PaymentStatus::Captured => payment.amount.minor,
        _ => 0,
    }
}

fn bank_ledger_matches_payments(
    facts: &Facts,
    before: &[LedgerEntry],
    after: &[LedgerEntry],
) -> AuditCheck {
    let mut findings = Findings::new("bank_ledger_matches_payments");
    let payments: HashMap<String, &Payment> =
        facts.payments.values().map(|payment| (payment.order_id.to_string(), payment)).collect();
    for entry in before {
        let payment = entry.order_id.as_ref().and_then(|id| payments.get(id));
        findings.check(payment.is_some_and(|payment| fits(payment, entry)), || {
            format!("{} for order {:?}: {payment:?}", entry.payment_intent, entry.order_id)
        });
    }
    let mut by_order: HashMap<&str, Vec<&LedgerEntry>> = HashMap::new();
    for entry in after {
        by_order.entry(entry.order_id.as_deref().unwrap_or("")).or_default().push(entry);
    }
    for (id, payment) in &payments {
        let expected = captured_of(payment);
        if payment.status == PaymentStatus::Sending {
            continue;
        }
        let taken: i64 = by_order
            .get(id.as_str())
            .map_or(0, |entries| entries.iter().map(|entry| entry.captured).sum());
        findings.check(taken == expected, || {
            format!("{id}: we have {expected} for taken, the provider {taken}")
        });
    }
    let mut check = findings.done();
    check.figures = figures(facts, after);
    check
}

/// Whether an entry of the provider's books is what we know. While our answer is open, any is.
fn fits(payment: &Payment, entry: &LedgerEntry) -> bool {
    let same_sum =
        payment.amount.minor == entry.amount && payment.amount.currency.code() == entry.currency;
    let same_money = payment.status == PaymentStatus::Sending
        || captured_of(payment) == entry.captured
        || (payment.provider_ref.as_ref() != Some(&entry.payment_intent) && entry.captured == 0);
    same_sum && same_money
}

fn figures(facts: &Facts, ledger: &[LedgerEntry]) -> BTreeMap<&'static str, CurrencyFigures> {
    let mut figures: BTreeMap<&'static str, CurrencyFigures> = BTreeMap::new();
    for order in facts.orders.values() {
        figures.entry(order.currency).or_default().orders_total += order.captured;
    }
    for payment in facts.payments.values() {
        let code = payment.amount.currency.code();
        figures.entry(code).or_default().payments_captured += captured_of(payment);
    }
    for entry in ledger {
        if let Some(currency) = domain::parse_currency(&entry.currency) {
            figures.entry(currency.code()).or_default().ledger_captured += entry.captured;
        }
    }
    figures
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
