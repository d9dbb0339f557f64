//! What the shop's and the bank's books say at the end of a run, as plain data.

use crate::bank::books::{Intent, Refund};
use crate::world::World;
use serde_json::Value;
use std::collections::BTreeMap;
use store::{Db, Row, Statement, StoreError};
use uuid::Uuid;

const fn sqlite(name: &'static str, sql: &'static str) -> Statement {
    Statement { name, postgres: "", sqlite: sql }
}

static ORDERS: Statement = sqlite(
    "facts_orders",
    "SELECT id, idempotency_key, status, version, capture, amount_total, amount_authorized, \
     amount_captured, amount_refunded FROM orders ORDER BY id",
);
static EVENTS: Statement = sqlite(
    "facts_events",
    "SELECT seq, partition, order_id, version, type FROM event ORDER BY seq",
);
static RESERVATIONS: Statement = sqlite(
    "facts_reservations",
    "SELECT r.order_id, r.released_at, unit.value ->> 0 AS sku, unit.value ->> 1 AS units \
     FROM reservation r, json_each(r.units) AS unit ORDER BY r.order_id, 3",
);
static STOCK: Statement = sqlite(
    "facts_stock",
    "SELECT sku, on_hand, reserved, shipped, returned FROM stock ORDER BY sku",
);
static PAYMENTS: Statement = sqlite(
    "facts_payments",
    "SELECT order_id, status, provider_ref FROM payment ORDER BY order_id",
);
static ANSWERS: Statement = sqlite("facts_answers", "SELECT key, status FROM answer ORDER BY key");
static SHIPMENTS: Statement =
    sqlite("facts_shipments", "SELECT order_id, status FROM shipment ORDER BY order_id");
static POSITIONS: Statement = sqlite(
    "facts_positions",
    "SELECT consumer, partition, seq FROM consumer_position ORDER BY consumer, partition",
);
static WAITING: Statement = sqlite(
    "facts_waiting",
    "SELECT (SELECT count(*) FROM parked_event) AS parked, \
     (SELECT count(*) FROM payment_operation WHERE status = 'open') AS operations, \
     (SELECT count(*) FROM provider_event WHERE handled_at IS NULL) AS told",
);
static OBSERVED: Statement =
    sqlite("facts_observed", "SELECT seq, order_id, version FROM observed ORDER BY place");
static ADJUSTED: Statement = sqlite(
    "facts_adjusted",
    "SELECT sku, CAST(sum(delta) AS bigint) AS delta FROM stock_adjustment GROUP BY sku",
);

/// An order's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRow {
    /// Its id.
    pub id: Uuid,
    /// Its idempotency key.
    pub key: String,
    /// How it stands.
    pub status: String,
    /// Its version.
    pub version: i64,
    /// `automatic` or `manual`.
    pub capture: String,
    /// Amounts in minor units: total, authorized, captured, refunded.
    pub amounts: [i64; 4],
}

impl OrderRow {
    /// Whether it ended without effect: no money is kept for it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "rejected" | "cancelled")
    }
}

/// An event's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its place in the log.
    pub seq: i64,
    /// Its partition.
    pub partition: i64,
    /// Its order.
    pub order_id: Uuid,
    /// The order's version after it.
    pub version: i64,
    /// What happened.
    pub kind: String,
}

/// Units of one SKU that are promised to an order, or were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromiseRow {
    /// The order.
    pub order_id: Uuid,
    /// Of which product.
    pub sku: String,
    /// How many units.
    pub units: i64,
    /// Whether it still holds.
    pub live: bool,
}

/// A stock level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// On the shelf.
    pub on_hand: i64,
    /// Promised to orders.
    pub reserved: i64,
    /// Sent away so far.
    pub shipped: i64,
    /// Came back and went to the shelf.
    pub returned: i64,
}

/// A payment's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRow {
    /// Its order.
    pub order_id: Uuid,
    /// How it stands.
    pub status: String,
    /// The bank's name of it.
    pub provider_ref: Option<String>,
}

