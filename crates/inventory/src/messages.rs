//! What the inventory can be asked.

use crate::location::{Location, LocationName, UnitsAt};
use actors::{AskError, Request};
use domain::{Demand, OrderId, ReservationOutcome, Sku, StockLevel};
use std::collections::BTreeMap;
use store::answers::{Answer, Fingerprint, RequestKey};
use store::{StoreError, Tx};
use topology::Failure;

/// Why the inventory did nothing.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The service was not reached or did not answer.
    #[error("the inventory service did not answer")]
    Ask(#[from] AskError),
    /// The database failed.
    #[error("the inventory could not use its books")]
    Store(#[from] StoreError),
    /// The same idempotency keys are being used elsewhere, again and again; nothing happened.
    #[error("the same idempotency key is in use elsewhere")]
    Contended,
    /// More units of a SKU were to leave for an order than are promised to it; nothing happened.
    #[error("not so many units of {sku} are promised to the order {order}")]
    NotReserved {
        /// The order.
        order: OrderId,
        /// The SKU.
        sku: Sku,
    },
    /// Goods were to be promised to an order that goods are promised to already; nothing happened.
    #[error("goods are promised already to an order of the batch")]
    AlreadyReserved,
    /// The inventory's own tables say different things; nothing happened.
    #[error("the books of the inventory do not agree: {0}")]
    Disagreement(String),
}

impl Failure for InventoryError {
    fn is_failure(&self) -> bool {
        match self {
            Self::Ask(error) => error.is_failure(),
            Self::Store(error) => error.is_failure(),
            Self::Disagreement(_) => true,
            Self::Contended | Self::NotReserved { .. } | Self::AlreadyReserved => false,
        }
    }
}

impl InventoryError {
    /// Whether one order of a batch may be to blame, so that the others deserve a try without it.
    #[must_use]
    pub const fn may_be_one_orders_fault(&self) -> bool {
        match self {
            Self::NotReserved { .. } | Self::AlreadyReserved | Self::Disagreement(_) => true,
            Self::Ask(error) => matches!(error, AskError::Crashed),
            Self::Store(error) => error.may_be_one_rows_fault(),
            Self::Contended => false,
        }
    }
}

/// Promise goods to orders.
pub struct Reserve {
    /// The transaction to do it in.
    pub tx: Tx,
    /// What each order wants.
    pub demands: Vec<Demand>,
}

/// The answer to [`Reserve`].
pub struct Reserved {
    /// The transaction, to go on with.
    pub tx: Tx,
    /// One outcome per demand.
    pub outcomes: Vec<ReservationOutcome>,
}

impl Request for Reserve {
    type Answer = Result<Reserved, InventoryError>;
}

/// What happens to the goods of an order after they were promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoodsMove {
    /// All that is still promised to the order is free again. Without a live promise nothing
    /// happens: each is given back once.
    Release {
        /// The order.
        order_id: OrderId,
    },
    /// Units leave, out of what is promised to the order.
    Ship {
        /// The order.
        order_id: OrderId,
        /// Units (≥ 1) per SKU.
        units: BTreeMap<Sku, i64>,
    },
    /// Units that had left come back.
    TakeBack {
        /// The order.
        order_id: OrderId,
        /// Units (≥ 1) per SKU.
        units: BTreeMap<Sku, i64>,
        /// Whether they go back to the shelf, at the main location.
        restock: bool,
    },
}

/// Move the goods of orders.
pub struct CarryOut {
    /// The transaction to do it in.
    pub tx: Tx,
    /// What is to happen, in this order.
    pub moves: Vec<GoodsMove>,
}

/// The answer to [`CarryOut`].
pub struct CarriedOut {
    /// The transaction, to go on with.
    pub tx: Tx,
}

impl Request for CarryOut {
    type Answer = Result<CarriedOut, InventoryError>;
}

/// A level, as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockView {
    /// The SKU.
    pub sku: Sku,
    /// Units on the shelf.
    pub on_hand: i64,
    /// Units of those promised to orders.
    pub reserved: i64,
    /// Units that can still be promised.
    pub available: i64,
    /// Rises with every change.
    pub version: i64,
}

