//! Orders after a step of their life, each with what the step was.

use super::OrderView;
use domain::{LineUnits, Refunded, Returned, Shipped};
use serde::Serialize;
use utoipa::ToSchema;

/// Units of one line of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderUnits)]
pub(crate) struct UnitsView<'a> {
    /// Place of the line in the order, from 0.
    line: usize,
    sku: &'a str,
    quantity: i64,
}

/// What left.
#[derive(Serialize, ToSchema)]
#[schema(as = Shipment)]
pub(crate) struct ShipmentView<'a> {
    /// The order's version after it; names the shipment within the order.
    version: i64,
    lines: Vec<UnitsView<'a>>,
    /// What is taken for it of the money that was held, in minor units.
    amount_captured: i64,
}

/// What is given back.
#[derive(Serialize, ToSchema)]
#[schema(as = Refund)]
pub(crate) struct RefundView<'a> {
    /// The order's version after it; names the refund within the order.
    version: i64,
    /// In minor units.
    amount: i64,
    /// The units that it is for; empty where it is for an amount.
    lines: Vec<UnitsView<'a>>,
}

/// What came back.
#[derive(Serialize, ToSchema)]
#[schema(as = Return)]
pub(crate) struct ReturnView<'a> {
    /// The order's version after it; names the return within the order.
    version: i64,
    lines: Vec<UnitsView<'a>>,
    /// Whether the units went back to the shelf.
    restock: bool,
    /// What is given back for them, in minor units.
    amount_refunded: i64,
}

/// An order of which something just left.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderWithShipment)]
pub(crate) struct ShippedView<'a> {
    #[schema(inline)]
    #[serde(flatten)]
    pub(crate) order: OrderView<'a>,
    pub(crate) shipment: ShipmentView<'a>,
}

/// An order that was just refunded.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderWithRefund)]
pub(crate) struct RefundedView<'a> {
    #[schema(inline)]
    #[serde(flatten)]
    pub(crate) order: OrderView<'a>,
    pub(crate) refund: RefundView<'a>,
}

/// An order of which something just came back.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderWithReturn)]
pub(crate) struct ReturnedView<'a> {
    #[schema(inline)]
    #[serde(flatten)]
    pub(crate) order: OrderView<'a>,
    #[serde(rename = "return")]
    pub(crate) taken_back: ReturnView<'a>,
}

impl<'a> From<&'a LineUnits> for UnitsView<'a> {
    fn from(units: &'a LineUnits) -> Self {
        Self { line: units.line, sku: units.sku.as_str(), quantity: units.quantity }
    }
}

fn units(lines: &[LineUnits]) -> Vec<UnitsView<'_>> {
    lines.iter().map(UnitsView::from).collect()
}

impl<'a> ShipmentView<'a> {
    pub(crate) fn new(version: i64, event: &'a Shipped) -> Self {
        let Shipped { lines, amount_captured, is_last: _ } = event;
        Self { version, lines: units(lines), amount_captured: *amount_captured }
    }
}

impl<'a> RefundView<'a> {
    pub(crate) fn new(version: i64, event: &'a Refunded) -> Self {
        let Refunded { amount, lines, reason: _ } = event;
        Self { version, amount: *amount, lines: units(lines) }
    }
}

impl<'a> ReturnView<'a> {
    pub(crate) fn new(version: i64, event: &'a Returned) -> Self {
        let Returned { lines, restock, amount_refunded } = event;
        let amount_refunded = *amount_refunded;
        Self { version, lines: units(lines), restock: *restock, amount_refunded }
    }
}
