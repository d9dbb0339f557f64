//! What can be seen of an actor from outside: depth, waiting time, refusals, health.

use crate::line::{Line, Place, Waits};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Serving.
    Up,
    /// Waiting before its next start after a panic; messages wait with it.
    BackingOff,
    /// Ended: it panicked too often, or it was stopped.
    Down,
}

/// Counters and flags shared by an actor, its mailbox and its messages.
pub struct Vitals {
    name: String,
    capacity: usize,
    waiting: AtomicUsize,
    line: Line,
    unanswered: AtomicUsize,
    closed: AtomicBool,
    health: AtomicU8,
    answered: Notify,
    depth_gauge: Gauge,
    health_gauge: Gauge,
    wait: Histogram,
    handling: Histogram,
    panics: Counter,
    restarts: Counter,
}

impl Vitals {
    pub(crate) fn new(name: &str, capacity: usize) -> Self {
        let label = || name.to_owned();
        let vitals = Self {
            name: name.to_owned(),
            capacity,
            waiting: AtomicUsize::new(0),
            line: Line::default(),
            unanswered: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            health: AtomicU8::new(0),
            answered: Notify::new(),
            depth_gauge: gauge!("actor_mailbox_depth", "actor" => label()),
            health_gauge: gauge!("actor_health", "actor" => label()),
            wait: histogram!("actor_mailbox_wait_seconds", "actor" => label()),
            handling: histogram!("actor_handling_seconds", "actor" => label()),
            panics: counter!("actor_panics_total", "actor" => label()),
            restarts: counter!("actor_restarts_total", "actor" => label()),
        };
        vitals.set_health(Health::Up);
        vitals
    }

    /// The actor's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Most messages that may wait for this actor.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Messages that wait for this actor now.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// How long the oldest of the messages that wait has waited; zero when none waits.
    #[must_use]
    pub fn oldest_wait(&self) -> Duration {
        self.line.oldest().map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Messages that were taken or wait and have no answer yet.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::Acquire)
    }

    /// How the actor is.
    #[must_use]
    pub fn health(&self) -> Health {
        match self.health.load(Ordering::Acquire) {
            0 => Health::Up,
            1 => Health::BackingOff,
            _ => Health::Down,
        }
    }

    pub(crate) fn set_health(&self, health: Health) {
        let (code, shown) = match health {
            Health::Up => (0, 1.0),
            Health::BackingOff => (1, 0.5),
            Health::Down => (2, 0.0),
        };
        self.health.store(code, Ordering::Release);
        self.health_gauge.set(shown);
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire) || self.health() == Health::Down
    }

    /// Takes a place in the queue; `None` when all are taken.
    pub(crate) fn enter_queue(&self) -> Option<Place> {
        let taken = self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
            (waiting < self.capacity).then_some(waiting + 1)
        });
        taken.ok().map(|_| self.entered())
    }

    /// Like [`Self::enter_queue`] for work whose number is bounded elsewhere.
    pub(crate) fn enter_queue_admitted(&self) -> Place {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        self.entered()
    }

    fn entered(&self) -> Place {
        self.depth_gauge.increment(1.0);
        self.unanswered.fetch_add(1, Ordering::AcqRel);
        self.line.join(Instant::now())
    }

    /// A message of this kind does not wait any more; gives how long it did.
    pub(crate) fn leave_queue(&self, place: Place, kind: &'static str) -> Duration {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        self.depth_gauge.decrement(1.0);
        let waited = place.since.elapsed();
        self.line.leave(place, kind, waited);
        self.wait.record(waited);
        waited
    }

    /// How long messages have waited, by kind, since the process began. Those that wait now are not
    /// in it.
    #[must_use]
    pub fn waits(&self) -> Vec<Waits> {
        self.line.waits()
    }

    pub(crate) fn finish(&self) {
        self.unanswered.fetch_sub(1, Ordering::AcqRel);
        self.answered.notify_waiters();
    }

    /// Waits until every message has its answer.
    pub(crate) async fn all_answered(&self) {
        loop {
            let changed = self.answered.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.unanswered() == 0 {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        counter!("actor_refusals_total", "actor" => self.name.clone(), "reason" => reason)
            .increment(1);
    }

    pub(crate) fn handled(&self, took: Duration) {
        self.handling.record(took);
    }

    pub(crate) fn panicked(&self, message: &str) {
        self.panics.increment(1);
        tracing::error!(
            event = "actor_panicked",
            actor = %self.name,
            code = "ACTOR_PANICKED",
            cause = message,
            "an actor panicked"
        );
    }

    pub(crate) fn restarted(&self) {
        self.restarts.increment(1);
    }
}

/// What a panic said, as far as it said anything.
#[must_use]
pub fn panic_message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
