//! The work of a group, one transaction at a time.

use crate::books;
use crate::claims::Claims;
use crate::gate::Gate;
use crate::partitions::{Partitions, Work};
use crate::plan::{AfterFailure, Attempt, Plan, verdict};
use crate::{BrokerConfig, ConsumeError, Consumer};
use actors::panic_message;
use domain::Clock;
use futures_util::FutureExt;
use metrics::{counter, histogram};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use store::outbox::{self, Found, Logged, Page};
use store::{Db, StoreError, Tx};
use tokio::time::Instant;
use tracing::Instrument;

/// Most retries of parked events of one partition in one pass, so that they do not hold up what
/// is new.
const RETRIES_PER_PASS: usize = 32;
/// Longest cause that is kept, in characters.
const CAUSE_LENGTH_MAX: usize = 1_000;

/// A consumer group at work.
pub(crate) struct Group {
    pub(crate) consumer: Arc<dyn Consumer>,
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: BrokerConfig,
    pub(crate) gate: Arc<Gate>,
    pub(crate) claims: Claims,
}

/// What came of a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Where more may be waiting.
    pub(crate) left: Work,
    /// The database failed: nobody's fault, to be tried again later.
    pub(crate) troubled: bool,
}

/// What came of one transaction.
pub(crate) enum Turn {
    /// It is committed, or there was nothing to do; in these partitions there may be more.
    Done(Partitions),
    /// It is rolled back, because of one of its events; `events` counts them with those that the
    /// group passes over, and `first` is the first that was tried.
    Blamed { events: i64, first: Option<Box<Logged>>, cause: String },
}

pub(crate) enum Failure {
    /// It may be one event's fault.
    Event(String),
    /// It is nobody's fault.
    Database(StoreError),
}

impl Group {
    /// Looks once where `work` says, and does what is there.
    pub(crate) async fn pass(&self, work: Work) -> Passed {
        match self.try_pass(work).await {
            Ok(left) => Passed { left, troubled: false },
            Err(error) => {
                tracing::warn!(
                    event = "consumer_waits",
                    consumer = self.name(),
                    code = "CONSUMER_WAITS",
                    cause = %describe(&error),
                    "the database failed; the same events are tried again later"
                );
                Passed { left: work, troubled: true }
            }
        }
    }

    async fn try_pass(&self, work: Work) -> Result<Work, StoreError> {
        let mut left = Work { events: self.digest(work.events).await?, ..Work::default() };
        for partition in work.parked.iter() {
            let mut retries = 0;
            while !self.gate.is_stopping() && self.retry_parked(partition).await? {
                retries += 1;
                if retries == RETRIES_PER_PASS {
                    left.parked = left.parked.or(Partitions::one(partition));
                    break;
                }
            }
        }
        Ok(left)
    }

    /// Applies the next events of these partitions; gives those where more may be waiting.
    async fn digest(&self, partitions: Partitions) -> Result<Partitions, StoreError> {
        let mut left = Partitions::default();
        let unsure = self.claims.unsure().and(partitions);
        for partition in unsure.iter() {
            left = left.or(self.digest_claimed(partition).await?);
        }
        let plan = Plan::new(partitions.without(unsure), self.config.batch);
        Ok(left.or(self.carry_out(plan).await?))
    }

    pub(crate) async fn carry_out(&self, mut plan: Plan) -> Result<Partitions, StoreError> {
        let mut left = Partitions::default();
        while let Some(attempt) = plan.next() {
            if self.gate.is_stopping() {
                break;
            }
            match self.turn(attempt).await? {
                Turn::Done(more) => left = left.or(more),
                Turn::Blamed { events, first, cause } => {
                    left = left.or(attempt.partitions);
                    let next = plan.failed(attempt, events);
                    if let (AfterFailure::Park, Some(culprit)) = (next, first) {
                        self.park(&culprit, &cause).await?;
                    }
                }
            }
        }
        Ok(left)
    }

