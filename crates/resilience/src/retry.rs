//! Tries a call again, within a deadline and a budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use crate::{ConfigError, RetryBudgetConfig, RetryPolicy};

/// What one retry costs. A call pays in the configured percentage of it.
const RETRY_COST: u64 = 100;

/// Bounds the retries of a dependency to a share of its calls (a token bucket). Clones share it.
#[derive(Debug, Clone)]
pub struct RetryBudget {
    dependency: &'static str,
    /// In hundredths of a retry, so that a share of a percent is exact.
    saved: Arc<AtomicU64>,
    saved_max: u64,
    deposit: u64,
    made: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl RetryBudget {
    /// A budget with its initial retries. `dependency` is the label of its metrics.
    ///
    /// # Errors
    /// The first limit that makes no sense.
    pub fn new(dependency: &'static str, config: &RetryBudgetConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            dependency,
            saved: Arc::new(AtomicU64::new(u64::from(config.initial) * RETRY_COST)),
            saved_max: u64::from(config.saved_max) * RETRY_COST,
            deposit: u64::from(config.percent),
            made: Arc::default(),
            refused: Arc::default(),
        })
    }

    /// Whole retries that the budget pays for now, for display.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.saved.load(Ordering::Relaxed) / RETRY_COST
    }

    /// Retries since the beginning: those made, and those refused because the budget was spent.
    #[must_use]
    pub fn made_and_refused(&self) -> (u64, u64) {
        (self.made.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    /// A call begins: its share of a retry is paid in.
    fn deposit(&self) {
        let add = |saved: u64| Some((saved + self.deposit).min(self.saved_max));
        // Never refused: `add` always has an answer.
        let _ = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Whether one more retry is paid for.
    fn withdraw(&self) -> bool {
        let take = |saved: u64| saved.checked_sub(RETRY_COST);
        let is_paid = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        let counted = if is_paid { &self.made } else { &self.refused };
        counted.fetch_add(1, Ordering::Relaxed);
        let name = if is_paid { "retries_total" } else { "retry_budget_exhausted_total" };
        metrics::counter!(name, "dependency" => self.dependency).increment(1);
        is_paid
    }
}

/// Calls `op` with the number of the attempt, from 1, until it succeeds, fails for good, or no
/// retry is left. Returns its last answer.
///
/// There is a further attempt only if `is_retryable` says so, the policy has one left, the wait
/// ends before the deadline, and the budget pays. `jitter` gives numbers from 0 to 1, evenly
/// spread. The deadline does not stop an attempt that runs: `op` has to keep it too, because only
/// `op` knows what an unfinished attempt means.
///
/// # Errors
/// The error of the last attempt.
pub async fn retry<T, E, F>(
    policy: &RetryPolicy,
    budget: &RetryBudget,
    deadline: Instant,
    mut jitter: impl FnMut() -> f64,
    mut op: impl FnMut(u32) -> F,
    is_retryable: impl Fn(&E) -> bool,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    budget.deposit();
    let mut attempt = 1;
    loop {
        let error = match op(attempt).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if attempt >= policy.attempts_max || !is_retryable(&error) {
            return Err(error);
        }
        let again_at = Instant::now() + policy.backoff(attempt, jitter());
        // The budget comes last: a retry that is not made costs nothing.
        if again_at >= deadline || !budget.withdraw() {
            return Err(error);
        }
        tokio::time::sleep_until(again_at).await;
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy(attempts_max: u32) -> RetryPolicy {
        RetryPolicy { attempts_max, backoff_first: SECOND, backoff_max: 10 * SECOND }
    }

    fn budget(initial: u32, saved_max: u32) -> RetryBudget {
        let config = RetryBudgetConfig { percent: 10, initial, saved_max };
        RetryBudget::new("bank", &config).unwrap()
    }

    /// Fails as the list says, then succeeds; remembers when each attempt began.
    struct Fake {
        start: Instant,
        failures: Vec<&'static str>,
        attempts: RefCell<Vec<(u32, Duration)>>,
    }

    impl Fake {
        fn failing_with(failures: &[&'static str]) -> Self {
            Self {
                start: Instant::now(),
                failures: failures.to_vec(),
                attempts: RefCell::default(),
            }
        }

        fn attempts(&self) -> Vec<(u32, Duration)> {
            self.attempts.borrow().clone()
        }

        async fn call(&self, attempt: u32) -> Result<&'static str, &'static str> {
            let mut attempts = self.attempts.borrow_mut();
            attempts.push((attempt, self.start.elapsed()));
            match self.failures.get(attempts.len() - 1) {
                Some(error) => Err(*error),
                None => Ok("done"),
            }
        }

        /// With the largest jitter; "final" is the error not to retry.
        async fn run(
            &self,
            attempts_max: u32,
            budget: &RetryBudget,
            within: Duration,
        ) -> Result<&'static str, &'static str> {
            retry(
                &policy(attempts_max),
                budget,
                self.start + within,
                || 1.0,
                |attempt| self.call(attempt),
                |error| *error != "final",
            )
            .await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tries_again_after_waits_that_double() {
        let fake = Fake::failing_with(&["reset", "reset"]);
        let answer = fake.run(3, &budget(9, 9), 60 * SECOND).await;
        assert_eq!(answer, Ok("done"));
        assert_eq!(fake.attempts(), [(1, Duration::ZERO), (2, SECOND), (3, 3 * SECOND)]);
    }

    #[tokio::test(start_paused = true)]
    async fn gives_the_last_error_when_the_attempts_are_spent() {
        let fake = Fake::failing_with(&["first", "second", "third"]);
        let answer = fake.run(3, &budget(9, 9), 60 * SECOND).await;
        assert_eq!(answer, Err("third"));
        let fake = Fake::failing_with(&["first", "second"]);
        let answer = fake.run(1, &budget(9, 9), 60 * SECOND).await;
        assert_eq!(answer, Err("first"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_final_error_is_not_retried() {
        let fake = Fake::failing_with(&["reset", "final"]);
        let answer = fake.run(3, &budget(9, 9), 60 * SECOND).await;
        assert_eq!(answer, Err("final"));
    }

    #[tokio::test(start_paused = true)]
    async fn never_waits_up_to_the_deadline_and_pays_nothing_for_that() {
        let paid = budget(1, 9);
        let fake = Fake::failing_with(&["reset"]);
        let answer = fake.run(3, &paid, SECOND).await;
        assert_eq!(answer, Err("reset"));
        assert_eq!(fake.start.elapsed(), Duration::ZERO, "did not wait");
        let fake = Fake::failing_with(&["reset"]);
        let answer = fake.run(3, &paid, SECOND + Duration::from_millis(1)).await;
        assert_eq!(answer, Ok("done"), "the retry was still paid for");
    }

    #[tokio::test(start_paused = true)]
    async fn jitter_shortens_the_wait() {
        let fake = Fake::failing_with(&["reset", "reset"]);
        let mut jitters = [0.25, 0.0].into_iter();
        let answer = retry(
            &policy(3),
            &budget(9, 9),
            fake.start + SECOND,
            || jitters.next().unwrap(),
            |attempt| fake.call(attempt),
            |_| true,
        )
        .await;
        assert_eq!(answer, Ok("done"));
        let quarter = Duration::from_millis(250);
        assert_eq!(fake.attempts(), [(1, Duration::ZERO), (2, quarter), (3, quarter)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dependency_that_fails_all_calls_sees_a_tenth_more_of_them() {
        let budget = budget(3, 9);
        let mut attempts = 0;
        for _ in 0..1000 {
            let fake = Fake::failing_with(&["down"; 3]);
            assert_eq!(fake.run(3, &budget, 60 * SECOND).await, Err("down"));
            attempts += fake.attempts().len();
        }
        assert_eq!(attempts, 1000 + 3 + 100);
    }

    #[test]
    fn no_more_is_saved_than_the_bound() {
        let budget = budget(0, 2);
        for _ in 0..1000 {
            budget.deposit();
        }
        assert_eq!(budget.left(), 2);
        assert_eq!((0..5).filter(|_| budget.withdraw()).count(), 2);
        assert_eq!((budget.left(), budget.made_and_refused()), (0, (2, 3)));
    }

    proptest! {
        #[test]
        fn retries_never_exceed_the_initial_ones_and_the_share(
            initial in 0_u32..5,
            is_call in prop::collection::vec(any::<bool>(), 0..500),
        ) {
            let budget = budget(initial, 5);
            let (mut calls, mut retries) = (0_u32, 0_u32);
            for is_call in is_call {
                if is_call {
                    budget.deposit();
                    calls += 1;
                } else {
                    retries += u32::from(budget.withdraw());
                }
                prop_assert!(retries * 10 <= initial * 10 + calls);
            }
        }
    }
}
