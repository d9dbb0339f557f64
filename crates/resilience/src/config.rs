//! The limits of a dependency, and which limits make sense.

use std::time::Duration;

use crate::{Breaker, Bulkhead, RetryBudget};

/// The most attempts of one call, the first one included (rule D15: at most three, at one layer).
pub const ATTEMPTS_LIMIT: u32 = 3;

/// The most time slots of a breaker's window: each call adds up all of them.
const SLOTS_LIMIT: u32 = 100;

/// The longest wait between two attempts: far above any sane one, far below any overflow.
const BACKOFF_LIMIT: Duration = Duration::from_secs(3600);

/// A limit that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {problem}")]
pub struct ConfigError {
    /// The setting, as `struct.field`.
    pub setting: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

fn check(is_sane: bool, setting: &'static str, problem: &'static str) -> Result<(), ConfigError> {
    if is_sane { Ok(()) } else { Err(ConfigError { setting, problem }) }
}

/// When a circuit breaker opens and closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Length of one time slot of the sliding window.
    pub slot: Duration,
    /// Number of slots in the window, 1 to 100: calls older than `slot × slots` are forgotten.
    pub slots: u32,
    /// With fewer calls in the window than this it stays closed, however many failed.
    pub calls_min: u32,
    /// It opens when at least this share of the calls in the window failed or was slow, in percent
    /// from 1 to 100.
    pub failure_percent: u32,
    /// A call that succeeds after this time or later counts as a failure.
    pub slow_call: Duration,
    /// How long it stays open before it lets probes through.
    pub open_for: Duration,
    /// How many probes may run at once when half-open, and how many must succeed to close it.
    pub probes: u32,
}

impl BreakerConfig {
    /// # Errors
    /// The first limit that makes no sense.
    pub fn validate(&self) -> Result<(), ConfigError> {
        const ZERO: &str = "must not be zero";
        check(!self.slot.is_zero(), "breaker.slot", ZERO)?;
        check((1..=SLOTS_LIMIT).contains(&self.slots), "breaker.slots", "must be from 1 to 100")?;
        check(self.calls_min > 0, "breaker.calls_min", ZERO)?;
        check(
            (1..=100).contains(&self.failure_percent),
            "breaker.failure_percent",
            "must be from 1 to 100",
        )?;
        check(!self.slow_call.is_zero(), "breaker.slow_call", ZERO)?;
        check(!self.open_for.is_zero(), "breaker.open_for", ZERO)?;
        check(self.probes > 0, "breaker.probes", ZERO)
    }
}

/// How many calls may run and wait at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkheadConfig {
    /// The most calls that run at once.
    pub in_flight_max: u32,
    /// The most calls that wait for their turn; zero refuses at once when all places are taken.
    pub waiting_max: u32,
}

impl BulkheadConfig {
    /// # Errors
    /// The first limit that makes no sense.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check(self.in_flight_max > 0, "bulkhead.in_flight_max", "must not be zero")
    }
}

/// How often a call is tried and how long it waits in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts of one call, the first one included: 1 to [`ATTEMPTS_LIMIT`].
    pub attempts_max: u32,
    /// The longest wait before the second attempt; it doubles with each further one.
    pub backoff_first: Duration,
    /// No wait is longer than this, nor than an hour.
    pub backoff_max: Duration,
}

impl RetryPolicy {
    /// # Errors
    /// The first limit that makes no sense.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check(
            (1..=ATTEMPTS_LIMIT).contains(&self.attempts_max),
            "retry.attempts_max",
            "must be from 1 to 3",
        )?;
        check(
            self.backoff_first <= self.backoff_max,
            "retry.backoff_first",
            "must not be longer than retry.backoff_max",
        )?;
        check(
            self.backoff_max <= BACKOFF_LIMIT,
            "retry.backoff_max",
            "must not be longer than an hour",
        )
    }

    /// The wait before the given retry (1 for the second attempt): a share of the exponential
    /// bound, by `jitter` from 0 to 1 ("full jitter"). Any other `jitter` counts as 1.
    pub fn backoff(&self, retry: u32, jitter: f64) -> Duration {
        let doublings = retry.saturating_sub(1).min(31);
        let bound = self.backoff_first.saturating_mul(1 << doublings);
        let share = if (0.0..=1.0).contains(&jitter) { jitter } else { 1.0 };
        bound.min(self.backoff_max).min(BACKOFF_LIMIT).mul_f64(share)
    }
}

/// How many retries a dependency gets, as a share of its calls.
///
/// Rule D15 asks for 10 percent: a dependency that fails all calls then sees 1.1 times the calls,
/// not 3 times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryBudgetConfig {
    /// Retries allowed per hundred calls, 1 to 100.
    pub percent: u32,
    /// Retries allowed at the start, before any call.
    pub initial: u32,
    /// The most retries saved up by calls that went well.
    pub saved_max: u32,
}

