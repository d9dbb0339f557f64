//! Settings of the edge: what clients may hold and ask for.

use clap::Args;
use gateway::{GatewayConfig, Limits, Network};
use std::time::Duration;

/// What clients may hold and ask for.
#[derive(Args, Clone, Debug)]
pub(crate) struct EdgeArgs {
    /// Requests in a second of each API key or account; above that 429 [0: any number].
    #[arg(long, env = "ORDERLY_RATE_LIMIT", default_value = "0")]
    pub(crate) rate_limit: u32,
    /// Failed authentications in a minute of each address; above that 429 [0: any number].
    #[arg(long, env = "ORDERLY_FAILED_AUTH_LIMIT", default_value = "20")]
    pub(crate) failed_auth_limit: u32,
    /// Wrong passwords in ten minutes of each account; above that 429 [0: any number].
    #[arg(long, env = "ORDERLY_FAILED_SIGN_IN_LIMIT", default_value = "10")]
    pub(crate) failed_sign_in_limit: u32,
    /// Addresses or blocks (10.0.0.0/8) of proxies whose X-Forwarded-For is believed, separated by
    /// commas [default: nobody's is].
    #[arg(long, env = "ORDERLY_TRUSTED_PROXIES", value_delimiter = ',')]
    pub(crate) trusted_proxies: Vec<Network>,
    /// Requests in work at the same time; above that 503.
    #[arg(long, env = "ORDERLY_MAX_IN_WORK", default_value = "8192")]
    pub(crate) max_in_work: usize,
    /// Milliseconds that the oldest waiting order may wait; where it lasts, new work gets 503.
    #[arg(long, env = "ORDERLY_QUEUE_AGE_LIMIT_MS", default_value = "500")]
    pub(crate) queue_age_limit_ms: u64,
    /// Milliseconds that the head of a request may take to arrive.
    #[arg(long, env = "ORDERLY_HEAD_TIMEOUT_MS", default_value = "5000")]
    pub(crate) head_timeout_ms: u64,
    /// Milliseconds that the body of a request may take to arrive.
    #[arg(long, env = "ORDERLY_BODY_TIMEOUT_MS", default_value = "10000")]
    pub(crate) body_timeout_ms: u64,
}

impl EdgeArgs {
    /// Sets up the gateway accordingly.
    pub(crate) fn apply(&self, config: &mut GatewayConfig) {
        config.trusted_proxies.clone_from(&self.trusted_proxies);
        config.limits = Limits {
            requests_per_second: self.rate_limit,
            failed_authentications_per_minute: self.failed_auth_limit,
            failed_sign_ins: self.failed_sign_in_limit,
            requests_in_work: self.max_in_work,
            queue_age: Duration::from_millis(self.queue_age_limit_ms),
            request_head: Duration::from_millis(self.head_timeout_ms),
            request_body: Duration::from_millis(self.body_timeout_ms),
            ..config.limits
        };
    }
}

impl Default for EdgeArgs {
    fn default() -> Self {
        let limits = Limits::default();
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            rate_limit: limits.requests_per_second,
            failed_auth_limit: limits.failed_authentications_per_minute,
            failed_sign_in_limit: limits.failed_sign_ins,
            trusted_proxies: Vec::new(),
            max_in_work: limits.requests_in_work,
            queue_age_limit_ms: millis(limits.queue_age),
            head_timeout_ms: millis(limits.request_head),
            body_timeout_ms: millis(limits.request_body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        edge: EdgeArgs,
    }

    fn config(args: &[&str]) -> GatewayConfig {
        let alone = Alone::try_parse_from(["orderly"].iter().chain(args)).expect("are read");
        let any = ([127, 0, 0, 1], 0).into();
        let mut config = GatewayConfig::new(any, any, [0; 32]);
        alone.edge.apply(&mut config);
        config
    }

    #[test]
    fn nothing_given_means_the_defaults_of_the_gateway() {
        assert_eq!(config(&[]).limits, Limits::default());
        assert!(config(&[]).trusted_proxies.is_empty());
        let mut again = config(&["--rate-limit", "7"]);
        EdgeArgs::default().apply(&mut again);
        assert_eq!(again.limits, Limits::default());
    }

    #[test]
    fn what_is_given_counts() {
        let set = config(&[
            "--rate-limit=7",
            "--failed-auth-limit=8",
            "--failed-sign-in-limit=9",
            "--trusted-proxies=10.0.0.0/8,::1",
            "--max-in-work=9",
            "--queue-age-limit-ms=10",
            "--head-timeout-ms=11",
            "--body-timeout-ms=12",
        ]);
        let limits = set.limits;
        assert_eq!((limits.requests_per_second, limits.requests_in_work), (7, 9));
        assert_eq!(limits.failed_authentications_per_minute, 8);
        assert_eq!(limits.failed_sign_ins, 9);
        assert_eq!(limits.queue_age, Duration::from_millis(10));
        assert_eq!(limits.request_head, Duration::from_millis(11));
        assert_eq!(limits.request_body, Duration::from_millis(12));
        assert_eq!(set.trusted_proxies.len(), 2);
        let wrong = Alone::try_parse_from(["orderly", "--trusted-proxies=somewhere"]);
        assert!(wrong.is_err());
    }
}
