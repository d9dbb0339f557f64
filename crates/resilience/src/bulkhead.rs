//! Bounds how many calls to a dependency run and wait at once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use metrics::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::{BulkheadConfig, ConfigError};

/// Why a call was not let through. In both cases nothing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BulkheadError {
    /// All places are taken and as many calls wait as may.
    #[error("too many calls run and wait already")]
    Full,
    /// The deadline passed before a place was free.
    #[error("no place was free before the deadline")]
    TimedOut,
}

/// Bounds the calls to one dependency, first come, first served. Clones share the places.
///
/// Build it after the metrics recorder is installed: its gauges are found once, here.
#[derive(Debug, Clone)]
pub struct Bulkhead {
    dependency: &'static str,
    places: Arc<Semaphore>,
    in_flight_max: u32,
    in_flight_gauge: Gauge,
    waiting: Arc<AtomicU32>,
    waiting_max: u32,
    waiting_gauge: Gauge,
}

/// How much of a bulkhead is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkheadUse {
    /// Calls that run.
    pub in_flight: u32,
    /// The most that may run.
    pub in_flight_max: u32,
    /// Calls that wait for their turn.
    pub waiting: u32,
    /// The most that may wait.
    pub waiting_max: u32,
}

impl Bulkhead {
    /// An empty bulkhead. `dependency` is the label of its metrics.
    ///
    /// # Errors
    /// The first limit that makes no sense.
    pub fn new(dependency: &'static str, config: &BulkheadConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            dependency,
            places: Arc::new(Semaphore::new(config.in_flight_max as usize)),
            in_flight_max: config.in_flight_max,
            in_flight_gauge: metrics::gauge!("bulkhead_in_flight", "dependency" => dependency),
            waiting: Arc::new(AtomicU32::new(0)),
            waiting_max: config.waiting_max,
            waiting_gauge: metrics::gauge!("bulkhead_waiting", "dependency" => dependency),
        })
    }

    /// How much of it is used now, for display.
    #[must_use]
    pub fn usage(&self) -> BulkheadUse {
        let free = u32::try_from(self.places.available_permits()).unwrap_or(u32::MAX);
        BulkheadUse {
            in_flight: self.in_flight_max.saturating_sub(free),
            in_flight_max: self.in_flight_max,
            waiting: self.waiting.load(Ordering::Relaxed),
            waiting_max: self.waiting_max,
        }
    }

    /// Waits for a place until the deadline. The place is free again when the permit is dropped.
    ///
    /// # Errors
    /// [`BulkheadError::Full`] at once, [`BulkheadError::TimedOut`] at the deadline, also when it
    /// has passed already.
    pub async fn acquire(&self, deadline: Instant) -> Result<BulkheadPermit, BulkheadError> {
        let acquired = self.place(deadline).await;
        match acquired {
            Ok(place) => Ok(BulkheadPermit {
                _in_flight: GaugeGuard::new(&self.in_flight_gauge),
                _place: place,
            }),
            Err(error) => {
                let reason = match error {
                    BulkheadError::Full => "full",
                    BulkheadError::TimedOut => "timed_out",
                };
                let labels = [("dependency", self.dependency), ("reason", reason)];
                metrics::counter!("bulkhead_refusals_total", &labels).increment(1);
                Err(error)
            }
        }
    }

    async fn place(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, BulkheadError> {
        if deadline <= Instant::now() {
            return Err(BulkheadError::TimedOut);
        }
        // A free place while others wait is already theirs, so this overtakes nobody.
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let _waiting = self.queue()?;
        let place = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout_at(deadline, place).await {
            Ok(Ok(place)) => Ok(place),
            // Cannot happen: nobody closes the semaphore.
            Ok(Err(_closed)) => Err(BulkheadError::Full),
            Err(_elapsed) => Err(BulkheadError::TimedOut),
        }
    }

    fn queue(&self) -> Result<Waiting, BulkheadError> {
        self.waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < self.waiting_max).then_some(waiting + 1)
            })
            .map_err(|_| BulkheadError::Full)?;
        Ok(Waiting {
            count: Arc::clone(&self.waiting),
            _gauge: GaugeGuard::new(&self.waiting_gauge),
        })
    }
}

