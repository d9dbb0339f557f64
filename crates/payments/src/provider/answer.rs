//! What the provider's answers mean. Only a parsed answer that fits the question is an answer;
//! everything else is doubt, and doubt is not failure (rules D3 and S18).

use domain::{ChargeOutcome, Money, OrderId};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A payment intent, as far as it is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) amount: i64,
    #[serde(default)]
    pub(super) amount_received: i64,
    pub(super) currency: String,
    /// Seconds since the Unix epoch.
    #[serde(default)]
    pub(super) created: i64,
    pub(super) cancellation_reason: Option<String>,
    pub(super) last_payment_error: Option<PaymentError>,
    pub(super) metadata: Option<Metadata>,
}

/// What we wrote on an intent when we made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Metadata {
    pub(super) order_id: Option<String>,
    /// Set on what was charged anew for one operation.
    pub(super) leg: Option<String>,
}

/// Why the last attempt to charge an intent failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct PaymentError {
    code: Option<String>,
    decline_code: Option<String>,
}

impl PaymentError {
    pub(super) fn reason(&self) -> Option<String> {
        self.decline_code.clone().or_else(|| self.code.clone())
    }
}

/// A refund, as far as it is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) payment_intent: String,
    pub(super) failure_reason: Option<String>,
}

/// A page of intents.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) data: Vec<Intent>,
    #[serde(default)]
    pub(super) has_more: bool,
}

/// A definite answer to a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<T> {
    /// What was asked for.
    Given(T),
    /// A refusal that will not change; nothing was done.
    Refused(Refusal),
}

/// A definite refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The provider's reason.
    pub(super) code: String,
    /// Whether a card was refused, rather than a request.
    pub(super) by_card: bool,
    /// The intent that it is about, if the provider shows it.
    pub(super) intent: Option<Shown>,
}

/// An intent inside of a refusal; only its name is certain to be there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) amount_received: i64,
    pub(super) cancellation_reason: Option<String>,
}

impl From<Intent> for Shown {
    fn from(intent: Intent) -> Self {
        Self {
            id: intent.id,
            status: Some(intent.status),
            amount_received: intent.amount_received,
            cancellation_reason: intent.cancellation_reason,
        }
    }
}

#[derive(Deserialize)]
struct Failure {
    error: ErrorBody,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "type")]
    kind: String,
    code: Option<String>,
    decline_code: Option<String>,
    payment_intent: Option<Shown>,
}

/// Reads the answer to any call. `Err` says why its outcome is not known.
///
/// A refusal is definite if a card was refused, or if the request was not acceptable: nothing was
/// done. An idempotency error, in contrast, says nothing about what the key stands for, and a
/// missing resource is only meant if it is called so: a wrong address has the same status.
pub(super) fn read<T: DeserializeOwned>(status: u16, body: &[u8]) -> Result<Answer<T>, String> {
    match status {
        200..=299 => serde_json::from_slice(body)
            .map(Answer::Given)
            .map_err(|error| format!("the answer cannot be read: {error}")),
        400 | 402 | 404 => read_refusal(status, body).map(Answer::Refused),
        _ => Err(format!("the provider answered {status}")),
    }
}

fn read_refusal(status: u16, body: &[u8]) -> Result<Refusal, String> {
    let failure: Failure = serde_json::from_slice(body)
        .map_err(|error| format!("the refusal cannot be read: {error}"))?;
    let error = failure.error;
    let code = error.code.as_deref();
    let definite = match (status, error.kind.as_str()) {
        (402, "card_error") | (400, "invalid_request_error") => true,
        (404, "invalid_request_error") => code == Some("resource_missing"),
        _ => false,
    };
    if !definite {
        let code = code.unwrap_or_default();
        return Err(format!("the provider answered {status} {} {code}", error.kind));
    }
    let by_card = error.kind == "card_error";
    let plain = if by_card { "card_declined" } else { "invalid_request_error" };
    let code = error.decline_code.or(error.code).unwrap_or_else(|| plain.to_owned());
    Ok(Refusal { code, by_card, intent: error.payment_intent })
}

/// Whether an answer speaks of exactly this money.
pub(super) fn is_amount(minor: i64, currency: &str, wanted: Money) -> bool {
    if faults::planted("amount-not-compared") {
        return true;
    }
    minor == wanted.minor && currency.eq_ignore_ascii_case(wanted.currency.code())
}

/// Checks that an intent is one of this order, over exactly this money.
pub(super) fn fits(intent: &Intent, order_id: OrderId, wanted: Money) -> Result<(), String> {
    if !is_amount(intent.amount, &intent.currency, wanted) {
        return Err("the answer names another amount".to_owned());
    }
    let named = intent.metadata.as_ref().and_then(|metadata| metadata.order_id.as_deref());
    if named.is_some_and(|named| named != order_id.to_string()) {
        return Err("the answer names another order".to_owned());
    }
    Ok(())
}

/// Reads the answer to a charge of `wanted` for an order.
pub(super) fn read_charge(
    status: u16,
    body: &[u8],
    order_id: OrderId,
    wanted: Money,
) -> Result<ChargeOutcome, String> {
    let intent: Intent = match read(status, body)? {
        Answer::Given(intent) => intent,
        Answer::Refused(refusal) if status != 404 => return declined(refusal),
        Answer::Refused(_) => return Err(format!("the provider answered {status}")),
    };
    fits(&intent, order_id, wanted)?;
    let provider_ref = intent.id;
    match intent.status.as_str() {
        "succeeded" => Ok(ChargeOutcome::Captured { provider_ref }),
        "requires_capture" => Ok(ChargeOutcome::Authorized { provider_ref }),
        other => Err(format!("the payment is {other}")),
    }
}

fn declined(refusal: Refusal) -> Result<ChargeOutcome, String> {
    if let Some(status) = refusal.intent.as_ref().and_then(|intent| intent.status.as_deref()) {
        // A refusal that shows money taken, or on its way, contradicts itself.
        if matches!(status, "succeeded" | "requires_capture" | "processing") {
            return Err(format!("the payment was refused and is {status}"));
        }
    }
    let provider_ref = refusal.intent.map(|intent| intent.id);
    Ok(ChargeOutcome::Declined { code: refusal.code, provider_ref })
}
