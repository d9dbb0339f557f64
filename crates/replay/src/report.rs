//! The result of a replay, for programs (serde) and for people ([`print`]).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::checks::Check;
use super::client::Retries;
use super::returns::{self, ReturnsReport};

/// The result of a replay. Amounts are in minor units, durations in the unit of their name.
#[derive(Debug, Clone, Serialize)]
pub struct ReplayReport {
    /// Where the orders went.
    pub target: String,
    /// Part of every idempotency key; the same id makes the next replay a repetition.
    pub run_id: String,
    /// Requests in flight.
    pub connections: usize,
    /// Orders a second that were aimed at; `None`: as fast as the answers came.
    pub rate: Option<f64>,
    /// Orders sent.
    pub orders_sent: u64,
    /// Orders reserved and paid.
    pub accepted: u64,
    /// Orders refused for want of stock or money.
    pub refused: u64,
    /// Orders with any other outcome.
    pub failed: u64,
    /// Orders that were answered as pending and followed up.
    pub pending_followed: u64,
    /// Answers that had been given to an earlier run with the same id.
    pub replayed: u64,
    /// Orders by status and code of their answer. A pending order counts twice: as `202 pending`
    /// and as what it settled to.
    pub outcomes: BTreeMap<String, u64>,
    /// Calls for orders that were made again.
    pub retries: Retries,
    /// Lines of the accepted orders, as answered.
    pub lines: u64,
    /// Units of the accepted orders, as answered.
    pub units: u64,
    /// Σ quantity × unit price of the accepted orders, as answered.
    pub gross_minor: i64,
    /// Σ discounts of the accepted orders, as answered.
    pub discount_minor: i64,
    /// Σ total of the accepted orders, as answered.
    pub total_minor: i64,
    /// The same by currency, in the words of the file.
    pub total_by_currency: BTreeMap<String, i64>,
    /// Distinct customers with an accepted order.
    pub customers: u64,
    /// Distinct SKUs in accepted orders.
    pub skus: u64,
    /// From the first order sent to the last answer.
    pub elapsed_seconds: f64,
    /// Orders sent by `elapsed_seconds`.
    pub orders_per_second: f64,
    /// Time from when an order was due (with a rate) or sent (without) to its answer.
    pub latency_ms: Latency,
    /// How long every part of the replay took.
    pub phases: Vec<Phase>,
    /// The first failures, with what the server said.
    pub errors: Vec<String>,
    /// What became of the returns, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returns: Option<ReturnsReport>,
    /// The comparisons of the server's books with the file.
    pub checks: Vec<Check>,
    /// No order and no return failed, and all checks are good.
    pub ok: bool,
}

/// Latency of the orders in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Latency {
    /// Half of the orders took no longer.
    pub p50: f64,
    /// 99 of 100 orders took no longer.
    pub p99: f64,
    /// The slowest order.
    pub max: f64,
}

/// One part of a replay.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// For example `customers`.
    pub name: &'static str,
    /// Things handled.
    pub count: u64,
    /// Time taken.
    pub seconds: f64,
}

