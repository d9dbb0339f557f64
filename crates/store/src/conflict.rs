//! Trying again what another transaction got in the way of.

use std::time::Duration;

/// How often work is tried again that other transactions get in the way of (rule D9).
pub const RETRIES_MAX: u32 = 5;

/// Bound of the wait before the first retry: about as long as a short transaction takes.
const WAIT_BASE: Duration = Duration::from_millis(5);

/// The wait after `conflicts` (from 1) conflicts in a row: up to 5 ms, 10 ms … 80 ms, of which
/// `jitter` from 0 to 1 says how much. Those that were in each other's way would meet again if they
/// waited equally long.
#[must_use]
pub fn backoff(conflicts: u32, jitter: f64) -> Duration {
    let doublings = conflicts.clamp(1, RETRIES_MAX) - 1;
    WAIT_BASE.saturating_mul(1 << doublings).mul_f64(jitter.clamp(0.0, 1.0))
}

/// Waits after `conflicts` (from 1) conflicts in a row: see [`backoff`].
pub async fn back_off(conflicts: u32) {
    tokio::time::sleep(backoff(conflicts, faults::chance(rand::random))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_chance_has_all_of_them() {
        let longest = [1, 2, 3, 4, 5, 6].map(|conflicts| backoff(conflicts, 1.0).as_millis());
        assert_eq!(longest, [5, 10, 20, 40, 80, 80]);
        assert_eq!(backoff(3, 0.5), Duration::from_millis(10));
        assert_eq!(backoff(5, 0.0), Duration::ZERO);
        assert_eq!(backoff(0, 7.0), Duration::from_millis(5));
    }
}
