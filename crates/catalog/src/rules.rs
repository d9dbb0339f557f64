//! The rules of price: categories, price lists, promotions, coupons, tax tables.

use domain::{Sku, Timestamp};
use pricing::{
    Category, Coupon, Document, Flaw, Kind, PriceList, Promotion, Rules, TaxTable, check_id,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A rule of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A group of products.
    Category(Category),
    /// A list whose prices are put by themselves.
    PriceList(PriceList),
    /// A promotion.
    Promotion(Promotion),
    /// A coupon.
    Coupon(Coupon),
    /// The taxes of a jurisdiction.
    TaxTable(TaxTable),
}

impl Rule {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Category(_) => Kind::Category,
            Self::PriceList(_) => Kind::PriceList,
            Self::Promotion(_) => Kind::Promotion,
            Self::Coupon(_) => Kind::Coupon,
            Self::TaxTable(_) => Kind::TaxTable,
        }
    }

    /// As it is kept.
    pub(crate) fn json(&self) -> String {
        let json = match self {
            Self::Category(rule) => serde_json::to_string(rule),
            Self::PriceList(rule) => serde_json::to_string(rule),
            Self::Promotion(rule) => serde_json::to_string(rule),
            Self::Coupon(rule) => serde_json::to_string(rule),
            Self::TaxTable(rule) => serde_json::to_string(rule),
        };
        // These are plain data with text keys, which always serialise.
        json.unwrap_or_default()
    }

    pub(crate) fn parse(kind: Kind, json: &str) -> serde_json::Result<Self> {
        Ok(match kind {
            Kind::Category => Self::Category(serde_json::from_str(json)?),
            Kind::PriceList => Self::PriceList(serde_json::from_str(json)?),
            Kind::Promotion => Self::Promotion(serde_json::from_str(json)?),
            Kind::Coupon => Self::Coupon(serde_json::from_str(json)?),
            Kind::TaxTable => Self::TaxTable(serde_json::from_str(json)?),
        })
    }

    /// What is wrong with it by itself.
    pub(crate) fn flaws(&self, id: &str) -> Vec<Flaw> {
        let mut flaws = match self {
            Self::Category(rule) => rule.flaws(),
            Self::PriceList(rule) => rule.flaws(),
            Self::Promotion(rule) => rule.flaws(),
            Self::Coupon(rule) => rule.flaws(),
            Self::TaxTable(rule) => rule.flaws(),
        };
        if !check_id(id) {
            let detail = "the id in the path: 1 to 200 bytes of printable text, no outer spaces";
            flaws.push(flaw("", detail.to_owned()));
        }
        flaws
    }

    /// What it refers to and does not exist.
    pub(crate) fn dangling(&self, id: &str, rules: &Rules) -> Vec<Flaw> {
        match self {
            Self::Category(Category { parent: Some(parent), .. }) => {
                if !rules.categories.contains_key(parent) {
                    vec![flaw("/parent", format!("there is no category {parent}"))]
                } else if rules.is_within(parent, id) {
                    vec![flaw("/parent", format!("{parent} is below {id} itself"))]
                } else if rules.depth(parent) + 2 > Rules::DEPTH_MAX {
                    vec![flaw("/parent", format!("{parent} is too deep down already"))]
                } else {
                    Vec::new()
                }
            }
            Self::Coupon(Coupon { promotion, .. }) if !rules.promotions.contains_key(promotion) => {
                vec![flaw("/promotion", format!("there is no promotion {promotion}"))]
            }
            _ => Vec::new(),
        }
    }
}

fn flaw(pointer: &str, detail: String) -> Flaw {
    Flaw { pointer: pointer.to_owned(), detail }
}

/// A rule out of the table.
#[derive(Clone, Debug)]
pub(crate) struct ChangedRule {
    pub(crate) id: String,
    pub(crate) rule: Rule,
    pub(crate) revision: i64,
    pub(crate) updated_at: Timestamp,
}

/// A price out of the table; `None` if it was taken off its list.
#[derive(Clone, Debug)]
pub(crate) struct ChangedPrice {
    pub(crate) price_list: String,
    pub(crate) sku: Arc<str>,
    pub(crate) unit_amount: Option<i64>,
    pub(crate) revision: i64,
}

/// What is to stand on a price list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceChange {
    /// Of which product.
    pub sku: Sku,
    /// Price of one unit, in minor units of the list's currency; `None` takes it off the list.
    pub unit_amount: Option<i64>,
}

/// A price on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPrice {
    /// Of which product.
    pub sku: Sku,
    /// Price of one unit, in minor units of the list's currency.
    pub unit_amount: i64,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The rules with these changes, which come by revision.
pub(crate) fn with(
    rules: &Arc<Rules>,
    changed: &[ChangedRule],
    prices: &[ChangedPrice],
) -> Arc<Rules> {
    if changed.is_empty() && prices.is_empty() {
        return rules.clone();
    }
    let mut next = Rules::clone(rules);
    for ChangedRule { id, rule, revision, updated_at } in changed {
        let (id, revision, at) = (id.clone(), *revision, *updated_at);
        match rule.clone() {
            Rule::Category(rule) => enter(&mut next.categories, id, rule, revision, at),
            Rule::PriceList(rule) => enter(&mut next.price_lists, id, rule, revision, at),
            Rule::Promotion(rule) => enter(&mut next.promotions, id, rule, revision, at),
            Rule::Coupon(rule) => enter(&mut next.coupons, id, rule, revision, at),
            Rule::TaxTable(rule) => enter(&mut next.tax_tables, id, rule, revision, at),
        }
    }
    for price in prices {
        let list = Arc::make_mut(next.prices.entry(price.price_list.clone()).or_default());
        match price.unit_amount {
            Some(unit_amount) => {
                list.insert(price.sku.clone(), unit_amount);
            }
            None => {
                list.remove(&price.sku);
            }
        }
    }
    Arc::new(next)
}

fn enter<T>(
    map: &mut BTreeMap<String, Arc<Document<T>>>,
    id: String,
    rule: T,
    revision: i64,
    updated_at: Timestamp,
) {
    if map.get(&id).is_none_or(|known| known.revision < revision) {
        map.insert(id.clone(), Arc::new(Document { id, rule, revision, updated_at }));
    }
}
