//! The inventory's tables. Nobody else touches them.
//!
//! Here: `stock` and `reservation`. In [`places`]: `stock_location` and `stock_at`. In [`ledger`]:
//! `stock_adjustment` and `stock_movement`.

pub(crate) mod ledger;
pub(crate) mod places;

use crate::messages::{SkuAudit, StockView};
use domain::{Demand, OrderId, Sku, StockLevel, Timestamp};
use std::collections::BTreeMap;
use store::{Db, Row, Rows, Statement, StoreError, Tx, statement};

static RESERVE: Statement = statement!("reserve");
static SHIFT_STOCK: Statement = statement!("shift_stock");
static LOCK_LEVELS: Statement = statement!("lock_levels");
static ADD_RESERVATIONS: Statement = statement!("add_reservations");
static LOCK_RESERVATIONS: Statement = statement!("lock_reservations");
static CHANGE_RESERVATIONS: Statement = statement!("change_reservations");
static ENSURE_STOCK: Statement = statement!("ensure_stock");
static ADJUST: Statement = statement!("adjust");
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

/// What is added to the numbers of a shelf; negative takes away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shift {
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    pub(crate) shipped: i64,
    pub(crate) returned: i64,
}

/// Changes shelves, locked in SKU order; each gets a new version. Tells how many there were.
pub(crate) async fn shift(tx: &mut Tx, shifts: &BTreeMap<Sku, Shift>) -> Result<u64, StoreError> {
    if shifts.is_empty() {
        return Ok(0);
    }
    let rows = Rows::new()
        .texts(shifts.keys().map(|sku| sku.as_str().to_owned()))
        .ints(shifts.values().map(|shift| shift.on_hand))
        .ints(shifts.values().map(|shift| shift.reserved))
        .ints(shifts.values().map(|shift| shift.shipped))
        .ints(shifts.values().map(|shift| shift.returned));
    tx.execute(SHIFT_STOCK.query().rows(rows)).await
}

/// The levels of these SKUs with their versions, held until the transaction ends.
pub(crate) async fn lock_levels(
    tx: &mut Tx,
    skus: &[&Sku],
) -> Result<Vec<(Sku, StockLevel, i64)>, StoreError> {
    let rows = tx.fetch(LOCK_LEVELS.query().rows(names(skus))).await?;
    rows.iter().map(|row| Ok((sku(row)?, level(row)?, row.int("version")?))).collect()
}

/// Notes what each order was promised; for how many orders that could be.
pub(crate) async fn add_reservations(
    tx: &mut Tx,
    demands: &[&Demand],
    now: Timestamp,
) -> Result<u64, StoreError> {
    if demands.is_empty() {
        return Ok(0);
    }
    let rows = Rows::new()
        .uuids(demands.iter().map(|demand| demand.order_id.0))
        .texts(demands.iter().map(|demand| units_json(&demand.units)));
    tx.execute(ADD_RESERVATIONS.query().rows(rows).bind(now)).await
}

/// What is promised to each of these orders, held until the transaction ends.
pub(crate) async fn lock_reservations(
    tx: &mut Tx,
    orders: impl IntoIterator<Item = OrderId>,
) -> Result<BTreeMap<OrderId, BTreeMap<Sku, i64>>, StoreError> {
    let rows = Rows::new().uuids(orders.into_iter().map(|order| order.0));
    let rows = tx.fetch(LOCK_RESERVATIONS.query().rows(rows)).await?;
    let read = |row: &Row| {
        let mut units = BTreeMap::new();
        for (sku, quantity) in row.json::<Vec<(Sku, i64)>>("units")? {
            *units.entry(sku).or_insert(0) += quantity;
        }
        Ok((OrderId(row.uuid("order_id")?), units))
    };
    rows.iter().map(read).collect()
}

/// A reservation as it is to be.
pub(crate) struct Reservation<'a> {
    pub(crate) order_id: OrderId,
    pub(crate) units: &'a BTreeMap<Sku, i64>,
    /// Whether it ends.
    pub(crate) ends: bool,
}

/// Shrinks or ends live reservations; how many there were.
pub(crate) async fn change_reservations(
    tx: &mut Tx,
    changed: &[Reservation<'_>],
    now: Timestamp,
) -> Result<u64, StoreError> {
    if changed.is_empty() {
        return Ok(0);
    }
    let rows = Rows::new()
        .uuids(changed.iter().map(|reservation| reservation.order_id.0))
        .texts(changed.iter().map(|reservation| units_json(reservation.units)))
        .times(changed.iter().map(|reservation| reservation.ends.then_some(now)));
    tx.execute(CHANGE_RESERVATIONS.query().rows(rows)).await
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
            returned: row.int("returned")?,
            elsewhere: row.int("elsewhere")?,
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
