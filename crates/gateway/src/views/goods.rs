//! Products, what is on the shelf, and what is bought together.

use domain::Timestamp;
use inventory::StockView as Level;
use recommendations::{Found, Recommendation};
use serde::Serialize;
use utoipa::ToSchema;

/// A product of the catalogue.
#[derive(Serialize, ToSchema)]
#[schema(as = Product)]
pub(crate) struct ProductView<'a> {
    sku: &'a str,
    name: &'a str,
    category: &'a str,
    /// Price of one unit, in minor units.
    unit_amount: i64,
    /// ISO 4217 currency.
    currency: &'static str,
    /// Whether it can be ordered.
    active: bool,
    /// Rises with every change of any product.
    revision: i64,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl<'a> From<&'a catalog::Product> for ProductView<'a> {
    fn from(product: &'a catalog::Product) -> Self {
        Self {
            sku: product.sku.as_str(),
            name: &product.name,
            category: &product.category,
            unit_amount: product.unit_amount,
            currency: product.currency.code(),
            active: product.active,
            revision: product.revision,
            updated_at: product.updated_at,
        }
    }
}

impl<'a> From<&'a std::sync::Arc<catalog::Product>> for ProductView<'a> {
    fn from(product: &'a std::sync::Arc<catalog::Product>) -> Self {
        Self::from(product.as_ref())
    }
}

/// The stock of a SKU. `available = on_hand − reserved`, never negative.
#[derive(Serialize, ToSchema)]
#[schema(as = Stock)]
pub(crate) struct StockView<'a> {
    sku: &'a str,
    /// Units on the shelf.
    on_hand: i64,
    /// Units of those promised to orders.
    reserved: i64,
    /// Units that can still be promised.
    available: i64,
    /// Rises with every change.
    version: i64,
}

impl<'a> From<&'a Level> for StockView<'a> {
    fn from(level: &'a Level) -> Self {
        let Level { sku, on_hand, reserved, available, version } = level;
        Self {
            sku: sku.as_str(),
            on_hand: *on_hand,
            reserved: *reserved,
            available: *available,
            version: *version,
        }
    }
}

/// A product that is often bought together with another.
#[derive(Serialize, ToSchema)]
#[schema(as = Recommendation)]
pub(crate) struct RecommendationView {
    sku: String,
    /// How much more often than by chance (lift), to three digits after the point; above 1 means
    /// together.
    score: f64,
    /// Orders that this rests on: of the latest ones, those that have both.
    orders: u64,
}

impl From<Recommendation> for RecommendationView {
    fn from(found: Recommendation) -> Self {
        Self { sku: found.sku.into(), score: found.score, orders: found.orders }
    }
}

/// What is bought together with a product, or with what a customer bought.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecommendationList {
    /// Most frequent first; an old order counts less than a new one.
    data: Vec<RecommendationView>,
    /// This is not all that was asked for: the best sellers instead, or nothing, or counts that are
    /// incomplete, because the node has just started, or that grow old, because the database is away.
    degraded: bool,
}

impl RecommendationList {
    /// What was found; it is degraded also where `grows_old`.
    pub(crate) fn of(found: Found, grows_old: bool) -> Self {
        Self {
            data: found.data.into_iter().map(RecommendationView::from).collect(),
            degraded: found.degraded || grows_old,
        }
    }
}
