//! Behaviour of groups on a real database.

mod claims;
mod groups;
mod pool;
mod support;
