//! The circuit breaker as callers use it: shared, timed and measured.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};
use tokio::time::Instant;

use crate::breaker_state::{Admission, BreakerPhase, BreakerState, Open, Verdict};
use crate::{BreakerConfig, ConfigError};

/// Refuses calls to a dependency while it is ill. Clones share one state.
///
/// Build it after the metrics recorder is installed: its metrics are found once, here, and
/// `breaker_state` is set then and at each change.
#[derive(Debug, Clone)]
pub struct Breaker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dependency: &'static str,
    slow_call: Duration,
    start: Instant,
    state: Mutex<BreakerState>,
    ok: Ended,
    slow: Ended,
    failed: Ended,
    rejected: Counter,
}

/// The metrics of calls that ended in one way.
#[derive(Debug)]
struct Ended {
    calls: Counter,
    seconds: Histogram,
}

fn calls(dependency: &'static str, outcome: &'static str) -> Counter {
    counter!("breaker_calls_total", "dependency" => dependency, "outcome" => outcome)
}

impl Ended {
    fn new(dependency: &'static str, outcome: &'static str) -> Self {
        let seconds = histogram!(
            "breaker_call_seconds", "dependency" => dependency, "outcome" => outcome
        );
        Self { calls: calls(dependency, outcome), seconds }
    }

    fn count(&self, took: Duration) {
        self.calls.increment(1);
        self.seconds.record(took);
    }
}

impl Breaker {
    /// A closed breaker. `dependency` is the label of its metrics.
    ///
    /// # Errors
    /// The first limit that makes no sense.
    pub fn new(dependency: &'static str, config: BreakerConfig) -> Result<Self, ConfigError> {
        let slow_call = config.slow_call;
        let state = BreakerState::new(config)?;
        publish(dependency, state.phase());
        Ok(Self {
            inner: Arc::new(Inner {
                dependency,
                slow_call,
                start: Instant::now(),
                state: Mutex::new(state),
                ok: Ended::new(dependency, "ok"),
                slow: Ended::new(dependency, "slow"),
                failed: Ended::new(dependency, "failed"),
                rejected: calls(dependency, "rejected"),
            }),
        })
    }

    /// Asks for the right to make one call.
    ///
    /// # Errors
    /// [`Open`]: the call must not be made; nothing happened.
    pub fn try_acquire(&self) -> Result<Permit, Open> {
        match self.inner.with_state(BreakerState::admit) {
            Ok(admission) => {
                Ok(Permit { inner: Arc::clone(&self.inner), admission: Some(admission) })
            }
            Err(open) => {
                self.inner.rejected.increment(1);
                Err(open)
            }
        }
    }

    /// Whether calls pass, for display.
    pub fn phase(&self) -> BreakerPhase {
        self.inner.lock().phase()
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, BreakerState> {
        // The state machine does not panic half-way, so a poisoned lock guards a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one step of the state machine and tells the world when the phase changed.
    fn with_state<T>(&self, step: impl FnOnce(&mut BreakerState, Duration) -> T) -> T {
        let mut state = self.lock();
        let before = state.phase();
        let result = step(&mut state, self.start.elapsed());
        let after = state.phase();
        if before != after {
            // Still under the lock: the gauge must not end on the older of two changes.
            publish(self.dependency, after);
        }
        drop(state);
        if before != after {
            announce(self.dependency, after);
        }
        result
    }
}

fn publish(dependency: &'static str, phase: BreakerPhase) {
    let level = match phase {
        BreakerPhase::Closed => 0.0,
        BreakerPhase::HalfOpen => 1.0,
        BreakerPhase::Open => 2.0,
    };
    metrics::gauge!("breaker_state", "dependency" => dependency).set(level);
}

fn announce(dependency: &'static str, phase: BreakerPhase) {
    match phase {
        BreakerPhase::Closed => tracing::info!(
            event = "breaker_closed",
            dependency,
            "calls to the dependency pass again"
        ),
        BreakerPhase::HalfOpen => tracing::info!(
            event = "breaker_half_open",
            dependency,
            "probing whether the dependency is well again"
        ),
        BreakerPhase::Open => tracing::warn!(
            event = "breaker_opened",
            dependency,
            "too many calls to the dependency failed, further ones are refused"
        ),
    }
}

/// The right to make one call. Dropped without a verdict, it says nothing about the dependency.
#[derive(Debug)]
#[must_use = "dropping the permit says that the call was not made"]
pub struct Permit {
    inner: Arc<Inner>,
    /// Taken when the verdict is given.
    admission: Option<Admission>,
}

impl Permit {
    /// The call succeeded after `took`. Too late counts as a failure of the dependency.
    pub fn success(mut self, took: Duration) {
        let (verdict, ended) = if took >= self.inner.slow_call {
            (Verdict::Failure, &self.inner.slow)
        } else {
            (Verdict::Success, &self.inner.ok)
        };
        ended.count(took);
        self.settle(verdict);
    }

    /// The call failed after `took`, and the dependency is to blame: an answer that refuses for a
    /// reason of business is a success.
    pub fn failure(mut self, took: Duration) {
        self.inner.failed.count(took);
        self.settle(Verdict::Failure);
    }

    fn settle(&mut self, verdict: Verdict) {
        if let Some(admission) = self.admission.take() {
            self.inner.with_state(|state, now| state.settle(admission, verdict, now));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.settle(Verdict::Unknown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker(probes: u32) -> Breaker {
        let config = BreakerConfig {
            slot: SECOND,
            slots: 10,
            calls_min: 2,
            failure_percent: 50,
            slow_call: SECOND,
            open_for: 5 * SECOND,
            probes,
        };
        Breaker::new("bank", config).unwrap()
    }

    fn fail_twice(breaker: &Breaker) {
        for _ in 0..2 {
            breaker.try_acquire().unwrap().failure(Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn refuses_while_open_and_closes_after_a_good_probe() {
        let breaker = breaker(1);
        fail_twice(&breaker);
        assert_eq!(breaker.phase(), BreakerPhase::Open);
        tokio::time::advance(2 * SECOND).await;
        let open = breaker.try_acquire().unwrap_err();
        assert_eq!(open.retry_after, 3 * SECOND);
        tokio::time::advance(3 * SECOND).await;
        let probe = breaker.try_acquire().unwrap();
        assert_eq!(breaker.phase(), BreakerPhase::HalfOpen);
        assert!(breaker.try_acquire().is_err(), "one probe at a time");
        probe.success(Duration::ZERO);
        assert_eq!(breaker.phase(), BreakerPhase::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_probe_makes_room_for_another() {
        let breaker = breaker(1);
        fail_twice(&breaker);
        tokio::time::advance(5 * SECOND).await;
        drop(breaker.try_acquire().unwrap());
        breaker.try_acquire().unwrap().success(Duration::ZERO);
        assert_eq!(breaker.phase(), BreakerPhase::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_successes_open_it() {
        for (took, phase) in
            [(Duration::from_millis(999), BreakerPhase::Closed), (SECOND, BreakerPhase::Open)]
        {
            let breaker = breaker(1);
            for _ in 0..2 {
                breaker.try_acquire().unwrap().success(took);
            }
            assert_eq!(breaker.phase(), phase, "{took:?}");
        }
    }

    #[test]
    fn clones_share_the_state_also_between_threads() {
        let breaker = breaker(1);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let clone = breaker.clone();
                scope.spawn(move || clone.try_acquire().unwrap().failure(Duration::ZERO));
            }
        });
        assert_eq!(breaker.phase(), BreakerPhase::Open);
    }
}
