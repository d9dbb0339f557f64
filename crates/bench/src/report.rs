//! What a bench found: as a table for people, and as JSON for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use replay::Check;
use serde::Serialize;

use crate::baseline::Rival;
use crate::latency::Latency;
use crate::plot::{self, Curve};

/// Least, middle and greatest of several runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The middle one; the mean of the two in the middle where their number is even.
    pub median: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of these values; zeros if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let (Some(min), Some(max)) = (values.first(), values.last()) else {
            return Self::default();
        };
        let middle = |place: usize| values.get(place).copied().unwrap_or(*max);
        let half = values.len() / 2;
        let median = match values.len() % 2 {
            0 => f64::midpoint(middle(half - 1), middle(half)),
            _ => middle(half),
        };
        Self { min: *min, median, max: *max }
    }
}

/// Cores that each took on average, while the run was measured; `None` where it cannot be known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Cores {
    /// The bench itself: it must not be what limits.
    pub generator: Option<f64>,
    /// All servers.
    pub server: Option<f64>,
    /// The bank.
    pub bank: Option<f64>,
    /// The Postgres server; SQLite works within the server.
    pub database: Option<f64>,
}

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Orders per second that were accepted, or durable (202).
    pub orders_per_second: f64,
    /// Orders sent, warm-up included.
    pub sent: u64,
    /// Orders that were accepted in the end, warm-up included.
    pub accepted: u64,
    /// Answers by kind, warm-up included.
    pub answers: BTreeMap<String, u64>,
    /// Time to the answer of an order, in milliseconds.
    pub latency_ms: Latency,
    /// The same without the delay that the bank was asked to make.
    pub latency_over_bank_ms: Latency,
    /// Time to the answer of an order that was turned away.
    pub refusal_ms: Latency,
    /// In an open loop: how late orders were sent.
    pub sent_late_ms: Latency,
    /// Cores taken.
    pub cores: Cores,
    /// Memory of the servers at the end, in bytes.
    pub server_memory_bytes: Option<u64>,
    /// What the scenario found besides, by name.
    pub figures: BTreeMap<&'static str, f64>,
    /// Time to the answers of other requests, by kind, in milliseconds.
    pub kinds_ms: BTreeMap<&'static str, Latency>,
    /// Comparisons of answers and books.
    pub checks: Vec<Check>,
    /// First errors, in words.
    pub errors: Vec<String>,
    /// Whether the books balance.
    pub ok: bool,
    /// Latency by percentile, to be drawn.
    #[serde(skip)]
    pub(crate) curve: Curve,
}

/// A whole bench.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the scenario.
    pub scenario: String,
    /// `postgres`, `sqlite`, or `unknown` where somebody else's server is measured.
    pub database: String,
    /// Connections held.
    pub connections: usize,
    /// Orders per second that were due; `None`: a closed loop.
    pub rate: Option<f64>,
    /// Length of what was measured, in seconds.
    pub seconds: f64,
    /// Length of what came before it, in seconds.
    pub warm_up_seconds: f64,
    /// SKUs on the shelf.
    pub skus: usize,
    /// Lines of an order, on average.
    pub lines_per_order: f64,
    /// What the bank was asked to wait before each charge.
    pub bank_delay_ms: u64,
    /// Each run.
    pub runs: Vec<Run>,
    /// Over all runs.
    pub orders_per_second: Spread,
    /// Lines per second, over all runs.
    pub lines_per_second: Spread,
    /// Latencies over all runs, in milliseconds.
    pub latency_ms: BTreeMap<&'static str, Spread>,
    /// The rivals, where they were asked for.
    pub baseline: Vec<Rival>,
    /// Whether all runs have books that balance.
    pub ok: bool,
}

