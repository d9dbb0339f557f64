//! Where goods lie: `stock_location` and `stock_at`. The main location has no rows: it holds what
//! the others do not.

use super::{level, names, sku};
use crate::location::{Location, LocationName, Places};
use crate::messages::{StockDetail, StockView};
use domain::{Sku, Timestamp};
use std::collections::BTreeMap;
use store::{Db, Row, Rows, Statement, StoreError, Tx, statement};

static FIND_ELSEWHERE: Statement = statement!("find_elsewhere");
static PUT_ELSEWHERE: Statement = statement!("put_elsewhere");
static FIND_LOCATIONS: Statement = statement!("find_locations");
static PUT_LOCATION: Statement = statement!("put_location");
static LIST_LOCATIONS: Statement = statement!("list_locations");
static GET_STOCK: Statement = statement!("get_stock");

/// What lies at other locations than the main one, per SKU. Only those whose rows in `stock` the
/// transaction has locked may be asked for: then nobody changes it.
pub(crate) async fn elsewhere(
    tx: &mut Tx,
    skus: &[&Sku],
) -> Result<BTreeMap<Sku, Vec<(Location, i64)>>, StoreError> {
    let mut found: BTreeMap<Sku, Vec<(Location, i64)>> = BTreeMap::new();
    if skus.is_empty() {
        return Ok(found);
    }
    for row in tx.fetch(FIND_ELSEWHERE.query().rows(names(skus))).await? {
        let place = Location { name: name(&row, "location")?, rank: row.int("rank")? };
        found.entry(sku(&row)?).or_default().push((place, row.int("on_hand")?));
    }
    Ok(found)
}

/// Writes how many units lie at locations now, under the lock that [`elsewhere`] asks for. The
/// main location is passed over.
pub(crate) async fn put_elsewhere(
    tx: &mut Tx,
    units: &BTreeMap<(Sku, LocationName), i64>,
) -> Result<(), StoreError> {
    let others = || units.iter().filter(|((_, location), _)| !location.is_main());
    if others().next().is_none() {
        return Ok(());
    }
    let rows = Rows::new()
        .texts(others().map(|((sku, _), _)| sku.as_str().to_owned()))
        .texts(others().map(|((_, location), _)| location.as_str().to_owned()))
        .ints(others().map(|(_, units)| *units));
    tx.execute(PUT_ELSEWHERE.query().rows(rows)).await.map(drop)
}

/// Those of `wanted` that there are, with their ranks. The main location is always there.
pub(crate) async fn known(
    tx: &mut Tx,
    wanted: impl IntoIterator<Item = &LocationName>,
) -> Result<BTreeMap<LocationName, i64>, StoreError> {
    let mut known = BTreeMap::from([(LocationName::main(), Location::MAIN_RANK)]);
    let others: Vec<String> = wanted
        .into_iter()
        .filter(|location| !location.is_main())
        .map(|location| location.as_str().to_owned())
        .collect();
    if !others.is_empty() {
        for row in tx.fetch(FIND_LOCATIONS.query().rows(Rows::new().texts(others))).await? {
            known.insert(name(&row, "name")?, row.int("rank")?);
        }
    }
    Ok(known)
}

/// Makes a location, or gives it another rank.
pub(crate) async fn put(
    tx: &mut Tx,
    wanted: &Location,
    now: Timestamp,
) -> Result<Location, StoreError> {
    let query = PUT_LOCATION.query().bind(wanted.name.as_str()).bind(wanted.rank).bind(now);
    match tx.fetch_optional(query).await? {
        Some(row) => location(&row),
        // An upsert gives its row.
        None => Ok(wanted.clone()),
    }
}

/// Up to `limit` locations after `after`, in the order in which goods leave.
pub(crate) async fn list(
    db: &Db,
    after: Option<&Location>,
    limit: i64,
) -> Result<Vec<Location>, StoreError> {
    let rank = after.map_or(-1, |after| after.rank);
    let name = after.map_or("", |after| after.name.as_str());
    let query = LIST_LOCATIONS.query().bind(rank).bind(name).bind(limit);
    db.fetch(query).await?.iter().map(location).collect()
}

/// The level of a SKU and where its units lie.
pub(crate) async fn get(db: &Db, wanted: &Sku) -> Result<Option<StockDetail>, StoreError> {
    let rows = db.fetch(GET_STOCK.query().bind(wanted.as_str())).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let level = StockView::new(sku(first)?, level(first)?, first.int("version")?);
    let mut elsewhere = Vec::new();
    for row in &rows {
        if let Some(text) = row.opt_text("location")? {
            let name = parsed(row, "location", &text)?;
            elsewhere.push((Location { name, rank: row.int("rank")? }, row.int("units")?));
        }
    }
    let places = Places::new(level.on_hand, elsewhere);
    let locations = places.laid_over(level.reserved);
    Ok(Some(StockDetail { level, locations }))
}

fn location(row: &Row) -> Result<Location, StoreError> {
    Ok(Location { name: name(row, "name")?, rank: row.int("rank")? })
}

pub(super) fn name(row: &Row, column: &str) -> Result<LocationName, StoreError> {
    parsed(row, column, &row.text(column)?)
}

pub(super) fn parsed(row: &Row, column: &str, text: &str) -> Result<LocationName, StoreError> {
    LocationName::parse(text).map_err(|error| row.wrong(column, &error.to_string()))
}