impl StockView {
    pub(crate) const fn new(sku: Sku, level: StockLevel, version: i64) -> Self {
        let StockLevel { on_hand, reserved } = level;
        Self { sku, on_hand, reserved, available: level.available(), version }
    }
}

/// A level and where the units lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockDetail {
    /// The level.
    pub level: StockView,
    /// The main location and every other that the SKU was brought to, in the order in which goods
    /// leave. The sums over them are those of the level.
    pub locations: Vec<UnitsAt>,
}

/// Units to add to a shelf, or to take away.
#[derive(Clone, Debug)]
pub struct Adjustment {
    /// Which SKU.
    pub sku: Sku,
    /// How many units; negative takes away.
    pub delta: i64,
    /// Where.
    pub location: LocationName,
    /// Why, for the stock's ledger.
    pub reason: String,
    /// The request it belongs to, if it is to be done at most once.
    pub request: Option<(RequestKey, Fingerprint)>,
}

/// Units to bring from one location to another.
#[derive(Clone, Debug)]
pub struct Relocation {
    /// Which SKU.
    pub sku: Sku,
    /// How many units (≥ 1).
    pub quantity: i64,
    /// From where.
    pub from: LocationName,
    /// To where; another location.
    pub to: LocationName,
    /// The request it belongs to: it is done at most once.
    pub request: (RequestKey, Fingerprint),
}

/// How a change of the stock was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<V> {
    /// Done; what is there after it.
    Done(V),
    /// It would take units that are promised or not there; nothing was done.
    Insufficient {
        /// Units that could be taken.
        available: i64,
    },
    /// The level would leave the range of numbers; nothing was done.
    OutOfRange,
}

/// How a verdict is told, given the trace of the request; pure. What is told is kept.
pub type Render<V> = fn(&Verdict<V>, &str) -> Answer;

/// What became of a request to change the stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was judged, now or when it first came: what is told of it.
    Told {
        /// The same each time.
        answer: Answer,
        /// Whether it was told before.
        replayed: bool,
    },
    /// The request key belongs to another request; nothing was done.
    KeyReused,
    /// There are no such locations; nothing was done, and the request key stays free.
    UnknownLocations(Vec<LocationName>),
}

/// Adjust levels.
pub struct Adjust {
    /// The adjustments, done in this order.
    pub adjustments: Vec<Adjustment>,
    /// How a verdict is told.
    pub render: Render<StockView>,
}

impl Request for Adjust {
    type Answer = Result<Vec<Outcome>, InventoryError>;
}

/// Bring units from one location to another.
pub struct Relocate {
    /// What is to be brought where.
    pub relocation: Relocation,
    /// How a verdict is told.
    pub render: Render<StockDetail>,
}

impl Request for Relocate {
    type Answer = Result<Outcome, InventoryError>;
}

/// Make a location, or give it another rank.
pub struct PutLocation {
    /// The location; not the main one.
    pub location: Location,
}

impl Request for PutLocation {
    type Answer = Result<Location, InventoryError>;
}

/// Tell all about the stock, for the audit.
pub struct TakeStock {
    /// The transaction to read in.
    pub tx: Tx,
}

/// The answer to [`TakeStock`].
pub struct TakenStock {
    /// The transaction, to go on with.
    pub tx: Tx,
    /// Every SKU with stock, adjustments or reservations.
    pub skus: Vec<SkuAudit>,
}

impl Request for TakeStock {
    type Answer = Result<TakenStock, InventoryError>;
}

/// One SKU as the audit sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkuAudit {
    /// The SKU.
    pub sku: Sku,
    /// Its level.
    pub level: StockLevel,
    /// Units that left.
    pub shipped: i64,
    /// Sum of all adjustments.
    pub adjusted: i64,
    /// Sum of all live reservations.
    pub held: i64,
    /// Units that came back to the shelf: `adjusted + returned = on_hand + shipped`.
    pub returned: i64,
    /// Sum of what lies at other locations than the main one; at most what is on hand.
    pub elsewhere: i64,
}
