//! The checker: holds the clients' books, the shop's and the bank's against each other. Pure, so
//! that it can be given doctored books and must find what is wrong with them.

mod answers;
mod log;
mod money;
mod stock;

#[cfg(test)]
mod tests;

use crate::facts::Facts;
use crate::ledger::Ledger;
use std::fmt;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Which promise is broken, such as `I5`.
    pub promise: &'static str,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.what)
    }
}

/// Violations, as they are found.
#[derive(Debug, Default)]
pub struct Findings(Vec<Violation>);

impl Findings {
    /// Notes one.
    pub fn add(&mut self, promise: &'static str, what: impl Into<String>) {
        self.0.push(Violation { promise, what: what.into() });
    }

    /// Notes one unless `holds`.
    pub fn unless(&mut self, holds: bool, promise: &'static str, what: impl FnOnce() -> String) {
        if !holds {
            self.add(promise, what());
        }
    }

    /// All of them.
    #[must_use]
    pub fn into_vec(self) -> Vec<Violation> {
        self.0
    }
}

/// Everything that is wrong with these books after everything came to rest.
#[must_use]
pub fn check(facts: &Facts, ledger: &Ledger) -> Vec<Violation> {
    let mut findings = Findings::default();
    answers::creations(facts, ledger, &mut findings);
    answers::keys(facts, ledger, &mut findings);
    answers::sameness(facts, ledger, &mut findings);
    answers::misuses(ledger, &mut findings);
    answers::steps(facts, ledger, &mut findings);
    answers::sights(ledger, &mut findings);
    money::orders(facts, &mut findings);
    money::intents(facts, &mut findings);
    stock::levels(facts, &mut findings);
    stock::promises(facts, &mut findings);
    stock::adjustments(facts, ledger, &mut findings);
    log::versions(facts, &mut findings);
    log::paths(facts, &mut findings);
    log::effects(facts, &mut findings);
    for bad in &ledger.bad_stock {
        findings.add("I8", bad.clone());
    }
    findings.into_vec()
}
