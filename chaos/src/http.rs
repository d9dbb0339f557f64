//! HTTP as the harness's clients speak it.

use anyhow::Result;
use reqwest::{Client, Method};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Once;
use std::time::Duration;

/// A client that waits at most `patience` for an answer. It keeps its connections or takes a new
/// one, hence another node, for each request.
///
/// # Errors
/// The client cannot be made.
pub fn client(patience: Duration, keep_alive: bool) -> Result<Client> {
    static CRYPTOGRAPHY: Once = Once::new();
    CRYPTOGRAPHY.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let idle = if keep_alive { 8 } else { 0 };
    let builder = Client::builder().no_proxy().http1_only().tcp_nodelay(true);
    Ok(builder.timeout(patience).pool_max_idle_per_host(idle).build()?)
}

/// A request that can be sent again.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// The idempotency key.
    pub key: Option<String>,
    /// The body.
    pub body: Option<Value>,
    /// Other headers.
    pub headers: Vec<(&'static str, String)>,
    /// How long the client waits, if not as long as always.
    pub patience: Option<Duration>,
}

impl Request {
    /// A read.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            key: None,
            body: None,
            headers: Vec::new(),
            patience: None,
        }
    }

    /// A write with a key.
    #[must_use]
    pub fn post(path: impl Into<String>, key: impl Into<String>, body: Value) -> Self {
        let get = Self::get(path);
        Self { method: Method::POST, key: Some(key.into()), body: Some(body), ..get }
    }

    /// A replacement.
    #[must_use]
    pub fn put(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PUT, body: Some(body), ..Self::get(path) }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
    /// Seconds of `Retry-After`.
    pub retry_after: Option<u64>,
    /// `Location`.
    pub location: Option<String>,
    /// `ETag`.
    pub etag: Option<String>,
    /// Whether it says that it was given before.
    pub replayed: bool,
}

impl Answer {
    /// The body as JSON, null if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The code of a problem; empty if it is none.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The order that it shows or names.
    #[must_use]
    pub fn order_id(&self) -> Option<String> {
        let body = self.json();
        let named = [&body["details"]["order_id"], &body["order"]["id"], &body["id"]];
        named.into_iter().find_map(Value::as_str).map(str::to_owned)
    }

    /// SHA-256 of the body, the first 16 hex digits: enough to tell two answers apart.
    #[must_use]
    pub fn digest(&self) -> String {
        let hash = Sha256::digest(self.body.as_bytes());
        hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether the request is decided: the same key gives this answer for ever. What is not may
    /// have happened or not, and is asked again.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        match self.status {
            200..=299 => true,
            408 | 425 | 429 => false,
            409 => self.code() != "IDEMPOTENCY_IN_PROGRESS",
            400..=499 => true,
            _ => false,
        }
    }
}

/// Somebody who asks one place.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    base: String,
    key: String,
}

impl Api {
    /// Asks at `base` with an API key.
    #[must_use]
    pub fn new(client: Client, base: impl Into<String>, key: &str) -> Self {
        Self { client, base: base.into(), key: key.to_owned() }
    }

    /// Sends a request and reads the answer; `Err` says what became of the connection.
    ///
    /// # Errors
    /// No answer, or only a part of one.
    pub async fn send(&self, request: &Request) -> Result<Answer, String> {
        let url = format!("{}{}", self.base, request.path);
        let mut builder = self.client.request(request.method.clone(), url).bearer_auth(&self.key);
        if let Some(key) = &request.key {
            builder = builder.header("Idempotency-Key", key);
        }
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        if let Some(patience) = request.patience {
            builder = builder.timeout(patience);
        }
        let response = builder.send().await.map_err(|error| chain(&error))?;
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let mut answer = Answer {
            status: response.status().as_u16(),
            body: String::new(),
            retry_after: header("retry-after").and_then(|text| text.parse().ok()),
            location: header("location"),
            etag: header("etag"),
            replayed: header("idempotent-replayed").as_deref() == Some("true"),
        };
        answer.body = response.text().await.map_err(|error| chain(&error))?;
        Ok(answer)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubt_is_asked_again() {
        let answer = |status, code: &str| Answer {
            status,
            body: format!(r#"{{"code":"{code}"}}"#),
            ..Answer::default()
        };
        for (status, code) in [
            (201, ""),
            (202, ""),
            (402, "PAYMENT_DECLINED"),
            (409, "OUT_OF_STOCK"),
            (422, "IDEMPOTENCY_KEY_REUSED"),
        ] {
            assert!(answer(status, code).is_decided(), "{status} {code}");
        }
        for (status, code) in [
            (409, "IDEMPOTENCY_IN_PROGRESS"),
            (429, "RATE_LIMITED"),
            (500, "INTERNAL"),
            (503, "OVERLOADED"),
            (504, "DEADLINE_EXCEEDED"),
        ] {
            assert!(!answer(status, code).is_decided(), "{status} {code}");
        }
    }

    #[test]
    fn the_order_is_found_in_answers_and_problems() {
        let id = |body: &str| Answer { body: body.to_owned(), ..Answer::default() }.order_id();
        assert_eq!(id(r#"{"id":"a"}"#).as_deref(), Some("a"));
        assert_eq!(id(r#"{"details":{"order_id":"b"}}"#).as_deref(), Some("b"));
        assert_eq!(id(r#"{"order":{"id":"c"},"refund":{"id":"d"}}"#).as_deref(), Some("c"));
        assert_eq!(id("no json"), None);
    }
}
