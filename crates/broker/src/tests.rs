//! Behaviour of groups on a real database.

mod claims;
mod followers;
mod groups;
mod pool;
mod support;
