//! Data of the events after the sale.

use crate::{LineUnits, PaymentSummary};
use serde::{Deserialize, Serialize};

/// Data of [`crate::OrderEvent::CancelRequested`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequested {
    /// Why, for people.
    pub reason: String,
}

/// Data of [`crate::OrderEvent::GoodsReleased`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodsReleased {}

/// Data of [`crate::OrderEvent::Cancelled`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Why, for people.
    pub reason: String,
    /// How the payment settled, if that was not known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentSummary>,
    /// All that was taken for the order, in minor units.
    pub amount_captured: i64,
    /// What goes back now, in minor units.
    pub amount_refunded: i64,
}

/// Data of [`crate::OrderEvent::RemainderCancelled`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemainderCancelled {
    /// Why, for people.
    pub reason: String,
    /// What is not to leave any more.
    pub lines: Vec<LineUnits>,
    /// What goes back for it, in minor units.
    pub amount_refunded: i64,
}

/// Data of [`crate::OrderEvent::Shipped`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipped {
    /// What left.
    pub lines: Vec<LineUnits>,
    /// What is taken for it of the money that was held, in minor units.
    pub amount_captured: i64,
    /// Whether nothing is left to ship.
    pub is_last: bool,
}

/// Data of [`crate::OrderEvent::Delivered`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {}

/// Data of [`crate::OrderEvent::Refunded`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refunded {
    /// What goes back, in minor units.
    pub amount: i64,
    /// For which units, if it is for units.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineUnits>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Data of [`crate::OrderEvent::Returned`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// What came back.
    pub lines: Vec<LineUnits>,
    /// Whether it went back to the shelf.
    pub restock: bool,
    /// What goes back for it, in minor units.
    pub amount_refunded: i64,
}

/// Data of [`crate::OrderEvent::CaptureFailed`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureFailed {
    /// What was to be taken, in minor units.
    pub amount: i64,
    /// For which units: they left, and nobody paid for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineUnits>,
    /// The provider's reason.
    pub code: String,
}

/// Data of [`crate::OrderEvent::RefundFailed`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundFailed {
    /// What was to go back, in minor units.
    pub amount: i64,
    /// For which units, if it was asked for by units.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineUnits>,
    /// The provider's reason.
    pub code: String,
}

/// Data of [`crate::OrderEvent::PaidTooLate`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidTooLate {
    /// How the payment settled after all.
    pub payment: PaymentSummary,
    /// What was taken, in minor units.
    pub amount_captured: i64,
    /// What goes back, in minor units.
    pub amount_refunded: i64,
}
