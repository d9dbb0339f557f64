//! The actor that hears of news and gives it to the workers, each one pass at a time.

use crate::gate::Gate;
use crate::group::Passed;
use crate::partitions::{Partitions, Work};
use crate::plan::backoff;
use crate::worker::{Drain, Worker};
use crate::{BrokerConfig, books};
use actors::{
    AskError, Desk, Envelope, Mailbox, Panicked, Request, RequestContext, Serve, Service, TraceId,
};
use domain::Clock;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::{Db, StoreError};
use tokio::time::Instant;
use tracing::Span;
use uuid::Uuid;

/// How long to wait for the end of a pass. A pass is bounded by the time-outs of its statements;
/// this only ends a wait that nothing else would end.
const PASS_PATIENCE: Duration = Duration::from_secs(3_600);

/// There is news behind the gate.
pub(crate) struct Wake;

impl Request for Wake {
    type Answer = ();
}

/// A worker as the dispatcher sees it.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) consumer: &'static str,
    pub(crate) mailbox: Mailbox<Worker>,
    pub(crate) share: Partitions,
}

/// What is under way with a worker.
struct State {
    slot: Slot,
    due: Work,
    in_flight: bool,
    not_before: Instant,
    alarm_set: bool,
    failures: u32,
}

/// Collects what is due while a worker is busy, and hands it over when the worker is free.
pub(crate) struct Dispatcher {
    db: Db,
    clock: Arc<dyn Clock>,
    config: BrokerConfig,
    gate: Arc<Gate>,
    workers: Vec<State>,
    polling: bool,
    blind: bool,
}

/// The context of work that no request is behind.
pub(crate) fn own_context() -> RequestContext {
    let deadline = tokio::time::Instant::now() + PASS_PATIENCE;
    RequestContext::new(deadline, TraceId::new(Uuid::nil()), Span::none(), "broker".into())
}

impl Dispatcher {
    pub(crate) fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        config: BrokerConfig,
        gate: Arc<Gate>,
        slots: &[Slot],
    ) -> Self {
        let state = |slot: &Slot| State {
            slot: slot.clone(),
            due: Work::default(),
            in_flight: false,
            not_before: Instant::now(),
            alarm_set: false,
            failures: 0,
        };
        let workers = slots.iter().map(state).collect();
        Self { db, clock, config, gate, workers, polling: false, blind: false }
    }

    fn take_news(&mut self, desk: &mut Desk<'_, Self>) {
        let news = Work { events: self.gate.take_news(), ..Work::default() };
        for index in 0..self.workers.len() {
            self.add(index, news, desk);
        }
    }

    /// Looks into the database for what nobody announced.
    fn poll(&mut self, desk: &mut Desk<'_, Self>) {
        if self.gate.is_stopping() {
            // Its timer would keep it, and its hold on the database, alive.
            return desk.stop();
        }
        // A wake message that was lost with a crash of this actor may not silence all later ones.
        self.take_news(desk);
        if self.polling {
            return;
        }
        self.polling = true;
        let (db, now) = (self.db.clone(), self.clock.now());
        desk.run(async move { books::find_due(&db, now).await }, Self::polled);
    }

    fn polled(
        &mut self,
        found: Result<Result<HashMap<String, Work>, StoreError>, Panicked>,
        desk: &mut Desk<'_, Self>,
    ) {
        self.polling = false;
        let due = match found {
            Ok(Ok(due)) => due,
            Ok(Err(error)) => return self.lost_sight(&error),
            Err(panicked) => return self.lost_sight(&panicked),
        };
        self.blind = false;
        for index in 0..self.workers.len() {
            let work = due.get(self.workers[index].slot.consumer).copied().unwrap_or_default();
            self.add(index, work, desk);
        }
    }

    /// Says once, not at every poll, that the database cannot be asked.
    fn lost_sight(&mut self, error: &dyn std::error::Error) {
        if !std::mem::replace(&mut self.blind, true) {
            tracing::warn!(
                event = "broker_blind",
                code = "BROKER_BLIND",
                cause = %error,
                "the broker cannot look for events; it goes on trying"
            );
        }
    }

    fn add(&mut self, index: usize, work: Work, desk: &mut Desk<'_, Self>) {
        let worker = &mut self.workers[index];
        worker.due = worker.due.or(work.within(worker.slot.share));
        self.pump(index, desk);
    }

    /// Gives the worker what is due, if it is free and may begin.
    fn pump(&mut self, index: usize, desk: &mut Desk<'_, Self>) {
        let worker = &mut self.workers[index];
        if worker.in_flight || worker.due.is_empty() || self.gate.is_stopping() {
            return;
        }
        if Instant::now() < worker.not_before {
            if !std::mem::replace(&mut worker.alarm_set, true) {
                let pause = tokio::time::sleep_until(worker.not_before);
                desk.run(pause, move |dispatcher, _, desk| {
                    dispatcher.workers[index].alarm_set = false;
                    dispatcher.pump(index, desk);
                });
            }
            return;
        }
        let work = std::mem::take(&mut worker.due);
        // Refused, the work is found again by the next poll.
        if let Ok(pending) = worker.slot.mailbox.post(Drain(work), &own_context()) {
            worker.in_flight = true;
            let answer = pending.answer_within(Duration::ZERO);
            desk.run(answer, move |dispatcher, answer, desk| {
                dispatcher.passed(index, answer, desk);
            });
        }
    }

    fn passed(
        &mut self,
        index: usize,
        answer: Result<Result<Passed, AskError>, Panicked>,
        desk: &mut Desk<'_, Self>,
    ) {
        // Without an answer nothing is known; the next poll finds what is left.
        let unknown = Passed { left: Work::default(), troubled: true };
        let passed = answer.ok().and_then(Result::ok).unwrap_or(unknown);
        let config = &self.config;
        let worker = &mut self.workers[index];
        worker.in_flight = false;
        let pause = if passed.troubled {
            let failures = worker.failures;
            worker.failures = failures.saturating_add(1);
            backoff(config.trouble_base, config.trouble_max, failures, (config.jitter)())
        } else {
            worker.failures = 0;
            if passed.left.is_empty() { config.gather } else { Duration::ZERO }
        };
        worker.not_before = Instant::now() + pause;
        self.add(index, passed.left, desk);
    }
}

impl Service for Dispatcher {
    fn started(&mut self, desk: &mut Desk<'_, Self>) {
        self.poll(desk);
        desk.every(self.config.poll, Self::poll);
    }
}

impl Serve<Wake> for Dispatcher {
    fn serve(&mut self, envelope: Envelope<Wake>, desk: &mut Desk<'_, Self>) {
        if let Some(opened) = envelope.open() {
            self.take_news(desk);
            opened.reply.send(());
        }
    }
}
