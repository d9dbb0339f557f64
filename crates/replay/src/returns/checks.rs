//! Compares the returns with their file. Pure. What they do to stock and money is compared where
//! the orders' stock and money are.

use super::super::checks::Check;
use super::super::expected::Totals;
use super::Returned;

/// What holds of the returns; `expected` are the figures that the file's author wrote down.
pub(in super::super) fn checks(
    expected: Option<&Totals>,
    returned: &Returned,
    checks: &mut Vec<Check>,
) {
    if let Some(expected) = expected {
        author(expected, &returned.totals, checks);
    }
    let Returned { totals, placing, given, .. } = returned;
    let first: Vec<String> = given.differing.iter().take(3).cloned().collect();
    let refunds = given.refunds.values();
    checks.extend([
        Check::new(
            "credit notes: placed + partly + not placed = in the file",
            totals.orders,
            placing.placed_whole + placing.placed_partly + placing.not_placed,
        ),
        Check::new(
            "credit notes: units placed + without an order = in the file",
            totals.units,
            placing.placed_units + placing.unplaced.units,
        ),
        Check::new(
            "credit notes: amount placed + without an order = in the file",
            totals.total_minor,
            placing.placed_amount_minor + placing.unplaced.amount_minor,
        ),
        Check::new("orders shipped", returned.orders, given.shipped),
        Check::new("returns taken", returned.returns, given.returned),
        Check::new(
            "units returned",
            placing.placed_units,
            given.units_returned.values().sum::<u64>(),
        ),
        Check::new(
            "Σ refunds of the answers = what was paid for these units in the file",
            placing.placed_cost_minor,
            refunds.map(|sums| sums.answered).sum::<i64>(),
        ),
        Check::none("answers that differ from the file", given.differing.len(), &first),
    ]);
}

/// The file is the one whose figures were written down.
fn author(expected: &Totals, found: &Totals, checks: &mut Vec<Check>) {
    checks.extend([
        Check::new("credit notes", expected.orders, found.orders),
        Check::new("credit notes: lines", expected.lines, found.lines),
        Check::new("credit notes: units", expected.units, found.units),
        Check::new("credit notes: gross, minor units", expected.gross_minor, found.gross_minor),
        Check::new("credit notes: discounts", expected.discount_minor, found.discount_minor),
        Check::new("credit notes: total, minor units", expected.total_minor, found.total_minor),
        Check::new("credit notes: customers", expected.customers, found.customers),
        Check::new("credit notes: SKUs", expected.skus, found.skus),
    ]);
}

#[cfg(test)]
mod tests {
    use super::super::super::tally::Origin;
    use super::super::{Given, Placing, Unplaced, given};
    use super::*;

    /// A file of 3 units for 33; 2 of them were placed, sold for 20.
    fn returned() -> Returned {
        Returned {
            totals: Totals {
                orders: 2,
                lines: 2,
                units: 3,
                gross_minor: 33,
                discount_minor: 0,
                total_minor: 33,
                customers: 1,
                skus: 1,
            },
            placing: Placing {
                placed_whole: 1,
                not_placed: 1,
                placed_units: 2,
                placed_amount_minor: 22,
                placed_cost_minor: 20,
                unplaced: Unplaced { lines: 1, units: 1, amount_minor: 11 },
                ..Placing::default()
            },
            orders: 1,
            returns: 1,
            given: given(2, Origin::Fresh),
            ..Returned::default()
        }
    }

    fn failures(expected: Option<&Totals>, returned: &Returned) -> Vec<String> {
        let mut all = Vec::new();
        checks(expected, returned, &mut all);
        all.into_iter().filter(|check| !check.ok).map(|check| check.name).collect()
    }

    #[test]
    fn good_returns_pass_with_and_without_figures_of_the_author() {
        let returned = returned();
        let totals = returned.totals.clone();
        assert_eq!(failures(None, &returned), Vec::<String>::new());
        assert_eq!(failures(Some(&totals), &returned), Vec::<String>::new());
    }

    #[test]
    fn another_file_than_the_author_had_is_found() {
        let returned = returned();
        let totals = Totals { units: 4, total_minor: 34, ..returned.totals.clone() };
        let want = ["credit notes: units", "credit notes: total, minor units"];
        assert_eq!(failures(Some(&totals), &returned), want);
    }

    #[test]
    fn a_return_that_was_not_taken_is_found() {
        let returned = Returned { given: Given::default(), ..returned() };
        let want = [
            "orders shipped",
            "returns taken",
            "units returned",
            "Σ refunds of the answers = what was paid for these units in the file",
        ];
        assert_eq!(failures(None, &returned), want);
    }

    #[test]
    fn another_refund_than_what_was_paid_is_found() {
        let mut returned = returned();
        returned.placing.placed_cost_minor = 21;
        returned.given.differing.push("C1 on order 1".to_owned());
        let want = [
            "Σ refunds of the answers = what was paid for these units in the file",
            "answers that differ from the file",
        ];
        assert_eq!(failures(None, &returned), want);
    }

    #[test]
    fn units_that_were_neither_placed_nor_told_are_found() {
        let mut returned = returned();
        returned.placing.unplaced.units = 0;
        let want = ["credit notes: units placed + without an order = in the file"];
        assert_eq!(failures(None, &returned), want);
    }
}
