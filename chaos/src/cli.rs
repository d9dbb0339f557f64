//! The command line. Exit codes: 0 good, 1 something is wrong, 2 usage or a world that does not
//! start.

use crate::modes::{self, flash_sale::Sale, storm::StormConfig};
use crate::nemesis::Wanted;
use crate::progress::Progress;
use crate::report::Report;
use crate::world::{World, WorldConfig};
use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use rand::Rng;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// Breaks a shop of three nodes while clients use it, and compares all books afterwards.
///
/// Without a command: a storm. Nodes, PostgreSQL and the bank are killed, frozen, drained and cut
/// off, as one seed has it.
#[derive(Parser, Debug)]
#[command(name = "orderly-chaos", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Mode>,
    /// One storm of about two and a half minutes: 30 kills of nodes, 5 of PostgreSQL, 1,000
    /// spoiled calls of the bank (the default).
    #[arg(long, conflicts_with = "minutes")]
    short: bool,
    /// Storm after storm, each with the next seed and a world of its own, for so long.
    #[arg(long, value_name = "N")]
    minutes: Option<u64>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args, Clone, Debug)]
struct Common {
    /// Draws everything that is drawn; the same seed makes the same plan [default: by chance].
    #[arg(long, global = true)]
    seed: Option<u64>,
    /// Prints the report as JSON on the last line.
    #[arg(long, global = true)]
    json: bool,
    /// Keeps logs, ledgers and data also when nothing is wrong.
    #[arg(long, global = true)]
    keep: bool,
    /// Plants a bug in every node, to see whether it is found.
    #[arg(long, global = true, value_name = "NAME")]
    bug: Option<String>,
    /// The program under test [default: orderly-under-test beside this program].
    #[arg(long, global = true, value_name = "PATH", env = "ORDERLY_CHAOS_PROGRAM")]
    program: Option<PathBuf>,
}

