//! The products in memory.

use crate::Product;
use crate::rules::{self, ChangedPrice, ChangedRule};
use arc_swap::ArcSwap;
use metrics::gauge;
use pricing::Rules;
use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// All products of the shop at one moment. It never changes; a change makes a new one.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    products: HashSet<BySku>,
}

/// A product that is looked up by its SKU. A set of these holds each SKU once, and its copy
/// allocates nothing per product.
#[derive(Clone, Debug)]
struct BySku(Arc<Product>);

impl Borrow<str> for BySku {
    fn borrow(&self) -> &str {
        self.0.sku.as_str()
    }
}

impl PartialEq for BySku {
    fn eq(&self, other: &Self) -> bool {
        self.0.sku == other.0.sku
    }
}

impl Eq for BySku {}

impl Hash for BySku {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As `str` does it: `Borrow` demands that both agree.
        self.0.sku.as_str().hash(state);
    }
}

impl Snapshot {
    /// The product of this SKU.
    #[must_use]
    pub fn get(&self, sku: &str) -> Option<&Arc<Product>> {
        self.products.get(sku).map(|found| &found.0)
    }

    /// Number of products, those that cannot be ordered included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.products.len()
    }

    /// Whether there is no product at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.products.is_empty()
    }

    /// All products, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Product>> {
        self.products.iter().map(|entry| &entry.0)
    }

    fn is_news(&self, product: &Product) -> bool {
        self.get(product.sku.as_str()).is_none_or(|known| known.revision < product.revision)
    }

    /// The snapshot with these products in it, where they are newer; itself when none is.
    fn with(self: &Arc<Self>, products: &[Arc<Product>]) -> Arc<Self> {
        if !products.iter().any(|product| self.is_news(product)) {
            return self.clone();
        }
        let mut next = Self::clone(self);
        for product in products {
            if next.is_news(product) {
                next.products.replace(BySku(product.clone()));
            }
        }
        Arc::new(next)
    }
}

/// Where the current snapshot lies.
#[derive(Default)]
pub(crate) struct Shelf {
    current: ArcSwap<Snapshot>,
    complete_to: AtomicI64,
    rules: ArcSwap<Rules>,
    /// How far the rules and the prices of the lists are known.
    rules_to: Mutex<(i64, i64)>,
    stale: AtomicBool,
}

impl Shelf {
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Whether the last look for the changes of other nodes failed: prices may be old.
    pub(crate) fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    pub(crate) fn set_stale(&self, stale: bool) {
        self.stale.store(stale, Ordering::Relaxed);
    }

    /// Every change up to this revision is in the snapshot.
    pub(crate) fn complete_to(&self) -> i64 {
        self.complete_to.load(Ordering::Acquire)
    }

    /// Puts products in, where they are newer than what lies there: the order in which writers
    /// and readers come by does not matter.
    pub(crate) fn apply(&self, products: &[Arc<Product>]) {
        self.current.rcu(|current| current.with(products));
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        gauge!("catalog_products").set(self.snapshot().len() as f64);
    }

    /// Like [`Self::apply`], for *all* changes after an earlier `complete_to`, by revision.
    pub(crate) fn complete(&self, changed: &[Arc<Product>]) {
        self.apply(changed);
        if let Some(last) = changed.last() {
            self.complete_to.fetch_max(last.revision, Ordering::AcqRel);
        }
    }

    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Every change of rules, and of prices, up to these revisions is in the rules.
    pub(crate) fn rules_complete_to(&self) -> (i64, i64) {
        *self.rules_to.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts in *all* changes of rules and of prices after earlier marks, by revision; those that
    /// somebody else has put in meanwhile are passed over.
    pub(crate) fn complete_rules(&self, changed: &[ChangedRule], prices: &[ChangedPrice]) {
        let mut to = self.rules_to.lock().unwrap_or_else(PoisonError::into_inner);
        let (rules_to, prices_to) = *to;
        let known = changed.iter().take_while(|change| change.revision <= rules_to).count();
        let changed = changed.get(known..).unwrap_or_default();
        let known = prices.iter().take_while(|price| price.revision <= prices_to).count();
        let prices = prices.get(known..).unwrap_or_default();
        self.rules.store(rules::with(&self.rules.load_full(), changed, prices));
        let last_rule = changed.last().map_or(rules_to, |last| last.revision);
        let last_price = prices.last().map_or(prices_to, |last| last.revision);
        *to = (last_rule, last_price);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::product;

    fn amount(shelf: &Shelf, sku: &str) -> Option<i64> {
        shelf.snapshot().get(sku).map(|product| product.unit_amount)
    }

    #[test]
    fn a_later_revision_wins_whatever_the_order_of_arrival() {
        let shelf = Shelf::default();
        assert!(shelf.snapshot().is_empty());
        shelf.apply(&[product("A", 200, 7)]);
        shelf.apply(&[product("A", 100, 6), product("B", 300, 5)]);
        assert_eq!(amount(&shelf, "A"), Some(200));
        assert_eq!(amount(&shelf, "B"), Some(300));
        assert_eq!(amount(&shelf, "C"), None);
        assert_eq!(shelf.snapshot().len(), 2);
        assert_eq!(shelf.snapshot().iter().count(), 2);
    }

    #[test]
    fn a_snapshot_in_hand_does_not_change_and_no_news_make_no_copy() {
        let shelf = Shelf::default();
        shelf.apply(&[product("A", 100, 1)]);
        let before = shelf.snapshot();
        shelf.apply(&[product("A", 100, 1)]);
        assert!(Arc::ptr_eq(&before, &shelf.snapshot()));
        shelf.apply(&[product("A", 200, 2)]);
        assert_eq!(before.get("A").map(|product| product.unit_amount), Some(100));
        assert_eq!(amount(&shelf, "A"), Some(200));
    }

    #[test]
    fn only_a_complete_read_moves_the_mark_and_never_back() {
        let shelf = Shelf::default();
        shelf.apply(&[product("A", 100, 9)]);
        assert_eq!(shelf.complete_to(), 0);
        shelf.complete(&[product("B", 100, 4), product("A", 100, 9)]);
        shelf.complete(&[product("B", 100, 4)]);
        shelf.complete(&[]);
        assert_eq!(shelf.complete_to(), 9);
    }
}
