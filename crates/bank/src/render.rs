//! The JSON of the answers, in Stripe's shapes. Typed and borrowed: no tree of values is built.

use std::fmt;

use bytes::Bytes;
use domain::Currency;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::fact::{Action, CancelReason, CaptureMethod, RefundReason, Refusal, Status};
use crate::methods::Decline;
use crate::state::{Answer, Intent, State};

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: Bytes,
}

impl Reply {
    /// An answer with `value` as its body.
    ///
    /// # Errors
    /// Those of the serializer.
    pub(crate) fn json(status: u16, value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self { status, body: Bytes::from(serde_json::to_vec(value)?) })
    }
}

/// Writes the answer of a call. The bytes depend on nothing that a later fact can change.
///
/// # Errors
/// Those of the serializer.
pub(crate) fn answer(state: &State, answer: Answer) -> Result<Reply, serde_json::Error> {
    let intent = |position: usize| state.intents().get(position);
    match answer {
        Answer::Charge(position) => match intent(position) {
            Some(intent) => charge(intent),
            None => missing(),
        },
        Answer::Capture(position) => match intent(position) {
            Some(intent) => Reply::json(200, &IntentJson::of(intent, Status::Succeeded)),
            None => missing(),
        },
        Answer::Cancel(position) => match intent(position) {
            Some(intent) => Reply::json(200, &IntentJson::of(intent, Status::Canceled)),
            None => missing(),
        },
        Answer::Refund(position) => refund(state, position),
        Answer::Refused(position, refused) => refusal(intent(position), refused),
    }
}

fn charge(intent: &Intent) -> Result<Reply, serde_json::Error> {
    let json = IntentJson::of(intent, intent.first_status());
    let Some(decline) = intent.decline else { return Reply::json(200, &json) };
    let error = ErrorJson {
        decline_code: Some(decline.decline_code()),
        charge: Some(Tagged("ch_", intent.id)),
        payment_intent: Some(json),
        ..ErrorJson::new("card_error", Some(decline.code()), decline.message())
    };
    Reply::json(402, &ErrorBody { error })
}

/// Writes an intent as it is now.
pub(crate) fn intent(intent: &Intent) -> Result<Reply, serde_json::Error> {
    Reply::json(200, &IntentJson::of(intent, intent.status))
}

/// Writes a refund.
pub(crate) fn refund(state: &State, position: usize) -> Result<Reply, serde_json::Error> {
    let found = state
        .refund_at(position)
        .and_then(|refund| Some((refund, state.intents().get(refund.intent)?)));
    let Some((refund, intent)) = found else { return missing() };
    Reply::json(
        200,
        &RefundJson {
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
        },
    )
}

/// Writes a refusal about `intent`, which is absent if there is none.
pub(crate) fn refusal(
    intent: Option<&Intent>,
    refusal: Refusal,
) -> Result<Reply, serde_json::Error> {
    let Some(intent) = intent else { return missing() };
    let (param, code, message, status) = match refusal {
        Refusal::NoSuchIntent => return missing(),
        Refusal::WrongStatus { action, status } => {
            let message = format!(
                "You cannot {} this PaymentIntent because it has a status of {status}.",
                match action {
                    Action::Capture => "capture",
                    Action::Cancel => "cancel",
                    Action::Refund => "refund",
                }
            );
            (None, "payment_intent_unexpected_state", message, Some(status))
        }
        Refusal::CaptureOutOfRange { amount, authorised } => {
            let message = format!(
                "The amount to capture ({amount}) must be at least 1 and at most the amount \
                 authorised ({authorised})."
            );
            (Some("amount_to_capture"), "amount_too_large", message, None)
        }
        Refusal::AlreadyRefunded => {
            let charge = Tagged("ch_", intent.id);
            let message = format!("Charge {charge} has already been refunded.");
            (None, "charge_already_refunded", message, None)
        }
        Refusal::RefundOutOfRange { amount, left } => {
            let message = format!(
                "Refund amount ({amount}) must be at least 1 and at most the amount that is left \
                 to refund ({left})."
            );
            (Some("amount"), "amount_too_large", message, None)
        }
    };
    let error = ErrorJson {
        param,
        payment_intent: status.map(|status| IntentJson::of(intent, status)),
        ..ErrorJson::new("invalid_request_error", Some(code), &message)
    };
    Reply::json(400, &ErrorBody { error })
}

fn missing() -> Result<Reply, serde_json::Error> {
    let error = ErrorJson {
        param: Some("intent"),
        ..ErrorJson::new(
            "invalid_request_error",
            Some("resource_missing"),
            "No such payment_intent.",
        )
    };
    Reply::json(404, &ErrorBody { error })
}

/// One line of `GET /ledger`, end of line included.
pub(crate) fn ledger_line(intent: &Intent, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let line = LedgerLine {
        payment_intent: Tagged("pi_", intent.id),
        idempotency_key: intent.key.as_deref(),
        order_id: intent.order_id(),
        amount: intent.amount,
        currency: intent.currency.code(),
        captured: intent.captured,
        refunded: intent.refunded,
        status: intent.status,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.push(b'\n');
    Ok(())
}

#[derive(Serialize)]
struct LedgerLine<'a> {
    payment_intent: Tagged,
    idempotency_key: Option<&'a str>,
    order_id: Option<&'a str>,
    amount: i64,
    currency: &'static str,
    captured: i64,
    refunded: i64,
    status: Status,
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
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decline_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    charge: Option<Tagged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_intent: Option<IntentJson<'a>>,
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
    /// The intent as it was when it had the status `status`.
    pub(crate) fn of(intent: &'a Intent, status: Status) -> Self {
        let canceled = intent.canceled.filter(|_| status == Status::Canceled);
        Self {
            id: Tagged("pi_", intent.id),
            object: "payment_intent",
            amount: intent.amount,
            amount_capturable: if status == Status::RequiresCapture { intent.amount } else { 0 },
            amount_received: if status == Status::Succeeded { intent.captured } else { 0 },
            canceled_at: canceled.map(|(second, _)| second),
            cancellation_reason: canceled.and_then(|(_, reason)| reason),
            capture_method: intent.capture,
            confirmation_method: "automatic",
            created: intent.created_s,
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

#[derive(Serialize)]
struct RefundJson<'a> {
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
