//! A client of the REST API.

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use std::sync::Once;
use std::time::Duration;

/// The API key that worlds are started with.
pub const ADMIN_KEY: &str = "admin-key-of-the-tests-0123456789";

/// A client of one server with one API key.
#[derive(Clone)]
pub struct Api {
    pub http: Client,
    pub base: String,
    pub key: String,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

/// An HTTP client that never goes through a proxy and never waits for ever.
pub fn http_client() -> Client {
    static CRYPTOGRAPHY: Once = Once::new();
    CRYPTOGRAPHY.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder().no_proxy().timeout(Duration::from_secs(180)).build().unwrap()
}

impl Api {
    pub fn new(base: String) -> Self {
        Self { http: http_client(), base, key: ADMIN_KEY.to_owned() }
    }

    /// A request with the key.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    /// The same client with another key or token.
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        send(self.request(Method::PUT, path).json(body)).await
    }

    /// A POST without idempotency key.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        send(self.request(Method::POST, path).json(body)).await
    }

    /// A POST with an idempotency key.
    pub fn keyed(&self, path: &str, key: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, path).header("Idempotency-Key", key).json(body)
    }

    /// An order, with as much time as there is.
    pub fn order(&self, key: &str, body: &Value) -> RequestBuilder {
        self.keyed("/v1/orders", key, body).header("X-Request-Timeout-Ms", "60000")
    }

    /// Places an order.
    pub async fn place(&self, key: &str, body: &Value) -> Reply {
        send(self.order(key, body)).await
    }

    /// A POST of newline-delimited JSON; the outcomes by line number.
    pub async fn stream(&self, path: &str, key: Option<&str>, lines: &[String]) -> Outcomes {
        let mut request = self
            .request(Method::POST, path)
            .header("Content-Type", "application/x-ndjson")
            .header("X-Request-Timeout-Ms", "60000")
            .body(lines.join("\n"));
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let reply = send(request).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.header("content-type"), "application/x-ndjson");
        Outcomes(reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }
}

/// The outcomes of a stream.
#[derive(Debug)]
pub struct Outcomes(pub Vec<Value>);

impl Outcomes {
    /// The one outcome of a line, counted from 1.
    pub fn of(&self, line: usize) -> &Value {
        let mut found = self.0.iter().filter(|outcome| outcome["line"] == line);
        let first = found.next().unwrap_or_else(|| panic!("no outcome of line {line}: {self:?}"));
        assert!(found.next().is_none(), "two outcomes of line {line}");
        first
    }

    /// Status and code (empty when all is well) of a line.
    pub fn status(&self, line: usize) -> (u64, &str) {
        let outcome = self.of(line);
        let code = outcome["error"]["code"].as_str().unwrap_or("");
        (outcome["status"].as_u64().unwrap(), code)
    }
}

/// Sends a request and reads the answer.
pub async fn send(request: RequestBuilder) -> Reply {
    try_send(request).await.unwrap()
}

/// Like [`send`], where the server may be gone.
pub async fn try_send(request: RequestBuilder) -> Result<Reply, reqwest::Error> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Reply { status, headers, text: response.text().await? })
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error} in {}: {}", self.status, self.text))
    }

    /// A header, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    pub fn is_replay(&self) -> bool {
        self.header("idempotent-replayed") == "true"
    }

    /// Fails unless the status is `expected`; gives the body.
    pub fn expect(&self, expected: u16) -> Value {
        assert_eq!(self.status, expected, "{}", self.text);
        self.json()
    }

    /// Fails unless it is a whole problem of this kind; gives the body.
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{body}");
        check_problem(&body);
        assert_eq!(body["status"], status, "{body}");
        assert_eq!(body["trace_id"], self.header("x-trace-id"), "{body}");
        body
    }

    /// The id of the order that the answer shows or names.
    pub fn order_id(&self) -> String {
        let body = self.json();
        let id = body["id"].as_str().or(body["details"]["order_id"].as_str());
        id.unwrap_or_else(|| panic!("no order in {}: {body}", self.status)).to_owned()
    }
}

/// Fails unless every member of a problem is there.
pub fn check_problem(body: &Value) {
    for member in ["type", "title", "code", "message", "trace_id"] {
        let text = body[member].as_str().unwrap_or("");
        assert!(!text.is_empty(), "{member} is missing in {body}");
    }
    assert!(body["status"].is_u64() && body["retryable"].is_boolean(), "{body}");
    assert!(body["details"].is_object(), "{body}");
    let trace_id = body["trace_id"].as_str().unwrap();
    assert!(trace_id.len() == 32 && trace_id.bytes().all(|b| b.is_ascii_hexdigit()), "{body}");
}

/// Whether a problem names this place.
pub fn points_at(problem: &Value, pointer: &str) -> bool {
    let errors = problem["errors"].as_array();
    errors.is_some_and(|errors| errors.iter().any(|fault| fault["pointer"] == pointer))
}
