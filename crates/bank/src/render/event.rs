//! The events that a change gives rise to, in Stripe's shape.

use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

use super::json::{ChargeJson, IntentJson, RefundJson, Tagged, View};
use super::{captured, refunded};
use crate::fact::Status;
use crate::state::{Answer, State};

/// An event as it is sent, however often that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventText {
    /// What it tells, such as `payment_intent.succeeded`.
    pub kind: &'static str,
    /// JSON.
    pub body: Bytes,
}

#[derive(Serialize)]
struct EventJson<'a, T> {
    id: Tagged,
    object: &'static str,
    created: i64,
    data: DataJson<T>,
    livemode: bool,
    pending_webhooks: u32,
    request: RequestJson<'a>,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct DataJson<T> {
    object: T,
}

#[derive(Serialize)]
struct RequestJson<'a> {
    id: Option<&'a str>,
    idempotency_key: Option<&'a str>,
}

/// What is the same in all events of one change.
struct Frame<'a> {
    ids: &'a dyn Fn() -> Uuid,
    created_s: i64,
    key: Option<&'a str>,
}

impl Frame<'_> {
    fn event(
        &self,
        kind: &'static str,
        object: impl Serialize,
    ) -> Result<EventText, serde_json::Error> {
        let event = EventJson {
            id: Tagged("evt_", (self.ids)()),
            object: "event",
            created: self.created_s,
            data: DataJson { object },
            livemode: false,
            pending_webhooks: 1,
            request: RequestJson { id: None, idempotency_key: self.key },
            kind,
        };
        Ok(EventText { kind, body: Bytes::from(serde_json::to_vec(&event)?) })
    }
}

/// The events of the change that `answer` stands for, made at `created_s` by a call with the
/// idempotency key `key`. They show the books as they are now, so they are written together with
/// the change. A refusal changes nothing and has none.
///
/// # Errors
/// Those of the serializer.
pub(crate) fn events(
    state: &State,
    answer: Answer,
    created_s: i64,
    key: Option<&str>,
    ids: &dyn Fn() -> Uuid,
) -> Result<Vec<EventText>, serde_json::Error> {
    let frame = Frame { ids, created_s, key };
    let told = match answer {
        Answer::Charge(position) | Answer::Cancel(position) | Answer::Expired(position) => {
            state.intents().get(position).map(|intent| (intent, View::now(intent)))
        }
        Answer::Capture(position) => captured(state, position),
        Answer::Refund(position) => {
            let Some((refund, intent)) = refunded(state, position) else { return Ok(Vec::new()) };
            return Ok(vec![
                frame.event("refund.created", RefundJson::of(refund, intent))?,
                frame.event("charge.refunded", ChargeJson::of(intent))?,
            ]);
        }
        Answer::Refused(..) => None,
    };
    let Some((intent, view)) = told else { return Ok(Vec::new()) };
    Ok(vec![frame.event(kind_of(view.status), IntentJson::of(intent, view))?])
}

/// What an intent that comes to have this status is told as.
const fn kind_of(status: Status) -> &'static str {
    match status {
        Status::Succeeded => "payment_intent.succeeded",
        Status::RequiresCapture => "payment_intent.amount_capturable_updated",
        Status::RequiresPaymentMethod => "payment_intent.payment_failed",
        Status::Canceled => "payment_intent.canceled",
    }
}
