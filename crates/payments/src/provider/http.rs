//! The provider over HTTP, spoken to as Stripe is: form-encoded requests, an `Idempotency-Key`,
//! JSON answers.

use super::answer::Answer;
use super::{Inquiry, LedgerEntry, PaymentProvider, ProviderConfig, ProviderError};
use async_trait::async_trait;
use domain::{ChargeOutcome, Operation, OperationOutcome, OrderId, Payment};
use futures_util::StreamExt;
use reqwest::{Client, IntoUrl, RequestBuilder, Response, Url};
use resilience::{Dependency, retry};
use tokio::time::Instant;

/// Largest answer that is read. A payment intent has about 2 KiB, and a search may find several.
const ANSWER_MAX_BYTES: usize = 256 * 1024;

/// The way to the provider.
pub struct HttpProvider {
    http: Client,
    /// Where orders are paid, read once.
    pub(super) charges: Url,
    pub(super) config: ProviderConfig,
    guards: Dependency,
    outgoing: Outgoing,
    #[cfg(feature = "simulation")]
    pub(super) wire: Option<std::sync::Arc<dyn super::wire::Wire>>,
}

/// What is told of the current trace: the id of the span that a request will be, and the value of its
/// header `traceparent`. `None` outside of any trace.
pub type Outgoing = fn() -> Option<(u64, String)>;

/// A kind of call, and for which order it is made.
#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) order_id: OrderId,
    pub(super) deadline: Instant,
}

/// How a definite answer is counted.
pub(super) trait Counted {
    /// `done` or `refused`.
    fn outcome(&self) -> &'static str;
}

impl Counted for ChargeOutcome {
    fn outcome(&self) -> &'static str {
        if matches!(self, Self::Declined { .. }) { "refused" } else { "done" }
    }
}

impl<T> Counted for Answer<T> {
    fn outcome(&self) -> &'static str {
        if matches!(self, Self::Refused(_)) { "refused" } else { "done" }
    }
}

/// Why the outcome of a call is not known.
struct Doubt {
    why: String,
    /// Whether anything was sent; if not, there is nothing to repeat.
    was_sent: bool,
}

fn count(call: &'static str, outcome: &'static str) {
    let labels = [("call", call), ("outcome", outcome)];
    metrics::counter!("payment_provider_calls_total", &labels).increment(1);
}

