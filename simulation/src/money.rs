//! The payment service of a node, with its way to the simulated bank.

use crate::bank::{Line, WEBHOOK_SECRET};
use crate::world::World;
use payments::{AuthorizationExpiry, HttpProvider, ProviderConfig, ProviderError};
use resilience::{BreakerConfig, BulkheadConfig, DependencyConfig, RetryBudgetConfig, RetryPolicy};
use std::sync::Arc;
use std::time::Duration;

/// The product's own client of the provider, over the simulated way.
pub(crate) fn provider(world: &World) -> Result<Arc<HttpProvider>, ProviderError> {
    // Asked for by the HTTP client although nothing is encrypted; the second time it is refused.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ProviderConfig {
        base_url: "http://bank.invalid".to_owned(),
        api_key: "sk_of_the_simulation".to_owned(),
        call_timeout: Duration::from_secs(8),
        limits: limits(),
        authorization_expiry: AuthorizationExpiry::Reauthorize,
        webhook_secrets: vec![WEBHOOK_SECRET.to_owned()],
    };
    Ok(Arc::new(HttpProvider::over(config, Arc::new(Line(world.bank.clone())))?))
}

/// As `orderly serve` has them, with shorter times.
const fn limits() -> DependencyConfig {
    DependencyConfig {
        breaker: BreakerConfig {
            slot: Duration::from_secs(1),
            slots: 10,
            calls_min: 20,
            failure_percent: 60,
            slow_call: Duration::from_secs(7),
            open_for: Duration::from_secs(3),
            probes: 3,
        },
        bulkhead: BulkheadConfig { in_flight_max: 64, waiting_max: 10_000 },
        retry: RetryPolicy {
            attempts_max: 3,
            backoff_first: Duration::from_millis(100),
            backoff_max: Duration::from_secs(2),
        },
        retry_budget: RetryBudgetConfig { percent: 10, initial: 10, saved_max: 100 },
    }
}
