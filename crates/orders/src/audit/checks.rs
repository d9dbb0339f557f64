//! The judgement: pure functions from facts to findings.

use super::facts::{Facts, Moved, OrderFact};
use domain::{OrderId, OrderStatus, Payment, PaymentStatus};
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
    /// Σ given back, by the provider's books.
    pub ledger_refunded: i64,
    /// Σ given back or to be given back, by the payment service's books.
    pub payments_refunded: i64,
    /// Σ given back or to be given back, by the orders.
    pub orders_refunded: i64,
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
    checks.push(ended_orders_hold_nothing(facts));
    if let (Some(before), Some(after)) = (before, after) {
        checks.push(bank_ledger_matches_payments(facts, before, after));
    }
    checks
}

fn stock_checks(facts: &Facts) -> Vec<AuditCheck> {
    let mut sane = Findings::new("stock_never_negative_or_oversold");
    let mut adjusted = Findings::new("stock_equals_adjustments");
    let mut placed = Findings::new("locations_hold_what_is_there");
    let mut held = Findings::new("reserved_equals_reservations");
    for sku in &facts.stock {
        let (name, level) = (&sku.sku, sku.level);
        sane.check(level.is_sane(), || format!("{name}: {level:?}"));
        adjusted.check(sku.adjusted + sku.returned == level.on_hand + sku.shipped, || {
            format!(
                "{name}: {} added, {} came back, {} on hand, {} shipped",
                sku.adjusted, sku.returned, level.on_hand, sku.shipped
            )
        });
        placed.check((0..=level.on_hand).contains(&sku.elsewhere), || {
            format!("{name}: {} on hand, {} in other locations", level.on_hand, sku.elsewhere)
        });
        held.check(sku.held == level.reserved, || {
            format!("{name}: {} reserved, reservations hold {}", level.reserved, sku.held)
        });
    }
    vec![sane.done(), adjusted.done(), placed.done(), held.done()]
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
                    && taken(facts, payment) == order.captured
                    && moved(facts, id).refunded == order.refunded
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

/// I6: what ended keeps neither money nor a hold on any.
fn ended_orders_hold_nothing(facts: &Facts) -> AuditCheck {
    let mut findings = Findings::new("ended_orders_hold_nothing");
    let ended = |status| matches!(status, OrderStatus::Cancelled | OrderStatus::Rejected);
    for (id, order) in facts.orders.iter().filter(|(_, order)| ended(order.status)) {
        let moved = moved(facts, id);
        let nothing = order.captured == order.refunded && order.held == 0 && !moved.void_refused;
        findings.check(nothing, || format!("{id}: {order:?}, {moved:?}"));
    }
    findings.done()
}

fn needs_no_payment(order: &OrderFact) -> bool {
    order.captured == 0
        && order.refunded == 0
        && order.payment == PaymentStatus::NotNeeded
        && (order.total == 0 || order.status == OrderStatus::Rejected)
}

fn moved(facts: &Facts, order: &OrderId) -> Moved {
    facts.moved.get(order).copied().unwrap_or_default()
}

/// What was taken with the payment itself.
const fn captured_of(payment: &Payment) -> i64 {
    match payment.status {
        PaymentStatus::Captured => payment.amount.minor,
        _ => 0,
    }
}

/// What was taken, or is to be.
fn taken(facts: &Facts, payment: &Payment) -> i64 {
    captured_of(payment) + moved(facts, &payment.order_id).captured
}

/// The provider's books of one order.
#[derive(Clone, Copy, Debug, Default)]
struct AtProvider {
    captured: i64,
    refunded: i64,
}

/// Money moves while the books are read. What the provider had moved before our books were read
/// must be known to us, at least as something to be done; and what we hold for done must have been
/// moved when they were read again. When nothing moves, both together mean: equal.
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
        let known = payment.map_or_else(|| is_undone(entry), |payment| is_ours(payment, entry));
        findings.check(known, || {
            format!("{} for order {:?}: {payment:?}", entry.payment_intent, entry.order_id)
        });
    }
    let ledger = after;
    let (before, after) = (per_order(before), per_order(after));
    for (id, payment) in &payments {
        let moved = moved(facts, &payment.order_id);
        let first = before.get(id.as_str()).copied().unwrap_or_default();
        let last = after.get(id.as_str()).copied().unwrap_or_default();
        let may_be_taken = match payment.status {
            PaymentStatus::Sending => payment.amount.minor,
            _ => taken(facts, payment),
        };
        let good = first.captured <= may_be_taken
            && first.refunded <= moved.refunded
            && last.captured >= captured_of(payment) + moved.captured_done
            && last.refunded >= moved.refunded_done;
        findings.check(good, || {
            let (captured, refunded) = (last.captured, last.refunded);
            format!(
                "{id}: the provider has {captured} taken and {refunded} given back; we have \
                 {payment:?}, and after it {moved:?}"
            )
        });
    }
    let mut check = findings.done();
    check.figures = figures(facts, ledger);
    check
}

/// Whether the provider has nothing (any more) of an order that we do not know, as of those that a
/// backup did not hold: `orderly reconcile` gives their money back.
fn is_undone(entry: &LedgerEntry) -> bool {
    entry.captured == entry.refunded && entry.status != "requires_capture"
}

fn per_order(ledger: &[LedgerEntry]) -> HashMap<&str, AtProvider> {
    let mut orders: HashMap<&str, AtProvider> = HashMap::new();
    for entry in ledger {
        let sums = orders.entry(entry.order_id.as_deref().unwrap_or("")).or_default();
        sums.captured += entry.captured;
        sums.refunded += entry.refunded;
    }
    orders
}

/// Whether an entry of the provider's books can be of this payment. One that was made anew because
/// its authorisation had lapsed is smaller.
fn is_ours(payment: &Payment, entry: &LedgerEntry) -> bool {
    entry.amount <= payment.amount.minor && payment.amount.currency.code() == entry.currency
}

fn figures(facts: &Facts, ledger: &[LedgerEntry]) -> BTreeMap<&'static str, CurrencyFigures> {
    let mut figures: BTreeMap<&'static str, CurrencyFigures> = BTreeMap::new();
    for order in facts.orders.values() {
        let sums = figures.entry(order.currency).or_default();
        sums.orders_total += order.captured;
        sums.orders_refunded += order.refunded;
    }
    for payment in facts.payments.values() {
        let sums = figures.entry(payment.amount.currency.code()).or_default();
        sums.payments_captured += taken(facts, payment);
        sums.payments_refunded += moved(facts, &payment.order_id).refunded;
    }
    for entry in ledger {
        if let Some(currency) = domain::parse_currency(&entry.currency) {
            let sums = figures.entry(currency.code()).or_default();
            sums.ledger_captured += entry.captured;
            sums.ledger_refunded += entry.refunded;
        }
    }
    figures
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
