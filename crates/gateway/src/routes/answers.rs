//! Answers that are kept by idempotency key: made once, sent byte for byte for ever.

use crate::admission::{Caller, Gate};
use crate::http::ndjson::{self, Lines, bad_line, good_line};
use crate::problem::{Code, PROBLEM_JSON, Problem, ProblemBody};
use crate::views::{OrderView, StockView};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use domain::{Order, OrderId, Shortage};
use inventory::StockView as Level;
use orders::Outcome;
use serde::Serialize;
use std::rc::Rc;
use store::answers::Answer;

/// Says that the answer was given before.
const REPLAYED: &str = "idempotent-replayed";

#[derive(Serialize)]
struct OutOfStock<'a> {
    order_id: OrderId,
    shortages: &'a [Shortage],
}

#[derive(Serialize)]
struct CouponsUsedUp<'a> {
    order_id: OrderId,
    coupons: &'a [String],
}

#[derive(Serialize)]
struct Declined<'a> {
    order_id: OrderId,
    decline_code: &'a str,
}

#[derive(Serialize)]
struct Cancelled {
    order_id: OrderId,
}

/// How the state of an order is told to the client that placed it. Pure: the answer is stored in
/// the transaction that makes it true, and replayed byte for byte.
#[must_use]
pub fn render_order_answer(order: &Order, outcome: &Outcome<'_>, trace_id: &str) -> Answer {
    let told = |status, degraded| Answer {
        status,
        location: Some(format!("/v1/orders/{}", order.id)),
        etag: Some(etag(order.version)),
        body: json(&OrderView::new(order, degraded)),
    };
    let refused = |code: Code, body| Answer {
        status: code.status(),
        location: None,
        etag: Some(etag(order.version)),
        body,
    };
    match outcome {
        Outcome::Confirmed => told(201, &[]),
        Outcome::Pending { degraded } => told(202, degraded),
        Outcome::OutOfStock(shortages) => {
            let message = "There is not enough stock for this order. Nothing was charged.";
            let details = OutOfStock { order_id: order.id, shortages };
            let body = ProblemBody::new(Code::OutOfStock, message, details, trace_id);
            refused(Code::OutOfStock, body.json())
        }
        Outcome::CouponsUsedUp(coupons) => {
            let message = "A coupon of this order is used up. Nothing was charged.";
            let details = CouponsUsedUp { order_id: order.id, coupons };
            let body = ProblemBody::new(Code::CouponUsedUp, message, details, trace_id);
            refused(Code::CouponUsedUp, body.json())
        }
        Outcome::Declined { code } => {
            let message = "The payment was declined. The goods are free again.";
            let details = Declined { order_id: order.id, decline_code: code };
            let body = ProblemBody::new(Code::PaymentDeclined, message, details, trace_id);
            refused(Code::PaymentDeclined, body.json())
        }
        Outcome::Cancelled => {
            let message = "The order was cancelled before its payment was known.";
            let details = Cancelled { order_id: order.id };
            let body = ProblemBody::new(Code::OrderCancelled, message, details, trace_id);
            refused(Code::OrderCancelled, body.json())
        }
    }
}

/// How a level is told to the client that adjusted it.
pub(crate) fn render_stock_answer(level: &Level) -> Answer {
    Answer { status: 200, location: None, etag: None, body: json(&StockView::from(level)) }
}

/// The strong entity tag of a version.
pub(crate) fn etag(version: i64) -> String {
    format!("\"v{version}\"")
}

/// The JSON of a view.
pub(crate) fn json(view: &impl Serialize) -> String {
    // Views are structs of texts, numbers and JSON values: they always serialise.
    serde_json::to_string(view).unwrap_or_default()
}

/// 200 with the JSON of a view.
pub(crate) fn ok(view: &impl Serialize) -> HttpResponse {
    with_status(StatusCode::OK, view)
}

