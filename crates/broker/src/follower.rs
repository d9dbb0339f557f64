//! What a follower does with events.

use store::outbox::{Kinds, Logged};

/// Somebody who reads the log by itself, on each node, and keeps what it learns in memory: counts,
/// caches, hints. Nothing of it is in the database, so it costs no transaction, and after a start it
/// reads the log again, as far back as it wants.
///
/// An event that it cannot take is counted, told once and passed over: what is merely derived is
/// better a little wrong than standing still. Whoever must not miss an event is a
/// [`crate::Consumer`].
pub trait Follower: Send + Sync + 'static {
    /// Its name, for metrics and the log.
    fn name(&self) -> &'static str;

    /// The kinds of events that it wants. It never hears of the others.
    fn kinds(&self) -> Kinds;

    /// Takes an event. Those that come after the start of the node come in the order of their
    /// partition; those from before it come backwards, between them. One call at a time. It should
    /// be quick, because it runs among others on their thread.
    ///
    /// # Errors
    /// The event cannot be digested, for this reason. A panic counts as that.
    fn take(&self, event: &Logged) -> Result<(), NotTaken>;

    /// Whether events before this place of the log are still of use. Asked before each page on the
    /// way back; the first no ends it for that partition.
    fn wants_before(&self, seq: i64) -> bool;

    /// How well it is informed now. Called after every look at the log.
    fn informed(&self, how: Informed);
}

/// Why an event could not be taken.
#[derive(Debug, thiserror::Error)]
#[error("an event cannot be digested")]
pub struct NotTaken(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl NotTaken {
    /// Because of `cause`: an error, or a sentence.
    pub fn because(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// How well a follower is informed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Informed {
    /// It is still reading what was there when the node started.
    Partly,
    /// It has read all that it wants to know, up to a moment ago.
    Fully,
    /// The log could not be read: what it knows grows old.
    NotNow,
}
