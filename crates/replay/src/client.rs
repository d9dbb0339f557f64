//! One HTTP call with the retries a careful client makes: always with the same idempotency key,
//! so that a repeated call has no second effect.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::wire;

/// How often a call is repeated whose answer never came.
const MAX_LOST: u32 = 5;
/// How long one call may wait for an overloaded server, all waits together.
const MAX_WAITED: Duration = Duration::from_secs(300);
/// How long an answer is waited for: longer than the server takes at most.
const CALL_TIMEOUT: Duration = Duration::from_secs(65);
/// The longest and the shortest wait before a call is repeated.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
/// When the server says "later" but not when.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// Why a call has no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No answer came, however often the call was repeated.
    #[error("{call}: no answer after {attempts} attempts")]
    Unreachable {
        /// Method and path.
        call: String,
        /// Calls made.
        attempts: u32,
        /// What went wrong with the last one.
        #[source]
        source: reqwest::Error,
    },
    /// The server answered with an error.
    #[error("{call}: answered {status}: {body}")]
    Refused {
        /// Method and path.
        call: String,
        /// HTTP status.
        status: u16,
        /// Start of the body.
        body: String,
    },
    /// The answer is not what the contract says.
    #[error("{call}: the answer cannot be read")]
    Malformed {
        /// Method and path.
        call: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// How often calls were repeated, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Retries {
    /// The server was overloaded or the quota used up (429, 503).
    pub overloaded: u64,
    /// An earlier call with the same key was still running (409 `IDEMPOTENCY_IN_PROGRESS`).
    pub in_progress: u64,
    /// The server's deadline passed before anything durable happened (504).
    pub deadline: u64,
    /// The connection failed or the answer did not come.
    pub connection: u64,
}

impl Retries {
    pub(crate) fn add(&mut self, other: Self) {
        self.overloaded += other.overloaded;
        self.in_progress += other.in_progress;
        self.deadline += other.deadline;
        self.connection += other.connection;
    }

    /// Whether an earlier attempt of this call may have had its effect, so that an answer marked
    /// as replayed can be the answer to this very call.
    pub(crate) fn unclear(self) -> bool {
        self.in_progress + self.deadline + self.connection > 0
    }
}

/// What one attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Overloaded(Option<Duration>),
    InProgress(Option<Duration>),
    Deadline,
    Lost,
    Final,
}

/// Reads an attempt from its answer.
fn attempt(status: u16, code: Option<&str>, retry_after: Option<Duration>) -> Attempt {
    match (status, code) {
        (429 | 503, _) => Attempt::Overloaded(retry_after),
        (409, Some("IDEMPOTENCY_IN_PROGRESS")) => Attempt::InProgress(retry_after),
        (504, _) => Attempt::Deadline,
        _ => Attempt::Final,
    }
}

/// The attempts of one call so far.
#[derive(Debug, Default)]
struct Attempts {
    retries: Retries,
    waited: Duration,
}

impl Attempts {
    /// How long to wait before the call is made again; `None`: take what there is.
    fn again(&mut self, attempt: Attempt) -> Option<Duration> {
        let failures = u32::try_from(self.retries.connection + self.retries.deadline).ok()?;
        let wait = match attempt {
            Attempt::Final => return None,
            Attempt::Overloaded(after) | Attempt::InProgress(after) => {
                after.unwrap_or(DEFAULT_WAIT).clamp(SHORTEST_WAIT, LONGEST_WAIT)
            }
            Attempt::Lost | Attempt::Deadline if failures >= MAX_LOST => return None,
            Attempt::Lost | Attempt::Deadline => Duration::from_millis(100 << failures),
        };
        if self.waited + wait > MAX_WAITED {
            return None;
        }
        self.waited += wait;
        match attempt {
            Attempt::Overloaded(_) => self.retries.overloaded += 1,
            Attempt::InProgress(_) => self.retries.in_progress += 1,
            Attempt::Deadline => self.retries.deadline += 1,
            Attempt::Lost => self.retries.connection += 1,
            Attempt::Final => {}
        }
        Some(wait)
    }
}

