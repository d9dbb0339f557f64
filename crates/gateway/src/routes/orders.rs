//! Orders, one at a time.

use super::answers::{etag, ok, respond};
use super::order_body::{LINES_MAX, OrderBody, order_fingerprint};
use crate::access::Owner;
use crate::admission::{Caller, Gate};
use crate::documents::{NotFound, PageParameters, ReadProblems, WriteProblems, problems};
use crate::http::{body, headers, idempotency, query};
use crate::problem::{Code, Fault, Problem};
use crate::views::{self, OrderView};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use domain::{CustomerId, OrderId, OrderStatus, Timestamp};
use orders::{Given, ListFilter, OrderRequest, Placement};
use tokio::time::Instant;

/// How long the client waits for the order to settle.
#[derive(Clone, Copy)]
pub(crate) struct Patience(headers::Preference);

impl Patience {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        Self(headers::preference(request.headers()))
    }

    fn placement(self, caller: &Caller, key: String, request: OrderRequest) -> Placement {
        let deadline = caller.deadline();
        let waits = self.0.wait.and_then(|wait| Instant::now().checked_add(wait));
        Placement {
            key: caller.request_key(key),
            fingerprint: order_fingerprint(&request),
            request,
            answer_by: waits.map_or(deadline, |until| until.min(deadline)),
            respond_async: self.0.respond_async,
        }
    }
}

/// Places one order, in a task of its own.
pub(crate) async fn place(
    gate: &Gate,
    caller: &Caller,
    patience: Patience,
    key: String,
    request: OrderRequest,
) -> Result<Given, Problem> {
    let placement = patience.placement(caller, key, request);
    let (orders, context) = (gate.services.orders.clone(), caller.context());
    caller.write(async move { orders.place(placement, &context).await }).await
}

problems! {
    /// Why an order is not placed, besides what goes wrong with any write.
    PlacingProblems:
    402 "`PAYMENT_DECLINED`, with `details.order_id` and `details.decline_code`.",
    409 "`OUT_OF_STOCK`, with `details.order_id` and `details.shortages`; or `IDEMPOTENCY_IN_PROGRESS`.",
}

/// Place an order.
///
/// Reserves the stock, takes the payment and answers when both are settled. With
/// `Prefer: respond-async` (or `wait=N`, in seconds), or when the payment takes longer than the
/// deadline, the answer is 202 as soon as the order is durable, and the order goes on.
/// Needs the scope `orders:write`; naming prices needs `orders:price` too. The order of a customer
/// who has signed in is theirs.
#[utoipa::path(
    tag = "orders",
    params(
        ("Idempotency-Key" = String, Header, description = "Names the request, up to 255 visible ASCII characters. The same key and the same order give the same answer, byte for byte."),
        ("Prefer" = Option<String>, Header, description = "`respond-async` or `wait=N`."),
        ("X-Request-Timeout-Ms" = Option<i64>, Header, description = "Default 10000, at most 60000."),
    ),
    request_body(
        content = OrderBody,
        example = json!({"external_ref": "basket-40100000123", "currency": "USD",
            "lines": [{"sku": "SKU-1", "quantity": 2}],
            "payment": {"method": "pm_card_visa", "capture": "automatic"},
            "metadata": {"channel": "web"}}),
    ),
    responses(
        (status = 201, description = "Reserved and paid.", body = OrderView<'static>,
            headers(("Location" = String), ("ETag" = String), ("Idempotent-Replayed" = String))),
        (status = 202, description = "Durable; the payment is not settled yet.",
            body = OrderView<'static>, headers(("Location" = String), ("ETag" = String))),
        PlacingProblems,
        WriteProblems,
    ),
)]
#[post("/v1/orders")]
pub(crate) async fn place_order(
    request: HttpRequest,
    gate: web::Data<Gate>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, owner) = gate.admit_owner(&request).await?;
    let key = idempotency::required_key(request.headers())?;
    let mut body: OrderBody = body::json(&request, payload).await?;
    if body.take_key().is_some() {
        return Err(body::unknown_member("idempotency_key"));
    }
    body.check_prices(&caller)?;
    let mut order = body.check(LINES_MAX)?;
    order.customer_id = orders_for(owner, order.customer_id)?;
    let given = place(&gate, &caller, Patience::of(&request), key, order).await?;
    Ok(respond(given.answer, given.replayed))
}

