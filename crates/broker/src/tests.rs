//! Behaviour of groups on a real database.

mod groups;
mod pool;
mod support;
