//! What many runs add up to, and whether they were worth anything: a harness in which nothing goes
//! wrong, or everything fails, proves nothing.

use crate::check::Violation;
use crate::run::Report;
use std::collections::BTreeMap;

/// Everything that must have happened at least once over enough seeds.
pub const MUST_HAPPEN: &[&str] = &[
    "answer.200",
    "answer.201",
    "answer.202",
    "answer.402",
    "answer.409",
    "answer.422",
    "answer.503",
    "bank.capture",
    "bank.charge",
    "bank.decline",
    "bank.delay",
    "bank.error_after",
    "bank.error_before",
    "bank.lost",
    "bank.malformed",
    "bank.rate_limit",
    "bank.refund",
    "bank.reply_lost",
    "bank.search_lagged",
    "bank.void",
    "bank.wrong_amount",
    "client.twice_at_once",
    "client.two_bodies",
    "database.commit_lost",
    "database.commit_reply_lost",
    "database.conflict",
    "database.cut",
    "database.lost",
    "database.reply_lost",
    "event.forged",
    "event.late",
    "event.lost",
    "event.old",
    "event.poison",
    "event.told",
    "event.twice",
    "node.cut",
    "node.failed_to_start",
    "node.killed",
    "node.paused",
    "order.cancelled",
    "order.confirmed",
    "order.delivered",
    "order.paid_too_late",
    "order.placed",
    "order.refunded",
    "order.rejected",
    "order.remainder_cancelled",
    "order.returned",
    "order.shipped",
];

/// Fewest operations in a hundred that must have come to the end that their client may expect.
pub const WELL_PERCENT: u64 = 70;

/// What many runs add up to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Number of runs.
    pub runs: u64,
    /// How often what happened.
    pub counts: BTreeMap<String, u64>,
    /// What must not be, by seed.
    pub violations: Vec<(u64, Violation)>,
    /// Simulated seconds.
    pub seconds: f64,
}

impl Summary {
    /// Adds a run.
    pub fn add(&mut self, report: Report) {
        self.runs += 1;
        self.seconds += report.seconds;
        for (what, times) in report.counts {
            *self.counts.entry(what).or_insert(0) += times;
        }
        self.violations.extend(report.violations.into_iter().map(|v| (report.seed, v)));
    }

    /// How often this happened.
    #[must_use]
    pub fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// What makes these runs worth less than they seem. `points` are the named points that nodes
    /// must have passed, and died at.
    #[must_use]
    pub fn vacuities(&self, points: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for what in MUST_HAPPEN.iter().filter(|what| self.count(what) == 0) {
            found.push(format!("{what} never happened"));
        }
        for point in points {
            if self.count(&format!("point.{point}")) == 0 {
                found.push(format!("nobody ever passed {point}"));
            } else if self.count(&format!("died_at.{point}")) == 0 {
                found.push(format!("nobody ever died at {point}"));
            }
        }
        let (all, well) = (self.count("operation.all"), self.count("operation.well"));
        if well * 100 < all * WELL_PERCENT {
            found.push(format!("only {well} of {all} operations ended well"));
        }
        found
    }
}
