//! Attempts at events that are parked, one event at a time.

use crate::books::{self, Head};
use crate::claims::NOBODY_CAME_BACK;
use crate::group::{Failure, Group};
use crate::partitions::Partitions;
use crate::plan::{Verdict, verdict};
use store::outbox::{self, Logged};
use store::{StoreError, Tx};
use tokio::time::Instant;

/// What became of the look for an event.
enum Begun {
    /// There is none whose time has come.
    Nothing,
    /// It has used up its attempts, and nobody came back from the last one.
    Dead,
    /// The attempt is counted.
    Attempt(Head, Box<Logged>),
}

impl Group {
    /// Tries one parked event whose time has come; `false` if there is none.
    ///
    /// The attempt is counted before it begins: an event of which the process dies has used it up.
    pub(crate) async fn retry_parked(&self, partition: u8) -> Result<bool, StoreError> {
        let (head, event) = match self.begin_attempt(partition).await? {
            Begun::Nothing => return Ok(false),
            Begun::Dead => return Ok(true),
            Begun::Attempt(head, event) => (head, event),
        };
        match self.apply_parked(partition, &head, &event).await {
            Ok(true) => Ok(true),
            Ok(false) => self.take_back(&head).await.map(|()| false),
            Err(Failure::Event(cause)) => self.fail_attempt(&head, &event, &cause).await,
            Err(Failure::Database(error)) => {
                // As far as the database still takes it; else the attempt stays counted.
                let _ = self.take_back(&head).await;
                Err(error)
            }
        }
    }

    async fn begin_attempt(&self, partition: u8) -> Result<Begun, StoreError> {
        let mut tx = self.db.begin().await?;
        let only = Partitions::one(partition);
        if books::lock_positions(&mut tx, self.name(), only).await?.is_empty() {
            tx.rollback().await?;
            return Ok(Begun::Nothing);
        }
        let now = self.clock.now();
        let due = books::due_parked_event(&mut tx, self.name(), partition, now).await?;
        let Some(head) = due else {
            tx.rollback().await?;
            return Ok(Begun::Nothing);
        };
        let event = self.logged(&mut tx, partition, &head).await?;
        if head.attempts >= self.config.attempts_max {
            let verdict = verdict(head.attempts, now, &self.config);
            self.judge(tx, &head, verdict, NOBODY_CAME_BACK).await?;
            self.died(&event, NOBODY_CAME_BACK);
            return Ok(Begun::Dead);
        }
        let attempts = head.attempts + 1;
        let verdict = Verdict { dead_since: None, ..verdict(attempts, now, &self.config) };
        self.judge(tx, &head, verdict, NOBODY_CAME_BACK).await?;
        Ok(Begun::Attempt(Head { attempts, ..head }, Box::new(event)))
    }

    /// A parked event as it stands in the log.
    async fn logged(&self, tx: &mut Tx, partition: u8, head: &Head) -> Result<Logged, StoreError> {
        let read = outbox::read(tx, partition, head.seq - 1, 1).await?;
        read.into_iter().find(|event| event.seq == head.seq).ok_or_else(|| {
            StoreError::Configuration(format!(
                "the parked event {} of order {} is not in the log",
                head.version, head.order_id
            ))
        })
    }

    /// Applies it; `false` if another node is at work there.
    async fn apply_parked(
        &self,
        partition: u8,
        head: &Head,
        event: &Logged,
    ) -> Result<bool, Failure> {
        let began = Instant::now();
        let mut tx = self.db.begin().await?;
        let only = Partitions::one(partition);
        if books::lock_positions(&mut tx, self.name(), only).await?.is_empty() {
            tx.rollback().await?;
            return Ok(false);
        }
        let events = std::slice::from_ref(event);
        let mut tx = self.apply(tx, events).await?;
        if !books::unpark(&mut tx, self.name(), head, self.clock.now()).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.commit().await?;
        self.applied(events, began);
        Ok(true)
    }

    async fn fail_attempt(
        &self,
        head: &Head,
        event: &Logged,
        cause: &str,
    ) -> Result<bool, StoreError> {
        let verdict = verdict(head.attempts, self.clock.now(), &self.config);
        let tx = self.db.begin().await?;
        if self.judge(tx, head, verdict, cause).await? && verdict.dead_since.is_some() {
            self.died(event, cause);
        }
        Ok(true)
    }

    /// The attempt did not take place.
    async fn take_back(&self, head: &Head) -> Result<(), StoreError> {
        let (attempts, now) = (head.attempts - 1, self.clock.now());
        let verdict = Verdict { attempts, next_attempt_at: now, dead_since: None };
        let tx = self.db.begin().await?;
        self.judge(tx, head, verdict, &head.last_error).await.map(drop)
    }

    async fn judge(
        &self,
        mut tx: Tx,
        head: &Head,
        verdict: Verdict,
        cause: &str,
    ) -> Result<bool, StoreError> {
        let counted = books::judge_parked_event(&mut tx, self.name(), head, verdict, cause).await?;
        tx.commit().await?;
        Ok(counted)
    }
}
