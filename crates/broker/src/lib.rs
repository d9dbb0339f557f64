//! Consumer groups over the log of events: each group takes every event, in the order of its
//! order, with its effect exactly once.
//!
//! The log ([`store::outbox`]) has [`domain::PARTITIONS`] partitions. A group has one position per
//! partition, and a position moves in the transaction that writes the effect of the events it
//! passes: a crash loses both or neither. So an event may be *read* twice, but counts once.
//!
//! An event that a group cannot digest is found by trying the batch again in halves, until it
//! stands alone. Then it is *parked*: the position passes it, it is tried again later, and after
//! [`BrokerConfig::attempts_max`] attempts it is a *dead letter* that waits for a person. Later
//! events of the same order queue up behind it; other orders never notice. The same happens to an
//! event of which the whole process dies (module `claims`).
//!
//! Producers call [`Broker::wake`] after commit. A timer finds what nobody announced: events of
//! other nodes and parked events whose time has come. Both only say *where to look*; what is there
//! is in the database alone, so a lost call costs time and never an event.
//!
//! A [`Follower`] needs no exactness: each node reads the log for it, keeps its positions in memory
//! and tells it of everything once more after a start ([`Broker::follow`]).
//!
//! **Invariant:** nothing here knows what an event means.

mod books;
mod broker;
mod claims;
mod config;
mod consumer;
mod dispatcher;
mod follower;
mod gate;
mod group;
mod parked;
mod partitions;
mod plan;
mod tail;
mod watched;
mod worker;

pub use books::{DeadLetter, DeadLetterPlace, Lag};
pub use broker::{Broker, start};
pub use config::{BrokerConfig, FollowConfig};
pub use consumer::{ConsumeError, Consumer};
pub use follower::{Follower, Informed, NotTaken};
pub use watched::WatchedConsumer;

#[cfg(test)]
mod tests;
