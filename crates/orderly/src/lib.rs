//! The product as one program: configuration, wiring and command line. The only crate that reads
//! the environment, and the only one that knows all the others.

mod app;
mod audit_command;
mod bank_command;
mod bench_command;
mod cli;
mod demo;
mod edge;
mod gate_command;
mod gauges;
mod import_command;
mod keys;
mod map;
mod own;
mod recommendation_args;
mod reconcile;
mod reconcile_command;
mod replay_command;
mod serve;
mod signals;
mod tokens;
mod traces;
mod watch;

pub use cli::main;
