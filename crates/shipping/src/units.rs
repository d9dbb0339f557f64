//! What an order's parcel holds.

use domain::{Line, Sku};
use std::collections::BTreeMap;

/// Units per SKU over all lines, in SKU order; `None` if a sum leaves the range.
pub(crate) fn units_of(lines: &[Line]) -> Option<Vec<(&Sku, i64)>> {
    let mut units: BTreeMap<&Sku, i64> = BTreeMap::new();
    for line in lines {
        let sum = units.entry(&line.sku).or_default();
        *sum = sum.checked_add(line.quantity)?;
    }
    Some(units.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sku: &str, quantity: i64) -> Line {
        Line {
            sku: Sku::parse(sku).expect("a SKU"),
            quantity,
            unit_amount: 1,
            discount_amount: 0,
            tax_amount: 0,
            amount_total: quantity,
            quantity_shipped: 0,
            quantity_cancelled: 0,
            quantity_returned: 0,
            quantity_refunded: 0,
        }
    }

    #[test]
    fn lines_of_one_sku_are_one_heap() {
        let lines = [line("B", 1), line("A", 2), line("B", 3)];
        let units = units_of(&lines).expect("sums");
        let named: Vec<_> = units.iter().map(|(sku, n)| (sku.as_str(), *n)).collect();
        assert_eq!(named, [("A", 2), ("B", 4)]);
    }

    #[test]
    fn a_sum_out_of_range_is_no_number() {
        assert_eq!(units_of(&[line("A", i64::MAX), line("A", 1)]), None);
    }
}
