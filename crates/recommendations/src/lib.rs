//! Recommendations: what is bought together.
//!
//! The group `recommendations` reads confirmed orders off the log and counts, for every product
//! and every pair of products, the orders they are in. The counts are exact: they move in the
//! transaction that moves the group's position. A recommendation is a partner in many orders that
//! is still on sale; its score is the *lift*: how much more often the two meet than chance would
//! have it.
//!
//! An order of more than [`PAIR_SKUS_MAX`] different products is counted per product and not per
//! pair: its pairs would be tens of thousands of rows that say little about any one of them.

mod books;
mod consumer;
mod tally;

pub use books::{IsActive, Recommendation, Recommendations};
pub use consumer::{CONSUMER, consumer};
pub use tally::PAIR_SKUS_MAX;

#[cfg(test)]
mod tests;