/// The JSON of a view under `status`.
pub(crate) fn with_status(status: StatusCode, view: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status).content_type("application/json").body(json(view))
}

/// The response of a kept answer.
pub(crate) fn respond(answer: Answer, replayed: bool) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    let is_problem = answer.status >= 400;
    response.content_type(if is_problem { PROBLEM_JSON } else { "application/json" });
    if let Some(location) = answer.location {
        response.insert_header((header::LOCATION, location));
    }
    if let Some(etag) = answer.etag {
        response.insert_header((header::ETAG, etag));
    }
    if replayed {
        response.insert_header((REPLAYED, "true"));
    }
    response.body(answer.body)
}

/// The outcome of a line of a stream out of a kept answer; `name` is the member that holds what
/// was made.
pub(crate) fn line(number: u64, answer: &Answer, name: &str) -> String {
    good_line(number, answer.status, member(answer.status, name), &answer.body)
}

/// The member of a line that holds what is told under `status`.
const fn member(status: u16, name: &str) -> &str {
    if status >= 400 { "error" } else { name }
}

/// What a service made of one entry of a chunk: status and JSON, or why it refused.
pub(crate) type Entry = Result<(u16, String), Problem>;

/// Answers a stream of entries, chunk by chunk; `name` is the member of a line that holds what was
/// made. `parse` reads a line, given its number, and `call` hands those that it accepts to a
/// service.
pub(crate) fn batch<T: 'static>(
    (gate, caller): (web::Data<Gate>, Caller),
    payload: web::Payload,
    name: &'static str,
    parse: impl Fn(&Caller, u64, &[u8]) -> Result<T, Problem> + 'static,
    call: impl AsyncFn(&Gate, &Caller, Vec<T>) -> Result<Vec<Entry>, Problem> + 'static,
) -> HttpResponse {
    ndjson::respond(move |outlet| {
        let trace_id = caller.trace_id();
        let ways = Rc::new((parse, call));
        let work = move |lines| {
            // Each chunk has a deadline of its own.
            let (gate, caller, ways) = (gate.clone(), caller.renewed(), ways.clone());
            async move {
                let (parse, call) = &*ways;
                let read = |number: u64, line: &[u8]| parse(&caller, number, line);
                let send = async |entries| call(&gate, &caller, entries).await;
                chunk(lines, name, &caller.trace_id(), read, send).await
            }
        };
        ndjson::chunks(Lines::new(payload), outlet, trace_id, work)
    })
}

/// Hands those lines of a chunk that `parse` accepts to `call` together, and tells for each line
/// what came of it, in order.
async fn chunk<T>(
    lines: Vec<(u64, Bytes)>,
    name: &str,
    trace_id: &str,
    parse: impl Fn(u64, &[u8]) -> Result<T, Problem>,
    call: impl AsyncFnOnce(Vec<T>) -> Result<Vec<Entry>, Problem>,
) -> Vec<String> {
    let (mut numbers, mut good, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for (number, bytes) in lines {
        match parse(number, &bytes) {
            Ok(entry) => {
                numbers.push(number);
                good.push(entry);
            }
            Err(problem) => told.push((number, bad_line(number, &problem, trace_id))),
        }
    }
    if !good.is_empty() {
        match call(good).await {
            Ok(entries) => told.extend(numbers.into_iter().zip(entries).map(|(number, entry)| {
                let line = match entry {
                    Ok((status, json)) => good_line(number, status, member(status, name), &json),
                    Err(problem) => bad_line(number, &problem, trace_id),
                };
                (number, line)
            })),
            Err(problem) => {
                crate::http::edge::log(&problem);
                let lines = numbers.into_iter();
                told.extend(lines.map(|number| (number, bad_line(number, &problem, trace_id))));
            }
        }
    }
    told.sort_by_key(|(number, _)| *number);
    told.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
#[path = "answers_tests.rs"]
pub(crate) mod tests;
