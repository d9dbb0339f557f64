//! Finding products in the snapshot.

use crate::{Product, Snapshot};
use domain::{Currency, Sku};
use pricing::Rules;
use std::sync::Arc;

/// Which products are looked for. Nothing set: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Words that stand in the name or the SKU, each anywhere, in capitals or not.
    pub words: Vec<String>,
    /// Only of this category and of those below it.
    pub category: Option<String>,
    /// Only those that can, or that cannot, be ordered.
    pub active: Option<bool>,
    /// Only those priced in this currency.
    pub currency: Option<Currency>,
    /// Only those that cost at least so much, in minor units.
    pub amount_from: Option<i64>,
    /// Only those that cost at most so much, in minor units.
    pub amount_to: Option<i64>,
}

impl Wanted {
    /// The words of a text, as they are looked for.
    #[must_use]
    pub fn words_of(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_lowercase).collect()
    }

    fn takes(&self, product: &Product, rules: &Rules, folded: &mut String) -> bool {
        let fits = self.active.is_none_or(|active| active == product.active)
            && self.currency.is_none_or(|currency| currency == product.currency)
            && self.amount_from.is_none_or(|from| product.unit_amount >= from)
            && self.amount_to.is_none_or(|to| product.unit_amount <= to)
            && self.category.as_ref().is_none_or(|wanted| {
                product.category == *wanted || rules.is_within(&product.category, wanted)
            });
        if !fits || self.words.is_empty() {
            return fits;
        }
        folded.clear();
        let letters = product.sku.as_str().chars().chain([' ']).chain(product.name.chars());
        folded.extend(letters.flat_map(char::to_lowercase));
        self.words.iter().all(|word| folded.contains(word.as_str()))
    }
}

impl Snapshot {
    /// Up to `limit` products that are wanted, by the bytes of their SKU, those after `after`.
    #[must_use]
    pub fn search(
        &self,
        rules: &Rules,
        wanted: &Wanted,
        after: Option<&Sku>,
        limit: usize,
    ) -> Vec<Arc<Product>> {
        let by_sku = |a: &&Arc<Product>, b: &&Arc<Product>| a.sku.as_str().cmp(b.sku.as_str());
        let mut folded = String::new();
        let mut found: Vec<&Arc<Product>> = self
            .iter()
            .filter(|product| after.is_none_or(|after| product.sku.as_str() > after.as_str()))
            .filter(|product| wanted.takes(product, rules, &mut folded))
            .collect();
        if found.len() > limit {
            // Puts the first ones in front, without sorting all.
            found.select_nth_unstable_by(limit, by_sku);
            found.truncate(limit);
        }
        found.sort_unstable_by(by_sku);
        found.into_iter().cloned().collect()
    }
}
