//! The JSON of the answers, in Stripe's shapes. Typed and borrowed: no tree of values is built.

use bytes::Bytes;
use serde::Serialize;

use crate::fact::{Action, Refusal, Status};
use crate::state::{Answer, Capture, Intent, Refund, State};

mod event;
mod json;

pub(crate) use event::{EventText, events};
pub(crate) use json::{ErrorBody, ErrorJson, IntentJson, PageJson, Tagged, View};

use json::{LedgerLine, RefundJson};

const UNEXPECTED_STATE: &str = "payment_intent_unexpected_state";

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
        Answer::Capture(position) => match captured(state, position) {
            Some((intent, view)) => Reply::json(200, &IntentJson::of(intent, view)),
            None => missing(),
        },
        // Neither a cancelled nor an expired intent changes its status or what was captured.
        Answer::Cancel(position) | Answer::Expired(position) => match intent(position) {
            Some(intent) => Reply::json(200, &IntentJson::of(intent, View::now(intent))),
            None => missing(),
        },
        Answer::Refund(position) => refund(state, position),
        Answer::Refused(position, refused) => refusal(intent(position), refused),
    }
}

fn charge(intent: &Intent) -> Result<Reply, serde_json::Error> {
    let json = IntentJson::of(intent, View::first(intent));
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
    Reply::json(200, &IntentJson::of(intent, View::now(intent)))
}

/// Writes a refund.
pub(crate) fn refund(state: &State, position: usize) -> Result<Reply, serde_json::Error> {
    match refunded(state, position) {
        Some((refund, intent)) => Reply::json(200, &RefundJson::of(refund, intent)),
        None => missing(),
    }
}

/// The capture at a position: its intent, as the capture left it.
fn captured(state: &State, position: usize) -> Option<(&Intent, View)> {
    let Capture { intent, captured, status } = *state.capture_at(position)?;
    Some((state.intents().get(intent)?, View { status, captured }))
}

/// The refund at a position, and its intent.
fn refunded(state: &State, position: usize) -> Option<(&Refund, &Intent)> {
    let refund = state.refund_at(position)?;
    Some((refund, state.intents().get(refund.intent)?))
}

/// Writes a refusal about `intent`, which is absent if there is none.
pub(crate) fn refusal(
    intent: Option<&Intent>,
    refusal: Refusal,
) -> Result<Reply, serde_json::Error> {
    let Some(intent) = intent else { return missing() };
    let (param, code, message, view) = match refusal {
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
            // What an intent that succeeded has captured is final; a call that is refused for any
            // other status is refused before anything was captured.
            let captured = if status == Status::Succeeded { intent.captured } else { 0 };
            (None, UNEXPECTED_STATE, message, Some(View { status, captured }))
        }
        Refusal::PartlyCaptured { captured } => {
            let message = format!(
                "You cannot cancel this PaymentIntent because {captured} of it have been captured. \
                 Release the rest with a final capture of 0."
            );
            let view = View { status: Status::RequiresCapture, captured };
            (None, UNEXPECTED_STATE, message, Some(view))
        }
        Refusal::CaptureOutOfRange { amount, authorised } => {
            let message = format!(
                "The amount to capture ({amount}) must be at least 1 and at most the amount that \
                 can be captured ({authorised})."
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
        payment_intent: view.map(|view| IntentJson::of(intent, view)),
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
    serde_json::to_writer(&mut *out, &LedgerLine::of(intent))?;
    out.push(b'\n');
    Ok(())
}
