//! What happened to an order. The timeline, the outbox and the order's own history are one thing.

use crate::{
    CustomerId, EventId, Line, OrderId, PaymentPlan, PaymentSummary, RejectReason, Timestamp,
    currency_code,
};
use iso_currency::Currency;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A change of one order. The order's row is the fold of its events (INV-FOLD).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum OrderEvent {
    /// The order exists; always version 1.
    #[serde(rename = "order.placed")]
    Placed(Placed),
    /// Its goods are promised and its money is taken or held, or there was nothing to pay.
    #[serde(rename = "order.confirmed")]
    Confirmed(Confirmed),
    /// It ended without effect: nothing promised, nothing charged.
    #[serde(rename = "order.rejected")]
    Rejected(Rejected),
}

/// Data of [`OrderEvent::Placed`]: all that the order is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The client's own name of the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<String>,
    /// Who ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// Currency of every amount.
    #[serde(with = "currency_code")]
    pub currency: Currency,
    /// The lines, priced.
    pub lines: Vec<Line>,
    /// How it is to be paid.
    pub payment: PaymentPlan,
    /// The client's own data.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// Data of [`OrderEvent::Confirmed`]. It carries the lines, so that a subscriber needs no other
/// event to act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// How the payment settled.
    pub payment: PaymentSummary,
    /// Money held, in minor units.
    pub amount_authorized: i64,
    /// Money taken, in minor units.
    pub amount_captured: i64,
    /// Who ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// What was ordered.
    pub lines: Vec<Line>,
}

/// Data of [`OrderEvent::Rejected`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Why.
    pub reason: RejectReason,
    /// How the payment settled, if one was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentSummary>,
}

impl OrderEvent {
    /// The event's name on the wire and in the log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Placed(_) => "order.placed",
            Self::Confirmed(_) => "order.confirmed",
            Self::Rejected(_) => "order.rejected",
        }
    }

    /// The event's data as JSON.
    ///
    /// # Errors
    /// Those of `serde_json`, which these types do not cause.
    pub fn data_json(&self) -> serde_json::Result<String> {
        match self {
            Self::Placed(data) => serde_json::to_string(data),
            Self::Confirmed(data) => serde_json::to_string(data),
            Self::Rejected(data) => serde_json::to_string(data),
        }
    }

    /// Reads an event from its name and data.
    ///
    /// # Errors
    /// An unknown name, or data of another shape.
    pub fn from_parts(name: &str, data: &str) -> serde_json::Result<Self> {
        match name {
            "order.placed" => serde_json::from_str(data).map(Self::Placed),
            "order.confirmed" => serde_json::from_str(data).map(Self::Confirmed),
            "order.rejected" => serde_json::from_str(data).map(Self::Rejected),
            other => Err(serde::de::Error::custom(format!("no event is named {other}"))),
        }
    }
}

/// An event as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The event's own name.
    pub id: EventId,
    /// The order it belongs to.
    pub order_id: OrderId,
    /// The order's version after it: 1, 2, 3 … without a gap.
    pub version: i64,
    /// When it happened.
    pub at: Timestamp,
    /// Who caused it: a principal, or a part of the system.
    pub actor: String,
    /// What caused it, such as `payment_captured`.
    pub cause: String,
    /// The trace of the request that caused it, 32 hex digits.
    pub trace_id: String,
    /// What happened.
    pub event: OrderEvent,
}
