//! How a follower reads the log: pages, positions in memory, and the actor that keeps it going.

use crate::books;
use crate::config::FollowConfig;
use crate::dispatcher::{Wake, own_context};
use crate::follower::{Follower, Informed, NotTaken};
use crate::gate::Gate;
use crate::partitions::Partitions;
use crate::plan::backoff;
use actors::{Desk, Envelope, Mailbox, Panicked, Serve, Service, panic_message};
use metrics::{counter, gauge};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::outbox::{self, Logged, Page};
use store::{Db, StoreError};
use tokio::time::Instant;

/// Events after which others on the thread get their turn.
const EVENTS_AT_A_STRETCH: usize = 16;
/// Events of a partition after which the lag is not counted further: the count costs what it counts.
const LAG_COUNTED_MAX: i64 = 1_000;

/// How far a partition is read.
#[derive(Clone, Copy, Debug)]
struct Mark {
    partition: u8,
    /// Everything from the start of the node up to this place was taken.
    ahead: i64,
    /// What comes before this place is still to be read, if the follower wants it.
    back: Option<i64>,
}

/// Where to look.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    /// Where there is news.
    news: Partitions,
    /// Also where nobody has announced anything.
    everywhere: bool,
}

/// What came of a look.
struct Seen {
    /// Where there may be more going forward.
    left: Partitions,
    /// Whether there is more to be read backwards.
    past: bool,
}

/// A follower and how far it has read. The marks outlive the actor, so that it goes on after a
/// restart where it was.
pub(crate) struct Tail {
    follower: Arc<dyn Follower>,
    db: Db,
    pub(crate) config: FollowConfig,
    pub(crate) gate: Gate,
    marks: Mutex<Vec<Mark>>,
    is_full: AtomicBool,
    failing: AtomicBool,
}

/// A follower that runs, as the broker sees it.
pub(crate) struct Following {
    pub(crate) tail: Arc<Tail>,
    pub(crate) mailbox: Mailbox<TailActor>,
}

impl Following {
    pub(crate) fn wake(&self, partitions: Partitions) {
        if self.tail.gate.announce(partitions) {
            self.mailbox.deliver(Wake, &own_context());
        }
    }
}

impl Tail {
    pub(crate) fn new(follower: Arc<dyn Follower>, db: Db, config: FollowConfig) -> Self {
        let (gate, marks) = (Gate::default(), Mutex::default());
        let (is_full, failing) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { follower, db, config, gate, marks, is_full, failing }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.follower.name()
    }

    /// Whether all that was in the log when it was read last is taken, and nothing came since.
    pub(crate) async fn caught_up(&self) -> Result<bool, StoreError> {
        if !self.is_full.load(Ordering::SeqCst) {
            return Ok(false);
        }
        let ahead = books::events_ahead(&self.db, &self.places(), 1).await?;
        Ok(ahead.iter().all(|(_, events)| *events == 0))
    }

    fn marks(&self) -> Vec<Mark> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn places(&self) -> Vec<(u8, i64)> {
        self.marks().iter().map(|mark| (mark.partition, mark.ahead)).collect()
    }

