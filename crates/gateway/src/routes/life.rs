//! The life of an order after it was placed: one step at a time.

use super::answers::respond;
use super::life_body::{
    CancelBody, NothingBody, RefundBody, ReturnBody, ShipmentBody, StepBody, Wish,
};
use super::orders::{check_owner, order_id};
use crate::admission::Gate;
use crate::documents::{StepHeaders, StepProblems, WriteProblems, problems};
use crate::http::body;
use crate::http::conditional::if_match;
use crate::http::idempotency::{fingerprint, required_key};
use crate::problem::Problem;
use crate::views::{OrderView, RefundedView, ReturnedView, ShippedView};
use actix_web::{HttpRequest, HttpResponse, post, web};
use domain::OrderId;
use orders::Ask;
use serde::Serialize;
use serde_json::Value;

const CANCEL: &str = "/v1/orders/{id}/cancel";
const SHIPMENTS: &str = "/v1/orders/{id}/shipments";
const DELIVER: &str = "/v1/orders/{id}/deliver";
const REFUNDS: &str = "/v1/orders/{id}/refunds";
const RETURNS: &str = "/v1/orders/{id}/returns";

/// What makes two requests for a step the same. What the client insists on with `If-Match` is no
/// part of it: it says when, not what.
#[derive(Serialize)]
struct Canonical<'a> {
    order_id: OrderId,
    wish: &'a Value,
}

/// Reads a request for a step and has the step taken, in a task of its own.
///
/// A key names a request of one kind: that of an order may name a refund too. The path before it
/// keeps them apart; no key of a client has a space.
async fn take_step<B: StepBody>(
    request: &HttpRequest,
    gate: &Gate,
    route: &'static str,
    id: &str,
    read: impl Future<Output = Result<B, Problem>>,
) -> Result<HttpResponse, Problem> {
    let (caller, owner) = gate.admit_owner(request).await?;
    let key = required_key(request.headers())?;
    let if_match = if_match(request.headers())?;
    let Wish { kind, command, canonical } = read.await?.check()?;
    let order_id = order_id(id)?;
    check_owner(gate, &caller, owner, order_id).await?;
    let canonical = Canonical { order_id, wish: &canonical };
    let ask = Ask {
        order_id,
        command,
        kind,
        key: caller.request_key(format!("{route} {key}")),
        fingerprint: fingerprint("POST", route, &canonical),
        if_match,
    };
    let (orders, context) = (gate.services.orders.clone(), caller.context());
    let given = caller.write(async move { orders.operate(ask, &context).await }).await?;
    Ok(respond(given.answer, given.replayed))
}

problems! {
    /// What keeps an order from being cancelled.
    NotCancellable:
    409 "`ORDER_NOT_CANCELLABLE`, with `details.status`; or `IDEMPOTENCY_IN_PROGRESS`.",
}

/// Cancel an order.
///
/// The goods that have not left are free again, and their money goes back: what was held is let
/// go, what was taken is refunded. While it is not known whether the payment went through, the
/// cancellation waits for that: the answer is 202, and the order ends as soon as it is known. Of
/// an order of which something has left, the rest is cancelled; it is `shipped` then. A
/// cancellation is never refused for load. Needs the scope `orders:write`; customers who have signed
/// in cancel their own.
#[utoipa::path(
    tag = "orders",
    params(("id" = Uuid, Path, description = "The order."), StepHeaders),
    request_body(content = CancelBody, example = json!({"reason": "customer changed their mind"})),
    responses(
        (status = 200, description = "Cancelled, or the rest of it is.", body = OrderView<'static>,
            headers(("Location" = String), ("ETag" = String), ("Idempotent-Replayed" = String))),
        (status = 202, description = "It is cancelled as soon as its payment is known.",
            body = OrderView<'static>, headers(("Location" = String), ("ETag" = String))),
        NotCancellable,
        StepProblems,
        WriteProblems,
    ),
)]
#[post("/v1/orders/{id}/cancel")]
pub(crate) async fn cancel_order(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let read = body::json_or_nothing::<CancelBody>(&request, payload);
    take_step(&request, &gate, CANCEL, &id, read).await
}

problems! {
    /// What keeps units of an order from leaving.
    NotShippable:
    409 "`NOTHING_TO_SHIP`, with `details.sku`, `details.requested` and `details.left` where a SKU was named; `INVALID_STATE`, with `details.status`; `MONEY_NOT_HELD`; or `IDEMPOTENCY_IN_PROGRESS`.",
}

