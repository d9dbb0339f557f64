//! Events of which a process dies.
//!
//! What a consumer does to its process, an error cannot tell: a stack that overflows, memory that
//! runs out, an abort. After the restart the same events would come first again, and the shop would
//! never be up. So a worker *claims* events, in a transaction of its own, before it begins with
//! them. A claim that reaches beyond the position and is not this process's own tells of a death:
//! its events are then begun one by one, and one that was begun alone [`ALONE_MAX`] times, and never
//! ended, is parked like any other that cannot be digested.
//!
//! Claims cost a commit. A process dies once and not of every batch, so there is one only where a
//! death may lie behind: on the first events of each partition after a start, on the rest of a claim
//! that somebody left, and on each attempt at a parked event. The first death of all, in the midst of
//! work, is therefore not counted.

use crate::books::{self, Position};
use crate::group::{Group, Turn};
use crate::partitions::Partitions;
use crate::plan::{Attempt, Plan};
use domain::PARTITIONS;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use store::outbox::{self, Logged};
use store::{StoreError, Tx};

/// How often an event is begun alone that nobody came back from. One death may be chance: the
/// process was stopped just then.
pub(crate) const ALONE_MAX: i64 = 2;

/// The cause that is kept of an event that nobody came back from.
pub(crate) const NOBODY_CAME_BACK: &str =
    "the attempt was begun and never ended: the process may have died of it";

/// What this process knows of claims. All else is in the database.
#[derive(Debug)]
pub(crate) struct Claims {
    /// Partitions whose next events somebody may have died of.
    unsure: AtomicU8,
    /// The end of this process's latest claim, by partition.
    own: [AtomicI64; PARTITIONS as usize],
    /// Up to here events are begun one by one, by partition.
    suspects: [AtomicI64; PARTITIONS as usize],
}

impl Default for Claims {
    fn default() -> Self {
        let unsure = (0..PARTITIONS).collect::<Partitions>().0.into();
        Self { unsure, own: Default::default(), suspects: Default::default() }
    }
}

impl Claims {
    /// Partitions whose next events are to be claimed.
    pub(crate) fn unsure(&self) -> Partitions {
        Partitions(self.unsure.load(Ordering::SeqCst))
    }

    /// The next events of the partition are to be claimed.
    pub(crate) fn doubt(&self, partition: u8) {
        self.unsure.fetch_or(Partitions::one(partition).0, Ordering::SeqCst);
    }

    fn trust(&self, partition: u8) {
        self.unsure.fetch_and(!Partitions::one(partition).0, Ordering::SeqCst);
    }

    /// Whether a process began with the next events that was not this one, and has not said how it
    /// ended.
    pub(crate) fn is_of_another(&self, position: &Position) -> bool {
        let own = &self.own[usize::from(position.partition)];
        position.claimed > position.seq && position.claimed != own.load(Ordering::SeqCst)
    }
}

/// What came of a claim.
enum Claimed {
    /// Another node is at work there.
    Busy,
    /// There is no event.
    Nothing,
    /// An event that nobody came back from is parked.
    Parked,
    /// So many events. `last`: no suspect is behind them. `again`: this process claimed them before.
    Events { count: i64, last: bool, again: bool },
}

impl Group {
    /// Claims the next events of a partition and applies them; gives the partition if more may be
    /// waiting.
    pub(crate) async fn digest_claimed(&self, partition: u8) -> Result<Partitions, StoreError> {
        let (only, none) = (Partitions::one(partition), Partitions::default());
        if self.gate.is_stopping() {
            return Ok(only);
        }
        let (count, last, again) = match self.claim(partition).await? {
            // The next poll finds what the other node leaves.
            Claimed::Busy => return Ok(none),
            Claimed::Nothing => {
                self.claims.trust(partition);
                return Ok(none);
            }
            Claimed::Parked => return Ok(only),
            Claimed::Events { count, last, again } => (count, last, again),
        };
        let more = match self.turn(Attempt { partitions: only, limit: count }).await? {
            Turn::Done(more) => more,
            // They failed, and the process lives: they are taken apart as ever, without claims.
            Turn::Blamed { .. } => {
                self.release(partition).await?;
                self.carry_out(Plan::new(only, count)).await?
            }
        };
        if !last {
            // What comes again, although it did not fail, waits for the next poll.
            return Ok(if again { none } else { only });
        }
        self.claims.trust(partition);
        Ok(more)
    }

    async fn claim(&self, partition: u8) -> Result<Claimed, StoreError> {
        let mut tx = self.db.begin().await?;
        let only = Partitions::one(partition);
        let Some(position) = books::lock_positions(&mut tx, self.name(), only).await?.pop() else {
            tx.rollback().await?;
            return Ok(Claimed::Busy);
        };
        let is_left = self.claims.is_of_another(&position);
        let suspects = &self.claims.suspects[usize::from(partition)];
        if is_left {
            suspects.fetch_max(position.claimed, Ordering::SeqCst);
        }
        let suspects = suspects.load(Ordering::SeqCst);
        let limit = if suspects > position.seq { 1 } else { self.config.batch.max(1) };
        let events = outbox::read(&mut tx, partition, position.seq, limit).await?;
        let (Some(first), Some(end)) = (events.first(), events.last()) else {
            tx.rollback().await?;
            return Ok(Claimed::Nothing);
        };
        let was_alone = is_left && position.claimed == first.seq;
        if was_alone && position.tries >= ALONE_MAX {
            self.set_aside(tx, first, position.tries).await?;
            return Ok(Claimed::Parked);
        }
        let tries = match (events.len(), was_alone) {
            (1, true) => position.tries + 1,
            (1, false) => 1,
            _ => 0,
        };
        let again = !is_left && position.claimed > position.seq;
        // Known as ours before it can be read: what is not known to be committed may be.
        self.claims.own[usize::from(partition)].store(end.seq, Ordering::SeqCst);
        books::claim_events(&mut tx, self.name(), partition, end.seq, tries).await?;
        tx.commit().await?;
        let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
        Ok(Claimed::Events { count, last: end.seq >= suspects, again })
    }

    /// Passes an event that nobody came back from; its position is locked.
    async fn set_aside(&self, mut tx: Tx, event: &Logged, tries: i64) -> Result<(), StoreError> {
        let events = std::slice::from_ref(event);
        if books::blocked_orders(&mut tx, self.name(), events).await?.is_empty() {
            return self.park_next(tx, event, tries, NOBODY_CAME_BACK).await;
        }
        books::park_behind(&mut tx, self.name(), events).await?;
        books::advance_positions(&mut tx, self.name(), &[(event.partition, event.seq)]).await?;
        tx.commit().await?;
        self.count_parked(1);
        Ok(())
    }

    /// Nobody died of what was claimed.
    async fn release(&self, partition: u8) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        books::claim_events(&mut tx, self.name(), partition, 0, 0).await?;
        tx.commit().await
    }
}
