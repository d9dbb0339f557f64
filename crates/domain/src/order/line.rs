//! A line of an order, and what its units are worth.

use super::Capture;
use crate::Sku;
use serde::{Deserialize, Serialize};

/// A line of an order. The same SKU may stand on several lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What.
    pub sku: Sku,
    /// How many units, ≥ 1.
    pub quantity: i64,
    /// Price of one unit, in minor units, ≥ 0.
    pub unit_amount: i64,
    /// Taken off the whole line, in minor units; at most the line's price.
    pub discount_amount: i64,
    /// Tax added to the line, in minor units.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tax_amount: i64,
    /// `quantity × unit_amount − discount_amount + tax_amount`, in minor units.
    pub amount_total: i64,
    /// Units that left.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quantity_shipped: i64,
    /// Units that were taken off before they left.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quantity_cancelled: i64,
    /// Units that came back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quantity_returned: i64,
    /// Units whose money was given back, because they were cancelled, came back, or out of
    /// goodwill; and units that left and whose money the provider did not hand over.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quantity_refunded: i64,
}

/// Some units of one line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineUnits {
    /// Place of the line in the order, from 0.
    pub line: usize,
    /// What.
    pub sku: Sku,
    /// How many units, ≥ 1.
    pub quantity: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl Line {
    /// Units that have neither left nor been cancelled.
    #[must_use]
    pub const fn units_open(&self) -> i64 {
        self.quantity - self.quantity_shipped - self.quantity_cancelled
    }

    /// What the line's units number `from + 1` to `to` are worth, in minor units: `⌊total · to / n⌋
    /// − ⌊total · from / n⌋`. However a line is cut, its parts add up to its total, and no minor
    /// unit is gained or lost.
    #[must_use]
    pub fn worth(&self, from: i64, to: i64) -> i64 {
        self.worth_of_first(to) - self.worth_of_first(from)
    }

    fn worth_of_first(&self, units: i64) -> i64 {
        let share = i128::from(self.amount_total) * i128::from(units.clamp(0, self.quantity))
            / i128::from(self.quantity.max(1));
        // At most `amount_total`, which is an i64.
        i64::try_from(share).unwrap_or(self.amount_total)
    }

    /// Of `units` that come back, those whose money is to be given back. Units that were refunded
    /// while the customer kept them are not refunded again; which ones came back, nobody can tell,
    /// so these count first.
    #[must_use]
    pub fn refunded_by_returning(&self, units: i64, capture: Capture) -> i64 {
        (units - self.refunded_and_kept(capture)).max(0)
    }

    /// Of `units` that are not to leave any more, those whose money is to be given back. Of the
    /// units that were refunded already, those that left count first.
    #[must_use]
    pub fn refunded_by_cancelling(&self, units: i64) -> i64 {
        let with_customer = self.quantity_shipped - self.quantity_returned;
        let refunded = (self.refunded_and_kept(Capture::Automatic) - with_customer).max(0);
        (units - refunded).max(0)
    }

    /// Units that are neither cancelled nor came back, and whose money was given back or never
    /// taken. For units that were cancelled of an order with [`Capture::Manual`], no money was ever
    /// taken.
    fn refunded_and_kept(&self, capture: Capture) -> i64 {
        let gone = match capture {
            Capture::Automatic => self.quantity_cancelled + self.quantity_returned,
            Capture::Manual => self.quantity_returned,
        };
        (self.quantity_refunded - gone).max(0)
    }

    /// Whether the counts of units fit together.
    #[must_use]
    pub const fn is_sane(&self) -> bool {
        self.quantity_shipped >= 0
            && self.quantity_cancelled >= 0
            && 0 <= self.quantity_returned
            && self.quantity_returned <= self.quantity_shipped
            && self.quantity_shipped + self.quantity_cancelled <= self.quantity
            && 0 <= self.quantity_refunded
            && self.quantity_refunded <= self.quantity
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Cut into any parts, a line is worth its total, and no part is worth less than nothing.
        #[test]
        fn parts_add_up(quantity in 1_i64..10_000, total in 0_i64..1_000_000_000_000_000,
                        cuts in prop::collection::vec(0_i64..10_000, 0..8)) {
            let line = Line {
                sku: Sku::parse("A").unwrap(), quantity, unit_amount: 0, discount_amount: 0, tax_amount: 0,
                amount_total: total, quantity_shipped: 0, quantity_cancelled: 0,
                quantity_returned: 0, quantity_refunded: 0,
            };
            let mut cuts: Vec<i64> = cuts.into_iter().map(|cut| cut.min(quantity)).collect();
            cuts.extend([0, quantity]);
            cuts.sort_unstable();
            let parts: Vec<i64> = cuts.windows(2).map(|w| line.worth(w[0], w[1])).collect();
            prop_assert!(parts.iter().all(|part| *part >= 0));
            prop_assert_eq!(parts.iter().sum::<i64>(), total);
        }
    }
}
