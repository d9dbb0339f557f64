//! The third-party bank of Orderly: a program of its own that serves a subset of the public Stripe
//! API over HTTP and keeps its own books. Nothing in it knows Orderly's database or services.
//!
//! - `state`: the books and their rules, pure.
//! - `journal`: the ledger file, appended and synced.
//! - `service`: decides under a lock, waits for the ledger outside of it.
//! - `http`: requests in, Stripe-shaped answers out.
//! - `faults`: what goes wrong on purpose, drawn from a seed.
//! - `webhook`: events out, signed as Stripe signs them.
//!
//! An idempotency key is kept for ever, across restarts, with the answer it was given: the answer
//! is not stored as bytes but written again from facts that never change. Answers are kept for
//! successes, declines and refusals that depend on the books; a malformed request or an absent
//! object leaves its key unused, as at Stripe.

mod fact;
mod faults;
mod http;
mod journal;
mod methods;
mod render;
mod service;
mod state;
mod webhook;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use domain::{Clock, IdSource};
use tokio::task::{JoinError, JoinHandle};

pub use faults::{DELAY_MS_MAX, Faults, FaultsError};
pub use journal::JournalError;
pub use state::Contradiction;
pub use webhook::{WebhookConfig, WebhookError};

use service::Service;
use webhook::Webhooks;

/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a stop waits for calls that are running.
const STOP_WAIT_S: u64 = 10;

/// What a bank needs to know.
pub struct BankConfig {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The ledger file, made if absent.
    pub ledger: PathBuf,
    /// The only key accepted; `None` accepts any that is not empty.
    pub api_key: Option<String>,
    /// Threads that serve requests, at least 1.
    pub workers: usize,
    /// Where events go at first; it can be changed at run time.
    pub webhook: Option<WebhookConfig>,
}

impl fmt::Debug for BankConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BankConfig")
            .field("listen", &self.listen)
            .field("ledger", &self.ledger)
            .field("api_key", &self.api_key.as_ref().map(|_| "***"))
            .field("workers", &self.workers)
            .field("webhook", &self.webhook)
            .finish()
    }
}

/// Why a bank does not start.
#[derive(Debug, thiserror::Error)]
pub enum BankError {
    /// The ledger cannot be used.
    #[error("the bank does not start")]
    Ledger(#[from] JournalError),
    /// The address cannot be used.
    #[error("the bank cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Events cannot be sent.
    #[error("the bank cannot send events")]
    Webhook(#[from] WebhookError),
    /// The ledger was not read to its end.
    #[error("reading the bank's ledger was broken off")]
    Interrupted(#[from] JoinError),
}

/// A bank that serves.
pub struct RunningBank {
    address: SocketAddr,
    handle: ServerHandle,
    server: JoinHandle<io::Result<()>>,
    /// Sends events until it is aborted.
    sender: JoinHandle<()>,
    service: Arc<Service>,
}

impl RunningBank {
    /// Base URL, without `/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Address it listens on, with the port it got.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more calls, lets the running ones finish and gives the ledger up, so that another
    /// bank can take it over. Events that were not sent yet are gone.
    pub async fn stop(self) {
        // Calls that a delay holds up go on now: nobody gains from waiting for them.
        self.service.faults.set(Faults::default());
        // Nor do calls wait for their events any more.
        self.sender.abort();
        self.handle.stop(true).await;
        if let Ok(Err(error)) = self.server.await {
            tracing::error!(%error, "the bank's server ended with an error");
        }
        let service = self.service;
        if let Err(error) = tokio::task::spawn_blocking(move || service.close()).await {
            tracing::error!(%error, "the bank's ledger was not closed");
        }
    }
}

/// Binds, replays the ledger and starts serving on the current actix `System` or tokio runtime.
/// Dropping the result leaves the bank running; only [`RunningBank::stop`] ends it.
///
/// The process needs a default provider of cryptography for rustls by then, as events may go to an
/// `https://` address.
///
/// # Errors
/// The ledger is damaged, in use or unreadable, or the address or the webhook cannot be used.
pub async fn start(
    config: BankConfig,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
) -> Result<RunningBank, BankError> {
    let BankConfig { listen, ledger, api_key, workers, webhook } = config;
    let (webhooks, inbox) = Webhooks::new();
    webhooks.set(webhook)?;
    let client = webhook::client()?;
    let open = move || Service::open(&ledger, clock, ids, webhooks);
    let service = Arc::new(tokio::task::spawn_blocking(open).await??);
    let access = web::Data::new(http::Access::new(api_key.as_deref()));
    let data = web::Data::from(service.clone());
    let bound = HttpServer::new(move || {
        App::new().app_data(data.clone()).app_data(access.clone()).configure(http::routes)
    })
    .workers(workers.max(1))
    .keep_alive(KEEP_ALIVE)
    .tcp_nodelay(true)
    .shutdown_timeout(STOP_WAIT_S)
    .disable_signals()
    .bind(listen)
    .map_err(|source| BankError::Listen { address: listen, source })?;
    let address = bound.addrs().first().copied().unwrap_or(listen);
    let server = bound.run();
    let handle = server.handle();
    let server = tokio::spawn(server);
    let sender = tokio::spawn(webhook::deliver(inbox, service.clone(), client));
    tracing::info!(%address, "the bank serves");
    Ok(RunningBank { address, handle, server, sender, service })
}
