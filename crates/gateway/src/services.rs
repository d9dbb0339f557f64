//! The services behind the gateway.

use broker::Broker;
use catalog::Catalog;
use customers::Customers;
use domain::{Clock, IdSource};
use flags::Flags;
use inventory::Inventory;
use orders::Orders;
use payments::Payments;
use recommendations::Recommendations;
use std::sync::Arc;

/// Handles of all that the gateway passes requests on to. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// Places and reads orders.
    pub orders: Orders,
    /// Reads and changes products.
    pub catalog: Catalog,
    /// Reads and makes customers, and knows who comes in: keys, accounts, tokens.
    pub customers: Customers,
    /// Reads and sets feature flags.
    pub flags: Flags,
    /// Reads and adjusts stock.
    pub inventory: Inventory,
    /// Reads payments.
    pub payments: Payments,
    /// Knows what is bought together.
    pub recommendations: Recommendations,
    /// Knows the events that a consumer could not digest.
    pub broker: Broker,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// The source of fresh trace ids.
    pub ids: Arc<dyn IdSource>,
}
