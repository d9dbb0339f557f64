//! A product, and a change of one.

use domain::{AMOUNT_MAX_MINOR, Currency, Money, Sku, Timestamp};
use std::collections::HashMap;

/// An article that the shop sells, or sold once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// The shop's own name of it.
    pub sku: Sku,
    /// What people call it.
    pub name: String,
    /// The group it belongs to.
    pub category: String,
    /// Price of one piece, in minor units of `currency`.
    pub unit_amount: i64,
    /// Currency of the price.
    pub currency: Currency,
    /// Whether it can be ordered.
    pub active: bool,
    /// Place in the order of all changes of all products: a later change has a higher one.
    pub revision: i64,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Product {
    /// Price of one piece.
    #[must_use]
    pub const fn unit_price(&self) -> Money {
        Money::new(self.unit_amount, self.currency)
    }
}

/// What a product is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductChange {
    /// Which product.
    pub sku: Sku,
    /// What people call it.
    pub name: String,
    /// The group it belongs to.
    pub category: String,
    /// Price of one piece, in minor units of `currency`: `0..=AMOUNT_MAX_MINOR`.
    pub unit_amount: i64,
    /// Currency of the price.
    pub currency: Currency,
    /// Whether it can be ordered.
    pub active: bool,
}

/// Why a change cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The price is negative or above [`AMOUNT_MAX_MINOR`].
    #[error("the price of {0} is not within 0 and {AMOUNT_MAX_MINOR}")]
    Price(Sku),
    /// The name or the category contains the character U+0000, which Postgres cannot keep.
    #[error("the name or the category of {0} contains a null character")]
    Text(Sku),
}

impl ProductChange {
    /// Checks what the tables would refuse, so that the caller learns which line is at fault.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        if !(0..=AMOUNT_MAX_MINOR).contains(&self.unit_amount) {
            return Err(Invalid::Price(self.sku.clone()));
        }
        if self.name.contains('\0') || self.category.contains('\0') {
            return Err(Invalid::Text(self.sku.clone()));
        }
        Ok(())
    }
}

/// The last change of each SKU, in the order in which the SKUs first appear.
pub(crate) fn last_of_each(changes: Vec<ProductChange>) -> Vec<ProductChange> {
    let mut places: HashMap<Sku, usize> = HashMap::with_capacity(changes.len());
    let mut kept: Vec<ProductChange> = Vec::with_capacity(changes.len());
    for change in changes {
        match places.get(&change.sku).and_then(|place| kept.get_mut(*place)) {
            Some(earlier) => *earlier = change,
            None => {
                places.insert(change.sku.clone(), kept.len());
                kept.push(change);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::change;

    #[test]
    fn the_last_change_of_a_sku_wins_at_the_place_of_its_first() {
        let kept = last_of_each(vec![change("B", 1), change("A", 2), change("B", 3)]);
        assert_eq!(kept, vec![change("B", 3), change("A", 2)]);
        assert_eq!(last_of_each(Vec::new()), Vec::new());
    }

    #[test]
    fn prices_and_texts_are_checked_by_line() {
        let sku = change("A", 0).sku;
        assert_eq!(change("A", 0).check(), Ok(()));
        assert_eq!(change("A", AMOUNT_MAX_MINOR).check(), Ok(()));
        assert_eq!(change("A", -1).check(), Err(Invalid::Price(sku.clone())));
        assert_eq!(change("A", AMOUNT_MAX_MINOR + 1).check(), Err(Invalid::Price(sku.clone())));
        let named = ProductChange { name: "a\0".to_owned(), ..change("A", 1) };
        assert_eq!(named.check(), Err(Invalid::Text(sku.clone())));
        let grouped = ProductChange { category: "\0".to_owned(), ..change("A", 1) };
        assert_eq!(grouped.check(), Err(Invalid::Text(sku)));
    }
}
