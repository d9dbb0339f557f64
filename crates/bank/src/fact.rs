//! Facts: what the bank has decided. The ledger file is the list of them, the books are their fold.

use domain::Currency;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;

use crate::methods::Decline;

/// One line of the ledger: a fact, its place in the order of facts and the call that caused it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Place in the ledger: 1 for the first fact, then without a gap.
    pub seq: u64,
    /// When it was decided, in microseconds since the Unix epoch.
    pub at_us: i64,
    /// The idempotency key of the call, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyUse>,
    /// What was decided.
    pub fact: Fact,
}

/// An idempotency key together with the request it was first used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    /// The `Idempotency-Key` header.
    pub key: String,
    /// Which request it stands for.
    pub request: Fingerprint,
}

/// A decision with an effect on the books, or a refusal that must be answered the same way again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A payment intent was created and confirmed, or declined by the card's issuer.
    Charged(Charged),
    /// An authorised intent was captured, wholly or in part.
    Captured {
        /// The intent.
        intent: Uuid,
        /// Amount taken by this capture, in minor units; 0 only releases the rest.
        amount: i64,
        /// Whether what is not captured yet can be captured later; if not, it is released.
        #[serde(default, skip_serializing_if = "is_false")]
        keeps_rest: bool,
    },
    /// An intent was cancelled; an authorised amount is released.
    Canceled {
        /// The intent.
        intent: Uuid,
        /// The caller's reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<CancelReason>,
    },
    /// The bank let an authorisation lapse. If nothing was captured the intent is cancelled, if a
    /// part was it has succeeded; the rest is released.
    Expired {
        /// The intent.
        intent: Uuid,
    },
    /// Captured money was given back.
    Refunded(Refunded),
    /// A call was refused in the light of the books. It has no effect but keeps its answer.
    Refused {
        /// The intent the call was about.
        intent: Uuid,
        /// Why.
        refusal: Refusal,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference in")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A payment intent as it was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charged {
    /// The new intent.
    pub intent: Uuid,
    /// Amount asked for, in minor units.
    pub amount: i64,
    /// Currency of the amount.
    #[serde(with = "domain::currency_code")]
    pub currency: Currency,
    /// Payment method, as the caller named it.
    pub method: String,
    /// When the money is taken.
    pub capture: CaptureMethod,
    /// The caller's own pairs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<(String, String)>,
    /// Set if the issuer said no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decline: Option<Decline>,
}

/// A refund as it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refunded {
    /// The new refund.
    pub refund: Uuid,
    /// The intent whose money went back.
    pub intent: Uuid,
    /// Amount given back, in minor units.
    pub amount: i64,
    /// The caller's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RefundReason>,
    /// The caller's own pairs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<(String, String)>,
}

/// When the money is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureMethod {
    /// At once.
    Automatic,
    /// By a later capture call.
    Manual,
}

/// Status of a payment intent, named as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Paid, wholly or in part.
    Succeeded,
    /// Authorised, not yet captured or captured in part.
    RequiresCapture,
    /// Declined.
    RequiresPaymentMethod,
    /// Cancelled before any money was taken.
    Canceled,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "succeeded",
            Self::RequiresCapture => "requires_capture",
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::Canceled => "canceled",
        })
    }
}

/// Why an intent was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Charged twice.
    Duplicate,
    /// Not the card holder.
    Fraudulent,
    /// The customer asked for it.
    RequestedByCustomer,
    /// The customer left.
    Abandoned,
    /// The authorisation expired: the bank's own reason, which no caller can give.
    #[serde(skip_deserializing)]
    Automatic,
}

/// Why money was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundReason {
    /// Charged twice.
    Duplicate,
    /// Not the card holder.
    Fraudulent,
    /// The customer asked for it.
    RequestedByCustomer,
}

/// What a call wanted to do with an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Take authorised money.
    Capture,
    /// Cancel.
    Cancel,
    /// Give money back.
    Refund,
}

/// Why the books do not allow a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// There is no such intent.
    #[error("there is no such payment intent")]
    NoSuchIntent,
    /// The intent's status does not allow it.
    #[error("a payment intent with the status {status} does not allow this")]
    WrongStatus {
        /// What was wanted.
        action: Action,
        /// Status at that moment.
        status: Status,
    },
    /// More was to be captured than is authorised and not captured yet, or nothing.
    #[error("{amount} cannot be captured of {authorised}")]
    CaptureOutOfRange {
        /// Amount wanted, in minor units.
        amount: i64,
        /// Amount that could be captured, in minor units.
        authorised: i64,
    },
    /// An intent of which a part has been captured was to be cancelled.
    #[error("{captured} have been captured already")]
    PartlyCaptured {
        /// Amount captured at that moment, in minor units.
        captured: i64,
    },
    /// All that was captured has gone back already.
    #[error("all of it has been refunded already")]
    AlreadyRefunded,
    /// More was to be refunded than is left, or less than one unit.
    #[error("{amount} cannot be refunded of the {left} that are left")]
    RefundOutOfRange {
        /// Amount wanted, in minor units.
        amount: i64,
        /// Amount captured and not refunded, in minor units.
        left: i64,
    },
}

/// Tells one request from another: the first 128 bits of a SHA-256 over its method, path and
/// parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// Of a request. The order in which the parameters were sent does not count.
    #[must_use]
    pub fn of(method: &str, path: &str, parameters: &[(String, String)]) -> Self {
        let mut sorted: Vec<&(String, String)> = parameters.iter().collect();
        sorted.sort_unstable();
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            // The length keeps ("a", "bc") and ("ab", "c") apart.
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        part(method);
        part(path);
        for (name, value) in sorted {
            part(name);
            part(value);
        }
        let digest = hash.finalize();
        Self(digest.iter().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte)))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:032x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_fingerprint_ignores_order_and_nothing_else() {
        let first = Fingerprint::of("POST", "/v1/refunds", &pairs(&[("a", "1"), ("b", "2")]));
        let turned = Fingerprint::of("POST", "/v1/refunds", &pairs(&[("b", "2"), ("a", "1")]));
        assert_eq!(first, turned);
        for other in [
            Fingerprint::of("POST", "/v1/payment_intents", &pairs(&[("a", "1"), ("b", "2")])),
            Fingerprint::of("POST", "/v1/refunds", &pairs(&[("a", "1"), ("b", "3")])),
            Fingerprint::of("POST", "/v1/refunds", &pairs(&[("a", "1b"), ("", "2")])),
            Fingerprint::of("POST", "/v1/refunds", &pairs(&[("a", "1")])),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_fingerprint_survives_the_file() {
        for value in [0, 1, u128::MAX, 0x0123 << 64] {
            let text = serde_json::to_string(&Fingerprint(value)).unwrap();
            assert_eq!(serde_json::from_str::<Fingerprint>(&text).unwrap(), Fingerprint(value));
        }
    }
}
