//! The inventory's tables: `stock`, `reservation`, `stock_adjustment`. Nobody else touches them.

use crate::messages::{Adjustment, SkuAudit, StockView};
use domain::{Demand, OrderId, Sku, StockLevel, Timestamp};
use std::collections::BTreeMap;
use store::{Db, Row, Rows, Statement, StoreError, Tx, statement};
use uuid::Uuid;

static RESERVE: Statement = statement!("reserve");
static SHIFT_RESERVED: Statement = statement!("shift_reserved");
static LOCK_LEVELS: Statement = statement!("lock_levels");
static ADD_RESERVATIONS: Statement = statement!("add_reservations");
static RELEASE: Statement = statement!("release");
static ENSURE_STOCK: Statement = statement!("ensure_stock");
static ADJUST: Statement = statement!("adjust");
static ADD_ADJUSTMENTS: Statement = statement!("add_adjustments");
static GET_LEVEL: Statement = statement!("get_level");
static LIST_LEVELS: Statement = statement!("list_levels");
static AUDIT_STOCK: Statement = statement!("audit_stock");

/// Promises `wanted` where enough is free; the SKUs where it was.
pub(crate) async fn reserve(
    tx: &mut Tx,
    wanted: &BTreeMap<Sku, i64>,
) -> Result<Vec<Sku>, StoreError> {
    let rows = tx.fetch(RESERVE.query().rows(per_sku(wanted))).await?;
    rows.iter().map(sku).collect()
}

/// Adds `changes` to what is promised.
pub(crate) async fn shift_reserved(
    tx: &mut Tx,
    changes: &BTreeMap<Sku, i64>,
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    tx.execute(SHIFT_RESERVED.query().rows(per_sku(changes))).await.map(drop)
}

/// The levels of these SKUs with their versions, held until the transaction ends.
pub(crate) async fn lock_levels(
    tx: &mut Tx,
    skus: &[&Sku],
) -> Result<Vec<(Sku, StockLevel, i64)>, StoreError> {
    let rows = tx.fetch(LOCK_LEVELS.query().rows(names(skus))).await?;
    rows.iter().map(|row| Ok((sku(row)?, level(row)?, row.int("version")?))).collect()
}

/// Notes what each order was promised.
pub(crate) async fn add_reservations(
    tx: &mut Tx,
    demands: &[&Demand],
    now: Timestamp,
) -> Result<(), StoreError> {
    if demands.is_empty() {
        return Ok(());
    }
    let rows = Rows::new()
        .uuids(demands.iter().map(|demand| demand.order_id.0))
        .texts(demands.iter().map(|demand| units_json(&demand.units)));
    tx.execute(ADD_RESERVATIONS.query().rows(rows).bind(now)).await.map(drop)
}

/// Ends the live reservations of these orders; the units they held.
pub(crate) async fn end_reservations(
    tx: &mut Tx,
    orders: &[OrderId],
    now: Timestamp,
) -> Result<Vec<(Sku, i64)>, StoreError> {
    let rows = Rows::new().uuids(orders.iter().map(|order| order.0));
    let mut units = Vec::new();
    for row in tx.fetch(RELEASE.query().rows(rows).bind(now)).await? {
        units.extend(row.json::<Vec<(Sku, i64)>>("units")?);
    }
    Ok(units)
}

/// Makes an empty shelf for each SKU that has none.
pub(crate) async fn ensure_stock(tx: &mut Tx, skus: &[&Sku]) -> Result<(), StoreError> {
    if skus.is_empty() {
        return Ok(());
    }
    tx.execute(ENSURE_STOCK.query().rows(names(skus))).await.map(drop)
}

/// Adds units to shelves; `changes` has units and number of adjustments per SKU.
pub(crate) async fn apply_adjustments(
    tx: &mut Tx,
    changes: &BTreeMap<Sku, (i64, i64)>,
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let rows = Rows::new()
        .texts(changes.keys().map(|sku| sku.as_str().to_owned()))
        .ints(changes.values().map(|(delta, _)| *delta))
        .ints(changes.values().map(|(_, steps)| *steps));
    tx.execute(ADJUST.query().rows(rows)).await.map(drop)
}

/// Writes adjustments into the stock's ledger.
pub(crate) async fn add_adjustments(
    tx: &mut Tx,
    ids: Vec<Uuid>,
    entries: &[&Adjustment],
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let rows = Rows::new()
        .uuids(ids)
        .texts(entries.iter().map(|entry| entry.sku.as_str().to_owned()))
        .ints(entries.iter().map(|entry| entry.delta))
        .texts(entries.iter().map(|entry| entry.reason.clone()));
    tx.execute(ADD_ADJUSTMENTS.query().rows(rows).bind(actor).bind(now)).await.map(drop)
}

pub(crate) async fn get(db: &Db, sku: &Sku) -> Result<Option<StockView>, StoreError> {
    let row = db.fetch_optional(GET_LEVEL.query().bind(sku.as_str())).await?;
    row.as_ref().map(view).transpose()
}

pub(crate) async fn list(
    db: &Db,
    after: Option<&Sku>,
    limit: i64,
) -> Result<Vec<StockView>, StoreError> {
    let query = LIST_LEVELS.query().bind(after.map_or("", Sku::as_str)).bind(limit);
    db.fetch(query).await?.iter().map(view).collect()
}

pub(crate) async fn audit(tx: &mut Tx) -> Result<Vec<SkuAudit>, StoreError> {
    let read = |row: &Row| {
        Ok(SkuAudit {
            sku: sku(row)?,
            level: level(row)?,
            shipped: row.int("shipped")?,
            adjusted: row.int("adjusted")?,
            held: row.int("held")?,
        })
    };
    tx.fetch(AUDIT_STOCK.query()).await?.iter().map(read).collect()
}

fn per_sku(units: &BTreeMap<Sku, i64>) -> Rows {
    Rows::new().texts(units.keys().map(|sku| sku.as_str().to_owned())).ints(units.values().copied())
}

fn names(skus: &[&Sku]) -> Rows {
    Rows::new().texts(skus.iter().map(|sku| sku.as_str().to_owned()))
}

/// `[["sku", units], …]`.
fn units_json(units: &BTreeMap<Sku, i64>) -> String {
    let pairs: Vec<(&Sku, &i64)> = units.iter().collect();
    // Texts and numbers always serialise.
    serde_json::to_string(&pairs).unwrap_or_default()
}

fn sku(row: &Row) -> Result<Sku, StoreError> {
    row.parsed("sku", "a SKU", |text| Sku::parse(text).ok())
}

fn level(row: &Row) -> Result<StockLevel, StoreError> {
    Ok(StockLevel { on_hand: row.int("on_hand")?, reserved: row.int("reserved")? })
}

fn view(row: &Row) -> Result<StockView, StoreError> {
    Ok(StockView::new(sku(row)?, level(row)?, row.int("version")?))
}