/// One call to be made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Call<'a> {
    /// Path below the target, for example `/v1/orders`.
    pub path: &'a str,
    /// Query parameters, not yet encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// With a body the call is a POST, else a GET.
    pub body: Option<Body<'a>>,
    /// Value of `Idempotency-Key`.
    pub key: Option<&'a str>,
    /// How long the server may take, if not as long as it does by itself.
    pub patience: Option<Duration>,
}

/// A request body.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// One JSON document.
    Json(&'a [u8]),
    /// JSON documents, one a line.
    Ndjson(&'a [u8]),
}

/// An answer of the server, of any status.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Idempotent-Replayed: true` was set: the answer was given to an earlier call first.
    pub replayed: bool,
    /// The whole body.
    pub body: Vec<u8>,
    /// How often the call was made again.
    pub retries: Retries,
}

/// The REST API of one server.
pub struct Api {
    http: reqwest::Client,
    base: String,
    api_key: String,
}

impl Api {
    /// A client that keeps up to `connections` connections open.
    ///
    /// # Errors
    /// The target is not a URL, or the TLS set-up of the machine is broken.
    pub fn new(target: &str, api_key: &str, connections: usize) -> anyhow::Result<Self> {
        use anyhow::Context as _;
        let url = reqwest::Url::parse(target)
            .with_context(|| format!("the target `{target}` is not a URL"))?;
        anyhow::ensure!(
            matches!(url.scheme(), "http" | "https") && url.host_str().is_some(),
            "the target `{target}` is not an http or https URL"
        );
        // Whoever came first has installed a provider; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .pool_max_idle_per_host(connections)
            .connect_timeout(Duration::from_secs(5))
            .timeout(CALL_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if url.scheme() == "http" {
            // Without TLS no certificates are needed, and a bare machine may have none.
            http = http.tls_certs_only([]);
        }
        let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if loopback {
            http = http.no_proxy();
        }
        Ok(Self {
            http: http.build().context("cannot set up the HTTP client")?,
            base: target.trim_end_matches('/').to_owned(),
            api_key: api_key.to_owned(),
        })
    }

    /// Makes the call, and makes it again while the server asks for patience or does not answer.
    ///
    /// # Errors
    /// [`ApiError::Unreachable`] when no attempt was answered. Every HTTP status is an answer.
    pub async fn call(&self, call: Call<'_>) -> Result<Answer, ApiError> {
        let mut attempts = Attempts::default();
        loop {
            let tried = self.once(call).await;
            let wait = attempts.again(match &tried {
                Ok((answer, retry_after)) => {
                    // Only a conflict has codes of both kinds.
                    let conflict = answer.status == 409;
                    let code = conflict.then(|| wire::problem_code(&answer.body)).flatten();
                    attempt(answer.status, code.as_deref(), *retry_after)
                }
                Err(_) => Attempt::Lost,
            });
            match (wait, tried) {
                (Some(wait), _) => tokio::time::sleep(wait).await,
                (None, Ok((answer, _))) => {
                    return Ok(Answer { retries: attempts.retries, ..answer });
                }
                (None, Err(source)) => {
                    let Retries { overloaded, in_progress, deadline, connection } =
                        attempts.retries;
                    let repeats = overloaded + in_progress + deadline + connection;
                    return Err(ApiError::Unreachable {
                        call: call.name(),
                        attempts: u32::try_from(repeats + 1).unwrap_or(u32::MAX),
                        source,
                    });
                }
            }
        }
    }

    /// Makes the call once.
    async fn once(&self, call: Call<'_>) -> reqwest::Result<(Answer, Option<Duration>)> {
        let url = format!("{}{}", self.base, call.path);
        let mut request = match call.body {
            None => self.http.get(url),
            Some(Body::Json(body)) => {
                self.http.post(url).header(CONTENT_TYPE, "application/json").body(body.to_vec())
            }
            Some(Body::Ndjson(body)) => {
                self.http.post(url).header(CONTENT_TYPE, "application/x-ndjson").body(body.to_vec())
            }
        };
        request = request.bearer_auth(&self.api_key);
        if !call.query.is_empty() {
            request = request.query(call.query);
        }
        if let Some(key) = call.key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(patience) = call.patience {
            // Whole milliseconds; a longer time than the server grants means what it grants.
            request = request.header("X-Request-Timeout-Ms", patience.as_millis().to_string());
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let replayed = response.headers().get("Idempotent-Replayed").is_some_and(|v| v == "true");
        let retry_after = retry_after(response.headers());
        let body = response.bytes().await?.to_vec();
        Ok((Answer { status, replayed, body, retries: Retries::default() }, retry_after))
    }

    /// Makes a call that must succeed, and reads its JSON.
    ///
    /// # Errors
    /// As [`Api::call`]; also any status but 200, and a body of another shape.
    pub async fn read<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, ApiError> {
        let answer = self.call(call).await?;
        if answer.status != 200 {
            return Err(call.refused(&answer));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|source| ApiError::Malformed { call: call.name(), source })
    }
}

impl Call<'_> {
    /// Method and path, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", if self.body.is_some() { "POST" } else { "GET" }, self.path)
    }

