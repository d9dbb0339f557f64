//! What the server says about its stock and its books, before and after the orders.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;

use super::client::{Api, ApiError, Call};

/// The audit check whose figures the replay compares with the file.
const LEDGER_CHECK: &str = "bank_ledger_matches_payments";

/// Sums of the server's books in one currency, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Figures {
    /// Captured according to the bank.
    pub(super) ledger_captured: i64,
    /// Captured according to the payments.
    pub(super) payments_captured: i64,
    /// Total of the orders that are sold.
    pub(super) orders_total: i64,
    /// Given back according to the bank, to the payments and to the orders; not known of a server
    /// that does not tell.
    pub(super) ledger_refunded: Option<i64>,
    pub(super) payments_refunded: Option<i64>,
    pub(super) orders_refunded: Option<i64>,
}

/// The answer of `GET /v1/audit`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Audit {
    pub(super) balanced: bool,
    #[serde(default)]
    pub(super) checks: Vec<AuditCheck>,
}

/// One check of the audit.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct AuditCheck {
    pub(super) name: String,
    pub(super) ok: bool,
    #[serde(default)]
    pub(super) figures: Option<Value>,
}

impl Audit {
    /// Asks the server.
    pub(super) async fn read(api: &Api) -> Result<Self, ApiError> {
        api.read(Call { path: "/v1/audit", ..Call::default() }).await
    }

    /// Sums by currency; `None` when the audit has no such figures.
    pub(super) fn figures(&self) -> Option<BTreeMap<String, Figures>> {
        let check = self.checks.iter().find(|check| check.name == LEDGER_CHECK)?;
        serde_json::from_value(check.figures.clone()?).ok()
    }

    /// Whether the bank has given back all that was promised. What is not told needs no patience.
    pub(super) fn refunds_are_done(&self) -> bool {
        let figures = self.figures().unwrap_or_default();
        figures.values().all(|sums| sums.ledger_refunded >= sums.payments_refunded)
    }

    /// Names of the checks that failed.
    pub(super) fn failures(&self) -> Vec<&str> {
        self.checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect()
    }
}

/// Units of one SKU on the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Level {
    /// In the warehouse, promised to an order or not.
    pub(super) on_hand: i64,
    /// Of these, promised to no order.
    pub(super) available: i64,
    /// Grows with every change.
    pub(super) version: i64,
}

#[derive(Debug, Deserialize)]
struct StockRow {
    sku: String,
    #[serde(flatten)]
    level: Level,
}

#[derive(Debug, Deserialize)]
struct StockPage {
    data: Vec<StockRow>,
    has_more: bool,
    #[serde(default)]
    next_cursor: Option<String>,
}

/// Units on the server of the SKUs that `wanted` holds; the others are not kept.
/// `seen` is called with the rows of each page.
pub(super) async fn levels<V>(
    api: &Api,
    wanted: &HashMap<String, V>,
    seen: impl Fn(u64) + Send,
) -> Result<HashMap<String, Level>, ApiError> {
    let mut units = HashMap::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![("limit", "100")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let call = Call { path: "/v1/stock", query: &query, ..Call::default() };
        let page: StockPage = api.read(call).await?;
        seen(page.data.len() as u64);
        let rows = page.data.into_iter().filter(|row| wanted.contains_key(&row.sku));
        units.extend(rows.map(|row| (row.sku, row.level)));
        match page.next_cursor {
            Some(next) if page.has_more => cursor = Some(next),
            _ => return Ok(units),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUDIT: &str = r#"{"balanced": false, "checks": [
        {"name": "no_negative_stock", "ok": true, "checked": 3, "violations": []},
        {"name": "other", "ok": false, "checked": 3, "violations": ["x"], "figures": {"rows": 1}},
        {"name": "bank_ledger_matches_payments", "ok": true, "checked": 1, "violations": [],
         "figures": {"USD": {"ledger_captured": 7, "payments_captured": 8, "orders_total": 9,
         "ledger_refunded": 1, "payments_refunded": 2, "orders_refunded": 3}}}]}"#;

    #[test]
    fn finds_the_figures_of_the_ledger_check() {
        let audit: Audit = serde_json::from_str(AUDIT).unwrap();
        let usd = Figures {
            ledger_captured: 7,
            payments_captured: 8,
            orders_total: 9,
            ledger_refunded: Some(1),
            payments_refunded: Some(2),
            orders_refunded: Some(3),
        };
        assert_eq!(audit.figures(), Some(BTreeMap::from([("USD".into(), usd)])));
        assert_eq!(audit.failures(), ["other"]);
        assert!(!audit.balanced);
    }

    #[test]
    fn refunds_are_done_when_the_bank_has_them_all() {
        let done = |text: &str| serde_json::from_str::<Audit>(text).unwrap().refunds_are_done();
        assert!(!done(AUDIT));
        assert!(done(&AUDIT.replace(r#""ledger_refunded": 1"#, r#""ledger_refunded": 2"#)));
        assert!(done(r#"{"balanced": true}"#));
    }

    #[test]
    fn an_audit_without_the_figures_has_none() {
        let audit: Audit = serde_json::from_str(r#"{"balanced": true}"#).unwrap();
        assert_eq!(audit.figures(), None);
    }
}
