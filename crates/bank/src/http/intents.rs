//! Payment intents.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use uuid::Uuid;

use super::access::Caller;
use super::error::ApiError;
use super::form::Form;
use super::{Body, parse_id, respond, write};
use crate::fact::CaptureMethod;
use crate::methods::{Verdict, verdict};
use crate::service::Service;
use crate::state::{Charge, Command};

/// Parameters of a charge. The second half is accepted for the sake of clients written for Stripe
/// and means nothing here.
const CREATE: &[&str] = &[
    "amount",
    "currency",
    "confirm",
    "payment_method",
    "capture_method",
    "metadata[]",
    "automatic_payment_methods[]",
    "confirmation_method",
    "customer",
    "description",
    "error_on_requires_action",
    "expand[]",
    "off_session",
    "payment_method_options[]",
    "payment_method_types[]",
    "receipt_email",
    "return_url",
    "shipping[]",
    "statement_descriptor",
    "statement_descriptor_suffix",
];

/// Creates and confirms. 200; 402 declined; 400 malformed or key reused; 409 key in use.
pub(super) async fn create(
    _: Caller,
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    write(&service, &request, body, |form| charge(form).map(Command::Charge)).await
}

/// Captures all or a part; `final_capture=false` keeps the rest for later captures, else it is
/// released. 200; 400 wrong status, more than authorised; 404 no such intent.
pub(super) async fn capture(
    _: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    write(&service, &request, body, |form| {
        form.only(&["amount_to_capture", "final_capture", "expand[]"])?;
        let amount = form.amount("amount_to_capture", 0)?;
        let keeps_rest = form.flag("final_capture")? == Some(false);
        Ok(Command::Capture { intent: resource(&id)?, amount, keeps_rest })
    })
    .await
}

/// Cancels. 200; 400 wrong status, captured in part; 404 no such intent.
pub(super) async fn cancel(
    _: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    write(&service, &request, body, |form| {
        form.only(&["cancellation_reason", "expand[]"])?;
        let reason = form.choice("cancellation_reason")?;
        Ok(Command::Cancel { intent: resource(&id)?, reason })
    })
    .await
}

/// Reads one. 200; 404 no such intent.
pub(super) async fn read(
    _: Caller,
    id: web::Path<String>,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let found = service.intent(resource(&id)?).await?;
    found.map(respond).ok_or_else(|| missing(&id))
}

/// Lists, newest first. 200; 400 bad page.
pub(super) async fn list(
    _: Caller,
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let form = Form::parse_query(request.query_string())?;
    form.only(&["limit", "starting_after", "expand[]"])?;
    let limit = form.limit()?;
    let unknown = |id: &str| {
        ApiError::no_such(StatusCode::BAD_REQUEST, "payment_intent", id, "starting_after")
    };
    let after = form.get("starting_after");
    let after_id = after.map(|id| parse_id("pi_", id).ok_or_else(|| unknown(id))).transpose()?;
    let page = service.list(limit, after_id).await?;
    page.map(respond).ok_or_else(|| unknown(after.unwrap_or_default()))
}

/// Finds the intents of an order, newest first: `query=metadata['order_id']:'…'`. 200; 400 any
/// other query.
pub(super) async fn search(
    _: Caller,
    request: HttpRequest,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let form = Form::parse_query(request.query_string())?;
    form.only(&["query", "limit", "page", "expand[]"])?;
    let limit = form.limit()?;
    let order_id = order_of_query(form.require("query")?).ok_or_else(|| {
        let message = "This bank only understands metadata['order_id']:'ID'.";
        ApiError::invalid(None, Some("query"), message)
    })?;
    let skip = form.get("page").map_or(Ok(0), str::parse).map_err(|_| {
        ApiError::invalid(None, Some("page"), "The page must be a next_page of this search.")
    })?;
    Ok(respond(service.search(order_id, limit, skip).await?))
}

