//! What is remembered of the calls along an edge: the last minute closely, thirty days in hours.

use crate::call::Outcome;
use sketches_ddsketch::{Config, DDSketch};
use std::time::Duration;

/// Length of a slot of the last minute, and their number: with the running one they cover 55 to 60
/// seconds.
const SLOT_SECONDS: u64 = 5;
const SLOTS: usize = 12;

/// Length of a slot of the error budget, and their number: thirty days, the usual period of a
/// service level objective.
const BUDGET_SLOT_SECONDS: u64 = 3600;
const BUDGET_SLOTS: usize = 30 * 24;

/// A quantile is at most this share off.
const ACCURACY: f64 = 0.02;
/// Most bins of a sketch: at this accuracy they reach from a microsecond to hours.
const BINS_MAX: u32 = 1024;
/// Durations below a tenth of a microsecond count as zero.
const SHORTEST_SECONDS: f64 = 1e-7;

/// Slots that take turns: each stands for one length of time, and is cleared when its turn comes
/// again.
#[derive(Debug)]
struct Ring<T> {
    slots: Vec<T>,
    /// Length of a slot. Whole seconds, because this is asked at every call.
    seconds: u64,
    /// Number of the running slot since the beginning.
    now: u64,
}

impl<T: Default> Ring<T> {
    fn new(slots: usize, seconds: u64) -> Self {
        let slots = (0..slots).map(|_| T::default()).collect();
        Self { slots, seconds: seconds.max(1), now: 0 }
    }

    /// Clears what is too old at `age`, which is the time since the beginning.
    fn turn(&mut self, age: Duration) {
        let now = age.as_secs() / self.seconds;
        let passed = now.saturating_sub(self.now);
        if passed == 0 {
            return;
        }
        let slots = self.slots.len() as u64;
        for step in 1..=passed.min(slots) {
            let index = (self.now + step) % slots;
            if let Some(slot) = usize::try_from(index).ok().and_then(|at| self.slots.get_mut(at)) {
                *slot = T::default();
            }
        }
        self.now = now;
    }

    /// The running slot.
    fn current(&mut self) -> Option<&mut T> {
        let index = self.now % (self.slots.len() as u64).max(1);
        usize::try_from(index).ok().and_then(|index| self.slots.get_mut(index))
    }

    /// How much time the slots cover at `age`.
    fn covered(&self, age: Duration) -> Duration {
        let full = (self.slots.len() as u64).saturating_sub(1) * self.seconds;
        let running = Duration::from_secs(age.as_secs() % self.seconds)
            + Duration::from_nanos(age.subsec_nanos().into());
        age.min(Duration::from_secs(full) + running)
    }
}

/// Numbers of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) left: u64,
}

impl Tally {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Left => self.left += 1,
        }
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            ok: self.ok + other.ok,
            failed: self.failed + other.failed,
            left: self.left + other.left,
        }
    }

    /// All calls.
    pub(crate) const fn all(self) -> u64 {
        self.ok + self.failed + self.left
    }

    /// Share of failures among the calls that came to an end; `None` without any.
    pub(crate) fn error_rate(self) -> Option<f64> {
        let ended = self.ok + self.failed;
        (ended > 0).then(|| self.failed as f64 / ended as f64)
    }
}

/// Calls of some seconds.
struct Slot {
    tally: Tally,
    seconds: DDSketch,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("tally", &self.tally).finish_non_exhaustive()
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self { tally: Tally::default(), seconds: sketch() }
    }
}

fn sketch() -> DDSketch {
    DDSketch::new(Config::new(ACCURACY, BINS_MAX, SHORTEST_SECONDS))
}

/// The calls of the last minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Minute {
    pub(crate) tally: Tally,
    /// Calls per minute, at the pace of the time that is covered.
    pub(crate) per_minute: f64,
    /// The slowest of a hundred calls that were timed; `None` without any.
    pub(crate) p99: Option<Duration>,
}

/// What is remembered of an edge. Times are given as its age.
#[derive(Debug)]
pub(crate) struct Window {
    minute: Ring<Slot>,
    budget: Ring<Tally>,
}

impl Window {
    pub(crate) fn new() -> Self {
        Self {
            minute: Ring::new(SLOTS, SLOT_SECONDS),
            budget: Ring::new(BUDGET_SLOTS, BUDGET_SLOT_SECONDS),
        }
    }

    /// Counts a call that ended at `age`; `took` is unknown for a look into memory.
    pub(crate) fn count(&mut self, age: Duration, outcome: Outcome, took: Option<Duration>) {
        self.minute.turn(age);
        if let Some(slot) = self.minute.current() {
            slot.tally.count(outcome);
            if let Some(took) = took {
                slot.seconds.add(took.as_secs_f64());
            }
        }
        self.budget.turn(age);
        if let Some(tally) = self.budget.current() {
            tally.count(outcome);
        }
    }

