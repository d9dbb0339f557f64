//! What is done with a payment after it was made: captures, a void, refunds.

use crate::{Money, OrderId, PaymentId};
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Names one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(pub Uuid);

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the provider is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Take some of what is held.
    Capture,
    /// Take some of what is held, and let go of the rest.
    FinalCapture,
    /// Let go of all that is held.
    Void,
    /// Give some of what was taken back.
    Refund,
}

impl OperationKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Capture, Self::FinalCapture, Self::Void, Self::Refund];

    /// As it is written in databases, answers and the provider's keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::FinalCapture => "final_capture",
            Self::Void => "void",
            Self::Refund => "refund",
        }
    }

    /// The kind so written, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationStatus {
    /// It is to be done; the provider may or may not have been asked, and may have done it.
    Open,
    /// The provider did it.
    Done,
    /// The provider refused it for good.
    Refused,
}

impl OperationStatus {
    /// All statuses.
    pub const ALL: [Self; 3] = [Self::Open, Self::Done, Self::Refused];

    /// As it is written in databases and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }

    /// The status so written, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// One thing that is to be done with a payment. Those of one order are done one after the other,
/// by `leg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name.
    pub id: OperationId,
    /// The order.
    pub order_id: OrderId,
    /// The payment attempt that made the payment.
    pub payment_id: PaymentId,
    /// The order's version of the event that asks for it: ≥ 2, and once per order. The provider's
    /// idempotency key is `orderly-{order}-{leg}-{kind}`; the charge itself is leg 1.
    pub leg: i64,
    /// What is to be done.
    pub kind: OperationKind,
    /// How much; 0 for a void.
    pub amount: Money,
    /// Where it stands.
    pub status: OperationStatus,
    /// The provider's name of what it did, once known.
    pub provider_ref: Option<String>,
    /// Why the provider refused, if it did.
    pub refusal_code: Option<String>,
}

/// What the provider said, as far as it can be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationOutcome {
    /// It is done.
    Done {
        /// The provider's name of what it did.
        provider_ref: String,
    },
    /// A parsed, authenticated refusal that will not change.
    Refused {
        /// The provider's reason.
        code: String,
    },
    /// Anything else. It may or may not be done; ask again with the same key.
    Unknown {
        /// What was seen, for people.
        why: String,
    },
}

impl Operation {
    /// The provider's key of this operation: derived, never random, never used for another amount.
    #[must_use]
    pub fn provider_key(&self) -> String {
        format!("orderly-{}-{}-{}", self.order_id, self.leg, self.kind.as_str())
    }
}
