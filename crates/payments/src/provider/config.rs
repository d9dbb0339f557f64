//! How to reach the provider.

use super::ProviderError;
use resilience::DependencyConfig;
use std::fmt;
use std::time::Duration;

/// What to do when money is to be captured and the hold on it has lapsed, or was cancelled by the
/// provider of its own accord. (Card networks let go of money after about a week.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthorizationExpiry {
    /// Charge the same means of payment again, for exactly what was to be captured.
    #[default]
    Reauthorize,
    /// The capture is refused, and the order learns that it was not paid.
    Refuse,
}

/// How to reach the provider.
#[derive(Clone)]
pub struct ProviderConfig {
    /// Its base URL without `/v1`, such as `https://api.stripe.com`.
    pub base_url: String,
    /// Its secret key.
    pub api_key: String,
    /// Longest wait for one answer.
    pub call_timeout: Duration,
    /// Limits of breaker, bulkhead and retries.
    pub limits: DependencyConfig,
    /// What to do about holds that lapsed.
    pub authorization_expiry: AuthorizationExpiry,
    /// Secrets with which the provider signs its events. None: events are refused. Several: each
    /// of them is good, so that the secret can be changed without losing an event.
    pub webhook_secrets: Vec<String>,
}

impl ProviderConfig {
    pub(super) fn check(&self) -> Result<(), ProviderError> {
        if self.webhook_secrets.iter().any(String::is_empty) {
            return Err(ProviderError::EmptyWebhookSecret);
        }
        Ok(())
    }
}

impl fmt::Debug for ProviderConfig {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderConfig")
            .field("base_url", &self.base_url)
            .field("call_timeout", &self.call_timeout)
            .field("limits", &self.limits)
            .field("authorization_expiry", &self.authorization_expiry)
            .field("webhook_secrets", &self.webhook_secrets.len())
            .finish_non_exhaustive()
    }
}
