//! Latencies: kept in HdrHistograms of microseconds, told in milliseconds.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Digits of a latency that count.
const DIGITS: u8 = 3;
/// The longest latency that is told apart, in microseconds: an hour.
const LONGEST_MICROS: u64 = 3_600_000_000;

/// An empty histogram of microseconds.
pub(crate) fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, LONGEST_MICROS, DIGITS)?)
}

/// Adds a latency.
pub(crate) fn record(histogram: &mut Histogram<u64>, took: Duration) {
    histogram.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}

/// What is told of a histogram, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Half were faster.
    pub p50: f64,
    /// One in ten was slower.
    pub p90: f64,
    /// One in a hundred was slower.
    pub p99: f64,
    /// One in a thousand was slower.
    pub p99_9: f64,
    /// The slowest.
    pub max: f64,
}

impl Latency {
    /// Reads the percentiles, after taking `less` from each: the time that somebody else was asked
    /// to take.
    pub(crate) fn of(histogram: &Histogram<u64>, less: Duration) -> Self {
        let less = u64::try_from(less.as_micros()).unwrap_or(u64::MAX);
        let at = |percentile: f64| {
            let micros = histogram.value_at_quantile(percentile / 100.0).saturating_sub(less);
            micros as f64 / 1e3
        };
        Self { p50: at(50.0), p90: at(90.0), p99: at(99.0), p99_9: at(99.9), max: at(100.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_told_in_milliseconds() {
        let mut all = histogram().unwrap();
        for millis in 1..=1_000 {
            record(&mut all, Duration::from_millis(millis));
        }
        let told = Latency::of(&all, Duration::ZERO);
        let near = |a: f64, b: f64| (a - b).abs() <= b * 0.002;
        assert!(near(told.p50, 500.0) && near(told.p90, 900.0), "{told:?}");
        assert!(near(told.p99, 990.0) && near(told.max, 1_000.0), "{told:?}");
        let less = Latency::of(&all, Duration::from_millis(500));
        assert!(less.p50 <= 1.0 && near(less.max, 500.0), "{less:?}");
    }

    #[test]
    fn histograms_of_several_runs_add_up() {
        let (mut one, mut two) = (histogram().unwrap(), histogram().unwrap());
        record(&mut one, Duration::from_millis(1));
        record(&mut two, Duration::from_millis(9));
        record(&mut two, Duration::from_secs(100_000));
        one.add(&two).unwrap();
        assert_eq!(one.len(), 3);
        assert!(Latency::of(&one, Duration::ZERO).max >= 3_600_000.0, "longer is the longest");
    }

    #[test]
    fn nothing_recorded_is_zero() {
        assert_eq!(Latency::of(&histogram().unwrap(), Duration::ZERO), Latency::default());
    }
}
