//! One run after the other.

use std::collections::BTreeMap;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use crate::baseline::Baseline;
use crate::options::{Options, Target};
use crate::report::{Report, Run, Spread};
use crate::scenarios;

/// Measures. A report that is not `ok` is not an error: it says what differs.
///
/// Needs a Tokio runtime of the current thread, with time and I/O.
///
/// # Errors
/// The options make no sense, a file is broken, a process or database cannot be started, or the
/// server refuses catalogue, stock or customers.
pub async fn run(options: Options) -> anyhow::Result<Report> {
    options.validate()?;
    LocalSet::new()
        .run_until(async {
            tokio::select! {
                report = all(&options) => report,
                asked = asked_to_stop() => {
                    asked?;
                    // Everything of the bench's own is removed as it is dropped.
                    anyhow::bail!("interrupted")
                }
            }
        })
        .await
}

/// Waits for a signal to stop.
async fn asked_to_stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

async fn all(options: &Options) -> anyhow::Result<Report> {
    let mut baseline = match options.postgres().filter(|_| options.baseline) {
        Some(server) => {
            say(options, "trying how many clients are best for SQL alone");
            Some(Baseline::prepare(server, options.scenario, options.measured).await?)
        }
        None => None,
    };
    let mut runs: Vec<Run> = Vec::new();
    let mut shape = None;
    for number in 1..=options.runs {
        say(options, &format!("run {number} of {}", options.runs));
        let (run, shape_of_run) = scenarios::run(options).await?;
        say(options, &format!("run {number}: {:.0} orders/s", run.orders_per_second));
        shape = Some(shape_of_run);
        runs.push(run);
        if let Some(baseline) = &mut baseline {
            say(options, "the same by SQL alone");
            baseline.run(options.measured).await?;
        }
    }
    let ours: Vec<f64> = runs.iter().map(|run| run.orders_per_second).collect();
    let database = match &options.target {
        Target::Running { .. } => "unknown",
        Target::Own(own) if own.postgres.is_some() => "postgres",
        Target::Own(_) => "sqlite",
    };
    let mut report = Report {
        scenario: options.scenario.name().to_owned(),
        database: database.to_owned(),
        connections: options.connections,
        rate: options.rate,
        seconds: options.measured.as_secs_f64(),
        warm_up_seconds: options.warm_up.as_secs_f64(),
        skus: shape.as_ref().map_or(0, |shape| shape.skus),
        lines_per_order: shape.as_ref().map_or(0.0, |shape| shape.lines_per_order),
        bank_delay_ms: u64::try_from(options.bank_delay.as_millis()).unwrap_or(u64::MAX),
        runs,
        orders_per_second: Spread::default(),
        lines_per_second: Spread::default(),
        latency_ms: BTreeMap::new(),
        baseline: baseline.map(|baseline| baseline.finish(&ours)).unwrap_or_default(),
        ok: false,
    };
    report.sum_up();
    Ok(report)
}

/// Says on standard error what is going on.
fn say(options: &Options, what: &str) {
    if options.progress {
        eprintln!("orderly bench: {what}");
    }
}
