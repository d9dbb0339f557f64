//! Recommendations: what is bought together.
//!
//! Each node follows the log of events ([`broker::Follower`]) and keeps the baskets of the latest
//! confirmed orders in memory, as many as a bound in bytes allows. Nothing is written, so that no
//! order ever waits for it; a node that starts reads the log backwards until its memory is full, and
//! says `degraded` until then. What is kept depends on the log and the bound alone: every node comes
//! to the same counts, also after a restart.
//!
//! Counting is done for whoever asks, in small steps between which others have their turn, and only
//! until a deadline. A recommendation is a partner in many orders, late ones before all, that is
//! still on sale; its score is the *lift*: how much more often the two meet than chance would have
//! it.

mod count;
mod decay;
mod follower;
mod keys;
mod memory;
mod service;

pub use service::{Found, IsActive, Recommendation, Recommendations, RecommendationsConfig};
#[cfg(test)]
mod tests;
