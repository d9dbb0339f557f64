//! What is kept of an order, and what is made of the counts.

use domain::{Line, Sku};

/// The products of a confirmed order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Basket {
    /// Place of the confirmation in the log, which it shares with no other event.
    pub(crate) id: i64,
    /// In SKU order, each once.
    pub(crate) skus: Vec<Sku>,
}

impl Basket {
    /// The basket of these lines. A product on several of them is in it once.
    pub(crate) fn of(id: i64, lines: Vec<Line>) -> Self {
        let mut skus: Vec<Sku> = lines.into_iter().map(|line| line.sku).collect();
        skus.sort_unstable();
        skus.dedup();
        Self { id, skus }
    }
}

/// Which product is in which basket, in the order of the table's key, so that neighbours are
/// written one after the other.
pub(crate) fn items(baskets: &[Basket]) -> Vec<(&Sku, i64)> {
    let mut items: Vec<_> =
        baskets.iter().flat_map(|basket| basket.skus.iter().map(|sku| (sku, basket.id))).collect();
    items.sort_unstable();
    items
}

/// How much more often two products meet than chance would have it: 1 is chance. `all` orders, of
/// which `a` and `b` hold the one and the other, and `both` hold both. 0 if nothing is counted.
#[expect(clippy::cast_precision_loss, reason = "a score needs no more than 52 bits")]
pub(crate) fn lift(both: i64, a: i64, b: i64, all: i64) -> f64 {
    if a < 1 || b < 1 {
        return 0.0;
    }
    both as f64 * all as f64 / (a as f64 * b as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basket(id: i64, skus: &[&str]) -> Basket {
        let line = |sku: &&str| Line {
            sku: Sku::parse(*sku).expect("a SKU"),
            quantity: 1,
            unit_amount: 1,
            discount_amount: 0,
            amount_total: 1,
            quantity_shipped: 0,
            quantity_cancelled: 0,
            quantity_returned: 0,
            quantity_refunded: 0,
        };
        Basket::of(id, skus.iter().map(line).collect())
    }

    #[test]
    fn holds_each_product_once_in_order() {
        let skus: Vec<_> =
            basket(1, &["b", "a", "b", "B"]).skus.into_iter().map(String::from).collect();
        assert_eq!(skus, ["B", "a", "b"]);
    }

    #[test]
    fn items_are_in_the_order_of_the_key() {
        let baskets = [basket(7, &["tea", "cup"]), basket(8, &["cup"]), basket(9, &[])];
        let items: Vec<_> =
            items(&baskets).into_iter().map(|(sku, id)| (sku.as_str(), id)).collect();
        assert_eq!(items, [("cup", 7), ("cup", 8), ("tea", 7)]);
    }

    #[test]
    fn lift_is_one_for_strangers() {
        assert!((lift(25, 50, 50, 100) - 1.0).abs() < 1e-12);
        assert!((lift(50, 50, 50, 100) - 2.0).abs() < 1e-12);
        assert!(lift(0, 0, 5, 10).abs() < 1e-12);
    }
}
