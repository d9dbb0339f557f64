//! A shop that takes events.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, mpsc};

/// An attempt to tell an event.
#[derive(Debug)]
pub struct Told {
    /// The whole `Stripe-Signature`.
    pub signature: String,
    pub body: String,
}

impl Told {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn id(&self) -> String {
        self.json()["id"].as_str().unwrap().to_owned()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    /// The id of the object that it tells about.
    pub fn about(&self) -> String {
        self.json()["data"]["object"]["id"].as_str().unwrap().to_owned()
    }

    /// The time in the signature.
    pub fn signed_at(&self) -> i64 {
        self.parts().0.parse().unwrap()
    }

    /// Whether the signature is the one of this secret, by the definition of HMAC (RFC 2104).
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let (time, signature) = self.parts();
        let mut key = secret.as_bytes().to_vec();
        assert!(key.len() <= 64, "a longer key would have to be hashed");
        key.resize(64, 0);
        let masked = |mask: u8| key.iter().map(|byte| byte ^ mask).collect::<Vec<u8>>();
        let message = format!("{time}.{}", self.body);
        let inner = Sha256::digest([masked(0x36), message.into_bytes()].concat());
        let outer = Sha256::digest([masked(0x5c), inner.to_vec()].concat());
        let hex: String = outer.iter().map(|byte| format!("{byte:02x}")).collect();
        hex == signature
    }

    fn parts(&self) -> (&str, &str) {
        let parts = self.signature.strip_prefix("t=").and_then(|rest| rest.split_once(",v1="));
        parts.unwrap_or_else(|| panic!("no signature: {:?}", self.signature))
    }
}

struct Desk {
    told: mpsc::UnboundedSender<Told>,
    /// Statuses of the next answers; 200 when there are no more.
    answers: Mutex<Vec<u16>>,
    /// Each answer needs a permit.
    open: Semaphore,
}

/// A shop on a free port.
pub struct Shop {
    url: String,
    handle: ServerHandle,
    desk: Arc<Desk>,
    told: mpsc::UnboundedReceiver<Told>,
}

const SECRET: &str = "whsec_test";
/// When a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

impl Shop {
    /// One that takes whatever it is told.
    pub fn open() -> Self {
        Self::with(Semaphore::MAX_PERMITS, &[])
    }

    /// One that answers with these statuses first.
    pub fn answering(statuses: &[u16]) -> Self {
        Self::with(Semaphore::MAX_PERMITS, statuses)
    }

    /// One that hears, but answers nothing until it is let.
    pub fn silent() -> Self {
        Self::with(0, &[])
    }

    fn with(permits: usize, statuses: &[u16]) -> Self {
        let (teller, told) = mpsc::unbounded_channel();
        let answers = Mutex::new(statuses.iter().rev().copied().collect());
        let desk = Arc::new(Desk { told: teller, answers, open: Semaphore::new(permits) });
        let data = Data::from(desk.clone());
        let bound = HttpServer::new(move || {
            App::new().app_data(data.clone()).route("/hook", web::post().to(hear))
        })
        .workers(1)
        .disable_signals()
        .bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap();
        let url = format!("http://{}/hook", bound.addrs()[0]);
        let server = bound.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, handle, desk, told }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn secret(&self) -> &'static str {
        SECRET
    }

    /// The next attempt that comes. Fails if none does: a bank that works never lets it come to
    /// this.
    pub async fn next(&mut self) -> Told {
        let told = tokio::time::timeout(PATIENCE, self.told.recv()).await;
        told.expect("no event came").unwrap()
    }

    /// The next attempt, if it has come already.
    pub fn waiting(&mut self) -> Option<Told> {
        self.told.try_recv().ok()
    }

    /// The next `count` attempts.
    pub async fn take(&mut self, count: usize) -> Vec<Told> {
        let mut told = Vec::new();
        for _ in 0..count {
            told.push(self.next().await);
        }
        told
    }

    /// Answers everything from now on.
    pub fn speak(&self) {
        self.desk.open.add_permits(1_000);
    }

    pub async fn close(self) {
        self.handle.stop(false).await;
    }
}

async fn hear(request: HttpRequest, body: Bytes, desk: Data<Desk>) -> HttpResponse {
    let signature = request.headers().get("Stripe-Signature").unwrap().to_str().unwrap();
    let told =
        Told { signature: signature.to_owned(), body: String::from_utf8(body.to_vec()).unwrap() };
    let _ = desk.told.send(told);
    desk.open.acquire().await.unwrap().forget();
    let status = desk.answers.lock().unwrap().pop().unwrap_or(200);
    HttpResponse::new(StatusCode::from_u16(status).unwrap())
}
