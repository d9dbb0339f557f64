//! Adds up what became of the returns. Pure: no clock, no I/O.

use std::collections::{BTreeMap, HashMap};

use super::super::client::Retries;
use super::super::tally::{MAX_ERRORS, Origin};
use super::sales::Units;

/// What became of one step of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// All units left.
    Shipped {
        label: String,
        /// The answer shows other units than the order has in the file.
        differs: bool,
        units: Vec<Units>,
        retries: Retries,
    },
    /// Units came back.
    Returned {
        label: String,
        units: Vec<Units>,
        currency: String,
        /// What the customer paid for them, by the file, in minor units.
        cost: i64,
        /// What was refunded, by the answer, in minor units.
        refunded: i64,
        /// Which return it was, if the answer is not what the file makes of it.
        differs: Option<String>,
        origin: Origin,
        retries: Retries,
    },
    /// The server said no, or nothing.
    Failed { label: String, detail: String, retries: Retries },
    /// A return that was not sent, because a step of its order had failed.
    NotTried,
}

impl Step {
    pub(super) fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::NotTried)
    }
}

/// Refunds in one currency, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Refunds {
    /// What the customers had paid for what came back, by the file.
    pub(in super::super) cost: i64,
    /// What was refunded, by the answers.
    pub(in super::super) answered: i64,
    /// Of the cost, what this run gave back for certain, and what cannot be told.
    fresh: i64,
    unknown: i64,
}

/// Running sums over the answers.
#[derive(Debug, Default)]
pub(in super::super) struct Given {
    /// Orders shipped.
    pub(in super::super) shipped: u64,
    /// Returns taken.
    pub(in super::super) returned: u64,
    /// Steps that failed, and returns that were not tried.
    pub(in super::super) failed: u64,
    /// Returns by [`Origin`].
    fresh: u64,
    pub(in super::super) earlier: u64,
    pub(in super::super) outcomes: BTreeMap<String, u64>,
    pub(in super::super) retries: Retries,
    pub(in super::super) errors: Vec<String>,
    /// Answers that are not what the file makes of them.
    pub(in super::super) differing: Vec<String>,
    /// Units that left, and that came back, by SKU.
    pub(in super::super) units_shipped: HashMap<String, u64>,
    pub(in super::super) units_returned: HashMap<String, u64>,
    /// By currency.
    pub(in super::super) refunds: BTreeMap<String, Refunds>,
}

impl Given {
    /// Counts one step.
    pub(super) fn record(&mut self, step: Step) {
        match step {
            Step::Shipped { label, differs, units, retries } => {
                self.count(label, retries);
                self.shipped += 1;
                if differs {
                    self.differing.push("a shipment".to_owned());
                }
                add(&mut self.units_shipped, units);
            }
            Step::Returned { label, units, currency, cost, refunded, differs, origin, retries } => {
                self.count(label, retries);
                self.returned += 1;
                self.differing.extend(differs);
                add(&mut self.units_returned, units);
                let sums = self.refunds.entry(currency).or_default();
                sums.cost += cost;
                sums.answered += refunded;
                match origin {
                    Origin::Fresh => (self.fresh, sums.fresh) = (self.fresh + 1, sums.fresh + cost),
                    Origin::Earlier => self.earlier += 1,
                    Origin::Unknown => sums.unknown += cost,
                }
            }
            Step::Failed { label, detail, retries } => {
                self.count(label, retries);
                self.fail(detail);
            }
            Step::NotTried => self.failed += 1,
        }
    }

    fn count(&mut self, label: String, retries: Retries) {
        *self.outcomes.entry(label).or_default() += 1;
        self.retries.add(retries);
    }

