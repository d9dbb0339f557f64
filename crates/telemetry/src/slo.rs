//! Service level objectives: what is promised of which calls, and the rules by which Prometheus
//! watches over it.

mod rules;

pub use rules::{Speed, slo_rules};

/// What is counted as good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Indicator {
    /// Calls of one part to another that do not fail.
    Edge {
        /// Who calls.
        caller: &'static str,
        /// Who is called.
        callee: &'static str,
    },
    /// Requests of the API that are not answered with 5xx.
    Answered,
    /// Requests that were answered (not with 5xx) within a time.
    Quick {
        /// The pattern of the route.
        route: &'static str,
        /// The method.
        method: &'static str,
        /// The time, as a bound of the histogram's buckets is written.
        within_seconds: &'static str,
    },
}

/// A service level objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slo {
    /// Its name, the label `slo` of the rules.
    pub name: &'static str,
    /// What is counted.
    pub indicator: Indicator,
    /// The share that is to be good, 0 to 1; judged over thirty days.
    pub target: f64,
    /// What it is for, in one sentence.
    pub help: &'static str,
}

/// Every objective. The first three are those of the document that this product implements; the
/// others are our own.
pub const SLOS: &[Slo] = &[
    Slo {
        name: "orders_inventory",
        indicator: Indicator::Edge { caller: "orders", callee: "inventory" },
        target: 0.9995,
        help: "The inventory does what orders ask of it.",
    },
    Slo {
        name: "payments_customers",
        indicator: Indicator::Edge { caller: "payments", callee: "customers" },
        target: 0.999,
        help: "Payments learn from the customers who pays, and with what.",
    },
    Slo {
        name: "recommendations_catalog",
        indicator: Indicator::Edge { caller: "recommendations", callee: "catalog" },
        target: 0.99,
        help: "Recommendations learn from the catalogue what is on sale now.",
    },
    Slo {
        name: "payments_bank",
        indicator: Indicator::Edge { caller: "payments", callee: "bank" },
        target: 0.99,
        help: "The bank says what became of a payment. Orders wait while it does not.",
    },
    Slo {
        name: "orders_store",
        indicator: Indicator::Edge { caller: "orders", callee: "store" },
        target: 0.9995,
        help: "The database does what orders ask of it.",
    },
    Slo {
        name: "api_answered",
        indicator: Indicator::Answered,
        target: 0.999,
        help: "The API answers requests, and not with an error of its own (5xx).",
    },
    Slo {
        name: "orders_quick",
        indicator: Indicator::Quick { route: "/v1/orders", method: "POST", within_seconds: "1" },
        target: 0.99,
        help: "An order is answered within a second, with its money taken or refused.",
    },
];

/// The objective of the calls from one part to another, as a share, if there is one.
#[must_use]
pub fn edge_target(caller: &str, callee: &str) -> Option<f64> {
    let found = SLOS.iter().find(|slo| {
        matches!(slo.indicator, Indicator::Edge { caller: from, callee: to }
            if from == caller && to == callee)
    });
    found.map(|slo| slo.target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_objectives_of_the_source_are_there() {
        assert_eq!(edge_target("orders", "inventory"), Some(0.9995));
        assert_eq!(edge_target("payments", "customers"), Some(0.999));
        assert_eq!(edge_target("recommendations", "catalog"), Some(0.99));
        assert_eq!(edge_target("inventory", "orders"), None);
    }

    #[test]
    fn objectives_have_names_of_their_own_and_leave_something_to_fail() {
        let names: HashSet<_> = SLOS.iter().map(|slo| slo.name).collect();
        assert_eq!(names.len(), SLOS.len());
        for slo in SLOS {
            assert!(slo.target > 0.5 && slo.target < 1.0, "{}", slo.name);
            assert!(slo.help.ends_with('.'), "{}", slo.name);
        }
    }

    #[test]
    fn the_bound_of_a_quick_answer_is_that_of_a_bucket() {
        for slo in SLOS {
            if let Indicator::Quick { within_seconds, .. } = slo.indicator {
                let bound: f64 = within_seconds.parse().unwrap();
                assert!(crate::metrics::SECONDS_BUCKETS.contains(&bound), "{}", slo.name);
            }
        }
    }
}
