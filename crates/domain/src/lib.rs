//! The rules of the shop: money, identifiers, and the state machines of order, stock and payment.
//!
//! **Invariant:** nothing here reads a clock, draws a random number, performs I/O or is `async`.
//! Every decision is a function of its arguments, so that a test can own all of them.

mod environment;
mod event;
mod ids;
mod money;
mod order;
mod payment;
mod stock;
mod timestamp;

pub use environment::{Clock, IdSource};
pub use event::{
    CancelRequested, Cancelled, CaptureFailed, Confirmed, Delivered, GoodsReleased, OrderEvent,
    PaidTooLate, Placed, Recorded, RefundFailed, Refunded, Rejected, RemainderCancelled, Returned,
    Shipped,
};
pub use ids::{CustomerId, EventId, OrderId, PARTITIONS, PaymentId, Sku, SkuError};
pub use iso_currency::Currency;
pub use money::{AMOUNT_MAX_MINOR, Money, currency_code, parse_currency};
pub use order::{
    Amounts, Arrow, Capture, Command, Draft, DraftError, Effects, Goods, Line, LineItem, LineUnits,
    MoneyMove, Order, OrderStatus, PartRequest, PaymentPlan, PaymentSummary, Pricing, RefundWish,
    Refusal, RejectReason, STATE_GRAPH, decide, effects, state_graph_mermaid,
};
pub use payment::{
    ChargeOutcome, Operation, OperationId, OperationKind, OperationOutcome, OperationStatus,
    Payment, PaymentCommand, PaymentRefusal, PaymentStatus, decide_payment,
};
pub use stock::{
    Allocation, Demand, ReservationOutcome, Shortage, StockError, StockLevel, allocate,
};
pub use timestamp::Timestamp;
