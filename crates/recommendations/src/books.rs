//! The tables of counts, and the handle to them.

use crate::tally::{PAIR_ROWS_MAX, PairRow, Tally, lift};
use domain::Sku;
use std::sync::Arc;
use store::{Db, Row, Rows, Statement, StoreError, Tx, statement};

static COUNT_PRODUCTS: Statement = statement!("count_products");
static COUNT_PAIRS: Statement = statement!("count_pairs");
static PARTNERS: Statement = statement!("partners_of_product");
static ORDERS: Statement = statement!("orders_of_product");

/// The row that counts all orders: no SKU is empty. It sorts before every SKU, so each transaction
/// of the group writes it first, and they take turns at it: they cannot deadlock further on.
const ALL_ORDERS: &str = "";
/// Fewest partners read at once: some will not be on sale.
const PAGE_MIN: usize = 32;

/// Tells whether a product is on sale.
pub type IsActive = Arc<dyn Fn(&Sku) -> bool + Send + Sync>;

/// A product that goes with another one.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommendation {
    /// The product.
    pub sku: Sku,
    /// Lift: how many times more often the two are bought together than chance would have it.
    pub score: f64,
    /// Confirmed orders that have both.
    pub orders: i64,
}

/// The handle of recommendations: reads what the group counted. Cheap to clone.
#[derive(Clone)]
pub struct Recommendations {
    db: Db,
    is_active: IsActive,
}

impl Recommendations {
    /// Reads from `db`, and recommends nothing but what `is_active`.
    #[must_use]
    pub fn new(db: Db, is_active: IsActive) -> Self {
        Self { db, is_active }
    }

    /// At most `limit` products that go with `sku`: those in most orders together first, then by
    /// SKU. None for a product that nobody has bought with another one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn for_product(
        &self,
        sku: &Sku,
        limit: usize,
    ) -> Result<Vec<Recommendation>, StoreError> {
        let mut found = Vec::new();
        let page = limit.max(PAGE_MIN);
        let (mut after_orders, mut after_sku) = (i64::MAX, String::new());
        while found.len() < limit {
            let query = PARTNERS
                .query()
                .bind(sku.as_str())
                .bind(after_orders)
                .bind(after_sku.as_str())
                .bind(i64::try_from(page).unwrap_or(i64::MAX));
            let rows = self.db.fetch(query).await?;
            let partners: Vec<Recommendation> =
                rows.iter().map(recommendation).collect::<Result<_, _>>()?;
            let is_last = partners.len() < page;
            if let Some(last) = partners.last() {
                (after_orders, after_sku) = (last.orders, last.sku.to_string());
            }
            let wanted = limit - found.len();
            found.extend(partners.into_iter().filter(|p| (self.is_active)(&p.sku)).take(wanted));
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// Number of confirmed orders counted so far.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn orders_counted(&self) -> Result<i64, StoreError> {
        self.orders(ALL_ORDERS).await
    }

    /// Number of confirmed orders that have the product.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn orders_with(&self, sku: &Sku) -> Result<i64, StoreError> {
        self.orders(sku.as_str()).await
    }

    async fn orders(&self, key: &str) -> Result<i64, StoreError> {
        match self.db.fetch_optional(ORDERS.query().bind(key)).await? {
            Some(row) => row.int("orders"),
            None => Ok(0),
        }
    }
}

fn recommendation(row: &Row) -> Result<Recommendation, StoreError> {
    let both = row.int("orders")?;
    let (a, b) = (row.int("sku_orders")?, row.int("other_orders")?);
    let score = lift(both, a, b, row.int("all_orders")?);
    let sku = row.parsed("other", "a SKU", |text| Sku::parse(text).ok())?;
    Ok(Recommendation { sku, score, orders: both })
}

/// Adds the counts of a batch.
pub(crate) async fn count(tx: &mut Tx, tally: &Tally) -> Result<(), StoreError> {
    if tally.orders() == 0 {
        return Ok(());
    }
    let products = tally.products();
    let names = products.keys().map(|sku| sku.as_str().to_owned());
    let rows = Rows::new()
        .texts(std::iter::once(ALL_ORDERS.to_owned()).chain(names))
        .ints(std::iter::once(tally.orders()).chain(products.values().copied()));
    tx.execute(COUNT_PRODUCTS.query().rows(rows)).await?;
    for part in tally.pairs(PAIR_ROWS_MAX) {
        count_pairs(tx, &part).await?;
    }
    Ok(())
}

async fn count_pairs(tx: &mut Tx, pairs: &[PairRow<'_>]) -> Result<(), StoreError> {
    let rows = Rows::new()
        .texts(pairs.iter().map(|pair| pair.sku.as_str().to_owned()))
        .texts(pairs.iter().map(|pair| pair.other.as_str().to_owned()))
        .ints(pairs.iter().map(|pair| pair.orders));
    tx.execute(COUNT_PAIRS.query().rows(rows)).await.map(drop)
}