/// All books.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Orders.
    pub orders: Vec<OrderRow>,
    /// The log, in order.
    pub events: Vec<EventRow>,
    /// Promises.
    pub promises: Vec<PromiseRow>,
    /// Stock by SKU.
    pub stock: BTreeMap<String, Level>,
    /// What adjustments add up to, by SKU.
    pub adjusted: BTreeMap<String, i64>,
    /// Payments.
    pub payments: Vec<PaymentRow>,
    /// Kept answers: status by key.
    pub answers: BTreeMap<String, i64>,
    /// Orders with a shipment, and where it stands.
    pub shipments: BTreeMap<Uuid, String>,
    /// Confirmed orders that each node has in memory, to tell what is bought together.
    pub counted: Vec<usize>,
    /// How far each group came: consumer, partition, place.
    pub positions: Vec<(String, i64, i64)>,
    /// Events that wait.
    pub parked: i64,
    /// Things that the bank is still to do.
    pub operations: i64,
    /// What the bank told and nobody looked into.
    pub told_events: i64,
    /// What the observer was given: place, order, version.
    pub observed: Vec<(i64, Uuid, i64)>,
    /// The bank's payments.
    pub intents: Vec<Intent>,
    /// What the bank gave back.
    pub refunds: Vec<Refund>,
    /// Orders as the shop tells them, by id.
    pub told: BTreeMap<String, Value>,
}

async fn rows<T>(
    db: &Db,
    statement: &'static Statement,
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    db.fetch(statement.query()).await?.iter().map(read).collect()
}

fn order(row: &Row) -> Result<OrderRow, StoreError> {
    Ok(OrderRow {
        id: row.uuid("id")?,
        key: row.text("idempotency_key")?,
        status: row.text("status")?,
        version: row.int("version")?,
        capture: row.text("capture")?,
        amounts: [
            row.int("amount_total")?,
            row.int("amount_authorized")?,
            row.int("amount_captured")?,
            row.int("amount_refunded")?,
        ],
    })
}

fn event(row: &Row) -> Result<EventRow, StoreError> {
    Ok(EventRow {
        seq: row.int("seq")?,
        partition: row.int("partition")?,
        order_id: row.uuid("order_id")?,
        version: row.int("version")?,
        kind: row.text("type")?,
    })
}

fn promise(row: &Row) -> Result<PromiseRow, StoreError> {
    Ok(PromiseRow {
        order_id: row.uuid("order_id")?,
        sku: row.text("sku")?,
        units: row.int("units")?,
        live: row.opt_int("released_at")?.is_none(),
    })
}

fn level(row: &Row) -> Result<(String, Level), StoreError> {
    let (on_hand, reserved) = (row.int("on_hand")?, row.int("reserved")?);
    let (shipped, returned) = (row.int("shipped")?, row.int("returned")?);
    Ok((row.text("sku")?, Level { on_hand, reserved, shipped, returned }))
}

/// The stock levels now.
///
/// # Errors
/// See [`StoreError`].
pub async fn stock(db: &Db) -> Result<BTreeMap<String, Level>, StoreError> {
    Ok(rows(db, &STOCK, level).await?.into_iter().collect())
}

