//! What is known when a run has come to rest.

use crate::bank::LedgerEntry;
use crate::clients::Record;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything that the checker compares.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What clients did and were told.
    pub records: Vec<Record>,
    /// What they were told when everything had come to rest, on each node.
    pub replays: Vec<ReplayFact>,
    /// The database.
    pub orders: Vec<OrderRow>,
    /// Log of events.
    pub events: Vec<EventRow>,
    /// Payment attempts.
    pub payments: Vec<PaymentRow>,
    /// Levels.
    pub stock: Vec<StockRow>,
    /// Promises of goods.
    pub reservations: Vec<ReservationRow>,
    /// Ledger of adjustments.
    pub adjustments: Vec<AdjustmentRow>,
    /// Effects of the group `shipping`.
    pub shipments: Vec<ShipmentRow>,
    /// Events that a group has set aside.
    pub parked: Vec<ParkedRow>,
    /// The bank.
    pub ledger: Vec<LedgerEntry>,
    /// The audit of each node: what it found, `None` if nothing.
    pub audits: Vec<(String, Option<String>)>,
    /// Levels that could not be, seen while the run was on.
    pub bad_levels: Vec<String>,
    /// How often levels were looked at.
    pub samples: usize,
    /// What was noticed by the way.
    pub complaints: Vec<String>,
    /// How many things were looked at for it.
    pub looks: usize,
}

/// An answer after the run.
#[derive(Clone, Debug)]
pub struct ReplayFact {
    /// The key.
    pub key: String,
    /// The node that was asked.
    pub node: String,
    /// What differs from the answer during the run; `None` if nothing does.
    pub difference: Option<String>,
}

/// A row of `orders`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// Its id.
    pub id: String,
    /// Whose key it is.
    pub principal_id: String,
    /// The key that made it.
    pub idempotency_key: String,
    /// The client's own name of it.
    pub external_ref: Option<String>,
    /// Where it stands.
    pub status: String,
    /// Its currency.
    pub currency: String,
    /// What it costs, in minor units.
    pub amount_total: i64,
    /// Money held or taken.
    pub amount_authorized: i64,
    /// Money taken.
    pub amount_captured: i64,
    /// Money given back.
    pub amount_refunded: i64,
    /// Taken now or later.
    pub capture: String,
    /// Its lines.
    pub lines: Vec<LineRow>,
    /// `held` while what has not left is promised to it.
    #[serde(default)]
    pub goods: Option<String>,
    /// Number of its events.
    pub version: i64,
}

/// A line of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineRow {
    /// What.
    pub sku: String,
    /// How many.
    pub quantity: i64,
    /// Price of one.
    pub unit_amount: i64,
    /// Price of the line.
    pub amount_total: i64,
    /// Units that have left.
    #[serde(default)]
    pub quantity_shipped: i64,
    /// Units that will not leave.
    #[serde(default)]
    pub quantity_cancelled: i64,
    /// Units that came back.
    #[serde(default)]
    pub quantity_returned: i64,
}

/// A row of `event`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// The order.
    pub order_id: String,
    /// The order's version after it.
    pub version: i64,
    /// What happened.
    pub kind: String,
    /// Its place in the log.
    pub seq: i64,
    /// More about it.
    pub data: Value,
}

/// A row of `payment`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentRow {
    /// The order.
    pub order_id: String,
    /// What is to be paid, in minor units.
    pub amount: i64,
    /// In which currency.
    pub currency: String,
    /// Where it stands.
    pub status: String,
    /// The bank's name of it.
    pub provider_ref: Option<String>,
}

/// A row of `stock`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockRow {
    /// What.
    pub sku: String,
    /// Units on the shelf.
    pub on_hand: i64,
    /// Units of those that are promised.
    pub reserved: i64,
    /// Units that have left.
    pub shipped: i64,
    /// Units that came back to the shelf.
    #[serde(default)]
    pub returned: i64,
    /// What its adjustments add up to.
    pub adjusted: i64,
}

/// A row of `reservation`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationRow {
    /// The order.
    pub order_id: String,
    /// Units per SKU.
    pub units: Vec<(String, i64)>,
    /// Whether it still holds them.
    pub live: bool,
}

/// Rows of `stock_adjustment` with one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdjustmentRow {
    /// Why; the harness puts its key there.
    pub reason: String,
    /// What.
    pub sku: String,
    /// By how much.
    pub delta: i64,
}

/// A row of `shipment`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentRow {
    /// The order.
    pub order_id: String,
    /// Where it stands.
    pub status: String,
    /// Units per SKU.
    pub units: Vec<(String, i64)>,
}

/// A row of `parked_event`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedRow {
    /// The group.
    pub consumer: String,
    /// The order.
    pub order_id: String,
    /// The order's version.
    pub version: i64,
    /// What went wrong.
    pub last_error: String,
}
