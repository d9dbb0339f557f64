//! The table of shipments, and the handle to it.

use crate::consumer::Prepared;
use domain::{OrderId, Sku, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Db, Rows, Statement, StoreError, Tx, statement};

static PREPARE: Statement = statement!("prepare_shipments");
static CHANGE: Statement = statement!("change_shipments");
static OF_ORDER: Statement = statement!("shipment_of_order");
static COUNT: Statement = statement!("count_shipments");

/// Where a shipment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShipmentStatus {
    /// Its goods are to be gathered.
    Preparing,
    /// Some of them left.
    PartlySent,
    /// All that is to leave has left.
    Sent,
    /// They arrived.
    Delivered,
    /// They are not to leave.
    Cancelled,
}

impl ShipmentStatus {
    /// All statuses.
    pub const ALL: [Self; 5] =
        [Self::Preparing, Self::PartlySent, Self::Sent, Self::Delivered, Self::Cancelled];

    /// As it is written in databases and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::PartlySent => "partly_sent",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status so written, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What is to be sent for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shipment {
    /// The order.
    pub order_id: OrderId,
    /// Where it stands.
    pub status: ShipmentStatus,
    /// Units per SKU, in SKU order.
    pub units: Vec<(Sku, i64)>,
    /// When the order was confirmed.
    pub created_at: Timestamp,
}

/// The handle of shipping: reads what the group wrote. Cheap to clone.
#[derive(Clone)]
pub struct Shipping {
    db: Db,
}

impl Shipping {
    /// Reads from `db`.
    #[must_use]
    pub const fn new(db: Db) -> Self {
        Self { db }
    }

    /// The shipment of an order. `None` if the order is not confirmed, or was so a moment ago: the
    /// group follows the log and may be behind.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn of_order(&self, order: OrderId) -> Result<Option<Shipment>, StoreError> {
        let Some(row) = self.db.fetch_optional(OF_ORDER.query().bind(order.0)).await? else {
            return Ok(None);
        };
        Ok(Some(Shipment {
            order_id: order,
            status: row.parsed("status", "a status of a shipment", ShipmentStatus::parse)?,
            units: row.json("units")?,
            created_at: row.time("created_at")?,
        }))
    }

    /// Number of shipments.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn count(&self) -> Result<i64, StoreError> {
        match self.db.fetch_optional(COUNT.query()).await? {
            Some(row) => row.int("shipments"),
            None => Ok(0),
        }
    }
}

/// Writes shipments to be prepared. An order that has one keeps it.
pub(crate) async fn prepare(tx: &mut Tx, shipments: &[Prepared]) -> Result<(), StoreError> {
    if shipments.is_empty() {
        return Ok(());
    }
    let rows = Rows::new()
        .uuids(shipments.iter().map(|s| s.order_id.0))
        .texts(shipments.iter().map(|s| s.units_json.clone()))
        .times(shipments.iter().map(|s| s.at));
    tx.execute(PREPARE.query().rows(rows)).await.map(drop)
}

/// Notes what became of shipments; an order without one is passed over.
pub(crate) async fn change(
    tx: &mut Tx,
    changes: &BTreeMap<OrderId, ShipmentStatus>,
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let rows = Rows::new()
        .uuids(changes.keys().map(|order| order.0))
        .texts(changes.values().map(|status| status.as_str().to_owned()));
    tx.execute(CHANGE.query().rows(rows)).await.map(drop)
}