    /// Notes a failure in words.
    pub(super) fn fail(&mut self, detail: String) {
        self.failed += 1;
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(detail);
        }
    }

    /// Whether every answer that can tell was given to an earlier run first.
    pub(in super::super) fn is_repetition(&self) -> bool {
        self.earlier > 0 && self.fresh == 0
    }

    /// What this run gave back in `currency`, by the file, in minor units.
    pub(in super::super) fn given_now(&self, currency: &str) -> i64 {
        let sums = self.refunds.get(currency).copied().unwrap_or_default();
        sums.fresh + if self.is_repetition() { 0 } else { sums.unknown }
    }
}

fn add(sums: &mut HashMap<String, u64>, units: Vec<Units>) {
    for Units { sku, count } in units {
        *sums.entry(sku).or_default() += count;
    }
}

#[cfg(test)]
pub(in super::super) mod tests {
    use super::*;

    /// `count` more units of A came back for 10 each.
    pub(in super::super::super) fn take_back(given: &mut Given, count: u64, origin: Origin) {
        given.record(returned(count, 10 * i64::try_from(count).unwrap(), origin));
    }

    fn units(count: u64) -> Vec<Units> {
        vec![Units { sku: "A".into(), count }]
    }

    fn returned(count: u64, refunded: i64, origin: Origin) -> Step {
        let cost = 10 * i64::try_from(count).unwrap();
        Step::Returned {
            label: "returns: 201".into(),
            units: units(count),
            currency: "USD".into(),
            cost,
            refunded,
            differs: (cost != refunded).then(|| "C1 on order 1".into()),
            origin,
            retries: Retries::default(),
        }
    }

    /// One order of 3 units of A was shipped, and `back` came back for 10 each.
    pub(in super::super::super) fn given(back: u64, origin: Origin) -> Given {
        let mut given = Given::default();
        given.record(Step::Shipped {
            label: "shipments: 201".into(),
            differs: false,
            units: units(3),
            retries: Retries::default(),
        });
        take_back(&mut given, back, origin);
        given
    }

    #[test]
    fn adds_up_what_left_and_what_came_back() {
        let mut given = given(2, Origin::Fresh);
        given.record(returned(1, 10, Origin::Fresh));
        assert_eq!((given.shipped, given.returned, given.failed), (1, 2, 0));
        assert_eq!((given.units_shipped["A"], given.units_returned["A"]), (3, 3));
        assert_eq!((given.refunds["USD"].cost, given.refunds["USD"].answered), (30, 30));
        assert_eq!(given.given_now("USD"), 30);
        assert_eq!(given.given_now("GBP"), 0);
        assert_eq!(given.outcomes["returns: 201"], 2);
        assert!(given.differing.is_empty());
    }

    #[test]
    fn notices_another_refund_than_what_was_paid() {
        let mut given = given(2, Origin::Fresh);
        given.record(returned(1, 9, Origin::Fresh));
        assert_eq!(given.differing, ["C1 on order 1"]);
        assert_eq!((given.refunds["USD"].cost, given.refunds["USD"].answered), (30, 29));
    }

    #[test]
    fn failures_and_what_they_kept_from_being_sent_are_counted() {
        let mut given = Given::default();
        let failed = Step::Failed {
            label: "shipments: 409 NOTHING_TO_SHIP".into(),
            detail: "1: no".into(),
            retries: Retries { connection: 1, ..Retries::default() },
        };
        assert!(failed.is_failure() && Step::NotTried.is_failure());
        given.record(failed);
        given.record(Step::NotTried);
        assert_eq!((given.failed, given.returned), (2, 0));
        assert_eq!(given.errors, ["1: no"]);
        assert_eq!(given.retries.connection, 1);
        assert!(given.units_shipped.is_empty());
    }

    #[test]
    fn tells_a_repetition_from_a_resumed_run() {
        let mut given = given(1, Origin::Earlier);
        given.record(returned(1, 10, Origin::Unknown));
        assert!(given.is_repetition());
        assert_eq!(given.given_now("USD"), 0);
        given.record(returned(1, 10, Origin::Fresh));
        assert!(!given.is_repetition());
        assert_eq!(given.given_now("USD"), 20, "fresh and unknown");
    }
}