    /// The calls of the last minute, as seen at `age`.
    pub(crate) fn minute(&mut self, age: Duration) -> Minute {
        self.minute.turn(age);
        let tally = self.minute.slots.iter().fold(Tally::default(), |sum, s| sum.plus(s.tally));
        let mut seconds = sketch();
        for slot in &self.minute.slots {
            // All have one configuration, so they can be put together.
            let _ = seconds.merge(&slot.seconds);
        }
        let p99 = seconds.quantile(0.99).ok().flatten().map(Duration::from_secs_f64);
        // At least one second: a first call is not thousands a minute.
        let covered = self.minute.covered(age).max(Duration::from_secs(1));
        let per_minute = tally.all() as f64 * 60.0 / covered.as_secs_f64();
        Minute { tally, per_minute, p99 }
    }

    /// The calls on which the error budget is judged, and the time they cover.
    pub(crate) fn budget(&mut self, age: Duration) -> (Tally, Duration) {
        self.budget.turn(age);
        let tally = self.budget.slots.iter().fold(Tally::default(), |sum, t| sum.plus(*t));
        (tally, self.budget.covered(age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_minute_forgets_what_is_older() {
        let mut window = Window::new();
        window.count(seconds(0), Outcome::Failed, Some(seconds(1)));
        window.count(seconds(30), Outcome::Ok, Some(seconds(2)));
        let minute = window.minute(seconds(59));
        assert_eq!(minute.tally, Tally { ok: 1, failed: 1, left: 0 });
        assert_eq!(minute.tally.error_rate(), Some(0.5));
        let minute = window.minute(seconds(60));
        assert_eq!(minute.tally, Tally { ok: 1, failed: 0, left: 0 });
        assert_eq!(window.minute(seconds(90)).tally, Tally::default());
        // After a long silence, too.
        window.count(seconds(10_000), Outcome::Ok, None);
        assert_eq!(window.minute(seconds(10_000)).tally.ok, 1);
        assert_eq!(window.minute(seconds(10_000)).p99, None, "nothing was timed");
    }

    #[test]
    fn the_pace_is_that_of_the_time_covered() {
        let mut window = Window::new();
        for _ in 0..10 {
            window.count(seconds(2), Outcome::Ok, None);
        }
        assert!((window.minute(seconds(10)).per_minute - 60.0).abs() < 1e-9);
        // 11 whole slots and 2 s of the running one.
        window.count(seconds(100), Outcome::Ok, None);
        assert!((window.minute(seconds(102)).per_minute - 60.0 / 57.0).abs() < 1e-9);
    }

    #[test]
    fn the_slowest_of_a_hundred_is_found() {
        let mut window = Window::new();
        for ms in 1..=1000 {
            window.count(seconds(ms / 50), Outcome::Ok, Some(Duration::from_millis(ms)));
        }
        let p99 = window.minute(seconds(20)).p99.unwrap().as_secs_f64();
        assert!((p99 - 0.99).abs() < 0.99 * 0.025, "{p99}");
    }

    #[test]
    fn those_who_left_are_no_errors() {
        let mut window = Window::new();
        window.count(seconds(1), Outcome::Left, Some(seconds(1)));
        let minute = window.minute(seconds(1));
        assert_eq!((minute.tally.all(), minute.tally.error_rate()), (1, None));
    }

    #[test]
    fn the_budget_is_that_of_thirty_days() {
        let mut window = Window::new();
        let day = 24 * 3600;
        window.count(seconds(10), Outcome::Failed, None);
        window.count(seconds(day), Outcome::Ok, None);
        assert_eq!(
            window.budget(seconds(day)),
            (Tally { ok: 1, failed: 1, left: 0 }, seconds(day))
        );
        let (tally, covered) = window.budget(seconds(30 * day + 60));
        assert_eq!(tally, Tally { ok: 1, failed: 0, left: 0 });
        assert_eq!(covered, seconds(30 * day - 3600 + 60));
    }

    proptest! {
        #[test]
        fn nothing_of_the_last_55_seconds_is_lost_and_nothing_beyond_60_is_kept(
            steps in prop::collection::vec(0_u64..20_000, 1..60),
        ) {
            let mut window = Window::new();
            let mut ages = Vec::new();
            let mut age = 0;
            for step in steps {
                age += step;
                ages.push(age);
                window.count(Duration::from_millis(age), Outcome::Ok, None);
                let seen = window.minute(Duration::from_millis(age)).tally.ok;
                let within = |ms| ages.iter().filter(|at| age - **at <= ms).count() as u64;
                prop_assert!(within(55_000 - 1) <= seen && seen <= within(60_000), "{seen}");
            }
        }
    }
}
