//! What is on the shelf, where it lies, and what happened to it.

use super::StockView;
use domain::Timestamp;
use inventory::{Entry, Location, StockDetail, UnitsAt};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The stock of a SKU and where it lies.
#[derive(Serialize, ToSchema)]
#[schema(as = StockDetail)]
pub(crate) struct StockDetailView<'a> {
    #[schema(inline)]
    #[serde(flatten)]
    level: StockView<'a>,
    /// By location, in the order in which goods leave; sums equal the totals.
    locations: Vec<UnitsAtView<'a>>,
}

/// Units of a SKU at a location.
#[derive(Serialize, ToSchema)]
#[schema(as = UnitsAtLocation)]
pub(crate) struct UnitsAtView<'a> {
    #[schema(examples("main"))]
    location: &'a str,
    /// Units that lie there.
    on_hand: i64,
    /// Units of those that no promise falls on. Promises are laid over the locations in the order
    /// in which goods leave.
    available: i64,
}

impl<'a> From<&'a StockDetail> for StockDetailView<'a> {
    fn from(stock: &'a StockDetail) -> Self {
        let locations = stock.locations.iter().map(UnitsAtView::from).collect();
        Self { level: StockView::from(&stock.level), locations }
    }
}

impl<'a> From<&'a UnitsAt> for UnitsAtView<'a> {
    fn from(units: &'a UnitsAt) -> Self {
        let UnitsAt { location, on_hand, available } = units;
        Self { location: location.as_str(), on_hand: *on_hand, available: *available }
    }
}

/// A place where goods lie.
#[derive(Serialize, ToSchema)]
#[schema(as = StockLocation)]
pub(crate) struct LocationView<'a> {
    #[schema(examples("north"))]
    name: &'a str,
    /// Goods leave the locations in this order, lowest first, those of one rank by name.
    rank: i64,
}

impl<'a> From<&'a Location> for LocationView<'a> {
    fn from(location: &'a Location) -> Self {
        Self { name: location.name.as_str(), rank: location.rank }
    }
}

/// An entry in the ledger of a SKU.
#[derive(Serialize, ToSchema)]
#[schema(as = StockMovement)]
pub(crate) struct MovementView<'a> {
    id: Uuid,
    /// adjustment, shipment, return, discard or move.
    #[schema(examples("adjustment"))]
    kind: &'static str,
    /// How many units, from 1.
    quantity: i64,
    /// By how much it changed what is on hand. Over all entries of a SKU the sum is what is on
    /// hand.
    delta: i64,
    /// The location that the units left.
    from: Option<&'a str>,
    /// The location that the units came to.
    to: Option<&'a str>,
    /// The order that they were for.
    order_id: Option<Uuid>,
    /// Why an adjustment was made.
    reason: Option<&'a str>,
    /// Who did it.
    actor: &'a str,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl<'a> From<&'a Entry> for MovementView<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            id: entry.id,
            kind: entry.kind.as_str(),
            quantity: entry.units,
            delta: entry.delta(),
            from: entry.from.as_ref().map(inventory::LocationName::as_str),
            to: entry.to.as_ref().map(inventory::LocationName::as_str),
            order_id: entry.order_id.map(|order| order.0),
            reason: entry.reason.as_deref(),
            actor: &entry.actor,
            at: entry.at,
        }
    }
}
