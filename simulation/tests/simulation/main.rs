//! What the simulation promises: five hundred seeds break nothing, a seed is always the same run,
//! and every planted bug is caught by the seed that `BUGS.md` names.

use orderly_simulation::{NOT_CAUGHT_HERE, Options, Summary, run, sweep};
use std::collections::BTreeSet;
use std::sync::Mutex;

const BUGS: &str = include_str!("../../BUGS.md");

/// Each thread runs one seed at a time.
const THREADS: usize = 2;

/// The rows of the table: bug and seed.
fn rows() -> Vec<(&'static str, u64)> {
    let rows = BUGS.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let seed = cells[3].parse().unwrap_or_else(|_| panic!("no seed: {line}"));
        (cells[1].trim_matches('`'), seed)
    })
    .collect()
}

#[test]
fn five_hundred_seeds_break_no_promise() {
    let mut summary = Summary::default();
    sweep(0..500, &Options::default(), THREADS, |report| {
        summary.add(report);
        true
    });
    let found: Vec<String> =
        summary.violations.iter().map(|(seed, what)| format!("seed {seed}: {what}")).collect();
    assert_eq!(found, [""; 0]);
    // A harness in which nothing happens finds nothing.
    assert_eq!(summary.vacuities(faults::POINTS), [""; 0]);
    assert_eq!(summary.runs, 500);
}

#[test]
fn a_seed_is_always_the_same_run() {
    let (first, second) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    for reports in [&first, &second] {
        sweep(0..12, &Options::default(), THREADS, |report| {
            let mut reports = reports.lock().unwrap();
            reports.push((report.seed, report.trace_hash, report.counts));
            true
        });
        reports.lock().unwrap().sort();
    }
    let (first, second) = (first.into_inner().unwrap(), second.into_inner().unwrap());
    assert_eq!(first, second);
    let hashes: BTreeSet<u64> = first.iter().map(|(_, hash, _)| *hash).collect();
    assert_eq!(hashes.len(), 12, "different seeds are different runs");
}

#[test]
fn the_list_names_every_bug() {
    let listed: BTreeSet<&str> = rows().iter().map(|(bug, _)| *bug).collect();
    let elsewhere: BTreeSet<&str> = NOT_CAUGHT_HERE.iter().map(|(bug, _)| *bug).collect();
    let planted: BTreeSet<&str> = faults::BUGS.iter().map(|bug| bug.name).collect();
    let told: BTreeSet<&str> = listed.union(&elsewhere).copied().collect();
    assert_eq!(told, planted, "run `cargo run -p orderly-simulation -- --bugs --write …`");
    assert_eq!(listed.intersection(&elsewhere).count(), 0);
    assert!(listed.len() >= 25, "{} bugs are caught", listed.len());
}

#[test]
fn every_planted_bug_is_caught() {
    let escaped: Mutex<Vec<String>> = Mutex::default();
    let rows = Mutex::new(rows());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let Some((bug, seed)) = rows.lock().unwrap().pop() else { return };
                    let bug = faults::BUGS.iter().find(|known| known.name == bug).unwrap().name;
                    let report = run(seed, &Options { bug: Some(bug), trace: false });
                    if report.violations.is_empty() {
                        escaped.lock().unwrap().push(format!("{bug} escaped seed {seed}"));
                    }
                }
            });
        }
    });
    // After a change of the product other seeds may catch a bug: see the head of BUGS.md.
    assert_eq!(escaped.into_inner().unwrap(), [""; 0]);
}
