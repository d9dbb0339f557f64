//! The shapes of the JSON.

use std::fmt;

use domain::Currency;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::fact::{CancelReason, CaptureMethod, RefundReason, Status};
use crate::methods::Decline;
use crate::state::{Intent, Refund};

/// A line of the ledger as it is shown.
#[derive(Serialize)]
pub(super) struct LedgerLine<'a> {
    payment_intent: Tagged,
    idempotency_key: Option<&'a str>,
    order_id: Option<&'a str>,
    amount: i64,
    currency: &'static str,
    captured: i64,
    refunded: i64,
    status: Status,
}

impl<'a> LedgerLine<'a> {
    /// The intent as it is now.
    pub(super) fn of(intent: &'a Intent) -> Self {
        Self {
            payment_intent: Tagged("pi_", intent.id),
            idempotency_key: intent.key.as_deref(),
            order_id: intent.order_id(),
            amount: intent.amount,
            currency: intent.currency.code(),
            captured: intent.captured,
            refunded: intent.refunded,
            status: intent.status,
        }
    }
}

/// A page of intents.
#[derive(Serialize)]
pub(crate) struct PageJson<'a> {
    /// `list` or `search_result`.
    pub object: &'static str,
    /// Path of the call.
    pub url: &'static str,
    /// Whether more follow.
    pub has_more: bool,
    /// Where the next page of a search begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page: Option<Option<String>>,
    /// The intents.
    pub data: Vec<IntentJson<'a>>,
}

/// Body of every error.
#[derive(Serialize)]
pub(crate) struct ErrorBody<'a> {
    pub error: ErrorJson<'a>,
}

/// An error.
#[derive(Serialize)]
pub(crate) struct ErrorJson<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decline_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) param: Option<&'a str>,
    pub(super) message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) charge: Option<Tagged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payment_intent: Option<IntentJson<'a>>,
}

impl<'a> ErrorJson<'a> {
    /// An error with nothing but its kind, code and message.
    pub(crate) const fn new(kind: &'a str, code: Option<&'a str>, message: &'a str) -> Self {
        Self {
            kind,
            code,
            decline_code: None,
            param: None,
            message,
            charge: None,
            payment_intent: None,
        }
    }

    /// The same error about the parameter `param`.
    pub(crate) const fn about(self, param: Option<&'a str>) -> Self {
        Self { param, ..self }
    }
}

/// The moment of an intent's life that is shown.
#[derive(Clone, Copy)]
pub(crate) struct View {
    /// Its status then.
    pub status: Status,
    /// What had been captured, in minor units.
    pub captured: i64,
}

impl View {
    /// As it is now.
    pub(crate) const fn now(intent: &Intent) -> Self {
        Self { status: intent.status, captured: intent.captured }
    }

    /// As it was when it was created.
    pub(super) const fn first(intent: &Intent) -> Self {
        let status = intent.first_status();
        let captured = if matches!(status, Status::Succeeded) { intent.amount } else { 0 };
        Self { status, captured }
    }
}

/// A payment intent.
#[derive(Serialize)]
pub(crate) struct IntentJson<'a> {
    id: Tagged,
    object: &'static str,
    amount: i64,
    amount_capturable: i64,
    amount_received: i64,
    canceled_at: Option<i64>,
    cancellation_reason: Option<CancelReason>,
    capture_method: CaptureMethod,
    confirmation_method: &'static str,
    created: i64,
    currency: Lowercase,
    last_payment_error: Option<PaymentErrorJson>,
    latest_charge: Tagged,
    livemode: bool,
    metadata: Pairs<'a>,
    next_action: Option<()>,
    payment_method: Option<&'a str>,
    payment_method_types: [&'static str; 1],
    status: Status,
}