    fn set(&self, partition: u8, change: impl FnOnce(&mut Mark)) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mark) = marks.iter_mut().find(|mark| mark.partition == partition) {
            change(mark);
        }
    }

    /// Looks once, and tells the follower how well it is informed then.
    async fn look(&self, look: Look) -> Result<Seen, StoreError> {
        match self.try_look(look).await {
            Ok(seen) => {
                let all = seen.left.is_empty() && !seen.past;
                if all {
                    self.is_full.store(true, Ordering::SeqCst);
                }
                let full = self.is_full.load(Ordering::SeqCst);
                self.tell(if full { Informed::Fully } else { Informed::Partly });
                Ok(seen)
            }
            Err(error) => {
                self.tell(Informed::NotNow);
                Err(error)
            }
        }
    }

    async fn try_look(&self, look: Look) -> Result<Seen, StoreError> {
        if self.marks().is_empty() {
            self.find_ends().await?;
        }
        let mut news = look.news;
        if look.everywhere {
            let ahead = books::events_ahead(&self.db, &self.places(), LAG_COUNTED_MAX).await?;
            let lag: i64 = ahead.iter().map(|(_, events)| events).sum();
            self.measure(lag);
            let found = ahead.iter().filter(|(_, events)| *events > 0);
            news = news.or(found.map(|(partition, _)| *partition).collect());
        }
        let mut left = Partitions::default();
        for mark in self.marks() {
            let partition = Partitions::one(mark.partition);
            if !news.and(partition).is_empty() && !self.gate.is_stopping() {
                let more = self.read_on(mark).await?;
                left = left.or(if more { partition } else { Partitions::default() });
            }
        }
        let past = !self.gate.is_stopping() && self.read_back().await?;
        Ok(Seen { left, past })
    }

    /// At the start: from here on forward, and what is here already backwards, the latest first.
    async fn find_ends(&self) -> Result<(), StoreError> {
        let ends = books::log_ends(&self.db).await?;
        let mark = |(partition, seq): (u8, i64)| Mark {
            partition,
            ahead: seq,
            back: (seq > 0).then_some(seq.saturating_add(1)),
        };
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner) =
            ends.into_iter().map(mark).collect();
        Ok(())
    }

    /// The next page of a partition; whether there may be more.
    async fn read_on(&self, mark: Mark) -> Result<bool, StoreError> {
        let Mark { partition, ahead, .. } = mark;
        let page = Page { partition, from: ahead, limit: self.config.page };
        let found = outbox::follow(&self.db, page, self.follower.kinds()).await?;
        for (number, event) in found.events.iter().enumerate() {
            self.give(event, number).await;
            self.set(partition, |mark| mark.ahead = event.seq);
        }
        Ok(found.passed >= self.config.page)
    }

    /// The page before what is known, of the partition that reaches least far back: so the events
    /// come about from the latest to the oldest, and whoever keeps only the latest can stop early.
    /// Whether there is more to be read.
    async fn read_back(&self) -> Result<bool, StoreError> {
        for Mark { partition, back, .. } in self.marks() {
            if back.is_some_and(|back| !self.follower.wants_before(back)) {
                self.set(partition, |mark| mark.back = None);
            }
        }
        let marks = self.marks();
        let open = marks.iter().filter_map(|mark| mark.back.map(|back| (back, mark.partition)));
        let Some((back, partition)) = open.max() else { return Ok(false) };
        let page = Page { partition, from: back, limit: self.config.page };
        let events = outbox::look_back(&self.db, page, self.follower.kinds()).await?;
        for (number, event) in events.iter().enumerate() {
            self.give(event, number).await;
            self.set(partition, |mark| mark.back = Some(event.seq));
        }
        if i64::try_from(events.len()).is_ok_and(|count| count < self.config.page) {
            self.set(partition, |mark| mark.back = None);
        }
        Ok(self.marks().iter().any(|mark| mark.back.is_some()))
    }

    /// Hands an event over, and lets others on the thread go first now and then.
    async fn give(&self, event: &Logged, number: usize) {
        if number % EVENTS_AT_A_STRETCH == EVENTS_AT_A_STRETCH - 1 {
            tokio::task::yield_now().await;
        }
        if !self.follower.kinds().contains(&event.kind.as_str()) {
            return;
        }
        let name = self.name();
        let taken = catch_unwind(AssertUnwindSafe(|| self.follower.take(event)));
        let cause = match taken {
            Ok(Ok(())) => {
                self.failing.store(false, Ordering::SeqCst);
                counter!("follower_events_total", "follower" => name).increment(1);
                return;
            }
            Ok(Err(NotTaken(cause))) => cause.to_string(),
            Err(payload) => format!("it panicked: {}", panic_message(&*payload)),
        };
        counter!("follower_skipped_total", "follower" => name).increment(1);
        // If every event fails, one line is enough.
        if !self.failing.swap(true, Ordering::SeqCst) {
            tracing::error!(
                event = "event_passed_over",
                follower = name,
                order_id = %event.order_id,
                version = event.version,
                trace_id = %event.trace_id,
                code = "EVENT_PASSED_OVER",
                cause,
                "a follower could not take an event and goes on without it"
            );
        }
    }

    fn tell(&self, how: Informed) {
        let told = catch_unwind(AssertUnwindSafe(|| self.follower.informed(how)));
        if let Err(payload) = told {
            tracing::error!(
                event = "follower_panicked",
                follower = self.name(),
                code = "FOLLOWER_PANICKED",
                cause = %panic_message(&*payload),
                "a follower panicked when it was told how well it is informed"
            );
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    fn measure(&self, lag: i64) {
        gauge!("follower_lag_events", "follower" => self.name()).set(lag as f64);
    }
}

/// Keeps a follower going: it looks when there is news and by the clock, and rests between.
pub(crate) struct TailActor {
    tail: Arc<Tail>,
    due: Look,
    past: bool,
    in_flight: bool,
    not_before: Instant,
    began: Instant,
    alarm_set: bool,
    failures: u32,
}

impl TailActor {
    pub(crate) fn new(tail: Arc<Tail>) -> Self {
        let (due, now) = (Look::default(), Instant::now());
        let (not_before, began) = (now, now);
        let (past, in_flight, alarm_set, failures) = (false, false, false, 0);
        Self { tail, due, past, in_flight, not_before, began, alarm_set, failures }
    }

    fn take_news(&mut self, desk: &mut Desk<'_, Self>) {
        self.due.news = self.due.news.or(self.tail.gate.take_news());
        self.pump(desk);
    }

    /// Looks for what nobody announced: events of other nodes, and of calls that were lost.
    fn poll(&mut self, desk: &mut Desk<'_, Self>) {
        if self.tail.gate.is_stopping() {
            // Its timer would keep it, and its hold on the database, alive.
            return desk.stop();
        }
        self.due.everywhere = true;
        self.take_news(desk);
    }

    fn pump(&mut self, desk: &mut Desk<'_, Self>) {
        let idle = self.due.news.is_empty() && !self.due.everywhere && !self.past;
        if self.in_flight || idle || self.tail.gate.is_stopping() {
            return;
        }
        if Instant::now() < self.not_before {
            if !std::mem::replace(&mut self.alarm_set, true) {
                let pause = tokio::time::sleep_until(self.not_before);
                desk.run(pause, |actor, _, desk| {
                    actor.alarm_set = false;
                    actor.pump(desk);
                });
            }
            return;
        }
        self.in_flight = true;
        self.began = Instant::now();
        let (tail, due) = (self.tail.clone(), std::mem::take(&mut self.due));
        desk.run(async move { tail.look(due).await }, Self::looked);
    }

    fn looked(
        &mut self,
        looked: Result<Result<Seen, StoreError>, Panicked>,
        desk: &mut Desk<'_, Self>,
    ) {
        self.in_flight = false;
        let config = &self.tail.config;
        let pause = match looked {
            Ok(Ok(seen)) => {
                self.failures = 0;
                self.due.news = self.due.news.or(seen.left);
                self.past = seen.past;
                if seen.left.is_empty() && !seen.past {
                    config.gather
                } else {
                    // As long as it worked: the other half of the time belongs to the others.
                    self.began.elapsed()
                }
            }
            Ok(Err(error)) => self.failed(&error),
            Err(panicked) => {
                self.tail.tell(Informed::NotNow);
                self.failed(&panicked)
            }
        };
        self.not_before = Instant::now() + pause;
        self.pump(desk);
    }

    /// Says once that the log cannot be read; how long to wait before the next look.
    fn failed(&mut self, error: &dyn std::error::Error) -> Duration {
        let config = &self.tail.config;
        if self.failures == 0 {
            tracing::warn!(
                event = "follower_waits",
                follower = self.tail.name(),
                code = "FOLLOWER_WAITS",
                cause = %error,
                "a follower cannot read the log; it goes on trying"
            );
        }
        let failures = self.failures;
        self.failures = failures.saturating_add(1);
        self.due.everywhere = true;
        backoff(config.trouble_base, config.trouble_max, failures, (config.jitter)())
    }
}

impl Service for TailActor {
    fn started(&mut self, desk: &mut Desk<'_, Self>) {
        self.poll(desk);
        desk.every(self.tail.config.poll, Self::poll);
    }
}

impl Serve<Wake> for TailActor {
    fn serve(&mut self, envelope: Envelope<Wake>, desk: &mut Desk<'_, Self>) {
        if let Some(opened) = envelope.open() {
            self.take_news(desk);
            opened.reply.send(());
        }
    }
}
