//! What the books are made of: commands in, intents, captures and refunds kept, answers out.

use std::sync::Arc;

use domain::Currency;
use uuid::Uuid;

use super::rules;
use crate::fact::{CancelReason, CaptureMethod, Fingerprint, RefundReason, Refusal, Status};
use crate::methods::Decline;

/// What a caller wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Create and confirm a payment intent.
    Charge(Charge),
    /// Take authorised money.
    Capture {
        /// The intent.
        intent: Uuid,
        /// Amount in minor units; all that can be captured if absent.
        amount: Option<i64>,
        /// Whether what this call leaves can be captured later; if not, it is released.
        keeps_rest: bool,
    },
    /// Cancel an intent that has taken no money.
    Cancel {
        /// The intent.
        intent: Uuid,
        /// The caller's reason.
        reason: Option<CancelReason>,
    },
    /// Give captured money back.
    Refund {
        /// The intent.
        intent: Uuid,
        /// Amount in minor units; all that is left if absent.
        amount: Option<i64>,
        /// The caller's reason.
        reason: Option<RefundReason>,
        /// The caller's own pairs.
        metadata: Vec<(String, String)>,
    },
}

impl Command {
    /// The intent it is about; `None` for a charge, which makes a new one.
    #[must_use]
    pub const fn intent(&self) -> Option<Uuid> {
        match self {
            Self::Charge(_) => None,
            Self::Capture { intent, .. }
            | Self::Cancel { intent, .. }
            | Self::Refund { intent, .. } => Some(*intent),
        }
    }
}

/// A charge as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Amount in minor units, at least 1.
    pub amount: i64,
    /// Currency of the amount.
    pub currency: Currency,
    /// Payment method, as the caller named it.
    pub method: String,
    /// When the money is to be taken.
    pub capture: CaptureMethod,
    /// The caller's own pairs.
    pub metadata: Vec<(String, String)>,
    /// Set if the card's issuer says no.
    pub decline: Option<Decline>,
}

/// A payment intent, as the facts so far make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its id.
    pub id: Uuid,
    /// Creation, in microseconds since the Unix epoch.
    pub created_us: i64,
    /// Amount asked for, in minor units.
    pub amount: i64,
    /// Currency of all its amounts.
    pub currency: Currency,
    /// Payment method.
    pub method: Box<str>,
    /// When the money is taken.
    pub capture: CaptureMethod,
    /// The caller's own pairs.
    pub metadata: Box<[(String, String)]>,
    /// Set if the issuer said no.
    pub decline: Option<Decline>,
    /// Status now.
    pub status: Status,
    /// Amount of all captures so far, in minor units.
    pub captured: i64,
    /// Amount given back, in minor units.
    pub refunded: i64,
    /// Cancellation, in seconds since the Unix epoch, and its reason.
    pub canceled: Option<(i64, Option<CancelReason>)>,
    /// Idempotency key of the call that made it.
    pub key: Option<Arc<str>>,
    /// Place in the ledger of the last fact that changed it.
    pub last_seq: u64,
}

impl Intent {
    /// Status it had when it was created.
    #[must_use]
    pub const fn first_status(&self) -> Status {
        match (self.decline, self.capture) {
            (Some(_), _) => Status::RequiresPaymentMethod,
            (None, CaptureMethod::Automatic) => Status::Succeeded,
            (None, CaptureMethod::Manual) => Status::RequiresCapture,
        }
    }

    /// The order it pays for, if the caller said so in `metadata[order_id]`.
    #[must_use]
    pub fn order_id(&self) -> Option<&str> {
        rules::order_id(&self.metadata)
    }
}

/// An intent as one of its captures left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Position of the intent.
    pub intent: usize,
    /// Amount of all captures up to this one, in minor units.
    pub captured: i64,
    /// Status after it.
    pub status: Status,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its id.
    pub id: Uuid,
    /// Position of its intent.
    pub intent: usize,
    /// Creation, in seconds since the Unix epoch.
    pub created_s: i64,
    /// Amount given back, in minor units.
    pub amount: i64,
    /// The caller's reason.
    pub reason: Option<RefundReason>,
    /// The caller's own pairs.
    pub metadata: Box<[(String, String)]>,
    /// Place in the ledger.
    pub seq: u64,
}

/// What a call came to. The position of an intent, a capture or a refund never changes, and what an
/// answer shows of it does not either, so the same answer is written the same way for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The intent as it was when it was created.
    Charge(usize),
    /// The intent as this capture left it.
    Capture(usize),
    /// The intent as it is after its cancellation.
    Cancel(usize),
    /// The intent as it is after its authorisation expired. No call has this answer.
    Expired(usize),
    /// The refund.
    Refund(usize),
    /// A refusal about an intent.
    Refused(usize, Refusal),
}

/// The answer kept for an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Place in the ledger of the fact behind the answer.
    pub seq: u64,
    /// The request it answers.
    pub request: Fingerprint,
    /// The answer.
    pub answer: Answer,
}

/// A fact that cannot have happened after the facts before it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("fact {seq} contradicts the facts before it: {why}")]
pub struct Contradiction {
    /// Place of the fact in the ledger.
    pub seq: u64,
    /// What is wrong.
    pub why: String,
}