    /// One transaction: lock, read, apply, move the positions, commit.
    pub(crate) async fn turn(&self, attempt: Attempt) -> Result<Turn, StoreError> {
        let mut tx = self.db.begin().await?;
        let positions = books::lock_positions(&mut tx, self.name(), attempt.partitions).await?;
        let (mut events, mut moves) = (Vec::new(), Vec::with_capacity(positions.len()));
        let mut more = Partitions::default();
        let mut count = 0;
        for position in positions {
            let partition = position.partition;
            if self.claims.is_of_another(&position) {
                // Somebody may have died of these: not without a claim.
                self.claims.doubt(partition);
                more = more.or(Partitions::one(partition));
                continue;
            }
            let page = Page { partition, from: position.seq, limit: attempt.limit };
            let found = self.read(&mut tx, page).await?;
            if found.passed >= attempt.limit {
                more = more.or(Partitions::one(partition));
            }
            let ahead = i64::from(faults::planted("position-ahead"));
            moves.extend(found.events.last().map(|last| (partition, last.seq + ahead)));
            events.extend(found.events);
            count += found.passed;
        }
        if events.is_empty() {
            tx.rollback().await?;
            return Ok(Turn::Done(more));
        }
        let mut blocked = books::blocked_orders(&mut tx, self.name(), &events).await?;
        if faults::planted("parked-order-not-held-up") {
            blocked.clear();
        }
        let (behind, free): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|event| blocked.contains(&event.order_id));
        let span = tracing::info_span!("broker.turn", consumer = self.name(), events = free.len());
        match self.apply_and_commit(tx, &free, &behind, &moves).instrument(span).await {
            Ok(()) => Ok(Turn::Done(more)),
            Err(Failure::Event(cause)) => Ok(Turn::Blamed {
                events: count,
                first: free.into_iter().next().map(Box::new),
                cause,
            }),
            Err(Failure::Database(error)) => Err(error),
        }
    }

    /// The next events that the group wants.
    async fn read(&self, tx: &mut Tx, page: Page) -> Result<Found, StoreError> {
        match self.consumer.kinds() {
            Some(kinds) => outbox::read_wanted(tx, page, kinds).await,
            None => {
                let events = outbox::read(tx, page.partition, page.from, page.limit).await?;
                let passed = i64::try_from(events.len()).unwrap_or(i64::MAX);
                Ok(Found { events, passed })
            }
        }
    }

    async fn apply_and_commit(
        &self,
        tx: Tx,
        free: &[Logged],
        behind: &[Logged],
        moves: &[(u8, i64)],
    ) -> Result<(), Failure> {
        let began = Instant::now();
        let lost = faults::planted("position-without-effect") && free.len() == 1;
        let tx = self.apply(tx, if lost { &[] } else { free }).await?;
        let settled = self.settle(tx, behind, moves).await;
        // What the group wrote may be refused as late as at commit; without it, nobody is to blame.
        settled.map_err(|error| match Failure::from(error) {
            Failure::Event(cause) if free.is_empty() => {
                Failure::Database(StoreError::Configuration(format!(
                    "the broker's own statement was refused: {cause}"
                )))
            }
            failure => failure,
        })?;
        self.count_parked(behind.len());
        self.applied(free, began);
        Ok(())
    }

    async fn settle(
        &self,
        mut tx: Tx,
        behind: &[Logged],
        moves: &[(u8, i64)],
    ) -> Result<(), StoreError> {
        books::park_behind(&mut tx, self.name(), behind).await?;
        // Once in a while, or nothing would ever go on.
        let stays = moves.iter().all(|(_, seq)| seq % 3 == 0);
        if !(stays && faults::planted("effect-without-position")) {
            books::advance_positions(&mut tx, self.name(), moves).await?;
        }
        faults::point("broker.before_commit").await;
        tx.commit().await?;
        faults::point("broker.after_commit").await;
        Ok(())
    }

    /// Lets the group apply events; a panic is an error like any other.
    pub(crate) async fn apply(&self, tx: Tx, events: &[Logged]) -> Result<Tx, Failure> {
        if events.is_empty() {
            return Ok(tx);
        }
        let work = async { self.consumer.apply(tx, events).await };
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(tx)) => Ok(tx),
            Ok(Err(ConsumeError::Store(error))) => Err(error.into()),
            Ok(Err(error @ ConsumeError::Event(_))) => Err(Failure::Event(describe(&error))),
            Err(payload) => {
                Err(Failure::Event(format!("the consumer panicked: {}", panic_message(&*payload))))
            }
        }
    }

    /// Passes the culprit and keeps it for later.
    async fn park(&self, culprit: &Logged, cause: &str) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let only = Partitions::one(culprit.partition);
        let positions = books::lock_positions(&mut tx, self.name(), only).await?;
        let Some(position) = positions.first() else {
            return tx.rollback().await;
        };
        let next = outbox::read(&mut tx, culprit.partition, position.seq, 1).await?;
        if next.first().map(|event| event.seq) != Some(culprit.seq) {
            // Another node was faster.
            return tx.rollback().await;
        }
        self.park_next(tx, culprit, 1, cause).await
    }

    /// Parks the next event of a partition after this many attempts, and commits. The position must
    /// be locked.
    pub(crate) async fn park_next(
        &self,
        mut tx: Tx,
        culprit: &Logged,
        attempts: i64,
        cause: &str,
    ) -> Result<(), StoreError> {
        let verdict = verdict(attempts, self.clock.now(), &self.config);
        if !faults::planted("parked-event-forgotten") {
            books::park_failed(&mut tx, self.name(), culprit, verdict, cause).await?;
        }
        let moves = [(culprit.partition, culprit.seq)];
        books::advance_positions(&mut tx, self.name(), &moves).await?;
        tx.commit().await?;
        self.count_parked(1);
        tracing::warn!(
            event = "event_parked",
            consumer = self.name(),
            order_id = %culprit.order_id,
            version = culprit.version,
            trace_id = %culprit.trace_id,
            code = "EVENT_PARKED",
            cause,
            "an event could not be digested; its order waits for the next attempt"
        );
        if verdict.dead_since.is_some() {
            self.died(culprit, cause);
        }
        Ok(())
    }

    pub(crate) fn name(&self) -> &'static str {
        self.consumer.name()
    }

    /// After commit: count, tell the traces, and tell the group. The work began at `began`.
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    pub(crate) fn applied(&self, events: &[Logged], began: Instant) {
        if events.is_empty() {
            return;
        }
        let name = self.name();
        counter!("broker_events_total", "consumer" => name).increment(events.len() as u64);
        for event in events {
            tracing::info!(
                name: "consume",
                target: "hop",
                parent: None,
                label = name,
                trace_id = event.trace_id,
                batched = true,
                order_id = event.order_id.0.as_u128(),
                version = event.version,
                took_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX),
            );
        }
        histogram!("batch_items", "batch" => format!("broker.{name}")).record(events.len() as f64);
        let told = catch_unwind(AssertUnwindSafe(|| self.consumer.committed(events)));
        if let Err(payload) = told {
            tracing::error!(
                event = "consumer_panicked",
                consumer = name,
                code = "CONSUMER_PANICKED",
                cause = %panic_message(&*payload),
                "a consumer panicked after commit; its effects are durable"
            );
        }
    }

    pub(crate) fn count_parked(&self, events: usize) {
        if events > 0 {
            counter!("broker_parked_total", "consumer" => self.name()).increment(events as u64);
        }
    }

    pub(crate) fn died(&self, event: &Logged, cause: &str) {
        counter!("broker_dead_letters_total", "consumer" => self.name()).increment(1);
        tracing::error!(
            event = "event_dead",
            consumer = self.name(),
            order_id = %event.order_id,
            version = event.version,
            trace_id = %event.trace_id,
            code = "EVENT_DEAD",
            cause,
            "an event is a dead letter: it is not tried again until a person asks for it"
        );
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if error.may_be_one_rows_fault() {
            Self::Event(describe(&error))
        } else {
            Self::Database(error)
        }
    }
}

/// An error and its causes in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    // Postgres takes no NUL in a text.
    text.chars().filter(|c| *c != '\0').take(CAUSE_LENGTH_MAX).collect()
}
