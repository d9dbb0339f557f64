//! The rules of price, as they are written, kept and told. Each is a document with an id.

use domain::{Currency, Timestamp, currency_code};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use utoipa::ToSchema;

/// What kind of rule a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A [`Category`].
    Category,
    /// A [`PriceList`].
    PriceList,
    /// A [`Promotion`].
    Promotion,
    /// A [`Coupon`].
    Coupon,
    /// A [`TaxTable`].
    TaxTable,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Category, Self::PriceList, Self::Promotion, Self::Coupon, Self::TaxTable];

    /// As it is written in databases.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::PriceList => "price_list",
            Self::Promotion => "promotion",
            Self::Coupon => "coupon",
            Self::TaxTable => "tax_table",
        }
    }

    /// The kind so written, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A group of products. Its id is what products name as their `category`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CategoryChange)]
pub struct Category {
    /// What people call it, 1 to 200 characters.
    #[schema(examples("Coffee"))]
    pub name: String,
    /// The id of the category that it belongs to; it must exist. None by default.
    #[serde(default)]
    pub parent: Option<String>,
}

const fn yes() -> bool {
    true
}

/// Prices of one currency that hold for a time and go before those of the products themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceListChange)]
pub struct PriceList {
    /// What people call it, 1 to 200 characters.
    #[schema(examples("Spring 2027"))]
    pub name: String,
    /// ISO 4217 currency of its prices.
    #[serde(with = "currency_code")]
    #[schema(value_type = String, examples("USD"))]
    pub currency: Currency,
    /// Holds from this moment on; always by default.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub starts_at: Option<Timestamp>,
    /// Holds until just before this moment; for ever by default.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// Of several lists that have a price the one with the highest priority counts, then the first
    /// by id. From -1000000 to 1000000, 0 by default.
    #[serde(default)]
    pub priority: i64,
    /// Whether it is used; true by default.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub active: bool,
}

/// Which products a promotion is for. With neither list, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PromotionTarget)]
pub struct Target {
    /// These SKUs, up to 1000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub skus: Vec<String>,
    /// And the products of these categories and of all below them, up to 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub categories: Vec<String>,
}

/// A step of a volume discount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VolumeTier)]
pub struct Tier {
    /// From so many units of a line on, at least 1.
    pub quantity_from: i64,
    /// So much off, in millionths: 100000 is 10 %.
    pub rate_ppm: i64,
}

/// What a promotion gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = PromotionBenefit)]
pub enum Benefit {
    /// A part of the price of all its lines together.
    Percentage {
        /// In millionths: 100000 is 10 %.
        rate_ppm: i64,
    },
    /// An amount off all its lines together, at most what they cost.
    Fixed {
        /// In minor units.
        amount: i64,
        /// ISO 4217 currency of the amount; the promotion is for orders in this currency.
        #[serde(with = "currency_code")]
        #[schema(value_type = String)]
        currency: Currency,
    },
    /// Of every `buy` + `get` units of a line, `get` cost less.
    BuyXGetY {
        /// Units at the full price, at least 1.
        buy: i64,
        /// Units that cost less, at least 1.
        get: i64,
        /// How much less, in millionths: 1000000 is free.
        rate_ppm: i64,
    },
    /// The more units of a line, the larger the part of its price.
    Volume {
        /// Steps by rising quantity, 1 to 20.
        tiers: Vec<Tier>,
    },
}

/// A promotion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PromotionChange)]
pub struct Promotion {
    /// What people call it, 1 to 200 characters.
    #[schema(examples("Three for two"))]
    pub name: String,
    /// What it gives.
    pub benefit: Benefit,
    /// For which products; all by default.
    #[serde(default)]
    pub target: Target,
    /// Only for orders that name a coupon of it; false by default.
    #[serde(default)]
    pub coupon_only: bool,
    /// Whether it is given on top of others, on what they left; true by default. Otherwise it is
    /// given only on lines that no other touched, and none after it touches them.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub stacks: bool,
    /// Promotions are given in this order, lowest first, those of one rank by id. From -1000000 to
    /// 1000000, 0 by default.
    #[serde(default)]
    pub rank: i64,
    /// Holds from this moment on; always by default.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub starts_at: Option<Timestamp>,
    /// Holds until just before this moment; for ever by default.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// Whether it is given; true by default.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub active: bool,
}

