//! What the order service can be asked, and how it answers.

mod life;

pub use life::{Advance, Ask, AskKind, LifeOutcome, Operate, RenderLife};
pub(crate) use life::{Asked, MoneySettled, Origin, Step, Waits, Wish};

use actors::{AskError, Request};
use domain::{
    Capture, ChargeOutcome, Currency, CustomerId, Draft, Order, OrderId, OrderStatus, Payment,
    Shortage, Sku, Timestamp,
};
use serde_json::{Map, Value};
use std::error::Error;
use store::answers::{Answer, Fingerprint, RequestKey};
use tokio::time::Instant;
use topology::Failure;

/// A line as a client asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedLine {
    /// What.
    pub sku: Sku,
    /// How many units.
    pub quantity: i64,
    /// Price of one unit in minor units; the catalogue's when absent.
    pub unit_amount: Option<i64>,
    /// Taken off the whole line, in minor units.
    pub discount_amount: i64,
}

/// An order as a client asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRequest {
    /// The client's own name of the order.
    pub external_ref: Option<String>,
    /// Who orders.
    pub customer_id: Option<CustomerId>,
    /// Currency of every amount.
    pub currency: Currency,
    /// What is ordered.
    pub lines: Vec<RequestedLine>,
    /// The provider's name of the means of payment; the customer's default when absent.
    pub payment_method: Option<String>,
    /// Take the money now or hold it.
    pub capture: Capture,
    /// The client's own data.
    pub metadata: Map<String, Value>,
    /// Codes of coupons, each once.
    pub coupons: Vec<String>,
    /// Whose taxes it bears; none when absent.
    pub jurisdiction: Option<String>,
}

/// An order to be placed.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Who asks, with which key.
    pub key: RequestKey,
    /// What makes two requests the same.
    pub fingerprint: Fingerprint,
    /// What is asked for.
    pub request: OrderRequest,
    /// When the client is told "accepted" if the payment has not settled by then.
    pub answer_by: Instant,
    /// Whether the client wants to be told "accepted" as soon as the order is durable.
    pub respond_async: bool,
}

/// An answer to a placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The answer.
    pub answer: Answer,
    /// Whether it was given before, to the same request.
    pub replayed: bool,
}

/// Something in a request that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer to it, such as `/lines/0/sku`.
    pub pointer: String,
    /// What is wrong, for people.
    pub detail: String,
}

/// Why a request about an order, to place it or to do something with it, has no answer of its own.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The order to be placed cannot be; nothing happened.
    #[error("the order cannot be placed as asked for")]
    Invalid(Vec<Fault>),
    /// There is no such order.
    #[error("there is no such order")]
    NotFound,
    /// The order has another version than the client insists on; nothing happened.
    #[error("the order has version {current}")]
    VersionMismatch {
        /// The version it has.
        current: i64,
    },
    /// The key belongs to another request; nothing happened.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The first request with this key is still running.
    #[error("the first request with this idempotency key is still running")]
    InProgress,
    /// Too much waits already; nothing happened.
    #[error("too many requests wait already")]
    Busy,
    /// The deadline passed before anything durable happened.
    #[error("the deadline passed before anything was done")]
    Expired,
    /// A part that is needed does not answer; nothing happened.
    #[error("the order service cannot work at present")]
    Unavailable {
        /// What failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// It may or may not be done; the same key tells.
    #[error("the outcome is not known; ask again with the same idempotency key")]
    Unknown {
        /// What failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Failure for OrderError {
    fn is_failure(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::NotFound
            | Self::VersionMismatch { .. }
            | Self::KeyReused
            | Self::InProgress => false,
            Self::Busy | Self::Expired | Self::Unavailable { .. } | Self::Unknown { .. } => true,
        }
    }
}

impl From<AskError> for OrderError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Full => Self::Busy,
            AskError::Expired | AskError::Abandoned => Self::Expired,
            AskError::Stopped => Self::Unavailable { source: error.into() },
            AskError::TimedOut | AskError::Crashed => Self::Unknown { source: error.into() },
        }
    }
}

/// How an order stands when its client is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// Reserved and paid.
    Confirmed,
    /// Durable; the payment has not settled yet.
    Pending {
        /// What does not work as it should, such as `payment`.
        degraded: &'a [&'static str],
    },
    /// Rejected: these SKUs were short.
    OutOfStock(&'a [Shortage]),
    /// Rejected: these coupons were used up.
    CouponsUsedUp(&'a [String]),
    /// Rejected: the payment was refused.
    Declined {
        /// The provider's reason.
        code: &'a str,
    },
    /// Cancelled before its payment was known.
    Cancelled,
}

/// How an order is told to its client. Pure: the answer is stored in the transaction that makes it
/// true, and replayed byte for byte.
pub type Render = fn(order: &Order, outcome: &Outcome<'_>, trace_id: &str) -> Answer;

/// Which orders to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Only those that stand so.
    pub status: Option<OrderStatus>,
    /// Only those of this customer.
    pub customer_id: Option<CustomerId>,
    /// Only those with this name of the client's.
    pub external_ref: Option<String>,
    /// Only those placed at this moment or later.
    pub created_after: Option<Timestamp>,
    /// Only those placed before this moment.
    pub created_before: Option<Timestamp>,
    /// Only those that wait for longer than they should.
    pub stuck: bool,
}

/// Place an order; sent to the lane that its id belongs to.
pub struct Place {
    pub(crate) order_id: OrderId,
    pub(crate) key: RequestKey,
    pub(crate) fingerprint: Fingerprint,
    /// Complete but for the means of payment, which may be the customer's default.
    pub(crate) draft: Draft,
    pub(crate) method: Option<String>,
    pub(crate) answer_by: Instant,
    pub(crate) respond_async: bool,
}

impl Request for Place {
    type Answer = Result<Given, OrderError>;
}

/// The second half of an order's way: what became of its payment.
pub struct Settle(pub(crate) Box<Settlement>);

pub(crate) struct Settlement {
    pub(crate) kept: crate::books::Kept,
    pub(crate) trace_id: String,
    pub(crate) actor: String,
    /// Of the request that placed the order.
    pub(crate) span: tracing::Span,
    pub(crate) what: Settled,
    /// Who still waits, if anybody.
    pub(crate) reply: Option<actors::Reply<Result<Given, OrderError>>>,
}

pub(crate) enum Settled {
    /// The provider has answered.
    Known { payment: Payment, outcome: ChargeOutcome },
    /// It has not, and the client is not to wait longer.
    Waiting { degraded: bool },
}

impl Request for Settle {
    type Answer = ();
}