impl HttpProvider {
    /// Sets up the way to the provider; nothing is sent yet.
    ///
    /// # Errors
    /// See [`ProviderError`].
    pub fn new(config: ProviderConfig) -> Result<Self, ProviderError> {
        config.check()?;
        let http = Client::builder()
            .timeout(config.call_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .pool_max_idle_per_host(1_024)
            .build()?;
        let guards = Dependency::new("bank", &config.limits)?;
        let charges = Url::parse(&format!("{}/v1/payment_intents", config.base_url))
            .map_err(|source| ProviderError::BaseUrl(source.to_string()))?;
        Ok(Self {
            http,
            charges,
            config,
            guards,
            outgoing: || None,
            #[cfg(feature = "simulation")]
            wire: None,
        })
    }

    /// The same, telling the provider with each request which trace it belongs to.
    #[must_use]
    pub fn with_traces(self, outgoing: Outgoing) -> Self {
        Self { outgoing, ..self }
    }

    /// What stands in front of the provider, for display. Clones share their state.
    #[must_use]
    pub const fn guards(&self) -> &Dependency {
        &self.guards
    }

    /// A request that reads.
    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.config.base_url)).bearer_auth(&self.config.api_key)
    }

    /// A request that does something, once per key.
    pub(super) fn post(&self, path: &str, key: &str, form: &[(&str, &str)]) -> RequestBuilder {
        self.post_to(format!("{}{path}", self.config.base_url), key, form)
    }

    /// A request that does something, once per key.
    pub(super) fn post_to(
        &self,
        url: impl IntoUrl,
        key: &str,
        form: &[(&str, &str)],
    ) -> RequestBuilder {
        self.http
            .post(url)
            .bearer_auth(&self.config.api_key)
            .header("Idempotency-Key", key)
            .form(form)
    }

    /// Makes a call through bulkhead and breaker, and again while its outcome is unknown and
    /// budget and deadline allow. `Err` says why it is not known in the end.
    pub(super) async fn guarded<T: Counted>(
        &self,
        call: Call,
        request: impl Fn() -> RequestBuilder + Sync,
        read: impl Fn(u16, &[u8]) -> Result<T, String> + Sync,
    ) -> Result<T, String> {
        let permit = match self.guards.bulkhead.acquire(call.deadline).await {
            Ok(permit) => permit,
            Err(error) => {
                count(call.name, "not_made");
                return Err(error.to_string());
            }
        };
        let answer = retry(
            &self.guards.retry,
            &self.guards.retry_budget,
            call.deadline,
            || faults::chance(rand::random),
            |_| self.once(call, request(), &read),
            |doubt: &Doubt| doubt.was_sent,
        )
        .await;
        drop(permit);
        answer.map_err(|doubt| doubt.why)
    }

    /// Sends a request and reads the whole answer.
    async fn exchange(&self, request: RequestBuilder) -> Result<(u16, Vec<u8>), String> {
        #[cfg(feature = "simulation")]
        if let Some(wire) = &self.wire {
            return super::wire::exchange(&**wire, request, self.config.call_timeout).await;
        }
        exchange(request).await
    }

    /// One attempt.
    async fn once<T: Counted>(
        &self,
        call: Call,
        request: RequestBuilder,
        read: &(impl Fn(u16, &[u8]) -> Result<T, String> + Sync),
    ) -> Result<T, Doubt> {
        let permit = self.guards.breaker.try_acquire().map_err(|open| {
            count(call.name, "not_made");
            let why = format!("the circuit breaker is open for {:?}", open.retry_after);
            Doubt { why, was_sent: false }
        })?;
        let began = Instant::now();
        let told = (self.outgoing)();
        let request = match &told {
            Some((_, traceparent)) => request.header("traceparent", traceparent),
            None => request,
        };
        let answer = match self.exchange(request).await {
            Ok((status, body)) => read(status, &body),
            Err(why) => Err(why),
        };
        if let Some((span_id, _)) = told {
            tracing::info!(
                name: "http",
                target: "hop",
                label = call.name,
                took_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX),
                span_id,
                failed = answer.is_err(),
            );
        }
        match answer {
            Ok(answer) => {
                permit.success(began.elapsed());
                count(call.name, answer.outcome());
                Ok(answer)
            }
            Err(why) => {
                permit.failure(began.elapsed());
                count(call.name, "unknown");
                tracing::warn!(event = "payment_unknown", call = call.name,
                    order_id = %call.order_id, cause = %why,
                    "the provider's answer is not known");
                Err(Doubt { why, was_sent: true })
            }
        }
    }
}

#[async_trait]
impl PaymentProvider for HttpProvider {
    async fn charge(&self, payment: &Payment, deadline: Instant) -> ChargeOutcome {
        self.ask_for_money(payment, deadline).await
    }

    async fn inquire(&self, payment: &Payment, deadline: Instant) -> Inquiry {
        self.look_up(payment, deadline).await
    }

    async fn carry_out(
        &self,
        operation: &Operation,
        payment: &Payment,
        deadline: Instant,
    ) -> OperationOutcome {
        self.carry_out_after(operation, payment, 0, deadline).await
    }

    async fn carry_out_after(
        &self,
        operation: &Operation,
        payment: &Payment,
        taken: i64,
        deadline: Instant,
    ) -> OperationOutcome {
        let outcome = self.operate(operation, payment, taken, deadline).await;
        outcome.unwrap_or_else(|why| OperationOutcome::Unknown { why })
    }

    async fn ledger(&self) -> Result<Option<Vec<LedgerEntry>>, ProviderError> {
        self.read_ledger().await
    }

    fn webhook_secrets(&self) -> &[String] {
        &self.config.webhook_secrets
    }
}

/// Sends a request and reads the whole answer, which is bounded. `Err` says what was seen.
async fn exchange(request: RequestBuilder) -> Result<(u16, Vec<u8>), String> {
    let response = request.send().await.map_err(|error| chain(&error))?;
    let status = response.status().as_u16();
    Ok((status, read_bounded(response).await?))
}

async fn read_bounded(response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| chain(&error))?;
        if body.len() + chunk.len() > ANSWER_MAX_BYTES {
            return Err("the answer is too long".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
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