/// A coupon: its id is the code that a customer names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CouponChange)]
pub struct Coupon {
    /// The id of the promotion that it opens; it must exist.
    pub promotion: String,
    /// Orders that may use it, at least 1; any number by default.
    #[serde(default)]
    pub limit: Option<i64>,
    /// Orders of one customer that may use it, at least 1; any number by default. With it, only
    /// orders that name a customer may use the coupon.
    #[serde(default)]
    pub limit_per_customer: Option<i64>,
    /// Holds from this moment on; always by default.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub starts_at: Option<Timestamp>,
    /// Holds until just before this moment; for ever by default.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// Whether it may be used; true by default.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub active: bool,
}

/// How a fraction of a minor unit of tax is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TaxRounding)]
pub enum Rounding {
    /// A half goes up.
    #[default]
    HalfUp,
    /// A half goes to the even neighbour.
    HalfEven,
    /// Every fraction falls away.
    Down,
}

/// The rate of some products.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaxRate {
    /// The products of this category and of all below it; `null` for those that no other rate of
    /// the table is for.
    #[serde(default)]
    pub category: Option<String>,
    /// In millionths of the net price: 88750 is 8.875 %, at most 1000000.
    pub rate_ppm: i64,
}

/// The taxes of one jurisdiction, which is its id. They are added to net prices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TaxTableChange)]
pub struct TaxTable {
    /// What people call it, 1 to 200 characters.
    #[schema(examples("New York City"))]
    pub name: String,
    /// The rates, 1 to 100. Of several that fit, the one whose category is nearest to the product.
    pub rates: Vec<TaxRate>,
    /// How the tax of all lines of one rate together is rounded; `half_up` by default.
    #[serde(default)]
    pub rounding: Rounding,
    /// Whether orders may name it; true by default.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub active: bool,
}

/// A rule with its id, as a node knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document<T> {
    /// Names it among those of its kind.
    pub id: String,
    /// The rule.
    #[serde(flatten)]
    pub rule: T,
    /// Rises with every change of any rule.
    pub revision: i64,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Prices of one list, in minor units of its currency, by SKU.
pub type Prices = HashMap<Arc<str>, i64>;

/// All rules at one moment. It never changes; a change makes a new one.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// By id.
    pub categories: BTreeMap<String, Arc<Document<Category>>>,
    /// By id.
    pub price_lists: BTreeMap<String, Arc<Document<PriceList>>>,
    /// What stands on each price list.
    pub prices: HashMap<String, Arc<Prices>>,
    /// By id.
    pub promotions: BTreeMap<String, Arc<Document<Promotion>>>,
    /// By code.
    pub coupons: BTreeMap<String, Arc<Document<Coupon>>>,
    /// By jurisdiction.
    pub tax_tables: BTreeMap<String, Arc<Document<TaxTable>>>,
}

/// Whether a moment lies in a period whose end is not part of it.
pub(crate) fn holds(
    at: Timestamp,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
) -> bool {
    starts_at.is_none_or(|start| start <= at) && ends_at.is_none_or(|end| at < end)
}

impl Rules {
    /// Longest chain of categories, each below the next.
    pub const DEPTH_MAX: usize = 16;

    /// How many categories are above `category`.
    #[must_use]
    pub fn depth(&self, category: &str) -> usize {
        let parent = |id: &str| self.categories.get(id)?.rule.parent.as_deref();
        let chain = std::iter::successors(parent(category), |id| parent(id));
        chain.take(Self::DEPTH_MAX).count()
    }

    /// How many steps up from `category` the category `ancestor` is: 0 for itself; `None` if it is
    /// none of those above it.
    #[must_use]
    pub fn steps_up(&self, category: &str, ancestor: &str) -> Option<usize> {
        let mut here = category;
        for steps in 0..Self::DEPTH_MAX {
            if here == ancestor {
                return Some(steps);
            }
            here = self.categories.get(here)?.rule.parent.as_deref()?;
        }
        None
    }

    /// Whether `category` is `ancestor` or below it.
    #[must_use]
    pub fn is_within(&self, category: &str, ancestor: &str) -> bool {
        self.steps_up(category, ancestor).is_some()
    }

    /// The price of a SKU in `currency` on the lists that hold at `at`.
    #[must_use]
    pub fn list_price(&self, sku: &str, currency: Currency, at: Timestamp) -> Option<i64> {
        let lists = self.price_lists.values().filter(|list| {
            let rule = &list.rule;
            rule.active && rule.currency == currency && holds(at, rule.starts_at, rule.ends_at)
        });
        let mut best: Option<(i64, i64)> = None;
        for list in lists {
            let higher = best.is_none_or(|(priority, _)| list.rule.priority > priority);
            let price = self.prices.get(&list.id).and_then(|prices| prices.get(sku));
            if let Some(price) = price.filter(|_| higher) {
                best = Some((list.rule.priority, *price));
            }
        }
        best.map(|(_, price)| price)
    }
}