impl RetryBudgetConfig {
    /// # Errors
    /// The first limit that makes no sense.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check((1..=100).contains(&self.percent), "retry_budget.percent", "must be from 1 to 100")?;
        check(self.saved_max > 0, "retry_budget.saved_max", "must not be zero")?;
        check(
            self.initial <= self.saved_max,
            "retry_budget.initial",
            "must not be more than retry_budget.saved_max",
        )
    }
}

/// All limits of one dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyConfig {
    /// When calls are refused because the dependency is ill.
    pub breaker: BreakerConfig,
    /// How many calls run and wait at once.
    pub bulkhead: BulkheadConfig,
    /// How often a call is tried.
    pub retry: RetryPolicy,
    /// How many retries all calls together get.
    pub retry_budget: RetryBudgetConfig,
}

/// The guards of one dependency, ready for use. Clones share them.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// Refuses calls while the dependency is ill.
    pub breaker: Breaker,
    /// Bounds the calls that run and wait at once.
    pub bulkhead: Bulkhead,
    /// For [`retry`](crate::retry()).
    pub retry: RetryPolicy,
    /// For [`retry`](crate::retry()).
    pub retry_budget: RetryBudget,
}

impl Dependency {
    /// Builds the guards. `name` is the label `dependency` of their metrics.
    ///
    /// # Errors
    /// The first limit that makes no sense.
    pub fn new(name: &'static str, config: &DependencyConfig) -> Result<Self, ConfigError> {
        config.retry.validate()?;
        Ok(Self {
            breaker: Breaker::new(name, config.breaker.clone())?,
            bulkhead: Bulkhead::new(name, &config.bulkhead)?,
            retry: config.retry.clone(),
            retry_budget: RetryBudget::new(name, &config.retry_budget)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sane() -> DependencyConfig {
        DependencyConfig {
            breaker: BreakerConfig {
                slot: Duration::from_secs(1),
                slots: 10,
                calls_min: 20,
                failure_percent: 50,
                slow_call: Duration::from_secs(2),
                open_for: Duration::from_secs(5),
                probes: 1,
            },
            bulkhead: BulkheadConfig { in_flight_max: 8, waiting_max: 0 },
            retry: RetryPolicy {
                attempts_max: 3,
                backoff_first: Duration::from_millis(100),
                backoff_max: Duration::from_millis(150),
            },
            retry_budget: RetryBudgetConfig { percent: 10, initial: 0, saved_max: 10 },
        }
    }

    #[test]
    fn limits_that_make_no_sense_are_refused_by_name() {
        assert!(Dependency::new("bank", &sane()).is_ok());
        type Spoil = fn(&mut DependencyConfig);
        let cases: [(&str, Spoil); 16] = [
            ("breaker.slot", |c| c.breaker.slot = Duration::ZERO),
            ("breaker.slots", |c| c.breaker.slots = 0),
            ("breaker.slots", |c| c.breaker.slots = 101),
            ("breaker.calls_min", |c| c.breaker.calls_min = 0),
            ("breaker.failure_percent", |c| c.breaker.failure_percent = 0),
            ("breaker.failure_percent", |c| {
                c.breaker.failure_percent = 101;
            }),
            ("breaker.slow_call", |c| {
                c.breaker.slow_call = Duration::ZERO;
            }),
            ("breaker.open_for", |c| c.breaker.open_for = Duration::ZERO),
            ("breaker.probes", |c| c.breaker.probes = 0),
            ("bulkhead.in_flight_max", |c| c.bulkhead.in_flight_max = 0),
            ("retry.attempts_max", |c| c.retry.attempts_max = 0),
            ("retry.attempts_max", |c| c.retry.attempts_max = 4),
            ("retry.backoff_first", |c| {
                c.retry.backoff_first = Duration::from_secs(9);
            }),
            ("retry.backoff_max", |c| {
                c.retry.backoff_max = Duration::from_secs(3601);
            }),
            ("retry_budget.percent", |c| c.retry_budget.percent = 0),
            ("retry_budget.initial", |c| c.retry_budget.initial = 11),
        ];
        for (setting, spoil) in cases {
            let mut config = sane();
            spoil(&mut config);
            let refused = Dependency::new("bank", &config).map(|_| ()).unwrap_err();
            assert_eq!(refused.setting, setting);
        }
    }

    #[test]
    fn backoff_doubles_up_to_its_bound_and_is_a_share_of_it() {
        let policy = sane().retry;
        let ms = Duration::from_millis;
        for (retry, jitter, expected) in [
            (1, 1.0, ms(100)),
            (1, 0.5, ms(50)),
            (1, 0.0, ms(0)),
            (2, 1.0, ms(150)),
            (u32::MAX, 1.0, ms(150)),
            (1, f64::NAN, ms(100)),
            (1, -0.1, ms(100)),
            (1, 7.0, ms(100)),
        ] {
            assert_eq!(policy.backoff(retry, jitter), expected, "{retry} {jitter}");
        }
        let unchecked = RetryPolicy {
            attempts_max: 3,
            backoff_first: Duration::MAX,
            backoff_max: Duration::MAX,
        };
        assert_eq!(unchecked.backoff(2, 1.0), BACKOFF_LIMIT);
    }
}
