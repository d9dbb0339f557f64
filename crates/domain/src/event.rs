//! What happened to an order. The timeline, the outbox and the order's own history are one thing.

mod life;

pub use life::{
    CancelRequested, Cancelled, CaptureFailed, Delivered, GoodsReleased, PaidTooLate, RefundFailed,
    Refunded, RemainderCancelled, Returned, Shipped,
};

use crate::{
    CustomerId, EventId, Line, OrderId, PaymentPlan, PaymentSummary, Pricing, RejectReason,
    Timestamp, currency_code,
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
    /// It is to end as soon as its payment is known.
    #[serde(rename = "order.cancel_requested")]
    CancelRequested(CancelRequested),
    /// Its payment took too long: its goods are for others.
    #[serde(rename = "order.goods_released")]
    GoodsReleased(GoodsReleased),
    /// It ended: nothing left, and no money is kept.
    #[serde(rename = "order.cancelled")]
    Cancelled(Cancelled),
    /// What had not left of it is not to leave any more.
    #[serde(rename = "order.remainder_cancelled")]
    RemainderCancelled(RemainderCancelled),
    /// Some or all of its goods left.
    #[serde(rename = "order.shipped")]
    Shipped(Shipped),
    /// What left has arrived.
    #[serde(rename = "order.delivered")]
    Delivered(Delivered),
    /// Money goes back to the customer.
    #[serde(rename = "order.refunded")]
    Refunded(Refunded),
    /// Goods came back, and their money goes back.
    #[serde(rename = "order.returned")]
    Returned(Returned),
    /// The provider did not hand over what it had held.
    #[serde(rename = "order.capture_failed")]
    CaptureFailed(CaptureFailed),
    /// The provider did not give back.
    #[serde(rename = "order.refund_failed")]
    RefundFailed(RefundFailed),
    /// It was paid after it had ended: the money goes back.
    #[serde(rename = "order.paid_too_late")]
    PaidTooLate(PaidTooLate),
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
    /// How it was priced, if not simply by price and quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pricing: Option<Box<Pricing>>,
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
            Self::CancelRequested(_) => "order.cancel_requested",
            Self::GoodsReleased(_) => "order.goods_released",
            Self::Cancelled(_) => "order.cancelled",
            Self::RemainderCancelled(_) => "order.remainder_cancelled",
            Self::Shipped(_) => "order.shipped",
            Self::Delivered(_) => "order.delivered",
            Self::Refunded(_) => "order.refunded",
            Self::Returned(_) => "order.returned",
            Self::CaptureFailed(_) => "order.capture_failed",
            Self::RefundFailed(_) => "order.refund_failed",
            Self::PaidTooLate(_) => "order.paid_too_late",
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
            Self::CancelRequested(data) => serde_json::to_string(data),
            Self::GoodsReleased(data) => serde_json::to_string(data),
            Self::Cancelled(data) => serde_json::to_string(data),
            Self::RemainderCancelled(data) => serde_json::to_string(data),
            Self::Shipped(data) => serde_json::to_string(data),
            Self::Delivered(data) => serde_json::to_string(data),
            Self::Refunded(data) => serde_json::to_string(data),
            Self::Returned(data) => serde_json::to_string(data),
            Self::CaptureFailed(data) => serde_json::to_string(data),
            Self::RefundFailed(data) => serde_json::to_string(data),
            Self::PaidTooLate(data) => serde_json::to_string(data),
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
            "order.cancel_requested" => serde_json::from_str(data).map(Self::CancelRequested),
            "order.goods_released" => serde_json::from_str(data).map(Self::GoodsReleased),
            "order.cancelled" => serde_json::from_str(data).map(Self::Cancelled),
            "order.remainder_cancelled" => serde_json::from_str(data).map(Self::RemainderCancelled),
            "order.shipped" => serde_json::from_str(data).map(Self::Shipped),
            "order.delivered" => serde_json::from_str(data).map(Self::Delivered),
            "order.refunded" => serde_json::from_str(data).map(Self::Refunded),
            "order.returned" => serde_json::from_str(data).map(Self::Returned),
            "order.capture_failed" => serde_json::from_str(data).map(Self::CaptureFailed),
            "order.refund_failed" => serde_json::from_str(data).map(Self::RefundFailed),
            "order.paid_too_late" => serde_json::from_str(data).map(Self::PaidTooLate),
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
