//! Whether the books say what the answers said. A run whose books do not balance is no result.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use replay::Check;
use replay::books::{Audit, Figures, Level, levels};
use replay::client::{Api, Call};
use serde::Deserialize;

use crate::drive::Drive;
use crate::goods::Goods;

/// How long orders may stay unsettled, or without a clear answer, after the load has ended.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the server held before the orders.
pub(crate) struct Books {
    audit: Audit,
    levels: HashMap<String, Level>,
}

impl Books {
    /// Reads stock and audit.
    pub(crate) async fn read(api: &Api, goods: &Goods) -> anyhow::Result<Self> {
        let wanted: HashMap<String, ()> =
            goods.stock.iter().map(|opening| (opening.sku.clone(), ())).collect();
        let audit = settled_audit(api).await?;
        Ok(Self { audit, levels: levels(api, &wanted, |_| ()).await? })
    }
}

/// The audit, once the bank has given back all that was promised.
async fn settled_audit(api: &Api) -> anyhow::Result<Audit> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let audit = Audit::read(api).await?;
        if audit.refunds_are_done() || Instant::now() >= deadline {
            return Ok(audit);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[derive(Deserialize)]
struct OrderState {
    status: String,
}

/// Asks for orders that were pending until they are settled; the number of those that are not.
pub(crate) async fn follow_up(drive: &Drive, api: &Api) -> anyhow::Result<usize> {
    let deadline = Instant::now() + PATIENCE;
    let mut open = std::mem::take(&mut drive.tally.borrow_mut().pending);
    while !open.is_empty() && Instant::now() < deadline {
        let mut left = Vec::new();
        for (id, order) in open {
            let path = format!("/v1/orders/{id}");
            let state: OrderState = api.read(Call { path: &path, ..Call::default() }).await?;
            let mut tally = drive.tally.borrow_mut();
            match (state.status.as_str(), drive.order(order)) {
                ("confirmed", Some(plan)) => tally.accept(plan),
                ("pending", _) => left.push((id, order)),
                _ => tally.refused += 1,
            }
        }
        open = left;
        if !open.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(open.len())
}

/// Settles what is open and compares answers with books.
pub(crate) async fn verify(
    drive: &Drive,
    api: &Api,
    goods: &Goods,
    before: &Books,
) -> anyhow::Result<Vec<Check>> {
    drive.ask_again(PATIENCE).await;
    let pending = follow_up(drive, api).await?;
    let after = Books::read(api, goods).await?;
    let tally = drive.tally.borrow();
    let told = Told {
        sent: tally.sent,
        accepted: tally.accepted,
        not_accepted: tally.refused + tally.turned_away,
        unknown: tally.unknown.len() + pending,
        sold: &tally.sold,
        totals: &tally.totals,
        refunded: &tally.refunded,
        operations_failed: tally.operations_failed,
    };
    Ok(checks(goods, before, &after, &told))
}

/// What the answers said.
struct Told<'a> {
    sent: u64,
    accepted: u64,
    not_accepted: u64,
    /// Orders without a clear end.
    unknown: usize,
    sold: &'a [u64],
    totals: &'a [i64],
    refunded: &'a [i64],
    /// Later steps of orders of which it is not known whether they were done.
    operations_failed: u64,
}

/// All comparisons. Pure.
fn checks(goods: &Goods, before: &Books, after: &Books, told: &Told<'_>) -> Vec<Check> {
    let failures = after.audit.failures();
    let detail = (!failures.is_empty()).then(|| failures.join(", "));
    let mut checks = vec![
        Check::new("accepted + refused = sent", told.sent, told.accepted + told.not_accepted),
        Check::new("orders without a clear end", 0, told.unknown),
        Check::new("other requests that failed", 0, told.operations_failed),
        Check { detail, ..Check::new("the audit balances", true, after.audit.balanced) },
    ];
    let (was, is) = (figures(&before.audit), figures(&after.audit));
    for ((currency, total), refunded) in goods.currencies.iter().zip(told.totals).zip(told.refunded)
    {
        let mut compare = |name: &str, expected: i64, of: fn(&Figures) -> i64| {
            let amount = |all: &BTreeMap<String, Figures>| all.get(currency).map_or(0, of);
            let found = amount(&is) - amount(&was);
            checks.push(Check::new(format!("{name}, {currency} minor units"), expected, found));
        };
        compare("bank: captured for these orders", *total, |sums| sums.ledger_captured);
        compare("payments: captured for these orders", *total, |sums| sums.payments_captured);
        compare("orders: total of these orders", *total, |sums| sums.orders_total);
        compare("bank: given back", *refunded, |sums| sums.ledger_refunded.unwrap_or(0));
        compare("payments: given back", *refunded, |sums| sums.payments_refunded.unwrap_or(0));
    }
    let mut wrong = Vec::new();
    for (opening, sold) in goods.stock.iter().zip(told.sold) {
        let available =
            |books: &Books| books.levels.get(&opening.sku).map_or(0, |level| level.available);
        let gone = i128::from(available(before)) - i128::from(available(after));
        if gone != i128::from(*sold) {
            wrong.push(format!("{}: {gone} gone, {sold} sold", opening.sku));
        }
    }
    let first: Vec<String> = wrong.iter().take(3).cloned().collect();
    checks.push(Check::none("SKUs of which not as much is gone as was sold", wrong.len(), &first));
    checks
}

fn figures(audit: &Audit) -> BTreeMap<String, Figures> {
    audit.figures().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn books(captured: i64, available: i64, balanced: bool) -> Books {
        let audit = serde_json::json!({"balanced": balanced, "checks": [
            {"name": "bank_ledger_matches_payments", "ok": balanced, "figures": {"USD": {
                "ledger_captured": captured, "payments_captured": captured,
                "orders_total": captured}}}]});
        let level = Level { on_hand: 100, available, version: 1 };
        let levels = HashMap::from([("SKU-00000".to_owned(), level)]);
        Books { audit: serde_json::from_value(audit).unwrap(), levels }
    }

    fn failed(after: &Books, told: &Told<'_>) -> Vec<String> {
        let found = checks(&Goods::made(1, 1, 1), &books(50, 90, true), after, told);
        found.into_iter().filter(|check| !check.ok).map(|check| check.name).collect()
    }

    #[test]
    fn books_that_say_what_the_answers_said_are_good() {
        let told = Told {
            sent: 3,
            accepted: 2,
            not_accepted: 1,
            unknown: 0,
            sold: &[2],
            totals: &[200],
            refunded: &[0],
            operations_failed: 0,
        };
        assert_eq!(failed(&books(250, 88, true), &told), [""; 0]);
        let lost = failed(&books(150, 88, true), &told);
        assert_eq!(lost.len(), 3, "{lost:?}");
        assert_eq!(failed(&books(250, 87, true), &told).len(), 1);
        assert_eq!(failed(&books(250, 88, false), &told), ["the audit balances"]);
        let told = Told { unknown: 1, accepted: 1, ..told };
        assert_eq!(failed(&books(250, 88, true), &told).len(), 2);
    }
}
