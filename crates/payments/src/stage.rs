//! A stage on which a test plays the provider: it answers each request with the next line of its
//! script, and remembers what it heard.

use crate::provider::{AuthorizationExpiry, ProviderConfig};
use domain::{
    Capture, Currency, Money, Operation, OperationId, OperationKind, OperationStatus, OrderId,
    Payment, PaymentId, PaymentStatus,
};
use resilience::{BreakerConfig, BulkheadConfig, DependencyConfig, RetryBudgetConfig, RetryPolicy};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use uuid::Uuid;

/// One answer.
pub(crate) enum Play {
    /// A status and a body of JSON.
    Json(u16, String),
    /// These bytes, and then the connection ends.
    Raw(String),
    /// The connection ends without an answer.
    Close,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Method and path, such as `POST /v1/refunds`.
    pub(crate) what: String,
    pub(crate) key: Option<String>,
    pub(crate) authorization: Option<String>,
    /// Parameters of the body or of the query.
    pub(crate) form: BTreeMap<String, String>,
}

impl Heard {
    pub(crate) fn field(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }
}

/// The stage.
pub(crate) struct Stage {
    pub(crate) url: String,
    script: Arc<Mutex<VecDeque<Play>>>,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Stage {
    /// A stage with a script. When the script is over, connections end without an answer.
    pub(crate) async fn open(script: Vec<Play>) -> Self {
        // Once per process; the second time it is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let script = Arc::new(Mutex::new(VecDeque::from(script)));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (lines, ears) = (script.clone(), heard.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                serve(stream, &lines, &ears).await;
            }
        });
        Self { url, script, heard }
    }

    /// What was heard since the last look.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut *self.heard.lock().expect("a lock"))
    }

    /// Adds to the script.
    pub(crate) fn then(&self, play: Play) {
        self.script.lock().expect("a lock").push_back(play);
    }

    /// A configuration that leads here: one attempt per call.
    pub(crate) fn config(&self) -> ProviderConfig {
        ProviderConfig {
            base_url: self.url.clone(),
            api_key: "sk_test".to_owned(),
            call_timeout: Duration::from_secs(60),
            limits: limits(1),
            authorization_expiry: AuthorizationExpiry::Reauthorize,
            webhook_secrets: vec!["whsec_new".to_owned(), "whsec_old".to_owned()],
        }
    }
}

/// Guards that let everything pass.
pub(crate) fn limits(attempts_max: u32) -> DependencyConfig {
    DependencyConfig {
        breaker: BreakerConfig {
            slot: Duration::from_secs(1),
            slots: 10,
            calls_min: 1_000,
            failure_percent: 100,
            slow_call: Duration::from_secs(3_600),
            open_for: Duration::from_secs(5),
            probes: 1,
        },
        bulkhead: BulkheadConfig { in_flight_max: 10, waiting_max: 100 },
        retry: RetryPolicy {
            attempts_max,
            backoff_first: Duration::ZERO,
            backoff_max: Duration::ZERO,
        },
        retry_budget: RetryBudgetConfig { percent: 100, initial: 100, saved_max: 100 },
    }
}

async fn serve(mut stream: TcpStream, script: &Mutex<VecDeque<Play>>, heard: &Mutex<Vec<Heard>>) {
    let Some(request) = listen(&mut stream).await else { return };
    heard.lock().expect("a lock").push(request);
    let play = script.lock().expect("a lock").pop_front().unwrap_or(Play::Close);
    let text = match play {
        Play::Close => return,
        Play::Raw(text) => text,
        Play::Json(status, body) => format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        ),
    };
    // A client that has had enough of a long answer closes first.
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn listen(stream: &mut TcpStream) -> Option<Heard> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head of text");
    let header = |name: &str| {
        let found = head.lines().filter_map(|line| line.split_once(": "));
        found.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned()).next()
    };
    let length = header("content-length").map_or(0, |text| text.parse().expect("a length"));
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[end..].to_vec()).expect("a body of text");
    let line = head.lines().next()?.strip_suffix(" HTTP/1.1")?;
    let (what, query) = line.split_once('?').unwrap_or((line, ""));
    let pairs = if query.is_empty() { &body } else { query };
    Some(Heard {
        what: what.to_owned(),
        key: header("idempotency-key"),
        authorization: header("authorization"),
        form: pairs
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect(),
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().expect("a digit"), rest.next().expect("a digit")];
                let digits = std::str::from_utf8(&digits).expect("digits");
                u8::from_str_radix(digits, 16).expect("digits")
            }
            other => other,
        });
    }
    String::from_utf8(bytes).expect("text")
}

/// A moment that does not come.
pub(crate) fn later() -> Instant {
    Instant::now() + Duration::from_secs(600)
}

pub(crate) const ORDER: OrderId = OrderId(Uuid::from_u128(2));

/// What a payment of 5 dollars with a card is at first.
pub(crate) fn sending(capture: Capture) -> Payment {
    Payment {
        id: PaymentId(Uuid::from_u128(1)),
        order_id: ORDER,
        amount: Money::new(500, Currency::USD),
        capture,
        method: "pm_card_visa".to_owned(),
        status: PaymentStatus::Sending,
        provider_ref: None,
        decline_code: None,
    }
}

/// The same, when the provider has answered: it is `pi_1`.
pub(crate) fn settled(capture: Capture) -> Payment {
    let status = match capture {
        Capture::Automatic => PaymentStatus::Captured,
        Capture::Manual => PaymentStatus::Authorized,
    };
    Payment { status, provider_ref: Some("pi_1".to_owned()), ..sending(capture) }
}

/// An open operation on that payment; its name is its leg.
pub(crate) fn operation(leg: i64, kind: OperationKind, minor: i64) -> Operation {
    Operation {
        id: OperationId(Uuid::from_u128(u128::from(leg.unsigned_abs()))),
        order_id: ORDER,
        payment_id: PaymentId(Uuid::from_u128(1)),
        leg,
        kind,
        amount: Money::new(minor, Currency::USD),
        status: OperationStatus::Open,
        provider_ref: None,
        refusal_code: None,
    }
}

/// The same, done.
pub(crate) fn done(operation: Operation, provider_ref: &str) -> Operation {
    Operation {
        status: OperationStatus::Done,
        provider_ref: Some(provider_ref.to_owned()),
        ..operation
    }
}

/// An intent of that payment as the provider shows it.
pub(crate) fn intent(id: &str, status: &str, received: i64) -> String {
    format!(
        r#"{{"id":"{id}","object":"payment_intent","amount":500,"amount_received":{received},
            "currency":"usd","status":"{status}","created":5,"cancellation_reason":null,
            "last_payment_error":null,"metadata":{{"order_id":"{ORDER}"}}}}"#
    )
}

/// A refusal of a request.
pub(crate) fn refusal(code: &str) -> String {
    format!(r#"{{"error":{{"type":"invalid_request_error","code":"{code}","message":"No."}}}}"#)
}

/// The refusal of something that the status of the intent does not allow; it shows the intent.
pub(crate) fn unexpected(intent: &str) -> String {
    format!(
        r#"{{"error":{{"type":"invalid_request_error","code":"payment_intent_unexpected_state",
            "message":"No.","payment_intent":{intent}}}}}"#
    )
}