#[derive(Subcommand, Clone, Debug)]
enum Mode {
    /// Many buyers, few units: all of them are sold, not one more.
    FlashSale {
        /// Buyers.
        #[arg(long, default_value_t = 2_000)]
        buyers: usize,
        /// Units.
        #[arg(long, default_value_t = 100)]
        units: usize,
        /// Buyers whose request is under way at once. A node that has more than it can do says so
        /// (503) and when to come back; its buyers do, with the same key.
        #[arg(long, default_value_t = 200)]
        at_once: usize,
    },
    /// One key, many requests at once over all nodes: one order, one answer.
    OneKey {
        /// Requests at once.
        #[arg(long, default_value_t = 100)]
        requests: usize,
        /// Keys, one after the other.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Nodes are stopped and started one after the other under load: no request fails.
    ///
    /// With --from the first round brings them from another version to this one, the second one
    /// back, and so on: both work on one database at a time.
    Rolling {
        /// The program of the version before, such as the `orderly` of the last release.
        #[arg(long, value_name = "PATH")]
        from: Option<PathBuf>,
        /// Times that every node is restarted.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// The bank is away: orders are taken, the bank is left alone, everything settles afterwards.
    BankDown {
        /// For so many seconds.
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        for_secs: u64,
    },
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // One thread is enough to stir, and leaves the machine to those who are stirred.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.context("no runtime").and_then(|runtime| runtime.block_on(run(cli)));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("orderly-chaos: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(cli: Cli) -> Result<bool> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        done = carry_out(cli) => done,
        // What was started is killed as its owners are dropped.
        _ = terminate.recv() => anyhow::bail!("asked to stop"),
        _ = interrupt.recv() => anyhow::bail!("asked to stop"),
    }
}

async fn carry_out(cli: Cli) -> Result<bool> {
    let program = match &cli.common.program {
        Some(program) => program.clone(),
        None => std::env::current_exe()?.with_file_name("orderly-under-test"),
    };
    anyhow::ensure!(program.exists(), "{} is not there: use scripts/chaos", program.display());
    let program = std::fs::canonicalize(program)?;
    if let Some(bug) = &cli.common.bug {
        let known: Vec<&str> = faults::BUGS.iter().map(|bug| bug.name).collect();
        anyhow::ensure!(
            known.contains(&bug.as_str()),
            "there is no bug {bug}; there are {known:?}"
        );
    }
    let seed = cli.common.seed.unwrap_or_else(|| rand::rng().random_range(1..1_000_000_000));
    let world = WorldConfig { program, drain_delay_secs: 1, bug: cli.common.bug.clone() };
    let progress = Progress::new(true);
    match (&cli.command, cli.minutes) {
        (Some(mode), _) => {
            let (report, made) = special(mode, &world, seed, &progress).await?;
            Ok(conclude(report, made, &cli.common))
        }
        (None, None) => {
            let (report, made) = modes::storm::run(&world, &storm(), seed, &progress).await?;
            Ok(conclude(report, made, &cli.common))
        }
        (None, Some(minutes)) => many(&cli.common, &world, minutes, seed, &progress).await,
    }
}

async fn special(
    mode: &Mode,
    world: &WorldConfig,
    seed: u64,
    progress: &Progress,
) -> Result<(Report, World)> {
    match mode {
        Mode::FlashSale { buyers, units, at_once } => {
            let sale = Sale { buyers: *buyers, units: *units, at_once: *at_once };
            modes::flash_sale::run(world, sale, progress).await
        }
        Mode::OneKey { requests, rounds } => {
            modes::one_key::run(world, *requests, *rounds, progress).await
        }
        Mode::Rolling { from, rounds } => {
            let from = from.as_ref().map(std::fs::canonicalize).transpose()?;
            modes::rolling::run(world, from, *rounds, seed, progress).await
        }
        Mode::BankDown { for_secs } => modes::bank_down::run(world, *for_secs, progress).await,
    }
}

fn storm() -> StormConfig {
    StormConfig { wanted: Wanted::SHORT, points: faults::POINTS.to_vec() }
}

/// Storm after storm; the first that finds something ends it.
async fn many(
    common: &Common,
    world: &WorldConfig,
    minutes: u64,
    first_seed: u64,
    progress: &Progress,
) -> Result<bool> {
    let began = Instant::now();
    let mut sums: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    for (storms, seed) in (1..).zip(first_seed..) {
        let (report, made) = modes::storm::run(world, &storm(), seed, progress).await?;
        for (class, count) in &report.faults {
            *sums.entry(class.clone()).or_default() += count;
        }
        if !conclude(report, made, common) {
            return Ok(false);
        }
        println!("{storms} storms in {} minutes: {sums:?}", began.elapsed().as_secs() / 60);
        if began.elapsed() >= Duration::from_secs(minutes * 60) {
            break;
        }
    }
    Ok(true)
}

/// Tells the report, ends the world, and says whether all is well.
fn conclude(mut report: Report, world: World, common: &Common) -> bool {
    let folder = world.folder.clone();
    drop(world);
    let is_good = report.is_good();
    if common.keep || !is_good {
        report.folder = Some(folder);
    } else {
        // What cannot be removed is left to the system's own tidying.
        let _ = std::fs::remove_dir_all(folder);
    }
    println!("{}", report.table());
    if common.json {
        println!("{}", serde_json::to_string(&report).unwrap_or_default());
    }
    is_good
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["orderly-chaos", "--short", "--seed", "7"]);
        assert_eq!(cli.map(|cli| cli.common.seed).ok().flatten(), Some(7));
        assert!(Cli::try_parse_from(["orderly-chaos", "--short", "--minutes", "3"]).is_err());
        let cli = Cli::try_parse_from(["orderly-chaos", "flash-sale", "--json"]);
        assert!(cli.is_ok_and(|cli| cli.common.json && cli.command.is_some()));
    }
}
