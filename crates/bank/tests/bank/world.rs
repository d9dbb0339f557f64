//! A bank on a free port, and a client for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use bank::{BankConfig, BankError, RunningBank, WebhookConfig};
use domain::{Clock, IdSource, Timestamp};
use reqwest::Client;
use serde_json::Value;
use uuid::Uuid;

struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1_000_000, Ordering::Relaxed))
    }
}

struct Counting(AtomicU64);

impl IdSource for Counting {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

/// A bank on a free port with a ledger of its own, and a client for it.
pub struct World {
    bank: Option<RunningBank>,
    pub client: Client,
    folder: PathBuf,
    api_key: Option<String>,
    /// Where a bank that starts sends its events.
    pub webhook: Option<WebhookConfig>,
    clock: Arc<Ticking>,
    ids: Arc<Counting>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub replayed: bool,
    pub retry_after: String,
    /// Whether its length was told beforehand.
    pub has_length: bool,
    pub content_type: String,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn error(&self) -> Value {
        self.json()["error"].take()
    }

    pub fn id(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()["id"].as_str().expect("an id").to_owned()
    }
}

impl World {
    pub async fn start() -> Self {
        Self::with_key(None).await
    }

    pub async fn with_key(api_key: Option<&str>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Fails if another test was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bank-http-{}-{number}", std::process::id());
        let mut world = Self {
            bank: None,
            client: Client::builder().no_proxy().build().unwrap(),
            folder: std::env::temp_dir().join(name),
            api_key: api_key.map(str::to_owned),
            webhook: None,
            clock: Arc::new(Ticking(AtomicI64::new(1_700_000_000_000_000))),
            ids: Arc::new(Counting(AtomicU64::new(1))),
        };
        world.bank = Some(world.open().await.unwrap());
        world
    }

    pub async fn open(&self) -> Result<RunningBank, BankError> {
        let config = BankConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            ledger: self.folder.join("ledger.ndjson"),
            api_key: self.api_key.clone(),
            workers: 1,
            webhook: self.webhook.clone(),
        };
        bank::start(config, self.clock.clone(), self.ids.clone()).await
    }

    pub async fn restart(&mut self) {
        self.bank.take().unwrap().stop().await;
        self.bank = Some(self.open().await.unwrap());
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.bank.as_ref().unwrap().url())
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap()
    }

    /// Fails if the answer does not come, or breaks off.
    pub async fn try_send(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        Ok(Answer {
            status: response.status().as_u16(),
            replayed: header("idempotent-replayed") == "true",
            retry_after: header("retry-after"),
            has_length: !header("content-length").is_empty(),
            content_type: header("content-type"),
            text: response.text().await?,
        })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.client.get(self.url(path)).bearer_auth("sk_test_1")).await
    }

    pub async fn post(&self, path: &str, key: &str, form: &[(&str, &str)]) -> Answer {
        self.try_post(path, key, form).await.unwrap()
    }

    pub async fn try_post(
        &self,
        path: &str,
        key: &str,
        form: &[(&str, &str)],
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.client.post(self.url(path)).bearer_auth("sk_test_1").form(form);
        if !key.is_empty() {
            request = request.header("Idempotency-Key", key);
        }
        self.try_send(request).await
    }

    pub async fn charge(&self, key: &str, amount: &str, more: &[(&str, &str)]) -> Answer {
        self.try_charge(key, amount, more).await.unwrap()
    }

    pub async fn try_charge(
        &self,
        key: &str,
        amount: &str,
        more: &[(&str, &str)],
    ) -> Result<Answer, reqwest::Error> {
        let mut form = vec![("amount", amount), ("currency", "usd"), ("confirm", "true")];
        if !more.iter().any(|(name, _)| *name == "payment_method") {
            form.push(("payment_method", "pm_card_visa"));
        }
        form.extend_from_slice(more);
        self.try_post("/v1/payment_intents", key, &form).await
    }

    /// Authorises an amount to be captured later. Gives the intent's id.
    pub async fn authorise(&self, key: &str, amount: &str) -> String {
        self.charge(key, amount, &[("capture_method", "manual")]).await.id()
    }

    /// Captures `amount`; the rest stays authorised if `more` is to come.
    pub async fn capture(&self, id: &str, key: &str, amount: &str, more: bool) -> Answer {
        let last = if more { "false" } else { "true" };
        let form = [("amount_to_capture", amount), ("final_capture", last)];
        self.post(&format!("/v1/payment_intents/{id}/capture"), key, &form).await
    }

    /// The intent as the bank shows it.
    pub async fn intent(&self, id: &str) -> Value {
        self.get(&format!("/v1/payment_intents/{id}")).await.json()
    }

    pub async fn ledger(&self) -> Vec<Value> {
        let answer = self.send(self.client.get(self.url("/ledger"))).await;
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/x-ndjson"));
        answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub async fn put_faults(&self, body: &str) -> Answer {
        self.send(self.client.put(self.url("/faults")).body(body.to_owned())).await
    }

    /// Switches these faults on and all others off.
    pub async fn suffer(&self, faults: &Value) {
        let set = self.put_faults(&faults.to_string()).await;
        assert_eq!(set.status, 200, "{}", set.text);
    }

    /// Switches all faults off.
    pub async fn recover(&self) {
        assert_eq!(self.put_faults("{}").await.status, 200);
    }

    /// How often a fault has happened.
    pub async fn fired(&self, fault: &str) -> u64 {
        let counts = self.get("/faults/fired").await.json();
        counts[fault].as_u64().unwrap_or_else(|| panic!("{fault} is not counted: {counts}"))
    }

    /// Sends events to `url` from now on.
    pub async fn put_webhook(&self, url: &str, secret: &str) -> Answer {
        let body = serde_json::json!({"url": url, "secret": secret}).to_string();
        self.send(self.client.put(self.url("/webhook")).body(body)).await
    }

    pub async fn finish(mut self) {
        self.bank.take().unwrap().stop().await;
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}
