//! The provider, spoken to as Stripe is: form-encoded requests, an `Idempotency-Key`, JSON answers.

mod answer;

use answer::{Reading, read_charge};
use domain::{ChargeOutcome, Payment, parse_currency};
use futures_util::StreamExt;
use reqwest::{Client, Response, StatusCode};
use resilience::{ConfigError, Dependency, DependencyConfig, retry};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

/// Largest answer that is read; a payment intent has about 2 KiB.
const ANSWER_MAX_BYTES: usize = 64 * 1024;

/// How to reach the provider.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Its base URL without `/v1`, such as `https://api.stripe.com`.
    pub base_url: String,
    /// Its secret key.
    pub api_key: String,
    /// Longest wait for one answer.
    pub call_timeout: Duration,
    /// Limits of breaker, bulkhead and retries.
    pub limits: DependencyConfig,
}

/// Why the provider cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The HTTP client cannot be made, or a call failed.
    #[error("the payment provider cannot be reached")]
    Http(#[from] reqwest::Error),
    /// A limit makes no sense.
    #[error("a limit of the payment provider makes no sense")]
    Limits(#[from] ConfigError),
    /// The provider's books cannot be read.
    #[error("the provider's ledger cannot be read: {0}")]
    Ledger(String),
}

/// One payment in the provider's own books.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LedgerEntry {
    /// The provider's name of the payment.
    pub payment_intent: String,
    /// The order it was made for.
    pub order_id: Option<String>,
    /// What was asked for, in minor units.
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// What was taken, in minor units.
    pub captured: i64,
    /// What was given back, in minor units.
    pub refunded: i64,
    /// The provider's word for where it stands.
    pub status: String,
}

/// Why the outcome of a call is not known.
struct Doubt {
    why: String,
    /// Whether anything was sent; if not, there is nothing to repeat.
    was_sent: bool,
}

/// The way to the provider.
pub struct Provider {
    http: Client,
    config: ProviderConfig,
    guards: Dependency,
}

impl Provider {
    /// Sets up the way to the provider; nothing is sent yet.
    ///
    /// # Errors
    /// See [`ProviderError`].
    pub fn new(config: ProviderConfig) -> Result<Self, ProviderError> {
        let http = Client::builder()
            .timeout(config.call_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .pool_max_idle_per_host(1_024)
            .build()?;
        let guards = Dependency::new("bank", &config.limits)?;
        Ok(Self { http, config, guards })
    }

    /// Asks for the money, through bulkhead and breaker, again with the same key while the answer
    /// is unknown and budget and deadline allow.
    pub async fn charge(&self, payment: &Payment, deadline: Instant) -> ChargeOutcome {
        let deadline = deadline.into();
        let permit = match self.guards.bulkhead.acquire(deadline).await {
            Ok(permit) => permit,
            Err(error) => return ChargeOutcome::Unknown { why: error.to_string() },
        };
        let outcome = retry(
            &self.guards.retry,
            &self.guards.retry_budget,
            deadline,
            rand::random,
            |_| self.charge_once(payment),
            |doubt: &Doubt| doubt.was_sent,
        )
        .await;
        drop(permit);
        outcome.unwrap_or_else(|doubt| ChargeOutcome::Unknown { why: doubt.why })
    }

    /// One call; `Err` says why its outcome is unknown.
    async fn charge_once(&self, payment: &Payment) -> Result<ChargeOutcome, Doubt> {
        let permit = self.guards.breaker.try_acquire().map_err(|open| Doubt {
            why: format!("the circuit breaker is open for {:?}", open.retry_after),
            was_sent: false,
        })?;
        let began = Instant::now();
        match self.call(payment).await {
            Ok(outcome) => {
                permit.success(began.elapsed());
                Ok(outcome)
            }
            Err(why) => {
                permit.failure(began.elapsed());
                tracing::warn!(event = "payment_unknown", order_id = %payment.order_id, cause = %why,
                    "the provider's answer is not known");
                Err(Doubt { why, was_sent: true })
            }
        }
    }

    async fn call(&self, payment: &Payment) -> Result<ChargeOutcome, String> {
        let order_id = payment.order_id.to_string();
        let amount = payment.amount.minor.to_string();
        let currency = payment.amount.currency.code().to_lowercase();
        let form = [
            ("amount", amount.as_str()),
            ("currency", currency.as_str()),
            ("payment_method", payment.method.as_str()),
            ("capture_method", payment.capture.as_str()),
            ("confirm", "true"),
            // A card that wants its holder to confirm is refused: nobody is there to do it.
            ("error_on_requires_action", "true"),
            // Only means of payment that settle without sending the customer somewhere.
            ("automatic_payment_methods[enabled]", "true"),
            ("automatic_payment_methods[allow_redirects]", "never"),
            ("metadata[order_id]", order_id.as_str()),
        ];
        let response = self
            .http
            .post(format!("{}/v1/payment_intents", self.config.base_url))
            .bearer_auth(&self.config.api_key)
            .header("Idempotency-Key", charge_key(payment))
            .form(&form)
            .send()
            .await
            .map_err(|error| chain(&error))?;
        let status = response.status().as_u16();
        let body = read_bounded(response).await?;
        match read_charge(status, &body, payment) {
            Reading::Known(outcome) => Ok(outcome),
            Reading::Unknown(why) => Err(why),
        }
    }

    /// The provider's own books, if it shows them.
    ///
    /// # Errors
    /// See [`ProviderError`].
    pub async fn ledger(&self) -> Result<Option<Vec<LedgerEntry>>, ProviderError> {
        let url = format!("{}/ledger", self.config.base_url);
        // The whole books: no time-out but the connection's own.
        let request = self.http.get(url).timeout(Duration::from_secs(600));
        let response = request.bearer_auth(&self.config.api_key).send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let mut stream = response.error_for_status()?.bytes_stream();
        let (mut entries, mut rest) = (Vec::new(), Vec::new());
        while let Some(chunk) = stream.next().await {
            rest.extend_from_slice(&chunk?);
            let complete = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            parse_lines(&rest[..complete], &mut entries)?;
            rest.drain(..complete);
        }
        parse_lines(&rest, &mut entries)?;
        Ok(Some(entries))
    }
}

/// The provider's key of a charge: derived from the order, never random, never used for another
/// amount. An order has one attempt to charge (`1`).
fn charge_key(payment: &Payment) -> String {
    format!("orderly-{}-1-charge", payment.order_id)
}

async fn read_bounded(response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        body.extend_from_slice(&chunk.map_err(|error| chain(&error))?);
        if body.len() > ANSWER_MAX_BYTES {
            return Err("the answer is too long".to_owned());
        }
    }
    Ok(body)
}

fn parse_lines(lines: &[u8], entries: &mut Vec<LedgerEntry>) -> Result<(), ProviderError> {
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let entry: LedgerEntry = serde_json::from_slice(line)
            .map_err(|error| ProviderError::Ledger(error.to_string()))?;
        if parse_currency(&entry.currency).is_none() {
            return Err(ProviderError::Ledger(format!("{} is no currency", entry.currency)));
        }
        entries.push(entry);
    }
    Ok(())
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
