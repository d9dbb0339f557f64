//! What can be run.

pub mod aftermath;
pub mod bank_down;
pub mod flash_sale;
pub mod one_key;
pub mod rolling;
pub mod storm;

use crate::check::{Check, Facts, check};
use crate::clients::{Outcome, Record};
use crate::report::Report;

/// Tries of a request in runs that nothing is broken in for its client. With the waits between them
/// they last for minutes: whoever is not told by then is never told.
const TRIES: usize = 600;

/// Where nothing is broken for the clients, each has a definite answer in the end, and none is told
/// of a failure on the way. A node may refuse to take work and say when to come back.
fn look_at_service(check: &mut Check, records: &[Record]) {
    for record in records {
        let failure = record.attempts.iter().find(|attempt| attempt.is_failure());
        check.look(failure.is_none() && record.outcome == Outcome::Ok, || {
            let last = record.attempts.last();
            format!("{}: {:?} {:?}", record.key(), failure.or(last), record.findings)
        });
    }
}

/// Tries that a node refused because it had more to do than it can.
fn shed(records: &[Record]) -> usize {
    let tries = records.iter().flat_map(|record| &record.attempts);
    tries.filter(|attempt| attempt.is_shed()).count()
}

/// Puts the checks of a special run and those of every run into its report.
fn conclude(report: &mut Report, facts: &Facts, own: Vec<Check>, is_quiet: bool) {
    report.checks = own;
    report.checks.extend(check(facts));
    report.figure("orders", facts.orders.len());
    report.figure("answers asked for again", facts.replays.len());
    report.gate("there were orders", !facts.orders.is_empty(), facts.orders.len().to_string());
    let seen = if is_quiet { "it did" } else { "it did not" };
    report.gate("everything came to rest in a minute", is_quiet, seen);
}
