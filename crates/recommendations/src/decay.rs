//! How much less an old order counts than a new one.

use domain::Timestamp;
use std::time::Duration;

/// Half-lives after which weights are scaled anew; the largest number has 1,023 doublings.
const DOUBLINGS_MAX: f64 = 500.0;

/// Weights that halve with each half-life of age. They are kept as growing numbers, so that those of
/// old baskets need not be touched as time goes on: a basket weighs 2^((its time − origin) /
/// half-life). Only ratios of weights mean anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decay {
    /// In microseconds; `None`: all weigh the same.
    half_life: Option<f64>,
    origin: Option<i64>,
}

impl Decay {
    pub(crate) fn new(half_life: Option<Duration>) -> Self {
        let micros = half_life.map(|time| time.as_secs_f64() * 1e6).filter(|micros| *micros > 0.0);
        Self { half_life: micros, origin: None }
    }

    /// What a basket of this moment weighs.
    #[expect(clippy::cast_precision_loss, reason = "to some microseconds in a century")]
    pub(crate) fn weight(&self, at: Timestamp) -> f64 {
        match (self.half_life, self.origin) {
            (Some(half_life), Some(origin)) => {
                let age = at.micros().saturating_sub(origin) as f64;
                // Far beyond: as good as nothing, and never infinite.
                (age / half_life).clamp(-DOUBLINGS_MAX * 2.0, DOUBLINGS_MAX * 2.0).exp2()
            }
            _ => 1.0,
        }
    }

    /// Makes ready for a basket of this moment. `Some(factor)`: every weight that was given out is
    /// to be multiplied by it.
    pub(crate) fn reach(&mut self, at: Timestamp) -> Option<f64> {
        let half_life = self.half_life?;
        let Some(origin) = self.origin else {
            self.origin = Some(at.micros());
            return None;
        };
        #[expect(clippy::cast_precision_loss, reason = "to some microseconds in a century")]
        let doublings = at.micros().saturating_sub(origin) as f64 / half_life;
        if doublings <= DOUBLINGS_MAX {
            return None;
        }
        self.origin = Some(at.micros());
        Some((-doublings).max(-DOUBLINGS_MAX * 2.0).exp2())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn day(number: i64) -> Timestamp {
        Timestamp::from_micros(1_767_323_045_678_901).plus_seconds(number * 86_400)
    }

    #[test]
    fn a_half_life_halves() {
        let mut decay = Decay::new(Some(DAY));
        assert_eq!(decay.reach(day(0)), None);
        assert_eq!(decay.reach(day(2)), None);
        assert!((decay.weight(day(2)) / decay.weight(day(1)) - 2.0).abs() < 1e-12);
        assert!((decay.weight(day(-1)) / decay.weight(day(1)) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn without_one_all_weigh_the_same() {
        for half_life in [None, Some(Duration::ZERO)] {
            let mut decay = Decay::new(half_life);
            assert_eq!(decay.reach(day(0)), None);
            assert!((decay.weight(day(10_000)) - 1.0).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn weights_stay_numbers_however_long_it_runs() {
        let mut decay = Decay::new(Some(DAY));
        let mut yesterday = 0.0;
        for number in 0..5_000 {
            if let Some(factor) = decay.reach(day(number)) {
                yesterday *= factor;
            }
            let today = decay.weight(day(number));
            assert!(today.is_finite() && today > 0.0, "day {number}: {today}");
            if number > 0 {
                assert!((today / yesterday - 2.0).abs() < 1e-9, "day {number}");
            }
            yesterday = today;
        }
    }
}
