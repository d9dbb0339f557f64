//! Guards for every call that leaves the process.
//!
//! A call takes them in this order: [`Bulkhead`] (how many at once), [`Breaker`] (whether at all),
//! and around both [`retry()`] with a [`RetryBudget`] (how often). None of them makes the call or
//! knows what it is; the caller says whether it went well. They retry only what the caller calls
//! retryable, which must be safe to repeat.
//!
//! Every limit is the caller's to set: there are no defaults. Time is `tokio::time`, so a test may
//! pause it.

mod breaker;
mod breaker_state;
mod bulkhead;
mod config;
#[cfg(test)]
mod metrics_tests;
mod retry;

pub use breaker::{Breaker, Permit};
pub use breaker_state::{Admission, BreakerPhase, BreakerState, Open, Verdict};
pub use bulkhead::{Bulkhead, BulkheadError, BulkheadPermit, BulkheadUse};
pub use config::{
    ATTEMPTS_LIMIT, BreakerConfig, BulkheadConfig, ConfigError, Dependency, DependencyConfig,
    RetryBudgetConfig, RetryPolicy,
};
pub use retry::{RetryBudget, retry};
