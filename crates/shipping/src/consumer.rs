//! The consumer group `shipping`.

use crate::books::{self, ShipmentStatus};
use crate::units::units_of;
use async_trait::async_trait;
use broker::{ConsumeError, Consumer};
use domain::{OrderEvent, OrderId, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::Tx;
use store::outbox::{Kinds, Logged};

/// Name of the group.
pub const CONSUMER: &str = "shipping";

/// What a shipment follows from.
const KINDS: Kinds = &[
    "order.confirmed",
    "order.shipped",
    "order.delivered",
    "order.cancelled",
    "order.remainder_cancelled",
];

/// The group, for [`broker::start`].
#[must_use]
pub fn consumer() -> Arc<dyn Consumer> {
    Arc::new(ShippingConsumer)
}

struct ShippingConsumer;

/// A shipment to be prepared.
pub(crate) struct Prepared {
    pub(crate) order_id: OrderId,
    /// `[["sku", units], …]` in SKU order.
    pub(crate) units_json: String,
    /// When the order was confirmed.
    pub(crate) at: Timestamp,
}

#[async_trait]
impl Consumer for ShippingConsumer {
    fn name(&self) -> &'static str {
        CONSUMER
    }

    fn kinds(&self) -> Option<Kinds> {
        Some(KINDS)
    }

    async fn apply(&self, mut tx: Tx, events: &[Logged]) -> Result<Tx, ConsumeError> {
        let confirmed = events.iter().filter(|event| event.kind == "order.confirmed");
        let shipments: Vec<Prepared> = confirmed.map(prepare).collect::<Result<_, _>>()?;
        books::prepare(&mut tx, &shipments).await?;
        // Of several changes of an order the last one stands.
        let mut changes: BTreeMap<OrderId, ShipmentStatus> = BTreeMap::new();
        for event in events {
            if let Some(status) = change(event)? {
                changes.insert(event.order_id, status);
            }
        }
        books::change(&mut tx, &changes).await?;
        Ok(tx)
    }
}

/// What the event makes of a shipment that is prepared, if anything.
fn change(logged: &Logged) -> Result<Option<ShipmentStatus>, ConsumeError> {
    Ok(match logged.kind.as_str() {
        "order.cancelled" => Some(ShipmentStatus::Cancelled),
        "order.remainder_cancelled" => Some(ShipmentStatus::Sent),
        "order.delivered" => Some(ShipmentStatus::Delivered),
        "order.shipped" => match logged.event().map_err(ConsumeError::event)? {
            OrderEvent::Shipped(shipped) if shipped.is_last => Some(ShipmentStatus::Sent),
            _ => Some(ShipmentStatus::PartlySent),
        },
        _ => None,
    })
}

fn prepare(logged: &Logged) -> Result<Prepared, ConsumeError> {
    let OrderEvent::Confirmed(confirmed) = logged.event().map_err(ConsumeError::event)? else {
        return Err(ConsumeError::event("the event is not what its kind says"));
    };
    let units = units_of(&confirmed.lines)
        .ok_or_else(|| ConsumeError::event("the units of a SKU are too many to count"))?;
    let units_json = serde_json::to_string(&units).map_err(ConsumeError::event)?;
    Ok(Prepared { order_id: logged.order_id, units_json, at: logged.at })
}
