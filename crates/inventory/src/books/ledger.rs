//! The stock's ledger: `stock_adjustment` and `stock_movement`. Rows are added and never changed.

use super::places::{name, parsed};
use crate::location::LocationName;
use crate::messages::Adjustment;
use crate::movement::{Entry, EntryKind, Movement, Position};
use domain::{OrderId, Sku, Timestamp};
use store::{Db, Row, Rows, Statement, StoreError, Tx, statement};
use uuid::Uuid;

static ADD_ADJUSTMENTS: Statement = statement!("add_adjustments");
static ADD_MOVEMENTS: Statement = statement!("add_movements");
static LIST_MOVEMENTS: Statement = statement!("list_movements");

/// Who writes into the ledger, and when.
#[derive(Clone, Copy)]
pub(crate) struct Signature<'a> {
    pub(crate) actor: &'a str,
    pub(crate) at: Timestamp,
}

/// Writes adjustments into the ledger.
pub(crate) async fn add_adjustments(
    tx: &mut Tx,
    ids: Vec<Uuid>,
    entries: &[&Adjustment],
    signature: Signature<'_>,
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let rows = Rows::new()
        .uuids(ids)
        .texts(entries.iter().map(|entry| entry.sku.as_str().to_owned()))
        .ints(entries.iter().map(|entry| entry.delta))
        .texts(entries.iter().map(|entry| entry.reason.clone()))
        .texts(entries.iter().map(|entry| elsewhere(&entry.location)));
    let query = ADD_ADJUSTMENTS.query().rows(rows).bind(signature.actor).bind(signature.at);
    tx.execute(query).await.map(drop)
}

/// No text for the main location, as in the rows from before there were others.
fn elsewhere(location: &LocationName) -> Option<String> {
    (!location.is_main()).then(|| location.as_str().to_owned())
}

/// Writes movements into the ledger.
pub(crate) async fn add_movements(
    tx: &mut Tx,
    ids: Vec<Uuid>,
    movements: &[Movement],
    signature: Signature<'_>,
) -> Result<(), StoreError> {
    if movements.is_empty() {
        return Ok(());
    }
    let text = |location: &Option<LocationName>| location.as_ref().map(ToString::to_string);
    let rows = Rows::new()
        .uuids(ids)
        .texts(movements.iter().map(|movement| movement.sku.as_str().to_owned()))
        .texts(movements.iter().map(|movement| movement.kind.as_str().to_owned()))
        .ints(movements.iter().map(|movement| movement.units))
        .texts(movements.iter().map(|movement| text(&movement.from)))
        .texts(movements.iter().map(|movement| text(&movement.to)))
        .uuids(movements.iter().map(|movement| movement.order_id.map(|order| order.0)));
    let query = ADD_MOVEMENTS.query().rows(rows).bind(signature.actor).bind(signature.at);
    tx.execute(query).await.map(drop)
}

/// Up to `limit` entries of a SKU's ledger, newest first, after `after`.
pub(crate) async fn list(
    db: &Db,
    sku: &Sku,
    after: Option<Position>,
    limit: i64,
) -> Result<Vec<Entry>, StoreError> {
    let after = after.unwrap_or(Position::NEWEST);
    let query = LIST_MOVEMENTS.query().bind(sku.as_str()).bind(after.at).bind(after.id).bind(limit);
    db.fetch(query).await?.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<Entry, StoreError> {
    let kind = row.parsed("kind", "a kind of movement", EntryKind::parse)?;
    let units = row.int("units")?;
    let optional = |column| -> Result<Option<LocationName>, StoreError> {
        row.opt_text(column)?.map(|text| parsed(row, column, &text)).transpose()
    };
    let (from, to) = match kind {
        // One place, into which or out of which the units went.
        EntryKind::Adjustment if units < 0 => (Some(name(row, "origin")?), None),
        EntryKind::Adjustment => (None, Some(name(row, "origin")?)),
        _ => (optional("origin")?, optional("target")?),
    };
    Ok(Entry {
        id: row.uuid("id")?,
        kind,
        units: units.saturating_abs(),
        from,
        to,
        order_id: row.opt_uuid("order_id")?.map(OrderId),
        reason: row.opt_text("reason")?,
        actor: row.text("actor")?,
        at: row.time("at")?,
    })
}
