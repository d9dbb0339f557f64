//! Counting orders in memory, so that a batch of baskets is few rows.

use domain::{Line, Sku};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most different products of an order whose pairs are counted: 39,800 rows.
pub const PAIR_SKUS_MAX: usize = 200;
/// Most pairs in one statement, in both directions: bounds the memory of a batch of large orders.
pub(crate) const PAIR_ROWS_MAX: usize = 20_000;

/// The orders of a batch, as sets of products.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    orders: Vec<BTreeSet<Sku>>,
}

/// A pair of products, in one direction, and the orders that have both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PairRow<'a> {
    pub(crate) sku: &'a Sku,
    pub(crate) other: &'a Sku,
    pub(crate) orders: i64,
}

impl Tally {
    /// Adds an order. A product on several of its lines counts once.
    pub(crate) fn add(&mut self, lines: Vec<Line>) {
        self.orders.push(lines.into_iter().map(|line| line.sku).collect());
    }

    /// Number of orders.
    pub(crate) fn orders(&self) -> i64 {
        i64::try_from(self.orders.len()).unwrap_or(i64::MAX)
    }

    /// Orders per product, in SKU order.
    pub(crate) fn products(&self) -> BTreeMap<&Sku, i64> {
        let mut products = BTreeMap::new();
        for sku in self.orders.iter().flatten() {
            *products.entry(sku).or_default() += 1;
        }
        products
    }

    /// Orders per pair, each pair in both directions. Each part is sorted by its key and has at
    /// most `rows_max` rows, or those of one order.
    pub(crate) fn pairs(&self, rows_max: usize) -> Vec<Vec<PairRow<'_>>> {
        // Pairs of numbers that sort like the SKUs: no text is compared or copied per pair.
        let names: Vec<&Sku> =
            self.orders.iter().flatten().collect::<BTreeSet<_>>().into_iter().collect();
        let numbers: HashMap<&Sku, usize> =
            names.iter().enumerate().map(|(number, sku)| (*sku, number)).collect();
        let mut parts = Vec::new();
        let mut counts: HashMap<(usize, usize), i64> = HashMap::new();
        for order in &self.orders {
            if order.len() > PAIR_SKUS_MAX {
                continue;
            }
            let basket: Vec<usize> =
                order.iter().filter_map(|sku| numbers.get(sku)).copied().collect();
            let rows = basket.len() * basket.len().saturating_sub(1);
            if !counts.is_empty() && counts.len() * 2 + rows > rows_max {
                parts.push(both_directions(&counts, &names));
                counts.clear();
            }
            for (place, first) in basket.iter().enumerate() {
                for second in &basket[place + 1..] {
                    *counts.entry((*first, *second)).or_default() += 1;
                }
            }
        }
        if !counts.is_empty() {
            parts.push(both_directions(&counts, &names));
        }
        parts
    }
}

fn both_directions<'a>(
    counts: &HashMap<(usize, usize), i64>,
    names: &[&'a Sku],
) -> Vec<PairRow<'a>> {
    let there = counts.iter().map(|((a, b), orders)| (*a, *b, *orders));
    let back = counts.iter().map(|((a, b), orders)| (*b, *a, *orders));
    let mut rows: Vec<_> = there.chain(back).collect();
    rows.sort_unstable();
    rows.into_iter()
        .map(|(sku, other, orders)| PairRow { sku: names[sku], other: names[other], orders })
        .collect()
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
    use proptest::prelude::*;

    fn tally(orders: &[Vec<String>]) -> Tally {
        let line = |sku: &String| Line {
            sku: Sku::parse(sku.clone()).expect("a SKU"),
            quantity: 1,
            unit_amount: 1,
            discount_amount: 0,
            amount_total: 1,
            quantity_shipped: 0,
            quantity_cancelled: 0,
            quantity_returned: 0,
        };
        let mut tally = Tally::default();
        for order in orders {
            tally.add(order.iter().map(line).collect());
        }
        tally
    }

    fn texts(order: &[&str]) -> Vec<String> {
        order.iter().map(|sku| (*sku).to_owned()).collect()
    }

    #[test]
    fn counts_orders_and_not_lines() {
        let tally = tally(&[texts(&["B", "A", "B"]), texts(&["A", "B"]), texts(&["C"])]);
        let products: Vec<_> = tally.products().into_iter().map(|(s, n)| (s.as_str(), n)).collect();
        assert_eq!(products, [("A", 2), ("B", 2), ("C", 1)]);
        let parts = tally.pairs(PAIR_ROWS_MAX);
        let pairs: Vec<_> =
            parts.iter().flatten().map(|p| (p.sku.as_str(), p.other.as_str(), p.orders)).collect();
        assert_eq!(pairs, [("A", "B", 2), ("B", "A", 2)]);
        assert_eq!(tally.orders(), 3);
    }

    #[test]
    fn pairs_are_counted_up_to_the_limit_of_an_order() {
        let basket = |n: usize| (0..n).map(|i| format!("S{i}")).collect::<Vec<_>>();
        let rows = |n| tally(&[basket(n)]).pairs(PAIR_ROWS_MAX).iter().map(Vec::len).sum::<usize>();
        assert_eq!(rows(PAIR_SKUS_MAX), 39_800);
        assert_eq!(rows(PAIR_SKUS_MAX + 1), 0);
        assert_eq!(tally(&[basket(PAIR_SKUS_MAX + 1)]).products().len(), PAIR_SKUS_MAX + 1);
    }

    #[test]
    fn lift_is_one_for_strangers() {
        assert!((lift(25, 50, 50, 100) - 1.0).abs() < 1e-12);
        assert!((lift(50, 50, 50, 100) - 2.0).abs() < 1e-12);
        assert!(lift(0, 0, 5, 10).abs() < 1e-12);
    }

    proptest! {
        /// However it is cut into parts, the sums are those of counting pair by pair.
        #[test]
        fn parts_add_up_to_the_plain_count(
            orders in prop::collection::vec(prop::collection::vec("[A-F]", 0..6), 0..20),
            rows_max in 1_usize..50,
        ) {
            let tally = tally(&orders);
            let mut plain: BTreeMap<(String, String), i64> = BTreeMap::new();
            for order in &orders {
                let set: BTreeSet<_> = order.iter().collect();
                for a in &set {
                    for b in set.iter().filter(|b| *b != a) {
                        *plain.entry(((*a).clone(), (*b).clone())).or_default() += 1;
                    }
                }
            }
            let mut summed: BTreeMap<(String, String), i64> = BTreeMap::new();
            for part in tally.pairs(rows_max) {
                prop_assert!(part.is_sorted_by(|a, b| (a.sku, a.other) < (b.sku, b.other)));
                prop_assert!(part.len() <= rows_max.max(30));
                for row in part {
                    let key = (row.sku.to_string(), row.other.to_string());
                    *summed.entry(key).or_default() += row.orders;
                }
            }
            prop_assert_eq!(summed, plain);
        }
    }
}
