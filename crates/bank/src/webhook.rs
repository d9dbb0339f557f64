//! Webhooks: events that tell the shop what the bank has done, as Stripe sends them.
//!
//! An event is queued together with its fact and sent once the fact is durable. The queue is in
//! memory and has an end: an event that finds it full, or that a stopping bank still holds, is
//! gone. So are the events after their last attempt. Whoever must know asks.

mod delivery;
mod signature;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::faults::EventPlan;
use crate::render::EventText;

pub(crate) use delivery::{client, deliver};

/// Events that wait or are being sent at one time.
const PENDING_MAX: usize = 10_000;

/// Where events go.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// An `http://` or `https://` address.
    pub url: String,
    /// What they are signed with; not empty.
    pub secret: String,
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConfig").field("url", &self.url).field("secret", &"***").finish()
    }
}

/// Why events cannot go there.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Not an address that events can be sent to.
    #[error("the webhook's URL must be an http:// or https:// address")]
    Url,
    /// Nothing to sign with.
    #[error("the webhook's secret is empty")]
    NoSecret,
    /// The client cannot be made.
    #[error("the client that sends the bank's webhooks cannot be made")]
    Client(#[source] reqwest::Error),
}

/// A place that events can be sent to.
#[derive(Debug)]
struct Endpoint {
    url: Url,
    config: WebhookConfig,
}

impl TryFrom<WebhookConfig> for Endpoint {
    type Error = WebhookError;

    fn try_from(config: WebhookConfig) -> Result<Self, WebhookError> {
        let url = Url::parse(&config.url).map_err(|_| WebhookError::Url)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(WebhookError::Url);
        }
        if config.secret.is_empty() {
            return Err(WebhookError::NoSecret);
        }
        Ok(Self { url, config })
    }
}

/// An event on its way.
#[derive(Debug)]
pub(crate) struct Event {
    /// Place in the ledger of the fact that it tells.
    pub seq: u64,
    /// What it tells.
    pub kind: &'static str,
    /// The event; the same bytes at each attempt.
    pub body: Bytes,
    /// What goes wrong with it.
    pub plan: EventPlan,
    /// Told when the first attempt has ended, or dropped if there is none.
    pub attempted: Vec<oneshot::Sender<()>>,
    /// Waited for before the first attempt.
    pub after: Option<oneshot::Receiver<()>>,
    /// Its place in the queue.
    _place: OwnedSemaphorePermit,
}

/// What the sender of events takes from the queue.
pub(crate) type Inbox = mpsc::UnboundedReceiver<Event>;

/// The way out for events.
#[derive(Debug)]
pub(crate) struct Webhooks {
    endpoint: RwLock<Option<Arc<Endpoint>>>,
    /// Not bounded itself: whoever writes to it has a place.
    queue: mpsc::UnboundedSender<Event>,
    places: Arc<Semaphore>,
    tally: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    delivered: AtomicU64,
    given_up: AtomicU64,
    dropped: AtomicU64,
}

/// How the webhook stands.
#[derive(Debug, Serialize)]
pub(crate) struct WebhookStatus {
    /// Where events go; absent if nowhere.
    url: Option<String>,
    /// Events that wait or are being sent.
    pending: usize,
    /// Events that were accepted; each counts once, however often it was sent.
    delivered: u64,
    /// Events that were not accepted at any attempt, or whose webhook was taken away.
    given_up: u64,
    /// Events for which the queue had no place.
    dropped: u64,
}

impl Webhooks {
    /// The way out, and the queue's other end.
    pub(crate) fn new() -> (Self, Inbox) {
        let (queue, inbox) = mpsc::unbounded_channel();
        let webhooks = Self {
            endpoint: RwLock::new(None),
            queue,
            places: Arc::new(Semaphore::new(PENDING_MAX)),
            tally: Tally::default(),
        };
        (webhooks, inbox)
    }

    /// Sends events there from now on, those that wait included; `None` sends them nowhere.
    ///
    /// # Errors
    /// Nothing can be sent there; nothing has changed.
    pub(crate) fn set(&self, config: Option<WebhookConfig>) -> Result<(), WebhookError> {
        let endpoint = config.map(Endpoint::try_from).transpose()?.map(Arc::new);
        *self.endpoint.write().unwrap_or_else(PoisonError::into_inner) = endpoint;
        Ok(())
    }

    /// Whether anybody wants events.
    pub(crate) fn is_on(&self) -> bool {
        self.endpoint().is_some()
    }

    /// How it stands.
    pub(crate) fn status(&self) -> WebhookStatus {
        WebhookStatus {
            url: self.endpoint().map(|endpoint| endpoint.config.url.clone()),
            pending: PENDING_MAX - self.places.available_permits(),
            delivered: self.tally.delivered.load(Ordering::Relaxed),
            given_up: self.tally.given_up.load(Ordering::Relaxed),
            dropped: self.tally.dropped.load(Ordering::Relaxed),
        }
    }

    /// Queues an event. The answer is told, or dropped, when nothing more is to be waited for
    /// before the API's answer; there is none if nothing is.
    pub(crate) fn queue(
        &self,
        seq: u64,
        EventText { kind, body }: EventText,
        plan: EventPlan,
    ) -> Option<oneshot::Receiver<()>> {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            self.tally.dropped.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(kind, "the queue of events is full: one was dropped");
            return None;
        };
        let (mut attempted, mut early) = (Vec::new(), None);
        if plan.early {
            let (told, wait) = oneshot::channel();
            attempted.push(told);
            early = Some(wait);
        }
        // A bank that stops sends nothing any more; the event is dropped with its answer.
        let _ =
            self.queue.send(Event { seq, kind, body, plan, attempted, after: None, _place: place });
        early
    }

    fn endpoint(&self) -> Option<Arc<Endpoint>> {
        self.endpoint.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, secret: &str) -> WebhookConfig {
        WebhookConfig { url: url.to_owned(), secret: secret.to_owned() }
    }

    #[test]
    fn events_only_go_where_they_can_and_signed() {
        let (webhooks, _inbox) = Webhooks::new();
        assert!(!webhooks.is_on());
        webhooks.set(Some(config("http://127.0.0.1:1/hook", "whsec_1"))).unwrap();
        for (url, secret) in [
            ("", "s"),
            ("/hook", "s"),
            ("ftp://host/hook", "s"),
            ("data:text/plain,x", "s"),
            ("http://127.0.0.1:1/hook", ""),
        ] {
            assert!(webhooks.set(Some(config(url, secret))).is_err(), "{url}");
            assert!(webhooks.is_on(), "a refused change changes nothing");
        }
        webhooks.set(None).unwrap();
        assert!(!webhooks.is_on());
    }

    #[test]
    fn the_secret_is_not_shown() {
        let shown = format!("{:?}", config("http://h/", "whsec_1"));
        assert!(shown.contains("http://h/") && !shown.contains("whsec_1"), "{shown}");
    }

    #[test]
    fn the_queue_has_an_end() {
        let (webhooks, mut inbox) = Webhooks::new();
        let plan = crate::faults::FaultGate::default().event();
        let text = EventText { kind: "payment_intent.succeeded", body: Bytes::from_static(b"{}") };
        for seq in 0..=PENDING_MAX as u64 {
            assert!(webhooks.queue(seq, text.clone(), plan).is_none());
        }
        let status = webhooks.status();
        assert_eq!((status.pending, status.dropped), (PENDING_MAX, 1));
        drop(inbox.try_recv());
        assert_eq!(webhooks.status().pending, PENDING_MAX - 1);
    }
}
