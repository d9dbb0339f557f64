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
pub use event::{Confirmed, OrderEvent, Placed, Recorded, Rejected};
pub use ids::{CustomerId, EventId, OrderId, PARTITIONS, PaymentId, Sku, SkuError};
pub use iso_currency::Currency;
pub use money::{AMOUNT_MAX_MINOR, Money, currency_code, parse_currency};
pub use order::{
    Amounts, Capture, Command, Draft, DraftError, Line, LineItem, Order, OrderStatus, PaymentPlan,
    PaymentSummary, Refusal, RejectReason, decide,
};
pub use payment::{
    ChargeOutcome, Payment, PaymentCommand, PaymentRefusal, PaymentStatus, decide_payment,
};
pub use stock::{
    Allocation, Demand, ReservationOutcome, Shortage, StockError, StockLevel, allocate,
};
pub use timestamp::Timestamp;
