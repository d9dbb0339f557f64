//! What the inventory can be asked.

use actors::{AskError, Request};
use domain::{Demand, OrderId, ReservationOutcome, Sku, StockLevel};
use store::answers::{Answer, Fingerprint, RequestKey};
use store::{StoreError, Tx};

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

/// Give back what is promised to orders.
pub struct Release {
    /// The transaction to do it in.
    pub tx: Tx,
    /// The orders.
    pub orders: Vec<OrderId>,
}

/// The answer to [`Release`].
pub struct Released {
    /// The transaction, to go on with.
    pub tx: Tx,
}

impl Request for Release {
    type Answer = Result<Released, InventoryError>;
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

/// Units to add to a shelf, or to take away.
#[derive(Clone, Debug)]
pub struct Adjustment {
    /// Which SKU.
    pub sku: Sku,
    /// How many units; negative takes away.
    pub delta: i64,
    /// Why, for the stock's ledger.
    pub reason: String,
    /// The request it belongs to, if it is to be done at most once.
    pub request: Option<(RequestKey, Fingerprint)>,
}

/// What became of an adjustment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adjusted {
    /// Done; the level after it.
    Done(StockView),
    /// Done before; the answer given then.
    Replayed(Answer),
    /// The request key belongs to another request; nothing was done.
    KeyReused,
    /// It would take units that are promised or not there; nothing was done.
    Insufficient {
        /// Units that could be taken.
        available: i64,
    },
    /// The level would leave the range of numbers; nothing was done.
    OutOfRange,
}

/// Adjust levels.
pub struct Adjust {
    /// The adjustments, done in this order.
    pub adjustments: Vec<Adjustment>,
    /// How a level is told; pure.
    pub render: fn(&StockView) -> Answer,
}

impl Request for Adjust {
    type Answer = Result<Vec<Adjusted>, InventoryError>;
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
}
