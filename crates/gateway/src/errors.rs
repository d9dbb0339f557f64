//! How the failures of each service are told. Exhaustive: a new failure must be given a code.

use crate::problem::{Code, Fault, OUTCOME_UNKNOWN, Problem};
use catalog::CatalogError;
use customers::CustomersError;
use flags::FlagsError;
use inventory::InventoryError;
use orders::{AuditError, OrderError};
use payments::{PaymentsError, WebhookError};

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Invalid(faults) => {
                let told = faults.into_iter().map(|fault| Fault::at(fault.pointer, fault.detail));
                Self::invalid(told.collect())
            }
            OrderError::NotFound => Self::not_found("order"),
            OrderError::VersionMismatch { current } => {
                let message = format!("The order has the version {current} now. Nothing happened.");
                Self::new(Code::VersionMismatch, message).with("current_version", current)
            }
            OrderError::KeyReused => Self::key_reused(),
            OrderError::InProgress => Self::in_progress(),
            OrderError::Busy => Self::overloaded(),
            OrderError::Expired => Self::expired(),
            error @ OrderError::Unavailable { .. } => {
                let message = "Orders cannot be taken or changed right now. Nothing happened.";
                Self::new(Code::Unavailable, message).because(error)
            }
            error @ OrderError::Unknown { .. } => {
                Self::new(Code::Unavailable, OUTCOME_UNKNOWN).because(error)
            }
        }
    }
}

impl From<InventoryError> for Problem {
    fn from(error: InventoryError) -> Self {
        match error {
            InventoryError::Ask(error) => error.into(),
            InventoryError::Store(error) => error.into(),
            InventoryError::Contended => Self::in_progress(),
            // Which goods move is decided by the order service: these would be faults of ours.
            error @ (InventoryError::NotReserved { .. }
            | InventoryError::AlreadyReserved
            | InventoryError::Disagreement(_)) => Self::internal().because(error),
        }
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Ask(error) => error.into(),
            CatalogError::Store(error) => error.into(),
            CatalogError::Flawed(flaws) => {
                let told = flaws.into_iter().map(|flaw| Fault::at(flaw.pointer, flaw.detail));
                Self::invalid(told.collect())
            }
            // Bodies are checked and chunks are cut before: these would be faults of ours.
            error @ (CatalogError::Invalid(_) | CatalogError::TooMany(_)) => {
                Self::internal().because(error)
            }
        }
    }
}

impl From<FlagsError> for Problem {
    fn from(error: FlagsError) -> Self {
        match error {
            FlagsError::Ask(error) => error.into(),
            FlagsError::Store(error) => error.into(),
            FlagsError::Flawed(flaws) => {
                let told = flaws.into_iter().map(|flaw| Fault::at(flaw.pointer, flaw.detail));
                Self::invalid(told.collect())
            }
            // A served shop has flags of its own, and reads its file at its start: these would be
            // faults of ours.
            error @ (FlagsError::Fixed | FlagsError::File { .. }) => {
                Self::internal().because(error)
            }
        }
    }
}

impl From<CustomersError> for Problem {
    fn from(error: CustomersError) -> Self {
        match error {
            CustomersError::Ask(error) => error.into(),
            CustomersError::Store(error) => error.into(),
            CustomersError::NotFound => Self::not_found("resource"),
            CustomersError::VersionMismatch { current } => {
                let message = format!("The customer has the version {current} now.");
                Self::new(Code::VersionMismatch, message).with("current_version", current)
            }
            error @ CustomersError::TooManyAddresses => {
                Self::invalid(vec![Fault::at("", error.to_string())])
            }
            CustomersError::AccountExists => {
                Self::new(Code::AccountExists, "There is such an account already.")
            }
            CustomersError::Refused => {
                Self::new(Code::InvalidCredentials, "The credentials are not right.")
            }
            CustomersError::Busy => Self::overloaded(),
            // Bodies are checked and chunks are cut before, and keys are not made here: these
            // would be faults of ours.
            error @ (CustomersError::Invalid { .. }
            | CustomersError::TooMany(_)
            | CustomersError::Hashing(_)
            | CustomersError::WeakKey) => Self::internal().because(error),
        }
    }
}

impl From<PaymentsError> for Problem {
    fn from(error: PaymentsError) -> Self {
        match error {
            PaymentsError::Ask(error) => error.into(),
            PaymentsError::Store(error) => error.into(),
            PaymentsError::Customers(error) => error.into(),
        }
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::NotConfigured => Self::not_found("resource"),
            WebhookError::BadSignature => {
                Self::new(Code::InvalidSignature, "The event is not signed by the provider.")
            }
            WebhookError::Stale => Self::new(
                Code::InvalidSignature,
                "The event was not signed within the last five minutes.",
            ),
            WebhookError::Malformed(why) => {
                Self::new(Code::InvalidBody, format!("The event cannot be read: {why}"))
            }
            WebhookError::NotKept(error) => error.into(),
        }
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        Self::new(Code::Unavailable, "The audit could not be done.").because(error)
    }
}

impl Problem {
    /// The key belongs to another request.
    pub(crate) fn key_reused() -> Self {
        Self::new(
            Code::IdempotencyKeyReused,
            "This idempotency key was used for another request. Use a fresh one.",
        )
    }

    /// The first request with this key is not done.
    pub(crate) fn in_progress() -> Self {
        Self::new(
            Code::IdempotencyInProgress,
            "The first request with this key is still running. Send it again later.",
        )
    }
}