impl Facts {
    /// Reads all books. `told` is filled by whoever asks the nodes.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read(world: &World) -> Result<Self, StoreError> {
        let db = &world.quiet_db();
        let payment = |row: &Row| {
            let (order_id, status) = (row.uuid("order_id")?, row.text("status")?);
            Ok(PaymentRow { order_id, status, provider_ref: row.opt_text("provider_ref")? })
        };
        let position =
            |row: &Row| Ok((row.text("consumer")?, row.int("partition")?, row.int("seq")?));
        let seen = |row: &Row| Ok((row.int("seq")?, row.uuid("order_id")?, row.int("version")?));
        let adjusted = |row: &Row| Ok((row.text("sku")?, row.int("delta")?));
        // What is not an order has the path before its key.
        let key = |row: &Row| {
            let key = row.text("key")?;
            Ok::<_, StoreError>(key.rsplit(' ').next().unwrap_or_default().to_owned())
        };
        let answer = |row: &Row| Ok((key(row)?, row.int("status")?));
        let shipment = |row: &Row| Ok((row.uuid("order_id")?, row.text("status")?));
        let waits = |row: &Row| Ok((row.int("parked")?, row.int("operations")?, row.int("told")?));
        let waiting = rows(db, &WAITING, waits).await?;
        Ok(Self {
            orders: rows(db, &ORDERS, order).await?,
            events: rows(db, &EVENTS, event).await?,
            promises: rows(db, &RESERVATIONS, promise).await?,
            stock: stock(db).await?,
            adjusted: rows(db, &ADJUSTED, adjusted).await?.into_iter().collect(),
            payments: rows(db, &PAYMENTS, payment).await?,
            answers: rows(db, &ANSWERS, answer).await?.into_iter().collect(),
            shipments: rows(db, &SHIPMENTS, shipment).await?.into_iter().collect(),
            counted: world.counted(),
            positions: rows(db, &POSITIONS, position).await?,
            parked: waiting.iter().map(|waits| waits.0).sum(),
            operations: waiting.iter().map(|waits| waits.1).sum(),
            told_events: waiting.iter().map(|waits| waits.2).sum(),
            observed: rows(db, &OBSERVED, seen).await?,
            intents: world.bank.books(|books| books.all()),
            refunds: world.bank.books(|books| books.refunds().to_vec()),
            told: BTreeMap::new(),
        })
    }

    /// What still moves, if anything does.
    #[must_use]
    pub fn unrest(&self) -> Option<String> {
        let pending = self.orders.iter().filter(|order| order.status == "pending").count();
        if pending > 0 {
            return Some(format!("{pending} orders are pending"));
        }
        if self.operations > 0 {
            return Some(format!("the bank has {} things to do", self.operations));
        }
        if self.told_events > 0 {
            return Some(format!("{} of the bank's events wait", self.told_events));
        }
        if self.parked > 0 {
            return Some(format!("{} events are parked", self.parked));
        }
        let confirmed = self.events.iter().filter(|event| event.kind == "order.confirmed").count();
        if self.counted.iter().any(|counted| *counted != confirmed) {
            return Some(format!("the nodes counted {:?} of {confirmed} orders", self.counted));
        }
        let kept = self.orders.iter().filter(|order| order.has_ended()).find(|order| {
            let id = order.id.to_string();
            let mut own = self.intents.iter().filter(|intent| intent.order_id == id);
            own.any(|intent| intent.captured > intent.refunded || intent.capturable > 0)
        });
        if let Some(order) = kept {
            return Some(format!("order {} is {} and paid", order.id, order.status));
        }
        let mut ends: BTreeMap<i64, i64> = BTreeMap::new();
        for event in &self.events {
            ends.insert(event.partition, event.seq);
        }
        let behind = self
            .positions
            .iter()
            .find(|(_, partition, seq)| ends.get(partition).is_some_and(|end| seq < end));
        behind.map(|(consumer, partition, seq)| {
            format!("{consumer} is at {seq} in partition {partition}")
        })
    }

    /// Units of a SKU that all orders tell of in this member of their lines.
    #[must_use]
    pub fn units(&self, sku: &str, member: &str) -> i64 {
        let lines = self.told.values().filter_map(|told| told["lines"].as_array()).flatten();
        let own = lines.filter(|line| line["sku"] == sku);
        own.filter_map(|line| line[member].as_i64()).sum()
    }

    /// The events of each order, in the log's order.
    #[must_use]
    pub fn histories(&self) -> BTreeMap<Uuid, Vec<&EventRow>> {
        let mut histories: BTreeMap<Uuid, Vec<&EventRow>> = BTreeMap::new();
        for event in &self.events {
            histories.entry(event.order_id).or_default().push(event);
        }
        histories
    }
}
