//! Many seeds, on as many threads as asked for. Seeds are independent, so the order in which they
//! are run changes nothing.

use crate::run::{Options, Report, run};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs the seeds on `threads` threads, and hands each report to `told` as it comes. It goes on
/// until `told` says `false` or all are done.
pub fn sweep(
    seeds: Range<u64>,
    options: &Options,
    threads: usize,
    told: impl FnMut(Report) -> bool + Send,
) {
    let (next, told) = (AtomicU64::new(seeds.start), Mutex::new((told, true)));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end {
                        return;
                    }
                    let report = run(seed, options);
                    let Ok(mut told) = told.lock() else { return };
                    let (tell, goes_on) = &mut *told;
                    if !*goes_on {
                        return;
                    }
                    *goes_on = tell(report);
                }
            });
        }
    });
}

/// The page that says which seed catches which bug, and by which broken promise.
#[must_use]
pub fn bugs_page(caught: &[(&faults::Bug, u64, &str)]) -> String {
    let mut page = String::from(
        "# Planted bugs, and what catches them\n\n\
         Made by `cargo run -p orderly-simulation -- --bugs --write simulation/BUGS.md`; a test runs \
         every line. With the seed on its line, each bug breaks the promise beside it (the `I`s are \
         explained in `README.md`).\n\n\
         | Bug | What goes wrong | Seed | Broken |\n|---|---|---|---|\n",
    );
    for (bug, seed, promise) in caught {
        page.push_str(&format!("| `{}` | {} | {seed} | {promise} |\n", bug.name, bug.what));
    }
    page.push_str(
        "\nBugs that break no promise of the simulation, and what catches them instead:\n\n",
    );
    for (bug, instead) in NOT_CAUGHT_HERE {
        page.push_str(&format!("- `{bug}`: {instead}\n"));
    }
    page
}

/// Planted bugs that break no promise of this simulation, and what catches them instead.
pub const NOT_CAUGHT_HERE: &[(&str, &str)] = &[
    // The bank takes what it was asked for, whatever it says; an answer that names another amount
    // and is believed does no harm here.
    ("amount-not-compared", "crates/payments: the_amount_is_compared_unless_that_bug_is_planted"),
    // An event is only a reason to look, so looking twice changes nothing.
    ("webhook-not-deduplicated", "crates/payments: tests/events.rs"),
];