/// For whom an order is: a customer orders for themselves. Somebody else is told of as one who does
/// not exist.
fn orders_for(owner: Owner, named: Option<CustomerId>) -> Result<Option<CustomerId>, Problem> {
    let customer = named.or(owner.only());
    if owner.may_see(customer) {
        return Ok(customer);
    }
    let unknown = payments::PayerRefusal::UnknownCustomer.to_string();
    Err(Problem::invalid(vec![Fault::at("/customer_id", unknown)]))
}

/// Read an order.
///
/// Needs the scope `orders:read`.
#[utoipa::path(
    tag = "orders",
    params(
        ("id" = Uuid, Path, description = "The order."),
        ("If-None-Match" = Option<String>, Header, description = "An entity tag read before."),
    ),
    responses(
        (status = 200, description = "The order.", body = OrderView<'static>, headers(("ETag" = String))),
        (status = 304, description = "The order is still the one of `If-None-Match`."),
        NotFound,
        ReadProblems,
    ),
)]
#[get("/v1/orders/{id}")]
pub(crate) async fn get_order(
    request: HttpRequest,
    gate: web::Data<Gate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (caller, owner) = gate.admit_owner(&request).await?;
    let id = order_id(&id)?;
    let order = caller.read(gate.services.orders.get(id)).await?;
    let order = order.filter(|order| owner.may_see(order.customer_id));
    let order = order.ok_or_else(|| Problem::not_found("order"))?;
    let tag = etag(order.version);
    let mut response = if headers::none_match_names(request.headers(), &tag) {
        HttpResponse::NotModified().finish()
    } else {
        ok(&OrderView::from(&order))
    };
    if let Ok(value) = header::HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    Ok(response)
}

