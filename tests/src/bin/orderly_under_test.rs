//! The program under test: `orderly` itself, where the tests can find it. It counts what it
//! allocates on the heap and tells it as a metric, if it is asked to.

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How often the metric is brought up to date.
const EVERY: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    if std::env::var_os("ORDERLY_COUNT_HEAP").is_some() {
        std::thread::spawn(|| {
            loop {
                std::thread::sleep(EVERY);
                let stats = HEAP.stats();
                let allocations = (stats.allocations + stats.reallocations) as u64;
                // Looked up each time: the recorder is installed by the program, later.
                metrics::counter!("heap_allocations_total").absolute(allocations);
            }
        });
    }
    orderly::main()
}
