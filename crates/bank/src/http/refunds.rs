//! Refunds.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::access::Caller;
use super::error::ApiError;
use super::form::Form;
use super::{Body, parse_id, respond, write};
use crate::service::Service;
use crate::state::Command;

/// Refunds, wholly or in part. 200; 400 nothing or not enough left; 404 no such intent.
pub(super) async fn create(
    _: Caller,
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    write(&service, &request, body, refund).await
}

fn refund(form: &Form) -> Result<Command, ApiError> {
    form.only(&["payment_intent", "amount", "reason", "metadata[]", "expand[]"])?;
    let id = form.require("payment_intent")?;
    let intent = parse_id("pi_", id).ok_or_else(|| {
        ApiError::no_such(StatusCode::NOT_FOUND, "payment_intent", id, "payment_intent")
    })?;
    let amount = form.amount("amount", 1)?;
    let reason = form.choice("reason")?;
    Ok(Command::Refund { intent, amount, reason, metadata: form.metadata()? })
}

/// Reads one. 200; 404 no such refund.
pub(super) async fn read(
    _: Caller,
    id: web::Path<String>,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let missing = || ApiError::no_such(StatusCode::NOT_FOUND, "refund", &id, "refund");
    let refund = parse_id("re_", &id).ok_or_else(missing)?;
    service.refund(refund).await?.map(respond).ok_or_else(missing)
}