    /// The error of an answer that should have been a success.
    pub(crate) fn refused(&self, answer: &Answer) -> ApiError {
        let body = wire::excerpt(&answer.body);
        ApiError::Refused { call: self.name(), status: answer.status, body }
    }
}

/// `Retry-After` in seconds. A date is not read: its sender's clock may differ from ours.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_that_ask_for_it_are_tried_again() {
        let after = Some(Duration::from_secs(7));
        assert_eq!(attempt(503, None, after), Attempt::Overloaded(after));
        assert_eq!(attempt(429, Some("RATE_LIMITED"), None), Attempt::Overloaded(None));
        assert_eq!(
            attempt(409, Some("IDEMPOTENCY_IN_PROGRESS"), after),
            Attempt::InProgress(after)
        );
        assert_eq!(attempt(504, None, None), Attempt::Deadline);
        for (status, code) in [(201, None), (409, Some("OUT_OF_STOCK")), (500, None), (422, None)] {
            assert_eq!(attempt(status, code, after), Attempt::Final, "{status}");
        }
    }

    #[test]
    fn waits_as_long_as_the_server_says_within_bounds() {
        let mut attempts = Attempts::default();
        let mut wait =
            |after: u64| attempts.again(Attempt::Overloaded(Some(Duration::from_secs(after))));
        assert_eq!(wait(7), Some(Duration::from_secs(7)));
        assert_eq!(wait(0), Some(SHORTEST_WAIT));
        assert_eq!(wait(3_600), Some(LONGEST_WAIT));
        assert_eq!(attempts.again(Attempt::Overloaded(None)), Some(DEFAULT_WAIT));
        assert_eq!(attempts.retries.overloaded, 4);
        assert!(!attempts.retries.unclear());
    }

    #[test]
    fn an_overloaded_server_is_not_waited_for_for_ever() {
        let mut attempts = Attempts::default();
        let mut waits = 0;
        while attempts.again(Attempt::Overloaded(Some(LONGEST_WAIT))).is_some() {
            waits += 1;
        }
        assert_eq!(waits, 10);
    }

    #[test]
    fn a_lost_call_is_repeated_five_times_with_growing_waits() {
        let mut attempts = Attempts::default();
        let waits: Vec<u128> = std::iter::from_fn(|| attempts.again(Attempt::Lost))
            .map(|wait| wait.as_millis())
            .collect();
        assert_eq!(waits, [100, 200, 400, 800, 1_600]);
        assert_eq!(attempts.retries.connection, 5);
        assert!(attempts.retries.unclear());
    }

    #[test]
    fn a_final_answer_is_not_repeated() {
        assert_eq!(Attempts::default().again(Attempt::Final), None);
    }

    #[test]
    fn reads_retry_after_in_seconds_only() {
        let headers = |value: &str| HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
        assert_eq!(retry_after(&headers("3")), Some(Duration::from_secs(3)));
        assert_eq!(retry_after(&headers("Wed, 21 Oct 2026 07:28:00 GMT")), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn a_target_that_is_no_web_address_is_refused() {
        for target in ["", "127.0.0.1:8080", "ftp://example.com", "http://"] {
            assert!(Api::new(target, "key", 1).is_err(), "{target}");
        }
        assert!(Api::new("http://127.0.0.1:8080/", "key", 1).is_ok());
    }
}
