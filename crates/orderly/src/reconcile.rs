//! What is to be done about money that the bank has and the shop knows nothing of. Pure.
//!
//! After a backup was restored, the bank knows charges of orders that were placed since it was taken.
//! The shop never will: their goods were not promised, and their clients, if they ask again with the
//! same key, are given another order and another charge. So the money goes back.

use serde::{Deserialize, Serialize};

/// A payment in the bank's books.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Entry {
    /// The bank's name of it.
    pub(crate) payment_intent: String,
    /// The order that it was made for.
    pub(crate) order_id: Option<String>,
    /// What was asked for, in minor units.
    pub(crate) amount: i64,
    /// ISO 4217 code.
    pub(crate) currency: String,
    /// What was taken, in minor units.
    pub(crate) captured: i64,
    /// What was given back, in minor units.
    pub(crate) refunded: i64,
    /// The bank's word for where it stands.
    pub(crate) status: String,
}

/// What the shop knows of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It has it, with these sums in minor units.
    Order {
        /// What it says was taken.
        captured: i64,
        /// What it says was given back.
        refunded: i64,
        /// It has not come to rest: sums may differ for a while.
        under_way: bool,
    },
    /// It has no such order.
    Nothing,
}

/// What is found about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Finding {
    /// Both say the same, or nothing is left of it.
    Agrees,
    /// The shop does not know the order, and the bank has its money.
    Unknown,
    /// Both know it and say different sums.
    Differs,
    /// It names no order.
    Nameless,
}

/// One call to the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Let go of all that is held.
    Void,
    /// Let go of what is still held, after a part was taken.
    Release,
    /// Give so much back, in minor units.
    Refund(i64),
}

impl Entry {
    fn is_held(&self) -> bool {
        self.status == "requires_capture"
    }

    /// What to do so that nothing is left of it, in this order.
    pub(crate) fn undone_by(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.is_held() {
            steps.push(if self.captured == 0 { Step::Void } else { Step::Release });
        }
        if self.captured > self.refunded {
            steps.push(Step::Refund(self.captured - self.refunded));
        }
        steps
    }

    /// What the bank still has or holds of it, in minor units.
    pub(crate) fn left(&self) -> i64 {
        let held = if self.is_held() { self.amount - self.captured } else { 0 };
        held + self.captured - self.refunded
    }

    /// What is found about it, given what the shop knows of its order.
    pub(crate) fn found(&self, known: Known) -> Finding {
        if self.order_id.is_none() {
            return if self.left() == 0 { Finding::Agrees } else { Finding::Nameless };
        }
        match known {
            Known::Nothing if self.left() > 0 => Finding::Unknown,
            Known::Order { captured, refunded, under_way }
                if !under_way && (captured, refunded) != (self.captured, self.refunded) =>
            {
                Finding::Differs
            }
            Known::Nothing | Known::Order { .. } => Finding::Agrees,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(status: &str, captured: i64, refunded: i64) -> Entry {
        Entry {
            payment_intent: "pi_1".to_owned(),
            order_id: Some("o".to_owned()),
            amount: 1_000,
            currency: "USD".to_owned(),
            captured,
            refunded,
            status: status.to_owned(),
        }
    }

    fn order(captured: i64, refunded: i64) -> Known {
        Known::Order { captured, refunded, under_way: false }
    }

    #[test]
    fn money_of_an_unknown_order_goes_back_and_nothing_else_does() {
        for (what, status, captured, refunded, steps) in [
            ("paid", "succeeded", 1_000, 0, vec![Step::Refund(1_000)]),
            ("given back in part", "succeeded", 1_000, 400, vec![Step::Refund(600)]),
            ("held", "requires_capture", 0, 0, vec![Step::Void]),
            (
                "held, taken in part",
                "requires_capture",
                300,
                100,
                vec![Step::Release, Step::Refund(200)],
            ),
        ] {
            let entry = entry(status, captured, refunded);
            assert_eq!(entry.found(Known::Nothing), Finding::Unknown, "{what}");
            assert_eq!(entry.undone_by(), steps, "{what}");
        }
        for (what, status, captured, refunded) in [
            ("given back", "succeeded", 1_000, 1_000),
            ("declined", "requires_payment_method", 0, 0),
            ("voided", "canceled", 0, 0),
        ] {
            let entry = entry(status, captured, refunded);
            assert_eq!(entry.found(Known::Nothing), Finding::Agrees, "{what}");
            assert_eq!(entry.undone_by(), [], "{what}");
        }
    }

    #[test]
    fn what_the_shop_knows_is_compared_and_never_undone() {
        let paid = entry("succeeded", 1_000, 0);
        assert_eq!(paid.found(order(1_000, 0)), Finding::Agrees);
        assert_eq!(paid.found(order(0, 0)), Finding::Differs);
        assert_eq!(entry("succeeded", 1_000, 100).found(order(1_000, 0)), Finding::Differs);
        let pending = Known::Order { captured: 0, refunded: 0, under_way: true };
        assert_eq!(paid.found(pending), Finding::Agrees, "recovery sees to it");
    }

    #[test]
    fn what_names_no_order_is_for_a_person() {
        let mut odd = entry("succeeded", 1_000, 0);
        odd.order_id = None;
        assert_eq!(odd.found(Known::Nothing), Finding::Nameless);
    }
}
