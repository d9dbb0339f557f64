//! Samples what the threads of this process do while they use the processor.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pprof::{ProfilerGuardBuilder, Report};

use super::{Frame, Profile, ProfileError, Stack};

/// Samples in a second of processor time. Odd, so that it does not walk in step with timers.
const HERTZ: i32 = 99;

/// Where no sample is taken: a lock of the loader may be held there, which unwinding wants too.
const NOT_IN: &[&str] = &["libc.so", "libgcc", "ld-linux", "vdso"];

/// The way from the signal to the profiler, which every sample begins with.
const OF_PROFILER: &[&str] = &["pprof::", "backtrace::", "__restore_rt"];

static BUSY: AtomicBool = AtomicBool::new(false);

/// The turn to take a profile: one at a time, whatever is profiled. Dropped, it is the next one's.
pub struct Turn(());

impl Turn {
    /// Takes the turn.
    ///
    /// # Errors
    /// [`ProfileError::Busy`].
    pub fn take() -> Result<Self, ProfileError> {
        if BUSY.swap(true, Ordering::AcqRel) { Err(ProfileError::Busy) } else { Ok(Self(())) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        BUSY.store(false, Ordering::Release);
    }
}

/// Takes a profile of the whole process for `duration`. Blocks that long, and as long as it takes to
/// find the names of the functions.
///
/// Threads that wait are not seen. Of functions in the C library, the caller's stack is not known:
/// they are left out.
///
/// # Errors
/// See [`ProfileError`].
pub fn cpu_profile(duration: Duration) -> Result<Profile, ProfileError> {
    let turn = Turn::take()?;
    let failed = |error: pprof::Error| ProfileError::Failed(error.to_string());
    let guard = ProfilerGuardBuilder::default().frequency(HERTZ).blocklist(NOT_IN).build();
    let guard = guard.map_err(failed)?;
    thread::sleep(duration);
    let report = guard.report().build().map_err(failed)?;
    drop(guard);
    drop(turn);
    Ok(profile(&report, duration))
}

fn profile(report: &Report, duration: Duration) -> Profile {
    let period = 1_000_000_000 / u64::try_from(HERTZ).unwrap_or(1);
    let mut stacks: Vec<Stack> = report
        .data
        .iter()
        .map(|(seen, count)| {
            let count = u64::try_from(*count).unwrap_or(0);
            let mut frames = vec![Frame::named(seen.thread_name_or_id())];
            let functions = seen.frames.iter().flatten();
            let mut functions: Vec<Frame> = functions
                .map(|symbol| Frame {
                    name: symbol.name(),
                    file: symbol.filename().into_owned(),
                    line: symbol.lineno(),
                })
                .collect();
            let own = |frame: &Frame| OF_PROFILER.iter().any(|name| frame.name.contains(name));
            let begin = functions.iter().take(12).rposition(own).map_or(0, |last| last + 1);
            functions.drain(..begin);
            frames.extend(functions.into_iter().rev());
            Stack { frames, count, nanos: count * period }
        })
        .collect();
    stacks.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.frames.cmp(&b.frames)));
    Profile {
        what: "cpu",
        counted: "samples",
        stacks,
        period_ns: period,
        took_ns: u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX),
        ended_ns: crate::logs::wall_ns(),
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::Instant;

    use super::*;

    #[inline(never)]
    fn keeps_the_processor_busy(until: Instant) -> u64 {
        let mut sum = 0_u64;
        while Instant::now() < until {
            for number in 0..10_000_u64 {
                sum = black_box(sum.wrapping_add(number));
            }
        }
        sum
    }

    #[test]
    fn a_busy_function_is_named_and_there_is_one_profile_at_a_time() {
        let until = Instant::now() + Duration::from_millis(900);
        let busy = thread::spawn(move || keeps_the_processor_busy(until));
        let profiled = thread::spawn(|| {
            loop {
                match cpu_profile(Duration::from_millis(600)) {
                    // The short one below was there first.
                    Err(ProfileError::Busy) => thread::yield_now(),
                    done => break done,
                }
            }
        });
        let refused = loop {
            match cpu_profile(Duration::ZERO) {
                Err(ProfileError::Busy) => break true,
                _ if profiled.is_finished() => break false,
                _ => thread::yield_now(),
            }
        };
        let profile = profiled.join().expect("no panic");
        busy.join().expect("no panic");
        let profile = profile.expect("a profile");
        assert!(refused, "there is one at a time");
        let names: Vec<&str> = profile
            .stacks
            .iter()
            .flat_map(|stack| stack.frames.iter().map(|frame| frame.name.as_str()))
            .collect();
        assert!(names.iter().any(|name| name.contains("keeps_the_processor_busy")), "{names:?}");
        assert!(names.iter().all(|name| !name.contains("perf_signal_handler")), "{names:?}");
    }
}