/// List orders, newest first.
///
/// Needs the scope `orders:read`. Customers who have signed in see their own.
#[utoipa::path(
    tag = "orders",
    params(
        ("status" = Option<String>, Query, description = "Only orders in this status."),
        ("customer_id" = Option<Uuid>, Query, description = "Only orders of this customer."),
        ("external_ref" = Option<String>, Query, description = "Only orders of this name."),
        ("created_after" = Option<String>, Query, description = "Only orders placed after this RFC 3339 time."),
        ("created_before" = Option<String>, Query, description = "Only orders placed before this RFC 3339 time."),
        ("stuck" = Option<bool>, Query, description = "`true`: only orders that wait for longer than they should, because the provider was not reached or its answer is not known. Not together with other filters."),
        PageParameters,
    ),
    responses(
        (status = 200, description = "A page.", body = views::OrderPage),
        ReadProblems,
    ),
)]
#[get("/v1/orders")]
pub(crate) async fn list_orders(
    request: HttpRequest,
    gate: web::Data<Gate>,
) -> Result<HttpResponse, Problem> {
    const KNOWN: &[&str] = &[
        "status",
        "customer_id",
        "external_ref",
        "created_after",
        "created_before",
        "stuck",
        "limit",
        "cursor",
    ];
    let (caller, owner) = gate.admit_owner(&request).await?;
    let query = query::Query::of(&request, KNOWN)?;
    let time = "The time must be RFC 3339, such as 2026-01-02T03:04:05Z.";
    let mut filter = ListFilter {
        status: query.read("status", "There is no such status.", OrderStatus::parse)?,
        customer_id: query.read("customer_id", "customer_id must be a UUID.", |text| {
            text.parse::<CustomerId>().ok()
        })?,
        external_ref: query.get("external_ref").map(str::to_owned),
        created_after: query.read("created_after", time, Timestamp::parse)?,
        created_before: query.read("created_before", time, Timestamp::parse)?,
        stuck: stuck(&query)?,
    };
    let page = query.page("/v1/orders", &gate.cursors)?;
    let before = page.after(|text| text.parse::<OrderId>().ok())?;
    let rows = match listed_for(owner, &mut filter)? {
        true => caller.read(gate.services.orders.list(filter, before, page.rows())).await?,
        false => Vec::new(),
    };
    let rows = page.page(rows, &gate.cursors, |order| order.id.to_string());
    Ok(ok(&rows.view::<OrderView<'_>>()))
}

/// Narrows a list to what its reader may see; `false` if that is nothing: of somebody else's orders
/// a customer sees as many as of nobody's.
fn listed_for(owner: Owner, filter: &mut ListFilter) -> Result<bool, Problem> {
    let Some(own) = owner.only() else { return Ok(true) };
    if filter.stuck {
        return Err(Problem::new(Code::Forbidden, "stuck=true is not for customers."));
    }
    let wanted = filter.customer_id.replace(own);
    Ok(wanted.is_none_or(|wanted| wanted == own))
}

/// Whether only orders that stand still are asked for. They are found where the work is noted that
/// is to be done for them, not in the list of orders: so nothing else filters them.
fn stuck(query: &query::Query) -> Result<bool, Problem> {
    let expected = "stuck is true or false.";
    let stuck = query.read("stuck", expected, |text| text.parse().ok())?.unwrap_or(false);
    let others = ["status", "customer_id", "external_ref", "created_after", "created_before"];
    match others.into_iter().find(|other| stuck && query.get(other).is_some()) {
        Some(other) => Err(query::refuse(other, "stuck=true stands without other filters.")),
        None => Ok(stuck),
    }
}

/// Refuses an order that is not there for the caller, after as many queries as for one that is not
/// there at all. Whose an order is never changes, so this holds for what follows.
pub(super) async fn check_owner(
    gate: &Gate,
    caller: &Caller,
    owner: Owner,
    id: OrderId,
) -> Result<(), Problem> {
    if owner == Owner::Anybody {
        return Ok(());
    }
    let order = caller.read(gate.services.orders.get(id)).await?;
    match order.filter(|order| owner.may_see(order.customer_id)) {
        Some(_) => Ok(()),
        None => Err(Problem::not_found("order")),
    }
}

/// What is no id names no order.
pub(super) fn order_id(text: &str) -> Result<OrderId, Problem> {
    text.parse().map_err(|_| Problem::not_found("order"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_customer_orders_for_themselves_and_lists_their_own() {
        let (own, other) = (CustomerId(Uuid::from_u128(7)), CustomerId(Uuid::from_u128(8)));
        let only = Owner::Only(own);
        for (owner, named, expected) in [
            (Owner::Anybody, None, Ok(None)),
            (Owner::Anybody, Some(other), Ok(Some(other))),
            (only, None, Ok(Some(own))),
            (only, Some(own), Ok(Some(own))),
            (only, Some(other), Err(Code::ValidationFailed)),
        ] {
            let found = orders_for(owner, named).map_err(|problem| problem.code());
            assert_eq!(found, expected, "{owner:?} {named:?}");
        }
        for (owner, wanted, shows, of) in [
            (Owner::Anybody, None, true, None),
            (Owner::Anybody, Some(other), true, Some(other)),
            (only, None, true, Some(own)),
            (only, Some(own), true, Some(own)),
            (only, Some(other), false, Some(own)),
        ] {
            let mut filter = ListFilter { customer_id: wanted, ..ListFilter::default() };
            let found = listed_for(owner, &mut filter).map_err(|problem| problem.code());
            assert_eq!((found, filter.customer_id), (Ok(shows), of), "{owner:?} {wanted:?}");
        }
        let mut stuck = ListFilter { stuck: true, ..ListFilter::default() };
        assert!(listed_for(only, &mut stuck).is_err());
        assert!(listed_for(Owner::Anybody, &mut stuck).is_ok());
    }
}
