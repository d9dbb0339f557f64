//! A whole shop in one thread, in simulated time, out of one seed: the product's own services on
//! one to three nodes, one database, one bank, clients, and everything that goes wrong between
//! them. When it is over, the books are compared.
//!
//! See `README.md` of this package for what it proves and what it does not.

pub mod bank;
pub mod catalogue;
pub mod check;
mod client;
pub mod facts;
pub mod ledger;
mod money;
mod nature;
mod nemesis;
mod node;
mod observer;
pub mod profile;
mod rng;
mod run;
mod shop;
mod summary;
mod sweep;
mod trace;
mod world;

pub use run::{Options, Report, run};
pub use summary::{MUST_HAPPEN, Summary, WELL_PERCENT};
pub use sweep::{NOT_CAUGHT_HERE, bugs_page, sweep};
