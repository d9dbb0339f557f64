//! Recommendations: what is bought together.
//!
//! The group `recommendations` reads confirmed orders off the log and keeps, of each, the set of
//! its products. Nothing is counted then: an order of n products is n + 1 rows, and no row is
//! written twice. The baskets are complete and each is kept once: they are written in the
//! transaction that moves the group's position.
//!
//! Counting is done for whoever asks. A recommendation is a partner in many orders that is still
//! on sale; its score is the *lift*: how much more often the two meet than chance would have it.

mod basket;
mod books;
mod consumer;

pub use books::{IsActive, Recommendation, Recommendations};
pub use consumer::{CONSUMER, consumer};

#[cfg(test)]
mod tests;
