//! How things are told to clients. Every member is always there; what is not known is `null`.

mod customers;
mod goods;
mod operations;
mod orders;
mod payments;
mod pricing;
mod steps;
mod stock;
mod topology;

pub(crate) use customers::{AccountView, AddressList, AddressView, CustomerView, Me, TokenGrant};
pub(crate) use goods::{ProductView, RecommendationList, StockView};
pub(crate) use operations::{Audit, DeadLetterView, KeyView, MadeKeyView, Redriven};
pub(crate) use orders::{EventList, EventView, OrderView};
pub(crate) use payments::{Nothing, PaymentView, ProviderEvent};
pub(crate) use pricing::{
    CategoryView, CouponUseView, CouponView, FlagChangeView, FlagView, ListedPriceView,
    MismatchView, PriceListView, PriceView, PromotionView, TaxTableView,
};
pub(crate) use steps::{
    RefundView, RefundedView, ReturnView, ReturnedView, ShipmentView, ShippedView,
};
pub(crate) use stock::{LocationView, MovementView, StockDetailView};

pub(crate) use topology::TopologyView;

use crate::problem::Fault;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An error (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The stable name of the kind of problem.
    #[serde(rename = "type")]
    #[schema(examples("urn:orderly:problem:out-of-stock"))]
    kind: String,
    title: String,
    status: u16,
    /// The stable code, for programs.
    #[schema(examples("OUT_OF_STOCK"))]
    code: String,
    /// What happened, for people.
    message: String,
    /// More about it; depends on the code.
    #[schema(value_type = Object)]
    details: Value,
    /// The trace, for support.
    trace_id: String,
    /// Whether the very same request may succeed when it is sent again.
    retryable: bool,
    /// The places in the body that are wrong.
    #[schema(required = false)]
    errors: Vec<Fault>,
}

macro_rules! page_schema {
    ($($name:ident of $row:ty as $schema:ident, $what:literal;)*) => {$(
        #[doc = concat!("A page of ", $what, ".")]
        #[derive(ToSchema)]
        #[schema(as = $schema)]
        #[expect(dead_code, reason = "describes Page for the OpenAPI document")]
        pub(crate) struct $name {
            /// The rows of this page.
            data: Vec<$row>,
            /// Whether there are more.
            has_more: bool,
            /// The cursor of the next page; `null` at the end.
            next_cursor: Option<String>,
        }
    )*};
}

page_schema! {
    OrderPage of OrderView<'static> as OrderPage, "orders";
    ProductPage of ProductView<'static> as ProductPage, "products";
    CategoryPage of CategoryView as CategoryPage, "categories";
    PriceListPage of PriceListView as PriceListPage, "price lists";
    PromotionPage of PromotionView as PromotionPage, "promotions";
    CouponPage of CouponView as CouponPage, "coupons";
    TaxTablePage of TaxTableView as TaxTablePage, "tax tables";
    MismatchPage of MismatchView<'static> as PricingMismatchPage, "mismatches";
    FlagPage of FlagView<'static> as FlagPage, "flags";
    FlagChangePage of FlagChangeView<'static> as FlagChangePage, "changes";
    ListedPricePage of ListedPriceView<'static> as ListedPricePage, "prices";
    StockPage of StockView<'static> as StockPage, "stock";
    LocationPage of LocationView<'static> as StockLocationPage, "locations";
    MovementPage of MovementView<'static> as StockMovementPage, "movements";
    DeadLetterPage of DeadLetterView<'static> as DeadLetterPage, "dead letters";
    KeyPage of KeyView as ApiKeyPage, "API keys";
    CustomerPage of CustomerView<'static> as CustomerPage, "customers";
    AccountPage of AccountView<'static> as AccountPage, "accounts";
}
