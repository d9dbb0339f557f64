//! The tables `price_rule` and `list_price`.

use crate::rules::{ChangedPrice, ChangedRule, ListedPrice, PriceChange, Rule};
use domain::{Sku, Timestamp};
use pricing::Kind;
use store::{Db, Row, Rows, Statement, StoreError, statement};

static PUT_RULES: Statement = statement!("put_rules");
static CHANGED_RULES: Statement = statement!("changed_rules");
static PUT_PRICES: Statement = statement!("put_prices");
static CHANGED_PRICES: Statement = statement!("changed_prices");
static PRICES_ON_LIST: Statement = statement!("prices_on_list");

static MARKS: Statement = statement!("catalogue_marks");

/// The revisions of the latest changes; 0 where there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    pub(crate) products: i64,
    pub(crate) rules: i64,
    pub(crate) prices: i64,
}

pub(crate) async fn marks(db: &Db) -> Result<Marks, StoreError> {
    let rows = db.fetch(MARKS.query()).await?;
    let none = Marks { products: 0, rules: 0, prices: 0 };
    rows.first().map_or(Ok(none), |row| {
        let (products, rules) = (row.int("products")?, row.int("rules")?);
        Ok(Marks { products, rules, prices: row.int("prices")? })
    })
}

/// Rows in one answer of the database.
const PAGE: i64 = 5_000;

/// What stands for a price that is taken off its list.
const TAKEN_OFF: i64 = -1;

pub(crate) async fn put_rule(
    db: &Db,
    id: &str,
    rule: &Rule,
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = Rows::new()
        .texts([rule.kind().as_str().to_owned()])
        .texts([id.to_owned()])
        .texts([rule.json()]);
    let mut tx = db.begin().await?;
    tx.execute(PUT_RULES.query().rows(rows).bind(now)).await?;
    tx.commit().await
}

/// Writes prices, each of another SKU.
pub(crate) async fn put_prices(
    db: &Db,
    list: &str,
    changes: &[PriceChange],
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = Rows::new()
        .texts(changes.iter().map(|_| list.to_owned()))
        .texts(changes.iter().map(|change| change.sku.to_string()))
        .ints(changes.iter().map(|change| change.unit_amount.unwrap_or(TAKEN_OFF)));
    let mut tx = db.begin().await?;
    tx.execute(PUT_PRICES.query().rows(rows).bind(now)).await?;
    tx.commit().await
}

/// All rules whose revision is higher than `after`, by revision.
pub(crate) async fn changed_rules(db: &Db, mut after: i64) -> Result<Vec<ChangedRule>, StoreError> {
    let mut all = Vec::new();
    loop {
        let rows = db.fetch(CHANGED_RULES.query().bind(after).bind(PAGE)).await?;
        let page = rows.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
        let Some(last) = page.last() else { return Ok(all) };
        after = last.revision;
        all.extend(page);
    }
}

/// All prices whose revision is higher than `after`, by revision.
pub(crate) async fn changed_prices(
    db: &Db,
    mut after: i64,
) -> Result<Vec<ChangedPrice>, StoreError> {
    let mut all = Vec::new();
    loop {
        let rows = db.fetch(CHANGED_PRICES.query().bind(after).bind(PAGE)).await?;
        let page = rows.iter().map(price).collect::<Result<Vec<_>, _>>()?;
        let Some(last) = page.last() else { return Ok(all) };
        after = last.revision;
        all.extend(page);
    }
}

/// Up to `limit` prices of a list by SKU, those after `after`.
pub(crate) async fn prices(
    db: &Db,
    list: &str,
    after: Option<Sku>,
    limit: i64,
) -> Result<Vec<ListedPrice>, StoreError> {
    let after = after.map(String::from);
    let query = PRICES_ON_LIST.query().bind(list).bind(after).bind(limit.max(0));
    let listed = |row: &Row| {
        Ok(ListedPrice {
            sku: row.parsed("sku", "a SKU", |text| Sku::parse(text).ok())?,
            unit_amount: row.int("unit_amount")?,
            updated_at: row.time("updated_at")?,
        })
    };
    db.fetch(query).await?.iter().map(listed).collect()
}

fn rule(row: &Row) -> Result<ChangedRule, StoreError> {
    let kind = row.parsed("kind", "a kind of rule", Kind::parse)?;
    let rule = Rule::parse(kind, &row.text("definition")?)
        .map_err(|error| row.wrong("definition", &error.to_string()))?;
    Ok(ChangedRule {
        id: row.text("id")?,
        rule,
        revision: row.int("revision")?,
        updated_at: row.time("updated_at")?,
    })
}

fn price(row: &Row) -> Result<ChangedPrice, StoreError> {
    Ok(ChangedPrice {
        price_list: row.text("price_list")?,
        sku: row.text("sku")?.into(),
        unit_amount: row.opt_int("unit_amount")?,
        revision: row.int("revision")?,
    })
}
