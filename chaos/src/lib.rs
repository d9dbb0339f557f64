//! Chaos with real processes: three nodes of the shop, PostgreSQL and the bank are killed, frozen,
//! drained and cut off while clients use the shop and write down what they were told. Afterwards
//! the books of everybody are compared.
//!
//! `scripts/chaos --help` says what can be run.

pub mod balancer;
pub mod bank;
pub mod check;
mod cli;
pub mod clients;
pub mod http;
pub mod link;
pub mod modes;
pub mod nemesis;
pub mod node;
pub mod postgres;
pub mod process;
pub mod progress;
pub mod report;
pub mod sampler;
pub mod world;

pub use cli::main;
