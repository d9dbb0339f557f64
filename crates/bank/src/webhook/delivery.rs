//! Sending the events.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{join, join_all};
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::signature::sign;
use super::{Endpoint, Event, Inbox, WebhookError};
use crate::faults::Fault;
use crate::service::Service;

/// Longest wait for the end of one attempt.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// Attempts until an event is given up. With the pauses below: after about two and a half minutes,
/// if each is refused at once. Stripe goes on for days.
const ATTEMPTS_MAX: u32 = 12;
/// Pause after the first attempt; each further one is twice as long …
const PAUSE_FIRST: Duration = Duration::from_millis(250);
/// … up to this.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Attempts that run at one time.
const IN_FLIGHT_MAX: usize = 32;
/// How long an event waits to be overtaken if no other comes.
const HELD_MAX: Duration = Duration::from_secs(1);
/// How far back an old timestamp lies; Stripe's libraries tolerate five minutes.
const OLD_S: i64 = 600;

/// The client that sends events.
///
/// # Errors
/// Those of the client.
pub(crate) fn client() -> Result<Client, WebhookError> {
    Client::builder()
        .timeout(ATTEMPT_MAX)
        .redirect(Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .user_agent("orderly-bank")
        .build()
        .map_err(WebhookError::Client)
}

/// Sends what is queued, until it is dropped.
pub(crate) async fn deliver(mut inbox: Inbox, service: Arc<Service>, client: Client) {
    let sender = Arc::new(Sender { service, client, in_flight: Semaphore::new(IN_FLIGHT_MAX) });
    // Dropped with this future, and with it everything that is being sent.
    let mut running = JoinSet::new();
    let mut held: Option<Event> = None;
    loop {
        while running.try_join_next().is_some() {}
        let next = match &held {
            // None if the time is over: nobody came to overtake it.
            Some(_) => timeout(HELD_MAX, inbox.recv()).await.ok(),
            None => Some(inbox.recv().await),
        };
        let next = match next {
            // The bank is gone.
            Some(None) => return,
            Some(Some(event)) if event.plan.held && held.is_none() => {
                held = Some(event);
                continue;
            }
            Some(Some(event)) => Some(event),
            None => None,
        };
        match (next, held.take()) {
            (Some(mut event), Some(mut overtaken)) => {
                let (told, wait) = oneshot::channel();
                event.attempted.push(told);
                overtaken.after = Some(wait);
                sender.service.faults.count(Fault::WebhookReorder);
                running.spawn(sender.clone().send(event));
                running.spawn(sender.clone().send(overtaken));
            }
            (event, late) => {
                for event in event.into_iter().chain(late) {
                    running.spawn(sender.clone().send(event));
                }
            }
        }
    }
}

struct Sender {
    service: Arc<Service>,
    client: Client,
    in_flight: Semaphore,
}

/// What is wrong with one attempt on purpose.
#[derive(Clone, Copy, Default)]
struct Forged {
    bad_signature: bool,
    old_timestamp: bool,
}

/// How an attempt went.
enum Attempt {
    Accepted,
    Refused,
    /// There is nobody to send it to any more.
    Nowhere,
}

impl Sender {
    /// Sends one event until it is accepted or given up, and its copies once each.
    async fn send(self: Arc<Self>, mut event: Event) {
        if self.service.durable(event.seq).await.is_err() {
            // Nobody may hear of it. The bank is down in any case.
            return;
        }
        if let Some(after) = event.after.take() {
            // Told or dropped: the other one has been sent, or never will be.
            let _ = after.await;
        }
        if !event.plan.delay.is_zero() {
            self.service.faults.count(Fault::WebhookDelay);
            self.service.faults.wait(event.plan.delay).await;
        }
        let attempted = std::mem::take(&mut event.attempted);
        let copies = (1..event.plan.copies).map(|_| self.attempt(&event, Forged::default()));
        if event.plan.copies > 1 {
            self.service.faults.count(Fault::WebhookDuplicate);
        }
        let (is_accepted, _) = join(self.persist(&event, attempted), join_all(copies)).await;
        let tally = &self.service.webhooks.tally;
        let count = if is_accepted { &tally.delivered } else { &tally.given_up };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Tries until the event is accepted or given up. Says whether it was accepted.
    async fn persist(&self, event: &Event, attempted: Vec<oneshot::Sender<()>>) -> bool {
        let plan = event.plan;
        let forged =
            Forged { bad_signature: plan.bad_signature, old_timestamp: plan.old_timestamp };
        let mut outcome = self.attempt(event, forged).await;
        for told in attempted {
            // Whoever waited may be gone.
            let _ = told.send(());
        }
        let mut pause = PAUSE_FIRST;
        for _ in 1..ATTEMPTS_MAX {
            match outcome {
                Attempt::Accepted => return true,
                Attempt::Nowhere => return false,
                Attempt::Refused => sleep(pause).await,
            }
            pause = PAUSE_MAX.min(pause * 2);
            outcome = self.attempt(event, Forged::default()).await;
        }
        let is_accepted = matches!(outcome, Attempt::Accepted);
        if !is_accepted {
            tracing::warn!(kind = event.kind, "an event was given up");
        }
        is_accepted
    }

    async fn attempt(&self, event: &Event, forged: Forged) -> Attempt {
        // Never closed.
        let _permit = self.in_flight.acquire().await;
        let Some(endpoint) = self.service.webhooks.endpoint() else { return Attempt::Nowhere };
        let request = self
            .client
            .post(endpoint.url.clone())
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .header("Stripe-Signature", self.signature(&endpoint, event, forged))
            .body(event.body.clone());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Attempt::Accepted,
            Ok(answer) => {
                tracing::debug!(kind = event.kind, status = %answer.status(), "an event was refused");
                Attempt::Refused
            }
            Err(error) => {
                tracing::debug!(kind = event.kind, %error, "an event could not be sent");
                Attempt::Refused
            }
        }
    }

    fn signature(&self, endpoint: &Endpoint, event: &Event, forged: Forged) -> String {
        let mut unix_s = self.service.now_us().div_euclid(1_000_000);
        if forged.old_timestamp {
            unix_s -= OLD_S;
            self.service.faults.count(Fault::WebhookOldTimestamp);
        }
        if forged.bad_signature {
            self.service.faults.count(Fault::WebhookBadSignature);
            return sign(&format!("not {}", endpoint.config.secret), unix_s, &event.body);
        }
        sign(&endpoint.config.secret, unix_s, &event.body)
    }
}
