//! Shipping: an order that is confirmed gets a shipment to prepare.
//!
//! The group `shipping` reads confirmed orders off the log. It writes one row per order, whatever
//! the number of its lines, in the transaction that moves its position.

mod books;
mod consumer;
mod units;

pub use books::{Shipment, ShipmentStatus, Shipping};
pub use consumer::{CONSUMER, consumer};

#[cfg(test)]
mod tests;
