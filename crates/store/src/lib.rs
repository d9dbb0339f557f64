//! The database: SQLite in one file, or Postgres, behind one behaviour.
//!
//! A service owns its tables and its SQL; this crate owns the connection, the [`Tx`] that travels
//! from service to service by mailbox, and the two things every service shares: the log of events
//! ([`outbox`]) and the stored answers ([`answers`]).
//!
//! Every query stands in two files of the same name, one per dialect, and is called by one piece
//! of Rust. A batch of rows ([`Rows`]) is one parameter per column in Postgres (`unnest`) and one
//! JSON parameter in SQLite (`json_each`): one round trip per statement, however many rows.
//!
//! **Invariant:** this crate knows no service's table.

pub mod answers;
pub mod conflict;
mod connect;
mod db;
mod error;
mod instance_lock;
pub mod leases;
mod migrate;
pub mod outbox;
mod pools;
mod query;
mod row;
#[cfg(feature = "simulation")]
pub mod simulated;

pub use connect::{DatabaseUrl, StoreConfig};
pub use db::{Backend, Db, Tx};
pub use error::StoreError;
pub use migrate::Migrated;
pub use pools::PoolUse;
pub use query::{Query, Rows, Statement, Value};
pub use row::Row;
