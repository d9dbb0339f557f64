//! What a consumer group does with events.

use async_trait::async_trait;
use store::outbox::{Kinds, Logged};
use store::{StoreError, Tx};

/// A consumer group: what it is called, and what it does with events.
#[async_trait]
pub trait Consumer: Send + Sync + 'static {
    /// The group's name. Its positions are kept under it, so it may never change.
    fn name(&self) -> &'static str;

    /// The kinds of events that the group wants; `None`: all. Others may come along, because they
    /// move the position too, but without their data: the group passes over them.
    fn kinds(&self) -> Option<Kinds> {
        None
    }

    /// Applies `events` on `tx` and gives it back. Whatever it writes there commits together with
    /// the group's position. Events of one order come in order; events of several partitions may
    /// come together, and other workers of the group may be at work on other partitions.
    ///
    /// # Errors
    /// Nothing of the batch happened, and `tx` is dropped. See [`ConsumeError`] for what follows.
    /// A panic counts as [`ConsumeError::Event`].
    async fn apply(&self, tx: Tx, events: &[Logged]) -> Result<Tx, ConsumeError>;

    /// Called after the commit of `events`, for state in memory. Best effort: a crash between
    /// commit and call leaves it out.
    fn committed(&self, events: &[Logged]) {
        let _ = events;
    }
}

/// Why events could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// The database failed. If one row may be at fault
    /// ([`StoreError::may_be_one_rows_fault`]) the culprit is looked for; otherwise the same
    /// events are tried again later.
    #[error("the effect of events could not be written")]
    Store(#[from] StoreError),
    /// An event cannot be digested; the culprit is looked for and parked.
    #[error("an event cannot be digested")]
    Event(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ConsumeError {
    /// An event cannot be digested, because of `cause`: an error, or a sentence.
    pub fn event(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Event(cause.into())
    }
}
