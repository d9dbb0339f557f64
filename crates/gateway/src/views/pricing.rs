//! Rules of price, and what stands on price lists.

use catalog::{ListedPrice, PriceChange};
use domain::Timestamp;
use pricing::{Category, PriceList};
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! rule_views {
    ($($name:ident of $rule:ty as $schema:ident, $what:literal;)*) => {$(
        #[doc = concat!($what, ", as it is now.")]
        #[derive(ToSchema)]
        #[schema(as = $schema)]
        #[expect(dead_code, reason = "describes pricing::Document for the OpenAPI document")]
        pub(crate) struct $name {
            /// Names it.
            id: String,
            #[schema(inline)]
            #[serde(flatten)]
            rule: $rule,
            /// Rises with every change of any rule.
            revision: i64,
            #[schema(value_type = String, format = DateTime)]
            updated_at: Timestamp,
        }
    )*};
}

rule_views! {
    CategoryView of Category as Category, "A category";
    PriceListView of PriceList as PriceList, "A price list";
}

/// A price as it stands on a list now.
#[derive(Serialize, ToSchema)]
#[schema(as = Price)]
pub(crate) struct PriceView<'a> {
    sku: &'a str,
    /// Price of one unit, in minor units of the list's currency; `null`: taken off.
    unit_amount: Option<i64>,
}

impl<'a> From<&'a PriceChange> for PriceView<'a> {
    fn from(change: &'a PriceChange) -> Self {
        Self { sku: change.sku.as_str(), unit_amount: change.unit_amount }
    }
}

/// A price on a list.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedPrice)]
pub(crate) struct ListedPriceView<'a> {
    sku: &'a str,
    /// Price of one unit, in minor units of the list's currency.
    unit_amount: i64,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl<'a> From<&'a ListedPrice> for ListedPriceView<'a> {
    fn from(price: &'a ListedPrice) -> Self {
        let ListedPrice { sku, unit_amount, updated_at } = price;
        Self { sku: sku.as_str(), unit_amount: *unit_amount, updated_at: *updated_at }
    }
}
