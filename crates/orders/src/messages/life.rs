//! What can be asked of an order that exists.

use super::{Given, OrderError};
use actors::{Reply, Request};
use domain::{Command, Operation, Order, OrderEvent, OrderId, Payment, Refusal};
use store::answers::{Answer, Fingerprint, RequestKey};
use store::leases::Held;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A client's wish for an order that exists.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which order.
    pub order_id: OrderId,
    /// What is to be done with it.
    pub command: Command,
    /// What kind of wish it is.
    pub kind: AskKind,
    /// Who asks, with which key.
    pub key: RequestKey,
    /// What makes two requests the same.
    pub fingerprint: Fingerprint,
    /// The version the client has seen, if it insists on it.
    pub if_match: Option<i64>,
}

/// The kinds of wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AskKind {
    /// End it, or what has not left of it.
    Cancel,
    /// Let units leave.
    Ship,
    /// All that left has arrived.
    Deliver,
    /// Give money back.
    Refund,
    /// Take units back.
    Return,
}

impl AskKind {
    /// As it is written in metrics and causes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Ship => "ship",
            Self::Deliver => "deliver",
            Self::Refund => "refund",
            Self::Return => "return",
        }
    }
}

/// What became of a wish.
#[derive(Clone, Copy, Debug)]
pub enum LifeOutcome<'a> {
    /// It is done, and durable; this is the event.
    Done(&'a OrderEvent),
    /// The order does not allow it.
    Refused(&'a Refusal),
}

/// How the outcome of a wish is told to its client; `order` is how it stands now. Pure: the answer
/// is stored in the transaction that makes it true, and replayed byte for byte.
pub type RenderLife =
    fn(kind: AskKind, order: &Order, outcome: &LifeOutcome<'_>, trace_id: &str) -> Answer;

/// A client's wish; sent to the lane that its order belongs to.
pub struct Operate(pub(crate) Box<Step>);

impl Request for Operate {
    type Answer = Result<Given, OrderError>;
}

/// A step that no client waits for: the second half of one that was admitted, or recovery.
pub struct Advance {
    pub(crate) step: Box<Step>,
    /// Told whether the step was written.
    pub(crate) written: Option<oneshot::Sender<bool>>,
}

impl Request for Advance {
    type Answer = ();
}

/// Who wants a step.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) actor: String,
    pub(crate) trace_id: String,
    pub(crate) cause: &'static str,
}

/// A client's request behind a step.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) kind: AskKind,
    pub(crate) key: RequestKey,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) if_match: Option<i64>,
}

/// A step of one order: a command with all that belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) order_id: OrderId,
    /// `None` if only the books of the money change.
    pub(crate) command: Option<Command>,
    pub(crate) origin: Origin,
    /// The request that is to be answered, if a client wants the step.
    pub(crate) wish: Option<Wish>,
    /// How the order's payment settled, if that is what the step is about.
    pub(crate) payment: Option<Payment>,
    /// What became of an operation, if that is what the step is about.
    pub(crate) money: Option<MoneySettled>,
    /// The lease under which it is done: without it, nothing is written.
    pub(crate) lease: Option<Held>,
}

/// An operation that the provider has done or refused.
#[derive(Clone, Debug)]
pub(crate) struct MoneySettled {
    pub(crate) operation: Operation,
}

/// A step with whoever waits for it.
pub(crate) struct Asked {
    pub(crate) step: Step,
    pub(crate) waits: Waits,
}

/// Who waits for a step.
pub(crate) enum Waits {
    /// A client, until its deadline.
    Client { reply: Reply<Result<Given, OrderError>>, deadline: Instant },
    /// A task of ours, which only wants to know whether the step was written.
    Task(oneshot::Sender<bool>),
    /// Nobody.
    Nobody,
}

impl Waits {
    /// Tells that nothing came of the step.
    pub(crate) fn fail(self, error: OrderError) {
        match self {
            Self::Client { reply, .. } => reply.send(Err(error)),
            // A task that is gone needs no answer.
            Self::Task(written) => drop(written.send(false)),
            Self::Nobody => {}
        }
    }
}
