//! Orders as a stream: the way of imports.

use super::answers::line;
use super::order_body::{LINES_MAX_IMPORT, NewOrderInStream, OrderBody};
use super::orders::{Patience, place};
use crate::admission::{Caller, Gate};
use crate::documents::StreamProblems;
use crate::http::body::{check_ndjson, parse};
use crate::http::edge;
use crate::http::idempotency::check_key;
use crate::http::ndjson::{self, Lines, bad_line};
use crate::problem::{Code, Problem};
use actix_web::{HttpRequest, HttpResponse, post, web};
use bytes::Bytes;
use store::answers::Answer;

/// Orders of one stream that are placed side by side.
const IN_FLIGHT_MAX: usize = 64;

/// Place many orders.
///
/// Newline-delimited JSON: each line is an order with its own `idempotency_key`, each line of the
/// answer tells the outcome of one: `{line, status, order}` or `{line, status, error}`, in the
/// order in which they are done; `line` counts from 1. Up to 64 orders are placed side by side; a
/// broken line harms no other. An order may have up to 5,000 lines here. A stream that is silent
/// for 10 seconds is ended by a line with status 408. Read the answer while you send.
/// Needs the scope `orders:write`; naming prices needs `orders:price` too.
#[utoipa::path(
    tag = "orders",
    params(("Prefer" = Option<String>, Header, description = "`respond-async` or `wait=N`, for each order.")),
    request_body(content = NewOrderInStream, content_type = "application/x-ndjson",
        description = "One order per line, each line at most 1 MiB.",
        example = json!({"idempotency_key": "import-1-1", "currency": "USD",
            "lines": [{"sku": "SKU-1", "quantity": 2}], "payment": {"method": "pm_card_visa"}})),
    responses(
        (status = 200, description = "One outcome per line.", content_type = "application/x-ndjson",
            body = crate::documents::OrderOutcome),
        StreamProblems,
    ),
)]
#[post("/v1/orders:batch")]
pub(crate) async fn place_orders(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    check_ndjson(&request)?;
    let patience = Patience::of(&request);
    Ok(ndjson::respond(|outlet| {
        let trace_id = caller.trace_id();
        let work = move |number, bytes| {
            let (gate, caller) = (gate.clone(), caller.renewed());
            async move { outcome(&gate, &caller, patience, number, bytes).await }
        };
        ndjson::each(Lines::new(payload), outlet, trace_id, IN_FLIGHT_MAX, work)
    }))
}

async fn outcome(
    gate: &Gate,
    caller: &Caller,
    patience: Patience,
    number: u64,
    bytes: Bytes,
) -> String {
    match place_line(gate, caller, patience, bytes).await {
        Ok(answer) => line(number, &answer, "order"),
        Err(problem) => {
            edge::log(&problem);
            bad_line(number, &problem, &caller.trace_id())
        }
    }
}

async fn place_line(
    gate: &Gate,
    caller: &Caller,
    patience: Patience,
    bytes: Bytes,
) -> Result<Answer, Problem> {
    let mut body: OrderBody = parse(&bytes)?;
    let key = body.take_key().ok_or_else(|| {
        let missing = "Each order of a stream needs its own idempotency_key.";
        Problem::new(Code::IdempotencyKeyRequired, missing).at("/idempotency_key")
    })?;
    check_key(&key)?;
    body.check_prices(caller)?;
    let order = body.check(LINES_MAX_IMPORT)?;
    Ok(place(gate, caller, patience, key, order).await?.answer)
}
