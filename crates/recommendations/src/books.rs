//! The tables of baskets, and the handle to them.

use crate::basket::{Basket, items, lift};
use broker::ConsumeError;
use domain::Sku;
use std::sync::Arc;
use store::{Db, Query, Row, Rows, Statement, StoreError, Tx, statement};
use topology::Edge;

static KEEP_BASKETS: Statement = statement!("keep_baskets");
static KEEP_ITEMS: Statement = statement!("keep_items");
static PARTNERS: Statement = statement!("partners_of_product");
static COUNT: Statement = statement!("count_baskets");
static COUNT_WITH: Statement = statement!("count_baskets_with");

/// Most baskets of one product that are looked into, the latest: bounds the work of a read.
const BASKETS_MAX: i64 = 10_000;
/// Fewest partners read at once: some will not be on sale.
const PAGE_MIN: usize = 32;

/// Tells whether a product is on sale.
pub type IsActive = Arc<dyn Fn(&Sku) -> bool + Send + Sync>;

/// A product that goes with another one. Both numbers are of all confirmed orders; or, if more
/// than 10,000 of them have the other one, of the orders after the 10,001st latest of those.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommendation {
    /// The product.
    pub sku: Sku,
    /// Lift: how many times more often the two are bought together than chance would have it.
    pub score: f64,
    /// Confirmed orders that have both.
    pub orders: i64,
}

/// The handle of recommendations: counts in what the group keeps. Cheap to clone.
#[derive(Clone)]
pub struct Recommendations {
    db: Db,
    is_active: IsActive,
    /// [`BASKETS_MAX`], but in tests.
    pub(crate) baskets_max: i64,
    edge: Edge,
}

impl Recommendations {
    /// Reads from `db`, and recommends nothing but what `is_active`.
    #[must_use]
    pub fn new(db: Db, is_active: IsActive) -> Self {
        Self { db, is_active, baskets_max: BASKETS_MAX, edge: Edge::unseen() }
    }

    /// The same for a caller: what it asks is counted on `edge`.
    #[must_use]
    pub fn seen_by(&self, edge: Edge) -> Self {
        Self { edge, ..self.clone() }
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
        self.edge.call(self.partners_of(sku, limit)).await
    }

    async fn partners_of(
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
                .bind(i64::try_from(page).unwrap_or(i64::MAX))
                .bind(self.baskets_max);
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

    /// Number of confirmed orders seen so far.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn orders_counted(&self) -> Result<i64, StoreError> {
        self.orders(COUNT.query()).await
    }

    /// Number of confirmed orders that have the product.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn orders_with(&self, sku: &Sku) -> Result<i64, StoreError> {
        self.orders(COUNT_WITH.query().bind(sku.as_str())).await
    }

    async fn orders(&self, query: Query) -> Result<i64, StoreError> {
        match self.db.fetch_optional(query).await? {
            Some(row) => row.int("orders"),
            None => Ok(0),
        }
    }
}

fn recommendation(row: &Row) -> Result<Recommendation, StoreError> {
    let both = row.int("orders")?;
    let (a, b) = (row.int("sku_orders")?, row.int("partner_orders")?);
    let score = lift(both, a, b, row.int("all_orders")?);
    let sku = row.parsed("partner", "a SKU", |text| Sku::parse(text).ok())?;
    Ok(Recommendation { sku, score, orders: both })
}

/// Keeps the baskets of a batch, which are in the order of their ids. One that is there stays.
pub(crate) async fn keep(tx: &mut Tx, baskets: &[Basket]) -> Result<(), ConsumeError> {
    if baskets.is_empty() {
        return Ok(());
    }
    let skus = baskets.iter().map(|basket| serde_json::to_string(&basket.skus));
    let skus: Vec<String> = skus.collect::<Result<_, _>>().map_err(ConsumeError::event)?;
    let rows = Rows::new().ints(baskets.iter().map(|basket| basket.id)).texts(skus);
    tx.execute(KEEP_BASKETS.query().rows(rows)).await?;
    let items = items(baskets);
    let rows = Rows::new()
        .texts(items.iter().map(|(sku, _)| sku.as_str().to_owned()))
        .ints(items.iter().map(|(_, basket)| *basket));
    tx.execute(KEEP_ITEMS.query().rows(rows)).await?;
    Ok(())
}