/// Percentiles by name.
pub(crate) type Named = [(&'static str, fn(&Latency) -> f64); 5];

/// The percentiles that are shown.
pub(crate) const PERCENTILES: Named = [
    ("p50", |latency| latency.p50),
    ("p90", |latency| latency.p90),
    ("p99", |latency| latency.p99),
    ("p99_9", |latency| latency.p99_9),
    ("max", |latency| latency.max),
];

impl Report {
    /// Sums up the runs.
    pub(crate) fn sum_up(&mut self) {
        let rates = || self.runs.iter().map(|run| run.orders_per_second);
        self.orders_per_second = Spread::of(rates());
        let lines = self.lines_per_order;
        self.lines_per_second = Spread::of(rates().map(|rate| rate * lines));
        self.latency_ms = PERCENTILES
            .iter()
            .map(|(name, of)| (*name, Spread::of(self.runs.iter().map(|run| of(&run.latency_ms)))))
            .collect();
        self.ok = self.runs.iter().all(|run| run.ok);
    }
}

/// Latencies of all runs by percentile, as SVG.
#[must_use]
pub fn plot(report: &Report) -> String {
    let named = (1..).zip(&report.runs).map(|(number, run): (usize, &Run)| Curve {
        name: format!("run {number}"),
        points: run.curve.points.clone(),
    });
    let Report { scenario, database, .. } = report;
    let load = match report.rate {
        Some(rate) => format!("{rate} orders/s due"),
        None => format!("{} connections", report.connections),
    };
    let title = format!("{scenario} on {database}, {load}");
    plot::svg(&title, &named.collect::<Vec<_>>())
}

/// Prints the report as a table.
///
/// # Errors
/// `out` cannot be written to.
pub fn print(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Report { scenario, database, connections, seconds, warm_up_seconds, .. } = report;
    let load = match report.rate {
        Some(rate) => format!("{rate} orders/s due, at most {connections} connections"),
        None => format!("{connections} connections"),
    };
    writeln!(out, "{scenario} on {database}, {load}, {warm_up_seconds} s + {seconds} s")?;
    writeln!(
        out,
        "{} SKUs, {:.1} lines an order, bank delay {} ms; times in ms",
        report.skus, report.lines_per_order, report.bank_delay_ms
    )?;
    writeln!(
        out,
        "{:<7}{:>10}{:>9}{:>9}{:>9}{:>9}{:>9}   cores: generator, server, bank, database",
        "run", "orders/s", "p50", "p90", "p99", "p99.9", "max"
    )?;
    for (number, run) in (1..).zip(&report.runs) {
        let Latency { p50, p90, p99, p99_9, max } = run.latency_ms;
        write!(out, "{number:<7}{:>10.0}", run.orders_per_second)?;
        write!(out, "{p50:>9.2}{p90:>9.2}{p99:>9.2}{p99_9:>9.2}{max:>9.2}")?;
        let Cores { generator, server, bank, database } = run.cores;
        let cores = [generator, server, bank, database].map(share).join(", ");
        writeln!(out, "   {cores}")?;
    }
    for (name, of) in [
        ("min", (|spread| spread.min) as fn(&Spread) -> f64),
        ("median", |spread| spread.median),
        ("max", |spread| spread.max),
    ] {
        write!(out, "{name:<7}{:>10.0}", of(&report.orders_per_second))?;
        for (name, _) in PERCENTILES {
            write!(out, "{:>9.2}", report.latency_ms.get(name).map_or(0.0, of))?;
        }
        writeln!(out)?;
    }
    for rival in &report.baseline {
        let Rival {
            design, clients, orders_per_second: Spread { min, median, max }, ratio, ..
        } = rival;
        writeln!(
            out,
            "SQL alone, {design}: {min:.0} / {median:.0} / {max:.0} orders/s at {clients} clients; \
             ours is {:.2} / {:.2} / {:.2} times that",
            ratio.min, ratio.median, ratio.max
        )?;
    }
    for (number, run) in (1..).zip(&report.runs) {
        details(number, run, report.rate.is_some(), out)?;
    }
    Ok(())
}

fn share(cores: Option<f64>) -> String {
    cores.map_or_else(|| "unknown".to_owned(), |cores| format!("{cores:.2}"))
}

/// What is to be said of a run beyond its figures.
fn details(number: usize, run: &Run, open: bool, out: &mut impl Write) -> io::Result<()> {
    let answers: Vec<String> =
        run.answers.iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
    let books = if run.ok { "the books balance" } else { "THE BOOKS DO NOT BALANCE" };
    writeln!(out, "run {number}: {} orders sent ({}); {books}", run.sent, answers.join(", "))?;
    let row = |latency: &Latency| {
        let told = PERCENTILES.map(|(name, of)| format!("{name} {:.2}", of(latency)));
        told.join(", ").replace('_', ".")
    };
    if run.latency_over_bank_ms != run.latency_ms {
        writeln!(out, "  over the bank's own: {}", row(&run.latency_over_bank_ms))?;
    }
    if run.refusal_ms != Latency::default() {
        writeln!(out, "  turned away after: {}", row(&run.refusal_ms))?;
    }
    if open || run.sent_late_ms.max > 1.0 {
        writeln!(out, "  sent late by: {}", row(&run.sent_late_ms))?;
    }
    for (name, value) in &run.figures {
        let digits = if value.fract() == 0.0 { 0 } else { 2 };
        writeln!(out, "  {name}: {value:.digits$}")?;
    }
    for (kind, latency) in &run.kinds_ms {
        writeln!(out, "  {kind}: {}", row(latency))?;
    }
    for check in run.checks.iter().filter(|check| !check.ok) {
        let detail = check.detail.as_deref().unwrap_or_default();
        writeln!(
            out,
            "  WRONG {}: expected {}, found {} {detail}",
            check.name, check.expected, check.found
        )?;
    }
    for error in &run.errors {
        writeln!(out, "  error: {error}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_several_runs() {
        let spread = |values: &[f64]| {
            let Spread { min, median, max } = Spread::of(values.iter().copied());
            [min, median, max]
        };
        assert_eq!(spread(&[3.0, 1.0, 2.0]), [1.0, 2.0, 3.0]);
        assert_eq!(spread(&[4.0, 1.0]), [1.0, 2.5, 4.0]);
        assert_eq!(spread(&[5.0]), [5.0, 5.0, 5.0]);
        assert_eq!(spread(&[]), [0.0; 3]);
    }
}