/// The right to make one call at a time; dropping it frees the place.
#[derive(Debug)]
#[must_use = "dropping the permit frees the place"]
pub struct BulkheadPermit {
    _in_flight: GaugeGuard,
    _place: OwnedSemaphorePermit,
}

/// A place in the queue. A guard, because the wait may be cancelled at any moment.
struct Waiting {
    count: Arc<AtomicU32>,
    _gauge: GaugeGuard,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Adds one to a gauge for as long as it lives.
struct GaugeGuard(Gauge);

impl GaugeGuard {
    fn new(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl fmt::Debug for GaugeGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GaugeGuard")
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn bulkhead(in_flight_max: u32, waiting_max: u32) -> Bulkhead {
        let config = BulkheadConfig { in_flight_max, waiting_max };
        Bulkhead::new("bank", &config).unwrap()
    }

    /// Starts to wait for a place and comes back when the wait has begun.
    async fn wait(
        bulkhead: &Bulkhead,
        deadline: Instant,
    ) -> tokio::task::JoinHandle<Result<BulkheadPermit, BulkheadError>> {
        let before = bulkhead.waiting.load(Ordering::Relaxed);
        let task = tokio::spawn({
            let bulkhead = bulkhead.clone();
            async move { bulkhead.acquire(deadline).await }
        });
        while bulkhead.waiting.load(Ordering::Relaxed) == before {
            tokio::task::yield_now().await;
        }
        task
    }

    #[tokio::test(start_paused = true)]
    async fn lets_so_many_run_and_so_many_wait_and_refuses_the_rest() {
        let bulkhead = bulkhead(2, 1);
        let deadline = Instant::now() + SECOND;
        let first = bulkhead.acquire(deadline).await.unwrap();
        let _second = bulkhead.acquire(deadline).await.unwrap();
        let third = wait(&bulkhead, deadline).await;
        let refused = bulkhead.acquire(deadline).await.unwrap_err();
        assert_eq!(refused, BulkheadError::Full);
        assert_eq!(Instant::now() + SECOND, deadline, "refused at once");
        let used = BulkheadUse { in_flight: 2, in_flight_max: 2, waiting: 1, waiting_max: 1 };
        assert_eq!(bulkhead.usage(), used);
        drop(first);
        let _third = third.await.unwrap().unwrap();
        let fourth = wait(&bulkhead, deadline).await;
        assert_eq!(fourth.await.unwrap().unwrap_err(), BulkheadError::TimedOut);
        assert_eq!(Instant::now(), deadline, "paused time ran up to the deadline");
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_given_first_come_first_served() {
        let bulkhead = bulkhead(1, 2);
        let deadline = Instant::now() + SECOND;
        let running = bulkhead.acquire(deadline).await.unwrap();
        let early = wait(&bulkhead, deadline).await;
        let late = wait(&bulkhead, deadline).await;
        drop(running);
        let early = early.await.unwrap().unwrap();
        assert!(!late.is_finished());
        drop(early);
        assert!(late.await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_wait_leaves_the_queue() {
        let bulkhead = bulkhead(1, 1);
        let deadline = Instant::now() + SECOND;
        let running = bulkhead.acquire(deadline).await.unwrap();
        let cancelled = wait(&bulkhead, deadline).await;
        cancelled.abort();
        assert!(cancelled.await.unwrap_err().is_cancelled());
        let waiting = wait(&bulkhead, deadline).await;
        drop(running);
        assert!(waiting.await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_has_passed_gets_no_place() {
        let bulkhead = bulkhead(1, 1);
        let deadline = Instant::now();
        advance(SECOND).await;
        let refused = bulkhead.acquire(deadline).await.unwrap_err();
        assert_eq!(refused, BulkheadError::TimedOut);
        let deadline = Instant::now() + SECOND;
        assert!(bulkhead.acquire(deadline).await.is_ok(), "the place is free");
    }
}
