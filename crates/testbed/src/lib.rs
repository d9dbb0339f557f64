//! What the tests of our crates stand on: folders and databases of a test's own, and orders and
//! events to fill a log with.
//!
//! Tests alone depend on it; no released program has it.

#![expect(clippy::expect_used, reason = "what cannot be done here is a failed test")]

pub mod log;
mod scratch;

pub use scratch::{Folder, Scratch, on_postgres, on_sqlite};
