//! Whether orders wait too long: new work is refused when the oldest message in front of the lanes
//! has been older than a limit for a whole interval. So a burst that is worked off is let through,
//! and a queue that stands does not grow (after CoDel, "Controlling Queue Delay", 2012). Pure:
//! ages and times are passed in.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What is too old, and for how long it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AgeLimit {
    /// Age that the oldest message may reach.
    pub(crate) limit: Duration,
    /// How long the oldest message may be older than that.
    pub(crate) interval: Duration,
}

/// Since when the oldest message has been too old, as far as that was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Above(Option<(Instant, Instant)>);

impl Above {
    /// Looks at the age of the oldest message; `true`: refuse new work.
    pub(crate) fn look(&mut self, rule: AgeLimit, age: Duration, now: Instant) -> bool {
        let Some(over) = age.checked_sub(rule.limit).filter(|over| !over.is_zero()) else {
            self.0 = None;
            return false;
        };
        // The message that is the oldest now crossed the limit so long ago, and there has been one
        // above it ever since; an earlier look may have seen its forerunner above it.
        let crossed = now.checked_sub(over).unwrap_or(now);
        let since = match self.0 {
            // Where nobody looked for an interval, it may have been below.
            Some((since, seen)) if now.saturating_duration_since(seen) <= rule.interval => {
                since.min(crossed)
            }
            _ => crossed,
        };
        self.0 = Some((since, now));
        now.saturating_duration_since(since) >= rule.interval
    }
}

/// The rule with its state, for all workers.
pub(crate) struct QueueAge {
    rule: AgeLimit,
    above: Mutex<Above>,
}

impl QueueAge {
    pub(crate) fn new(rule: AgeLimit) -> Self {
        Self { rule, above: Mutex::default() }
    }

    /// Whether new work is refused, when the oldest message is so old.
    pub(crate) fn refuses(&self, age: Duration, now: Instant) -> bool {
        // Nothing in here panics half-way.
        let mut above = self.above.lock().unwrap_or_else(PoisonError::into_inner);
        above.look(self.rule, age, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: AgeLimit =
        AgeLimit { limit: Duration::from_millis(500), interval: Duration::from_millis(400) };

    /// The verdicts of looks at `(moment, age)` in milliseconds.
    fn looks(seen: &[(u64, u64)]) -> Vec<bool> {
        let (mut above, start) = (Above::default(), Instant::now() + Duration::from_secs(60));
        let millis = Duration::from_millis;
        seen.iter().map(|(at, age)| above.look(RULE, millis(*age), start + millis(*at))).collect()
    }

    #[test]
    fn a_short_wait_refuses_nobody() {
        assert_eq!(looks(&[(0, 0), (100, 499), (200, 500), (9_000, 500)]), [false; 4]);
    }

    #[test]
    fn a_burst_that_is_worked_off_in_time_refuses_nobody() {
        assert_eq!(looks(&[(0, 501), (200, 600), (398, 510), (401, 500), (500, 600)]), [false; 5]);
    }

    #[test]
    fn a_wait_that_stays_too_long_refuses_until_it_is_short_again() {
        let seen = [(0, 510), (200, 550), (391, 550), (500, 600), (600, 500), (700, 501)];
        assert_eq!(looks(&seen), [false, false, true, true, false, false]);
    }

    #[test]
    fn one_look_is_enough_when_the_oldest_is_old_enough() {
        assert_eq!(looks(&[(0, 899)]), [false]);
        assert_eq!(looks(&[(0, 900)]), [true]);
    }

    #[test]
    fn what_nobody_saw_is_not_held_against_anybody() {
        assert_eq!(looks(&[(0, 600), (10_000, 600)]), [false, false]);
        assert_eq!(looks(&[(0, 600), (400, 600)]), [false, true]);
    }
}
