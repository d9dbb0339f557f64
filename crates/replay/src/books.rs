//! What the server says about its stock and its books, before and after the orders.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::client::{Api, ApiError, Call};

/// How long an audit of a large shop may take: the longest that a server grants.
const PATIENCE: Duration = Duration::from_secs(60);

/// The audit check whose figures the replay compares with the file.
const LEDGER_CHECK: &str = "bank_ledger_matches_payments";

/// Sums of the server's books in one currency, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Figures {
    /// Captured according to the bank.
    pub ledger_captured: i64,
    /// Captured according to the payments.
    pub payments_captured: i64,
    /// Total of the orders that are sold.
    pub orders_total: i64,
    /// Given back according to the bank; not known of a server that does not tell.
    pub ledger_refunded: Option<i64>,
    /// According to the payments.
    pub payments_refunded: Option<i64>,
    /// According to the orders.
    pub orders_refunded: Option<i64>,
}

/// The answer of `GET /v1/audit`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Audit {
    /// Whether every check is good.
    pub balanced: bool,
    /// What was looked at.
    #[serde(default)]
    pub checks: Vec<AuditCheck>,
}

/// One check of the audit.
#[derive(Debug, Clone, Deserialize)]
pub struct AuditCheck {
    /// Name of the check.
    pub name: String,
    /// Whether nothing was found.
    pub ok: bool,
    /// Sums that the check compares, where it has some.
    #[serde(default)]
    pub figures: Option<Value>,
}

impl Audit {
    /// Asks the server.
    ///
    /// # Errors
    /// As [`Api::read`].
    pub async fn read(api: &Api) -> Result<Self, ApiError> {
        let call = Call { path: "/v1/audit", patience: Some(PATIENCE), ..Call::default() };
        api.read(call).await
    }

    /// Sums by currency; `None` when the audit has no such figures.
    pub fn figures(&self) -> Option<BTreeMap<String, Figures>> {
        let check = self.checks.iter().find(|check| check.name == LEDGER_CHECK)?;
        serde_json::from_value(check.figures.clone()?).ok()
    }

    /// Whether the bank has given back all that was promised. What is not told needs no patience.
    pub fn refunds_are_done(&self) -> bool {
        let figures = self.figures().unwrap_or_default();
        figures.values().all(|sums| sums.ledger_refunded >= sums.payments_refunded)
    }

    /// Names of the checks that failed.
    pub fn failures(&self) -> Vec<&str> {
        self.checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect()
    }
}

/// Units of one SKU on the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Level {
    /// In the warehouse, promised to an order or not.
    pub on_hand: i64,
    /// Of these, promised to no order.
    pub available: i64,
    /// Grows with every change.
    pub version: i64,
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
///
/// # Errors
/// As [`Api::read`].
pub async fn levels<V>(
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