/// Ship units of an order.
///
/// The named units leave, or all that have not left yet. Where the money was held (`capture`:
/// `manual`), what leaves is paid with it; the last shipment lets go of the rest. Needs the scope
/// `orders:write`.
#[utoipa::path(
    tag = "orders",
    params(("id" = Uuid, Path, description = "The order."), StepHeaders),
    request_body(content = ShipmentBody, example = json!({"lines": [{"sku": "SKU-1", "quantity": 1}]})),
    responses(
        (status = 201, description = "The order, with this `shipment`.", body = ShippedView<'static>,
            headers(("Location" = String), ("ETag" = String), ("Idempotent-Replayed" = String))),
        NotShippable,
        StepProblems,
        WriteProblems,
    ),
)]
#[post("/v1/orders/{id}/shipments")]
pub(crate) async fn ship_order(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let read = body::json_or_nothing::<ShipmentBody>(&request, payload);
    take_step(&request, &gate, SHIPMENTS, &id, read).await
}

problems! {
    /// What keeps an order from being marked as delivered.
    NotDeliverable:
    409 "`INVALID_STATE`, with `details.status`; or `IDEMPOTENCY_IN_PROGRESS`.",
}

/// Mark an order as delivered.
///
/// All that left has arrived; the order must be `shipped`. Needs the scope `orders:write`.
#[utoipa::path(
    tag = "orders",
    params(("id" = Uuid, Path, description = "The order."), StepHeaders),
    request_body(content = NothingBody, description = "Nothing, or an object without members."),
    responses(
        (status = 200, description = "The order is delivered.", body = OrderView<'static>,
            headers(("Location" = String), ("ETag" = String), ("Idempotent-Replayed" = String))),
        NotDeliverable,
        StepProblems,
        WriteProblems,
    ),
)]
#[post("/v1/orders/{id}/deliver")]
pub(crate) async fn deliver_order(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let read = body::json_or_nothing::<NothingBody>(&request, payload);
    take_step(&request, &gate, DELIVER, &id, read).await
}

problems! {
    /// What keeps an order from being refunded.
    NotRefundable:
    409 "`REFUND_EXCEEDS_CAPTURED`, with `details.left`; `INVALID_STATE`, with `details.status`; or `IDEMPOTENCY_IN_PROGRESS`.",
}

/// Refund an order.
///
/// Gives back an amount, or what the named units cost. There may be several refunds, together
/// never more than was captured. The order's state stays as it is, and so do its units. Needs the
/// scope `orders:write`.
#[utoipa::path(
    tag = "orders",
    params(("id" = Uuid, Path, description = "The order."), StepHeaders),
    request_body(content = RefundBody, example = json!({"amount": 199, "reason": "arrived broken"})),
    responses(
        (status = 201, description = "The order, with this `refund`.", body = RefundedView<'static>,
            headers(("Location" = String), ("ETag" = String), ("Idempotent-Replayed" = String))),
        NotRefundable,
        StepProblems,
        WriteProblems,
    ),
)]
#[post("/v1/orders/{id}/refunds")]
pub(crate) async fn refund_order(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let read = body::json::<RefundBody>(&request, payload);
    take_step(&request, &gate, REFUNDS, &id, read).await
}

problems! {
    /// What keeps units of an order from being taken back.
    NotReturnable:
    409 "`NOTHING_TO_RETURN`, with `details.sku`, `details.requested` and `details.left` where a SKU was named; `INVALID_STATE`, with `details.status`; or `IDEMPOTENCY_IN_PROGRESS`.",
}

/// Take units of an order back.
///
/// The named units came back, or all that left. Their money is given back as far as it was not
/// refunded before; with `restock` they are on the shelf again. Needs the scope `orders:write`.
#[utoipa::path(
    tag = "orders",
    params(("id" = Uuid, Path, description = "The order."), StepHeaders),
    request_body(content = ReturnBody,
        example = json!({"lines": [{"sku": "SKU-1", "quantity": 1}], "restock": true})),
    responses(
        (status = 201, description = "The order, with this `return`.", body = ReturnedView<'static>,
            headers(("Location" = String), ("ETag" = String), ("Idempotent-Replayed" = String))),
        NotReturnable,
        StepProblems,
        WriteProblems,
    ),
)]
#[post("/v1/orders/{id}/returns")]
pub(crate) async fn return_order(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let read = body::json::<ReturnBody>(&request, payload);
    take_step(&request, &gate, RETURNS, &id, read).await
}
