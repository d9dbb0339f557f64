//! From the log to the answers.

mod bound;
mod customers;
mod log;
mod support;
