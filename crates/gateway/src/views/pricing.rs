//! Rules of price, and what stands on price lists.

use catalog::{ListedPrice, PriceChange};
use domain::Timestamp;
use flags::{Change, Flag};
use orders::Mismatch;
use pricing::{Category, Coupon, PriceList, Promotion, TaxTable};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

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
    PromotionView of Promotion as Promotion, "A promotion";
    CouponView of Coupon as Coupon, "A coupon";
    TaxTableView of TaxTable as TaxTable, "A tax table";
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

/// A coupon as it is now, and how far it is used.
#[derive(ToSchema)]
#[schema(as = CouponUse)]
#[expect(dead_code, reason = "describes an answer for the OpenAPI document")]
pub(crate) struct CouponUseView {
    #[schema(inline)]
    #[serde(flatten)]
    coupon: CouponView,
    /// Orders that use it now.
    used: i64,
}

/// An order of which the other engine would have wanted another total.
#[derive(Serialize, ToSchema)]
#[schema(as = PricingMismatch)]
pub(crate) struct MismatchView<'a> {
    order_id: Uuid,
    /// When it was compared.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// ISO 4217 currency of both totals.
    currency: &'static str,
    /// The engine that decided.
    engine: &'a str,
    /// What the order costs, in minor units.
    amount_total: i64,
    other_engine: &'a str,
    /// What it would have cost, in minor units; `null` if the other engine refuses the order.
    other_amount_total: Option<i64>,
    /// Why the other engine refuses it.
    why: Option<&'a str>,
    /// The trace of the request.
    trace_id: &'a str,
}

impl<'a> From<&'a Mismatch> for MismatchView<'a> {
    fn from(found: &'a Mismatch) -> Self {
        Self {
            order_id: found.order_id.0,
            at: found.at,
            currency: found.currency.code(),
            engine: &found.engine,
            amount_total: found.total,
            other_engine: &found.other_engine,
            other_amount_total: found.other_total,
            why: found.why.as_deref(),
            trace_id: &found.trace_id,
        }
    }
}

/// A flag as it is now.
#[derive(Serialize, ToSchema)]
#[schema(as = Flag)]
pub(crate) struct FlagView<'a> {
    #[schema(examples("pricing.engine"))]
    key: &'a str,
    /// The flag, as flagd writes it.
    #[schema(value_type = Object)]
    definition: &'a flags::Definition,
    /// Who answers for it.
    owner: &'a str,
    /// From then on it is complained about.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Whether that moment has passed.
    is_expired: bool,
    /// Rises with every change of any flag; 0 for one that nobody has set.
    revision: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
    /// Who set it last; `null` for one that nobody has set.
    updated_by: Option<&'a str>,
}

impl<'a> FlagView<'a> {
    pub(crate) fn new(flag: &'a Flag, now: Timestamp) -> Self {
        let metadata = &flag.definition.metadata;
        Self {
            key: &flag.key,
            definition: &flag.definition,
            owner: &metadata.owner,
            expires_at: metadata.expires,
            is_expired: flag.is_expired(now),
            revision: flag.revision,
            updated_at: flag.updated_at,
            updated_by: flag.updated_by.as_deref(),
        }
    }
}

/// A change of a flag.
#[derive(Serialize, ToSchema)]
#[schema(as = FlagChange)]
pub(crate) struct FlagChangeView<'a> {
    id: Uuid,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who: a principal, or `file`.
    actor: &'a str,
    /// What it was; `null` if nobody had set it before.
    #[schema(value_type = Option<Object>)]
    from: Value,
    /// What it is since then.
    #[schema(value_type = Object)]
    to: Value,
}

impl<'a> From<&'a Change> for FlagChangeView<'a> {
    fn from(change: &'a Change) -> Self {
        // The columns hold JSON; a row damaged by hand is shown as `null`.
        let read = |json: &str| serde_json::from_str(json).unwrap_or_default();
        Self {
            id: change.id,
            at: change.at,
            actor: &change.actor,
            from: change.from.as_deref().map(read).unwrap_or_default(),
            to: read(&change.to),
        }
    }
}
