//! Quotas: how many requests one client may send. The generic cell rate algorithm: of each client
//! one moment is kept, the one at which its whole quota is free again. Pure: time is passed in.

use std::time::Duration;
use tokio::time::Instant;

/// So many requests per window, at once or spread over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    units: u32,
    window: Duration,
    /// How long it takes for one unit to become free again.
    interval: Duration,
}

/// How a client stands with its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Requests that it may send at once.
    pub(crate) remaining: u32,
    /// When its whole quota is free again, if it sends nothing.
    pub(crate) reset: Duration,
}

/// What came of asking for a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It was free. `full_at` is what to keep of the client.
    Yes { full_at: Instant, standing: Standing },
    /// None was free; the next one is after this time.
    No { retry_after: Duration, standing: Standing },
}

impl Quota {
    /// `units` (from 1 to a million) per `window` (seconds or longer).
    pub(crate) fn new(units: u32, window: Duration) -> Self {
        // More would make the interval too short to be told in nanoseconds.
        let units = units.clamp(1, 1_000_000);
        Self { units, window, interval: window / units }
    }

    /// Requests per window.
    pub(crate) const fn units(self) -> u32 {
        self.units
    }

    /// The window.
    pub(crate) const fn window(self) -> Duration {
        self.window
    }

    /// The time that the whole quota takes to become free: the window, but for rounding.
    fn capacity(self) -> Duration {
        self.interval * self.units
    }

    /// How a client stands that is free again at `full_at`.
    pub(crate) fn standing(self, full_at: Instant, now: Instant) -> Standing {
        let reset = full_at.saturating_duration_since(now);
        let free = self.capacity().saturating_sub(reset).as_nanos();
        let remaining = free.checked_div(self.interval.as_nanos()).unwrap_or(0);
        Standing { remaining: u32::try_from(remaining).unwrap_or(self.units), reset }
    }

    /// Takes one unit, if one is free.
    pub(crate) fn take(self, full_at: Instant, now: Instant) -> Taken {
        let after = full_at.max(now) + self.interval;
        let over = (after - now).checked_sub(self.capacity()).filter(|over| !over.is_zero());
        match over {
            None => Taken::Yes { full_at: after, standing: self.standing(after, now) },
            Some(retry_after) => Taken::No { retry_after, standing: self.standing(full_at, now) },
        }
    }

    /// What to keep of a client who gets a unit back.
    pub(crate) fn give_back(self, full_at: Instant) -> Instant {
        full_at.checked_sub(self.interval).unwrap_or(full_at)
    }

    /// Takes one unit, free or not, and gives when the client is free again. The debt of one that
    /// goes on and on ends ten windows ahead.
    pub(crate) fn charge(self, full_at: Instant, now: Instant) -> Instant {
        (full_at.max(now) + self.interval).min(now + self.window * 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Sends `count` requests at `now` and gives how many passed, and the state after.
    fn send(quota: Quota, mut full_at: Instant, now: Instant, count: u32) -> (u32, Instant) {
        let mut passed = 0;
        for _ in 0..count {
            if let Taken::Yes { full_at: after, .. } = quota.take(full_at, now) {
                full_at = after;
                passed += 1;
            }
        }
        (passed, full_at)
    }

    #[test]
    fn a_burst_takes_the_quota_and_time_gives_it_back_unit_by_unit() {
        let (quota, start) = (Quota::new(5, secs(10)), Instant::now());
        let (passed, full_at) = send(quota, start, start, 9);
        assert_eq!(passed, 5);
        assert_eq!(
            quota.take(full_at, start),
            Taken::No {
                retry_after: secs(2),
                standing: Standing { remaining: 0, reset: secs(10) }
            }
        );
        let just_before = start + secs(2) - Duration::from_nanos(1);
        assert_eq!(send(quota, full_at, just_before, 1).0, 0);
        assert_eq!(send(quota, full_at, start + secs(2), 9).0, 1);
        assert_eq!(send(quota, full_at, start + secs(9), 9).0, 4);
        assert_eq!(send(quota, full_at, start + secs(1_000), 9).0, 5);
    }

    #[test]
    fn no_window_lets_more_through_than_a_burst_and_what_it_gives_back() {
        let (quota, start) = (Quota::new(7, secs(1)), Instant::now());
        let (mut full_at, mut passed) = (start, 0);
        for millis in 0..10_000 {
            let now = start + Duration::from_millis(millis);
            let (more, after) = send(quota, full_at, now, 1);
            full_at = after;
            passed += more;
        }
        assert!((7 * 10..=7 * 11).contains(&passed), "{passed}");
    }

    #[test]
    fn the_standing_counts_down_and_comes_back() {
        let (quota, start) = (Quota::new(3, secs(3)), Instant::now());
        let mut full_at = start;
        for (remaining, reset) in [(2, 1), (1, 2), (0, 3)] {
            let Taken::Yes { full_at: after, standing } = quota.take(full_at, start) else {
                panic!("there is a unit")
            };
            assert_eq!(standing, Standing { remaining, reset: secs(reset) });
            full_at = after;
        }
        let later = quota.standing(full_at, start + secs(2));
        assert_eq!(later, Standing { remaining: 2, reset: secs(1) });
    }

    #[test]
    fn quotas_that_do_not_divide_their_window_are_kept_to_the_unit() {
        for units in [1, 3, 7, 33_331, 999_983, 1_000_000] {
            let (quota, now) = (Quota::new(units, secs(1)), Instant::now());
            assert_eq!(quota.standing(now, now).remaining, units);
        }
        assert_eq!(Quota::new(u32::MAX, secs(1)).units(), 1_000_000);
        assert_eq!(Quota::new(0, secs(1)).units(), 1);
        let (quota, now) = (Quota::new(33_331, secs(1)), Instant::now());
        assert_eq!(send(quota, now, now, 40_000).0, 33_331);
    }

    #[test]
    fn a_charge_goes_into_debt_and_the_debt_ends() {
        let (quota, start) = (Quota::new(20, secs(60)), Instant::now());
        let mut full_at = start;
        for _ in 0..30 {
            full_at = quota.charge(full_at, start);
        }
        assert_eq!(full_at, start + secs(90));
        assert_eq!(quota.standing(full_at, start).remaining, 0);
        assert_eq!(quota.standing(full_at, start + secs(33)).remaining, 1);
        for _ in 0..10_000 {
            full_at = quota.charge(full_at, start);
        }
        assert_eq!(full_at, start + secs(600));
    }
}
