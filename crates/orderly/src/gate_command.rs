//! `orderly gate`.

use crate::cli::Verdict;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use gate::{Baseline, BoundOverride, Prometheus, Report, Scope, judge, rfc3339, table};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Windows that are compared, unless told otherwise.
const WINDOWS: u32 = 5;
/// Windows of a baseline.
const BASELINE_WINDOWS: u32 = 15;

/// Settings of the gate.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct GateArgs {
    #[command(subcommand)]
    command: Option<GateCommand>,
    #[command(flatten)]
    judging: JudgeArgs,
}

#[derive(Debug, Subcommand)]
enum GateCommand {
    /// Record a baseline while all is well.
    Record(RecordArgs),
}

/// Whom to ask, about whom.
#[derive(Args, Debug)]
struct AskArgs {
    /// Base URL of the Prometheus that scrapes the shop.
    #[arg(long, env = "ORDERLY_PROMETHEUS", default_value = "http://127.0.0.1:9090")]
    prometheus: String,
    /// The file of the baseline.
    #[arg(long, env = "ORDERLY_GATE_BASELINE", default_value = "baseline.json")]
    baseline: PathBuf,
    /// Only nodes with these labels, in Prometheus's words, such as `track="canary"`.
    #[arg(long, default_value = "")]
    select: String,
    /// Only nodes that run this version (label `version` of `build_info`) in the whole window.
    #[arg(long)]
    release: Option<String>,
}

impl AskArgs {
    fn scope(&self) -> Scope {
        Scope { select: self.select.clone(), release: self.release.clone() }
    }
}

#[derive(Args, Debug)]
struct JudgeArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// How many windows up to now are compared; three must have enough in them.
    #[arg(long, default_value_t = WINDOWS, value_parser = clap::value_parser!(u32).range(3..=1000))]
    windows: u32,
    /// Keep asking for so many seconds while there are too few samples, or Prometheus is away.
    #[arg(long, default_value_t = 0)]
    wait: u64,
    /// Another bound for a signal: NAME=RELATIVE,ABSOLUTE, such as `order_p99=0.5,0.2`.
    #[arg(long)]
    bound: Vec<BoundOverride>,
    /// Print the result as JSON on the last line.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct RecordArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// Seconds of a window; at least four times the interval at which Prometheus scrapes.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    window: u64,
    /// How many windows up to now are recorded.
    #[arg(long, default_value_t = BASELINE_WINDOWS,
          value_parser = clap::value_parser!(u32).range(3..=1000))]
    windows: u32,
}

/// Judges, or records.
pub(crate) fn run(args: GateArgs) -> Result<Verdict> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match args.command {
        Some(GateCommand::Record(record)) => runtime.block_on(self::record(&record)),
        None => runtime.block_on(judged(&args.judging)),
    }
}

async fn record(args: &RecordArgs) -> Result<Verdict> {
    let prometheus = Prometheus::at(&args.ask.prometheus)?;
    let (scope, until) = (args.ask.scope(), prometheus.now().await?);
    let series = prometheus.series(&scope, args.window, args.windows, until).await?;
    let (baseline, missing) = Baseline::record(&series, args.window, rfc3339(until), &scope)?;
    let path = &args.ask.baseline;
    std::fs::write(path, baseline.to_json()?).with_context(|| path.display().to_string())?;
    println!("Recorded {} signals in {}.", baseline.signals.len(), path.display());
    if !missing.is_empty() {
        println!("Too few samples, and so not judged later: {}.", missing.join(", "));
    }
    Ok(Verdict::Good)
}

async fn judged(args: &JudgeArgs) -> Result<Verdict> {
    let baseline = read(&args.ask.baseline)?;
    let prometheus = Prometheus::at(&args.ask.prometheus)?;
    let began = Instant::now();
    loop {
        let report = once(args, &baseline, &prometheus).await;
        let known = report.as_ref().is_ok_and(|report| report.verdict != gate::Verdict::NotJudged);
        if known || began.elapsed() >= Duration::from_secs(args.wait) {
            return show(&report?, args.json);
        }
        tokio::time::sleep(Duration::from_secs(baseline.window_seconds)).await;
    }
}

fn read(path: &Path) -> Result<Baseline> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("no baseline in {}: `orderly gate record` makes one", path.display())
    })?;
    Baseline::from_json(&text).with_context(|| path.display().to_string())
}

async fn once(
    args: &JudgeArgs,
    baseline: &Baseline,
    prometheus: &Prometheus,
) -> Result<Report, gate::GateError> {
    let until = prometheus.now().await?;
    let scope = args.ask.scope();
    let series = prometheus.series(&scope, baseline.window_seconds, args.windows, until).await?;
    Ok(judge(baseline, &series, &args.bound))
}

fn show(report: &Report, json: bool) -> Result<Verdict> {
    println!("{}", table(report));
    if json {
        println!("{}", serde_json::to_string(report)?);
    }
    Ok(match report.verdict {
        gate::Verdict::Good => Verdict::Good,
        gate::Verdict::OutOfBounds => Verdict::Failed,
        gate::Verdict::NotJudged => Verdict::Unknown,
    })
}
