//! Runs seeds from the command line.

use anyhow::{Context, Result, bail};
use clap::Parser;
use orderly_simulation::{NOT_CAUGHT_HERE, Options, Summary, run, sweep};
use std::ops::Range;
use std::process::ExitCode;

/// Runs a whole shop in simulated time, out of one seed, with everything that can go wrong around
/// it, and compares the books afterwards.
///
/// Exit code: 0 good, 1 something was found, 2 usage.
#[derive(Parser)]
#[command(name = "orderly-simulation")]
struct Arguments {
    /// Run this seed alone.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Run these seeds, such as `0..500`.
    #[arg(long, default_value = "0..500")]
    seeds: String,
    /// Print what happens, as it happens (with --seed).
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Plant this bug.
    #[arg(long)]
    bug: Option<String>,
    /// Plant every bug, one after another, and look for the first seed that catches it.
    #[arg(long)]
    bugs: bool,
    /// Write what caught which bug to this file (with --bugs).
    #[arg(long, requires = "bugs")]
    write: Option<std::path::PathBuf>,
    /// Threads; each runs one seed at a time.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match carry_out(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("orderly-simulation: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn carry_out(arguments: &Arguments) -> Result<bool> {
    let seeds = match arguments.seed {
        Some(seed) => seed..seed + 1,
        None => range(&arguments.seeds)?,
    };
    if arguments.bugs {
        return bugs(seeds, arguments);
    }
    let bug = arguments.bug.as_deref().map(bug_named).transpose()?;
    let options = Options { bug, trace: arguments.trace };
    if let Some(seed) = arguments.seed {
        return Ok(one(seed, &options));
    }
    Ok(many(seeds, &options, arguments.threads))
}

fn range(text: &str) -> Result<Range<u64>> {
    let (from, to) = text.split_once("..").context("seeds are two numbers, such as 0..500")?;
    let number = |text: &str| text.trim().parse::<u64>().context("seeds are numbers");
    let range = number(from)?..number(to)?;
    if range.is_empty() {
        bail!("there is no seed in {text}");
    }
    Ok(range)
}

fn bug_named(name: &str) -> Result<&'static str> {
    let known = faults::BUGS.iter().find(|bug| bug.name == name);
    Ok(known.with_context(|| format!("there is no bug called {name}"))?.name)
}

fn one(seed: u64, options: &Options) -> bool {
    let report = run(seed, options);
    for (what, times) in &report.counts {
        println!("{times:>8}  {what}");
    }
    println!(
        "seed {seed}: {:.0} simulated seconds, trace {:016x}, {} violations",
        report.seconds,
        report.trace_hash,
        report.violations.len()
    );
    for violation in &report.violations {
        println!("  {violation}");
    }
    report.violations.is_empty()
}

fn many(seeds: Range<u64>, options: &Options, threads: usize) -> bool {
    let mut summary = Summary::default();
    sweep(seeds, options, threads, |report| {
        for violation in &report.violations {
            println!("seed {}: {violation}", report.seed);
        }
        summary.add(report);
        true
    });
    for (what, times) in &summary.counts {
        println!("{times:>8}  {what}");
    }
    for vacuity in summary.vacuities(faults::POINTS) {
        println!("vacuous: {vacuity}");
    }
    println!(
        "{} runs, {:.0} simulated seconds, {} violations",
        summary.runs,
        summary.seconds,
        summary.violations.len()
    );
    summary.violations.is_empty()
}

/// Looks for a seed that catches each bug.
fn bugs(seeds: Range<u64>, arguments: &Arguments) -> Result<bool> {
    let mut lines = Vec::new();
    let mut all = true;
    for bug in faults::BUGS {
        let elsewhere = NOT_CAUGHT_HERE.iter().any(|(name, _)| *name == bug.name);
        let only = arguments.bug.as_deref();
        if only.map_or(elsewhere, |only| only != bug.name) {
            continue;
        }
        let options = Options { bug: Some(bug.name), trace: false };
        let mut caught = Vec::new();
        sweep(seeds.clone(), &options, arguments.threads, |report| {
            // That nothing came to rest says the least.
            let mut found = report.violations;
            found.sort_by_key(|violation| violation.promise == "I16");
            let first = found.into_iter().next();
            caught.extend(first.map(|violation| (report.seed, violation)));
            caught.is_empty()
        });
        caught.sort();
        match caught.first() {
            Some((seed, violation)) => {
                println!("{}: seed {seed}: {violation}", bug.name);
                lines.push((bug, *seed, violation.promise));
            }
            None => {
                println!("{}: NOT CAUGHT", bug.name);
                all = false;
            }
        }
    }
    if let Some(path) = &arguments.write {
        std::fs::write(path, orderly_simulation::bugs_page(&lines))
            .with_context(|| path.display().to_string())?;
    }
    Ok(all)
}
