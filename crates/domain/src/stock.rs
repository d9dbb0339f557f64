//! Stock: what is on the shelf, what of it is promised, and who gets it when it is not enough.

use crate::{OrderId, Sku};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Units of one SKU at one moment. `0 ≤ reserved ≤ on_hand` always (INV-STOCK).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLevel {
    /// Units on the shelf.
    pub on_hand: i64,
    /// Units of those promised to orders that have not shipped yet.
    pub reserved: i64,
}

/// Why a change to a stock level is refused. The level stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StockError {
    /// Fewer units are free than asked for.
    #[error("{requested} units asked for, {available} available")]
    Insufficient {
        /// Units asked for.
        requested: i64,
        /// Units free.
        available: i64,
    },
    /// More units given back than were promised, or a number of units that makes no sense.
    #[error("not a possible number of units")]
    Impossible,
}

impl StockLevel {
    /// Units that can still be promised.
    #[must_use]
    pub const fn available(self) -> i64 {
        self.on_hand - self.reserved
    }

    /// INV-STOCK: units promised never exceed units on the shelf, and neither is negative.
    #[must_use]
    pub const fn is_sane(self) -> bool {
        0 <= self.reserved && self.reserved <= self.on_hand
    }

    /// Promises `units` (≥ 1).
    ///
    /// # Errors
    /// [`StockError::Insufficient`] if fewer are free.
    pub fn reserve(self, units: i64) -> Result<Self, StockError> {
        if units < 1 {
            return Err(StockError::Impossible);
        }
        if units > self.available() {
            let available = self.available();
            return Err(StockError::Insufficient { requested: units, available });
        }
        Ok(Self { reserved: self.reserved + units, ..self })
    }

    /// Takes back a promise of `units` (≥ 1).
    ///
    /// # Errors
    /// [`StockError::Impossible`] if fewer are promised.
    pub fn release(self, units: i64) -> Result<Self, StockError> {
        if units < 1 || units > self.reserved {
            return Err(StockError::Impossible);
        }
        Ok(Self { reserved: self.reserved - units, ..self })
    }

    /// Adds `delta` units to the shelf (negative: takes them away); promised units stay promised.
    ///
    /// # Errors
    /// [`StockError::Insufficient`] if units would be taken that are promised or not there.
    pub fn adjust(self, delta: i64) -> Result<Self, StockError> {
        let on_hand = self.on_hand.checked_add(delta).ok_or(StockError::Impossible)?;
        if on_hand < self.reserved {
            let available = self.available();
            return Err(StockError::Insufficient { requested: delta.saturating_neg(), available });
        }
        Ok(Self { on_hand, ..self })
    }
}

/// What one order wants: units (≥ 1) per SKU, each SKU once, in SKU order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The order.
    pub order_id: OrderId,
    /// Units per SKU.
    pub units: BTreeMap<Sku, i64>,
}

/// A SKU that an order could not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    /// The SKU.
    pub sku: Sku,
    /// Units the order asked for.
    pub requested: i64,
    /// Units that were free when it was this order's turn.
    pub available: i64,
}

/// What became of one order's demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReservationOutcome {
    /// All its units are promised to it.
    Reserved,
    /// Nothing is promised to it; these SKUs were short.
    Short(Vec<Shortage>),
}

/// The result of [`allocate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// One outcome per demand, in the same order.
    pub outcomes: Vec<ReservationOutcome>,
    /// Units newly promised per SKU, over all orders that were served.
    pub granted: BTreeMap<Sku, i64>,
}

/// Decides order by order who gets what is there: first come, first served, each order whole or
/// not at all. A SKU missing in `free` has no units.
#[must_use]
pub fn allocate(demands: &[Demand], free: &BTreeMap<Sku, i64>) -> Allocation {
    let mut left = free.clone();
    let mut granted: BTreeMap<Sku, i64> = BTreeMap::new();
    let mut outcomes = Vec::with_capacity(demands.len());
    for demand in demands {
        let shortages = shortages_of(demand, &left);
        if shortages.is_empty() {
            for (sku, units) in &demand.units {
                *left.entry(sku.clone()).or_default() -= units;
                *granted.entry(sku.clone()).or_default() += units;
            }
            outcomes.push(ReservationOutcome::Reserved);
        } else {
            outcomes.push(ReservationOutcome::Short(shortages));
        }
    }
    Allocation { outcomes, granted }
}