impl<'a> IntentJson<'a> {
    /// The intent as it was at the moment of `view`.
    pub(crate) fn of(intent: &'a Intent, view: View) -> Self {
        let View { status, captured } = view;
        let is_open = status == Status::RequiresCapture;
        let canceled = intent.canceled.filter(|_| status == Status::Canceled);
        Self {
            id: Tagged("pi_", intent.id),
            object: "payment_intent",
            amount: intent.amount,
            amount_capturable: if is_open { intent.amount - captured } else { 0 },
            amount_received: captured,
            canceled_at: canceled.map(|(second, _)| second),
            cancellation_reason: canceled.and_then(|(_, reason)| reason),
            capture_method: intent.capture,
            confirmation_method: "automatic",
            created: intent.created_us.div_euclid(1_000_000),
            currency: Lowercase(intent.currency),
            last_payment_error: intent.decline.map(PaymentErrorJson::of),
            latest_charge: Tagged("ch_", intent.id),
            livemode: false,
            metadata: Pairs(&intent.metadata),
            next_action: None,
            payment_method: intent.decline.is_none().then_some(&*intent.method),
            payment_method_types: ["card"],
            status,
        }
    }
}

#[derive(Serialize)]
struct PaymentErrorJson {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'static str,
    decline_code: &'static str,
    message: &'static str,
}

impl PaymentErrorJson {
    const fn of(decline: Decline) -> Self {
        Self {
            kind: "card_error",
            code: decline.code(),
            decline_code: decline.decline_code(),
            message: decline.message(),
        }
    }
}

/// A refund.
#[derive(Serialize)]
pub(super) struct RefundJson<'a> {
    id: Tagged,
    object: &'static str,
    amount: i64,
    charge: Tagged,
    created: i64,
    currency: Lowercase,
    metadata: Pairs<'a>,
    payment_intent: Tagged,
    reason: Option<RefundReason>,
    status: &'static str,
}

impl<'a> RefundJson<'a> {
    /// The refund of some of `intent`.
    pub(super) fn of(refund: &'a Refund, intent: &Intent) -> Self {
        Self {
            id: Tagged("re_", refund.id),
            object: "refund",
            amount: refund.amount,
            charge: Tagged("ch_", intent.id),
            created: refund.created_s,
            currency: Lowercase(intent.currency),
            metadata: Pairs(&refund.metadata),
            payment_intent: Tagged("pi_", intent.id),
            reason: refund.reason,
            status: "succeeded",
        }
    }
}

/// A charge, which is the money side of an intent. It is only seen in events.
#[derive(Serialize)]
pub(super) struct ChargeJson<'a> {
    id: Tagged,
    object: &'static str,
    amount: i64,
    amount_captured: i64,
    amount_refunded: i64,
    captured: bool,
    created: i64,
    currency: Lowercase,
    livemode: bool,
    metadata: Pairs<'a>,
    paid: bool,
    payment_intent: Tagged,
    payment_method: &'a str,
    refunded: bool,
    status: &'static str,
}

impl<'a> ChargeJson<'a> {
    /// The charge of an intent that was approved, as it is now.
    pub(super) fn of(intent: &'a Intent) -> Self {
        let is_final = intent.status == Status::Succeeded;
        Self {
            id: Tagged("ch_", intent.id),
            object: "charge",
            amount: intent.amount,
            amount_captured: intent.captured,
            amount_refunded: intent.refunded,
            captured: is_final,
            created: intent.created_us.div_euclid(1_000_000),
            currency: Lowercase(intent.currency),
            livemode: false,
            metadata: Pairs(&intent.metadata),
            paid: true,
            payment_intent: Tagged("pi_", intent.id),
            payment_method: &intent.method,
            refunded: is_final && intent.refunded == intent.captured,
            status: "succeeded",
        }
    }
}

/// An id as it is written: what it names, then 32 hexadecimal digits.
#[derive(Clone, Copy)]
pub(crate) struct Tagged(pub &'static str, pub Uuid);

impl fmt::Display for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, self.1.simple())
    }
}

impl Serialize for Tagged {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// A currency as Stripe writes it.
#[derive(Clone, Copy)]
struct Lowercase(Currency);

impl Serialize for Lowercase {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.code().to_ascii_lowercase())
    }
}

/// Pairs, written as an object.
struct Pairs<'a>(&'a [(String, String)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