fn order_of_query(query: &str) -> Option<&str> {
    let quoted = |text: &'_ str| -> Option<(usize, usize)> {
        let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
        let inner = text.get(1..)?;
        Some((1, 1 + inner.find(quote)?))
    };
    let rest = query.trim().strip_prefix("metadata[")?;
    let (start, end) = quoted(rest)?;
    if rest.get(start..end)? != "order_id" {
        return None;
    }
    let value = rest.get(end + 1..)?.strip_prefix("]:")?;
    let (start, end) = quoted(value)?;
    // A second condition after the first would change what is asked.
    (value.len() == end + 1).then(|| value.get(start..end)).flatten()
}

fn charge(form: &Form) -> Result<Charge, ApiError> {
    form.only(CREATE)?;
    let amount = form.amount("amount", 1)?.ok_or_else(|| ApiError::parameter_missing("amount"))?;
    let code = form.require("currency")?;
    let currency = domain::parse_currency(&code.to_ascii_uppercase())
        .filter(|currency| !currency.is_special() && !currency.is_fund())
        .ok_or_else(|| {
            let message = format!("Invalid currency: {code}.");
            ApiError::invalid(None, Some("currency"), message)
        })?;
    if form.get("confirm") != Some("true") {
        let message = "This bank only creates payment intents that are confirmed at once: \
                       confirm=true is required.";
        return Err(ApiError::invalid(None, Some("confirm"), message));
    }
    let method = form.require("payment_method")?;
    let decline = match verdict(method) {
        Some(Verdict::Approves) => None,
        Some(Verdict::Declines(decline)) => Some(decline),
        None => {
            let (status, what) = (StatusCode::BAD_REQUEST, "PaymentMethod");
            return Err(ApiError::no_such(status, what, method, "payment_method"));
        }
    };
    let capture = form.choice("capture_method")?.unwrap_or(CaptureMethod::Automatic);
    let metadata = form.metadata()?;
    Ok(Charge { amount, currency, method: method.to_owned(), capture, metadata, decline })
}

fn resource(id: &str) -> Result<Uuid, ApiError> {
    parse_id("pi_", id).ok_or_else(|| missing(id))
}

fn missing(id: &str) -> ApiError {
    ApiError::no_such(StatusCode::NOT_FOUND, "payment_intent", id, "intent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_search_by_order_is_understood() {
        for (query, order) in [
            ("metadata['order_id']:'o-1'", Some("o-1")),
            ("metadata[\"order_id\"]:\"o 'x' 1\"", Some("o 'x' 1")),
            (" metadata['order_id']:'' ", Some("")),
            ("metadata['other']:'o-1'", None),
            ("metadata['order_id']:'o-1' OR status:'succeeded'", None),
            ("metadata['order_id']~'o-1'", None),
            ("metadata['order_id']:'o-1", None),
            ("metadata[order_id]:'o-1'", None),
            ("", None),
        ] {
            assert_eq!(order_of_query(query), order, "{query}");
        }
    }

    #[test]
    fn a_charge_names_what_is_wrong_with_it() {
        let good = "amount=100&currency=usd&confirm=true&payment_method=pm_card_visa";
        let parsed = charge(&Form::parse(good.as_bytes()).unwrap()).unwrap();
        assert_eq!((parsed.amount, parsed.currency.code()), (100, "USD"));
        for (from, to) in [
            ("amount=100", "amount=0"),
            ("amount=100&", ""),
            ("usd", "xxx"),
            ("usd", "zzz"),
            ("currency=usd&", ""),
            ("confirm=true", "confirm=false"),
            ("confirm=true&", ""),
            ("pm_card_visa", "pm_nope"),
            ("&payment_method=pm_card_visa", ""),
        ] {
            let form = Form::parse(good.replace(from, to).as_bytes()).unwrap();
            assert!(charge(&form).is_err(), "{from} -> {to}");
        }
    }
}