/// Milliseconds with the precision of microseconds.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// A whole number with its thousands parted by commas.
pub(super) fn grouped(number: impl std::fmt::Display) -> String {
    let text = number.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let mut out = sign.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => grouped(number),
        Value::Null => "unknown".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

/// Writes the report as a table.
///
/// # Errors
/// `out` cannot be written.
pub fn print(report: &ReplayReport, out: &mut dyn Write) -> io::Result<()> {
    let ReplayReport { target, run_id, connections, .. } = report;
    let pace = report.rate.map_or_else(
        || format!("{connections} in flight"),
        |rate| format!("{rate} orders/s, at most {connections} in flight"),
    );
    writeln!(out, "Replay `{run_id}` against {target}, {pace}\n")?;
    for phase in &report.phases {
        let count = grouped(phase.count);
        writeln!(out, "  {:<14}{count:>12}{:>11.2} s", phase.name, phase.seconds)?;
    }
    let Latency { p50, p99, max } = report.latency_ms;
    writeln!(
        out,
        "\n  {:.0} orders/s, latency p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms\n",
        report.orders_per_second
    )?;
    outcomes(report, out)?;
    if let Some(returns) = &report.returns {
        returns::print(returns, out)?;
    }
    checks(report, out)
}

fn outcomes(report: &ReplayReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Outcomes")?;
    for (label, count) in &report.outcomes {
        writeln!(out, "  {label:<38}{:>12}", grouped(count))?;
    }
    let Retries { overloaded, in_progress, deadline, connection } = report.retries;
    let notes = [
        ("answered to an earlier run first", report.replayed),
        ("pending, followed up", report.pending_followed),
        ("sent again: server overloaded", overloaded),
        ("sent again: still in progress", in_progress),
        ("sent again: deadline passed", deadline),
        ("sent again: connection lost", connection),
    ];
    for (label, count) in notes.into_iter().filter(|(_, count)| *count > 0) {
        writeln!(out, "  ({label:<36}{:>12})", grouped(count))?;
    }
    writeln!(
        out,
        "  {} of {} orders accepted: {} lines, {} units, {} customers, {} SKUs",
        grouped(report.accepted),
        grouped(report.orders_sent),
        grouped(report.lines),
        grouped(report.units),
        grouped(report.customers),
        grouped(report.skus)
    )?;
    for (currency, total) in &report.total_by_currency {
        writeln!(out, "  {currency} {} in minor units", grouped(total))?;
    }
    for error in &report.errors {
        writeln!(out, "  ! {error}")?;
    }
    if report.failed > report.errors.len() as u64 {
        let more = report.failed - report.errors.len() as u64;
        writeln!(out, "  ! and {} more", grouped(more))?;
    }
    writeln!(out)
}

fn checks(report: &ReplayReport, out: &mut dyn Write) -> io::Result<()> {
    let width = report.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    writeln!(out, "{:<w$}{:>16}{:>16}", "Checks", "expected", "found", w = width + 8)?;
    for check in &report.checks {
        let mark = if check.ok { "ok" } else { "WRONG" };
        let (expected, found) = (shown(&check.expected), shown(&check.found));
        writeln!(out, "  {mark:<6}{:<width$}{expected:>16}{found:>16}", check.name)?;
        if let Some(detail) = &check.detail {
            writeln!(out, "        {detail}")?;
        }
    }
    let good = report.checks.iter().filter(|check| check.ok).count();
    let all = report.checks.len();
    let verdict = match (report.ok, good == all) {
        (true, _) => "The books agree with the file",
        (false, true) => "Some orders or returns failed",
        (false, false) => "The books do not agree with the file",
    };
    writeln!(out, "\n{verdict}: {good} of {all} checks are good.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(found: i64) -> ReplayReport {
        let ok = found == 1_000_000;
        ReplayReport {
            target: "http://127.0.0.1:8080".into(),
            run_id: "demo".into(),
            connections: 64,
            rate: None,
            orders_sent: 2_000,
            accepted: 1_990,
            refused: 10,
            failed: 0,
            pending_followed: 0,
            replayed: 0,
            outcomes: BTreeMap::from([("201 confirmed".into(), 1_990)]),
            retries: Retries { overloaded: 3, ..Retries::default() },
            lines: 22_054,
            units: 29_092,
            gross_minor: 1_100_000,
            discount_minor: 100_000,
            total_minor: 1_000_000,
            total_by_currency: BTreeMap::from([("USD".into(), 1_000_000)]),
            customers: 1_125,
            skus: 9_745,
            elapsed_seconds: 2.0,
            orders_per_second: 1_000.0,
            latency_ms: Latency { p50: 1.25, p99: 2.5, max: 3.75 },
            phases: vec![Phase { name: "orders", count: 2_000, seconds: 2.0 }],
            errors: Vec::new(),
            returns: None,
            checks: vec![Check {
                name: "total".into(),
                expected: json!(1_000_000),
                found: json!(found),
                ok,
                detail: (!ok).then(|| "look here".into()),
            }],
            ok,
        }
    }

    fn printed(report: &ReplayReport) -> String {
        let mut out = Vec::new();
        print(report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_good_report_reads_well() {
        let text = printed(&report(1_000_000));
        assert!(text.contains("Replay `demo` against http://127.0.0.1:8080, 64 in flight"));
        assert!(text.contains("1000 orders/s, latency p50 1.2 ms, p99 2.5 ms, max 3.8 ms"));
        assert!(text.contains("(sent again: server overloaded"), "{text}");
        assert!(!text.contains("connection lost"));
        assert!(text.contains("1,990 of 2,000 orders accepted: 22,054 lines"));
        assert!(text.ends_with("The books agree with the file: 1 of 1 checks are good.\n"));
    }

    #[test]
    fn a_wrong_figure_stands_out() {
        let text = printed(&report(999_999));
        assert!(text.contains("  WRONG total       1,000,000         999,999\n"), "{text}");
        assert!(text.contains("look here"));
        assert!(text.ends_with("The books do not agree with the file: 0 of 1 checks are good.\n"));
    }

    #[test]
    fn machines_get_plain_numbers() {
        let json = serde_json::to_value(report(1_000_000)).unwrap();
        assert_eq!(json["total_minor"], 1_000_000);
        assert_eq!(json["latency_ms"]["p99"], 2.5);
        assert_eq!(json["retries"]["overloaded"], 3);
        assert_eq!(json["checks"][0]["ok"], true);
        assert_eq!(json["outcomes"]["201 confirmed"], 1_990);
    }

    #[test]
    fn thousands_are_parted() {
        let numbers = [0, 12, 123, 1_234, 1_234_567, -1_234, -123].map(grouped);
        assert_eq!(numbers, ["0", "12", "123", "1,234", "1,234,567", "-1,234", "-123"]);
    }
}
