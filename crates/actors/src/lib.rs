//! Actix actors made safe for work that must not be lost: supervision that survives panics,
//! mailboxes with a stated capacity that refuse when full, deadlines and cancellation in every
//! message, natural batching, and draining at shutdown.
//!
//! Everything this product does with actix goes through this crate, because plain actix
//! * ends an actor for ever when it panics (`actix::Supervisor` restarts only after `ctx.stop()`),
//! * lets `do_send` and fresh `Addr` clones exceed the mailbox's capacity, and
//! * carries neither deadline nor span from one actor to the next.
//!
//! A service is a plain struct that implements [`Service`] and, for each message it takes,
//! [`Serve`]. [`supervise`] starts it at a [`Home`] and returns its [`Mailbox`].
//!
//! **Invariant:** nothing here knows what an order is.

mod batcher;
mod context;
mod desk;
mod envelope;
mod environment;
mod home;
mod line;
mod mailbox;
mod supervisor;
mod vitals;

pub use batcher::{BatchLimits, Batcher};
pub use context::{RequestContext, TraceId};
pub use desk::{Desk, Loopback, Panicked};
pub use envelope::{Envelope, Opened, Reply, Request};
pub use environment::{SystemClock, SystemIds};
pub use home::Home;
pub use line::Waits;
pub use mailbox::{AskError, Mailbox, MailboxPolicy, Pending};
pub use supervisor::{Host, Serve, Service, Supervision, supervise};
pub use vitals::{Health, Vitals, panic_message};

#[cfg(test)]
mod tests;
