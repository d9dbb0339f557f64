//! Products, what is on the shelf, and what is bought together.

use domain::Timestamp;
use inventory::StockView as Level;
use recommendations::Recommendation;
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
    /// How much more often than by chance (lift); above 1 means together.
    score: f64,
}

impl From<Recommendation> for RecommendationView {
    fn from(found: Recommendation) -> Self {
        Self { sku: found.sku.into(), score: found.score }
    }
}

/// What is bought together with a product.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecommendationList {
    /// Most frequent first.
    pub(crate) data: Vec<RecommendationView>,
    /// Recommendations could not be read; `data` is empty for that reason.
    pub(crate) degraded: bool,
}
