//! What the payment provider tells of its own accord.

use crate::admission::Gate;
use crate::documents::problems;
use crate::http::{body, edge};
use crate::problem::{Code, Problem};
use crate::views;
use actix_web::{HttpRequest, HttpResponse, post, rt, web};
use actors::RequestContext;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{Instrument, Span};

/// Largest event, in bytes. The provider's are a few thousand.
const EVENT_BYTES_MAX: usize = 64 * 1024;

/// How long an event is worked on; the provider sends it again when this is not enough.
const PATIENCE: Duration = Duration::from_secs(10);

const SIGNATURE: &str = "stripe-signature";

problems! {
    /// What can go wrong with an event.
    EventProblems:
    400 "`INVALID_BODY`: signed, and no event.",
    401 "`INVALID_SIGNATURE`: not signed, not by the provider, or not within the last five minutes.",
    404 "`NOT_FOUND`: no secret is set, so events are not expected.",
    408 "`REQUEST_TIMEOUT`",
    413 "`PAYLOAD_TOO_LARGE`: the event is larger than 64 KiB.",
    500 "`INTERNAL`",
    503 "`UNAVAILABLE`, `OVERLOADED`: it was not kept, and is to be sent again; with `Retry-After`.",
    504 "`DEADLINE_EXCEEDED`: it was not kept, and is to be sent again.",
}

/// Take an event of the payment provider.
///
/// The signature in `Stripe-Signature` over the bytes of the body is the authentication; there is
/// no API key. What the event says is not believed: it is a hint to ask the provider. An event that
/// came before is answered like the first time.
#[utoipa::path(
    tag = "payments",
    security(()),
    params(("Stripe-Signature" = String, Header, description = "`t=<unix time>,v1=<HMAC-SHA256 of time, dot and body>`, at most five minutes old.")),
    request_body(content = views::ProviderEvent, description = "An event of Stripe's API, at most 64 KiB.",
        example = json!({"id": "evt_1", "type": "payment_intent.succeeded",
            "data": {"object": {"metadata": {"order_id": "01a2051e-673a-7780-85cc-766e1a909866"}}}})),
    responses(
        (status = 200, description = "It is kept, now or before.", body = views::Nothing, example = json!({})),
        EventProblems,
    ),
)]
#[post("/v1/webhooks/payments")]
pub(crate) async fn take_payment_event(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let raw = body::raw(&request, payload).await?;
    if raw.len() > EVENT_BYTES_MAX {
        let problem = Problem::new(Code::PayloadTooLarge, "An event has at most 64 KiB.");
        return Err(problem.with("bytes_max", EVENT_BYTES_MAX));
    }
    let signature = request.headers().get(SIGNATURE);
    let signature = signature.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let orders = gate.services.orders.clone();
    let (deadline, trace_id) = (Instant::now() + PATIENCE, edge::trace_id(&request));
    let context = RequestContext::new(deadline, trace_id, Span::current(), "provider".into());
    // In a task of its own, which goes on when the provider hangs up.
    let told = async move { orders.provider_told(&raw, signature.as_deref(), &context).await };
    let task = rt::spawn(told.in_current_span());
    task.await.map_err(|error| Problem::internal().because(error))??;
    Ok(HttpResponse::Ok().content_type("application/json").body("{}"))
}
