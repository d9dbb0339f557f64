//! What can be run.

pub mod aftermath;
pub mod bank_down;
pub mod flash_sale;
pub mod one_key;
pub mod rolling;
pub mod storm;

use crate::check::{Check, Facts, check};
use crate::report::Report;

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
