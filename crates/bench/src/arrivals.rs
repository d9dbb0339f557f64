//! When orders are due in an open loop. Pure.

use std::time::{Duration, Instant};

/// Moments at a steady rate. They do not depend on when the orders before were answered, nor on when
/// they were really sent.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    start: Instant,
    /// Orders in a second.
    rate: f64,
    next: u64,
}

impl Arrivals {
    /// The first order is due at `start`. The rate must be above 0.
    pub(crate) const fn new(start: Instant, rate: f64) -> Self {
        Self { start, rate, next: 0 }
    }
}

impl Iterator for Arrivals {
    type Item = Instant;

    fn next(&mut self) -> Option<Instant> {
        // Counted from the start each time, so that no error adds up.
        let after = Duration::try_from_secs_f64(self.next as f64 / self.rate).ok()?;
        self.next += 1;
        self.start.checked_add(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_due_at_a_steady_rate() {
        let start = Instant::now();
        let due: Vec<Duration> =
            Arrivals::new(start, 250.0).take(1_001).map(|due| due - start).collect();
        assert_eq!(due[..3], [0, 4, 8].map(Duration::from_millis));
        assert_eq!(due[1_000], Duration::from_secs(4));
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_does_not_drift() {
        let start = Instant::now();
        let last = Arrivals::new(start, 3.0).nth(3_000_000).unwrap() - start;
        assert_eq!(last, Duration::from_secs(1_000_000));
    }
}
