//! What the payment service can be asked.

use crate::provider::Inquiry;
use crate::webhook::Told;
use actors::{AskError, Request};
use domain::{ChargeOutcome, CustomerId, Operation, OperationId, OperationOutcome, Payment};
use store::{StoreError, Tx};
use topology::Failure;

/// Why the payment service did nothing.
#[derive(Debug, thiserror::Error)]
pub enum PaymentsError {
    /// The service was not reached or did not answer.
    #[error("the payment service did not answer")]
    Ask(#[from] AskError),
    /// The database failed.
    #[error("the payment service could not use its books")]
    Store(#[from] StoreError),
    /// The user service failed.
    #[error("the user service did not answer")]
    Customers(#[source] customers::CustomersError),
}

impl Failure for PaymentsError {
    fn is_failure(&self) -> bool {
        match self {
            Self::Ask(error) => error.is_failure(),
            Self::Store(error) => error.is_failure(),
            Self::Customers(error) => error.is_failure(),
        }
    }
}

/// Somebody who is to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payee {
    /// The customer, if the order has one.
    pub customer_id: Option<CustomerId>,
    /// The means of payment asked for, if any.
    pub method: Option<String>,
}

/// Why nobody can be asked to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayerRefusal {
    /// There is no such customer.
    #[error("there is no such customer")]
    UnknownCustomer,
    /// No means of payment was given, and the customer has no default one.
    #[error("a payment method is needed: none was given, and the customer has no default one")]
    NoMethod,
}

/// Find the means of payment.
pub struct ResolvePayers {
    /// One per order.
    pub payees: Vec<Payee>,
}

impl Request for ResolvePayers {
    type Answer = Result<Vec<Result<String, PayerRefusal>>, PaymentsError>;
}

/// Record intents.
pub struct Open {
    /// The transaction to do it in.
    pub tx: Tx,
    /// The payments, all of status `sending`.
    pub payments: Vec<Payment>,
}

impl Request for Open {
    type Answer = Result<Tx, PaymentsError>;
}

/// Ask the provider.
pub struct Charge {
    /// The payment, whose intent is committed.
    pub payment: Payment,
}

/// What became of a [`Charge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charged {
    /// The provider's answer is known.
    Known {
        /// The payment, settled.
        payment: Payment,
        /// The answer.
        outcome: ChargeOutcome,
    },
    /// The money may or may not have moved.
    Unknown {
        /// What was seen, for people.
        why: String,
    },
}

impl Request for Charge {
    type Answer = Charged;
}

/// Record how payments settled.
pub struct Record {
    /// The transaction to do it in.
    pub tx: Tx,
    /// The payments, settled.
    pub payments: Vec<Payment>,
}

impl Request for Record {
    type Answer = Result<Tx, PaymentsError>;
}

/// Ask the provider what became of a payment.
pub struct Inquire {
    /// The payment.
    pub payment: Payment,
}

impl Request for Inquire {
    type Answer = Inquiry;
}

/// Record what is to be done with payments.
pub struct RequestOperations {
    /// The transaction to do it in.
    pub tx: Tx,
    /// The operations, all of them open.
    pub operations: Vec<Operation>,
}

impl Request for RequestOperations {
    type Answer = Result<Tx, PaymentsError>;
}

/// Ask the provider to do something with a payment.
pub struct CarryOut {
    /// What, and it is committed.
    pub operation: Operation,
    /// With which payment.
    pub payment: Payment,
}

impl Request for CarryOut {
    type Answer = Result<OperationOutcome, PaymentsError>;
}

/// Record what became of operations.
pub struct SettleOperations {
    /// The transaction to do it in.
    pub tx: Tx,
    /// The operations, done or refused.
    pub operations: Vec<Operation>,
}

impl Request for SettleOperations {
    /// With the operations that were open until now.
    type Answer = Result<(Tx, Vec<OperationId>), PaymentsError>;
}

/// Keep an event of the provider, whose signature was checked.
pub struct KeepEvent {
    pub(crate) told: Told,
}

impl Request for KeepEvent {
    /// Whether it is new.
    type Answer = Result<bool, PaymentsError>;
}

/// Record that events of the provider need no further look.
pub struct HandleEvents {
    /// The provider's names of them.
    pub ids: Vec<String>,
}

impl Request for HandleEvents {
    type Answer = Result<(), PaymentsError>;
}