fn shortages_of(demand: &Demand, left: &BTreeMap<Sku, i64>) -> Vec<Shortage> {
    demand
        .units
        .iter()
        .filter_map(|(sku, &requested)| {
            let available = left.get(sku).copied().unwrap_or(0).max(0);
            (requested > available).then(|| Shortage { sku: sku.clone(), requested, available })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn sku(name: &str) -> Sku {
        Sku::parse(name).expect("a good SKU")
    }

    fn demand(number: u128, units: &[(&str, i64)]) -> Demand {
        Demand {
            order_id: OrderId(Uuid::from_u128(number)),
            units: units.iter().map(|(name, n)| (sku(name), *n)).collect(),
        }
    }

    #[test]
    fn first_come_first_served_whole_orders_only() {
        let free = BTreeMap::from([(sku("A"), 3), (sku("B"), 1)]);
        let demands = [
            demand(1, &[("A", 2)]),
            demand(2, &[("A", 2), ("B", 1)]),
            demand(3, &[("A", 1), ("B", 1)]),
            demand(4, &[("C", 1)]),
        ];
        let result = allocate(&demands, &free);
        let short = |name, requested, available| {
            ReservationOutcome::Short(vec![Shortage { sku: sku(name), requested, available }])
        };
        assert_eq!(
            result.outcomes,
            vec![
                ReservationOutcome::Reserved,
                short("A", 2, 1),
                ReservationOutcome::Reserved,
                short("C", 1, 0)
            ]
        );
        assert_eq!(result.granted, BTreeMap::from([(sku("A"), 3), (sku("B"), 1)]));
    }

    #[test]
    fn level_refuses_what_is_not_there() {
        let level = StockLevel { on_hand: 5, reserved: 3 };
        assert_eq!(level.reserve(2), Ok(StockLevel { on_hand: 5, reserved: 5 }));
        assert_eq!(level.reserve(3), Err(StockError::Insufficient { requested: 3, available: 2 }));
        assert_eq!(level.reserve(0), Err(StockError::Impossible));
        assert_eq!(level.release(4), Err(StockError::Impossible));
        assert_eq!(level.adjust(-2), Ok(StockLevel { on_hand: 3, reserved: 3 }));
        assert_eq!(level.adjust(-3), Err(StockError::Insufficient { requested: 3, available: 2 }));
        assert_eq!(level.adjust(i64::MAX), Err(StockError::Impossible));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Reserve(i64),
        Release(i64),
        Adjust(i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (-5_i64..50).prop_map(Step::Reserve),
            (-5_i64..50).prop_map(Step::Release),
            (-60_i64..60).prop_map(Step::Adjust),
            any::<i64>().prop_map(Step::Adjust),
        ]
    }

    proptest! {
        #[test]
        fn any_sequence_keeps_the_level_sane(steps in prop::collection::vec(step(), 0..100)) {
            let mut level = StockLevel::default();
            for step in steps {
                let next = match step {
                    Step::Reserve(units) => level.reserve(units),
                    Step::Release(units) => level.release(units),
                    Step::Adjust(delta) => level.adjust(delta),
                };
                level = next.unwrap_or(level);
                prop_assert!(level.is_sane(), "{level:?}");
            }
        }

        #[test]
        fn allocation_never_oversells_and_never_withholds(
            free in prop::collection::btree_map("[A-D]", 0_i64..20, 0..4),
            wants in prop::collection::vec(prop::collection::btree_map("[A-D]", 1_i64..9, 1..4), 0..30),
        ) {
            let free: BTreeMap<Sku, i64> = free.iter().map(|(k, v)| (sku(k), *v)).collect();
            let demands: Vec<Demand> = (0_u128..).zip(wants).map(|(n, units)| Demand {
                order_id: OrderId(Uuid::from_u128(n)),
                units: units.iter().map(|(k, v)| (sku(k), *v)).collect(),
            }).collect();
            let result = allocate(&demands, &free);
            prop_assert_eq!(result.outcomes.len(), demands.len());
            let mut left = free.clone();
            for (demand, outcome) in demands.iter().zip(&result.outcomes) {
                let fits = demand.units.iter().all(|(s, n)| left.get(s).copied().unwrap_or(0) >= *n);
                prop_assert_eq!(fits, *outcome == ReservationOutcome::Reserved);
                if fits {
                    for (s, n) in &demand.units {
                        *left.entry(s.clone()).or_default() -= n;
                    }
                }
            }
            for (s, n) in &result.granted {
                prop_assert!(*n <= free.get(s).copied().unwrap_or(0));
            }
        }
    }
}
