//! The table `product`.

use crate::{Product, ProductChange};
use domain::{Sku, Timestamp, parse_currency};
use std::sync::Arc;
use store::{Db, Row, Rows, Statement, StoreError, statement};

static PUT: Statement = statement!("put_products");
static FIND: Statement = statement!("find_products");
static LIST: Statement = statement!("list_products");
static CHANGED: Statement = statement!("changed_products");

/// Products in one answer of the database: enough to make the round trips cheap, few enough that
/// the whole catalogue is never in flight at once.
const PAGE: i64 = 5_000;

/// Writes the changes, each of another SKU, and gives the resulting products, in any order.
pub(crate) async fn put(
    db: &Db,
    changes: &[ProductChange],
    now: Timestamp,
) -> Result<Vec<Arc<Product>>, StoreError> {
    let rows = Rows::new()
        .texts(changes.iter().map(|change| change.sku.to_string()))
        .texts(changes.iter().map(|change| change.name.clone()))
        .texts(changes.iter().map(|change| change.category.clone()))
        .ints(changes.iter().map(|change| change.unit_amount))
        .texts(changes.iter().map(|change| change.currency.code().to_owned()))
        .ints(changes.iter().map(|change| i64::from(change.active)));
    let wanted = Rows::new().texts(changes.iter().map(|change| change.sku.to_string()));
    let mut tx = db.begin().await?;
    tx.execute(PUT.query().rows(rows).bind(now)).await?;
    let products = shared(&tx.fetch(FIND.query().rows(wanted)).await?)?;
    tx.commit().await?;
    Ok(products)
}

pub(crate) async fn get(db: &Db, sku: &Sku) -> Result<Option<Product>, StoreError> {
    let wanted = Rows::new().texts([sku.to_string()]);
    db.fetch_optional(FIND.query().rows(wanted)).await?.as_ref().map(read).transpose()
}

pub(crate) async fn list(
    db: &Db,
    after: Option<Sku>,
    limit: i64,
) -> Result<Vec<Product>, StoreError> {
    let after = after.map(String::from);
    let query = LIST.query().bind(after).bind(limit.max(0));
    db.fetch(query).await?.iter().map(read).collect()
}

/// All products whose revision is higher than `after`, by revision.
pub(crate) async fn changed(db: &Db, mut after: i64) -> Result<Vec<Arc<Product>>, StoreError> {
    let mut all = Vec::new();
    loop {
        let page = shared(&db.fetch(CHANGED.query().bind(after).bind(PAGE)).await?)?;
        let Some(last) = page.last() else {
            return Ok(all);
        };
        after = last.revision;
        // A product that changes between two pages moves to the end: a later page has it again.
        all.extend(page);
    }
}

/// The error of a product that was written and is not there.
pub(crate) fn vanished(sku: &Sku) -> StoreError {
    StoreError::Inconsistent {
        statement: FIND.name,
        column: "sku".to_owned(),
        detail: format!("{sku} was written and is not there"),
    }
}

fn shared(rows: &[Row]) -> Result<Vec<Arc<Product>>, StoreError> {
    rows.iter().map(|row| read(row).map(Arc::new)).collect()
}

fn read(row: &Row) -> Result<Product, StoreError> {
    Ok(Product {
        sku: row.parsed("sku", "a SKU", |text| Sku::parse(text).ok())?,
        name: row.text("name")?,
        category: row.text("category")?,
        unit_amount: row.int("unit_amount")?,
        currency: row.parsed("currency", "an ISO 4217 code", parse_currency)?,
        active: row.int("active")? != 0,
        revision: row.int("revision")?,
        updated_at: row.time("updated_at")?,
    })
}
