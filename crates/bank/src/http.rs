//! The HTTP face of the bank.

mod access;
mod books;
mod error;
mod faulty;
mod form;
mod intents;
mod refunds;
mod webhook;

pub(crate) use access::Access;

use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use uuid::Uuid;

use crate::fact::{Fingerprint, KeyUse};
use crate::render::Reply;
use crate::service::{Begun, Service};
use crate::state::Command;
use error::ApiError;
use form::Form;

/// Longest request body.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest idempotency key, as at Stripe.
const KEY_BYTES_MAX: usize = 255;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A body, or the reason why it could not be read.
type Body = Result<Bytes, actix_web::Error>;

/// All routes, and the limits that go with them.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    let v1 = web::scope("/v1")
        .service(
            web::resource("/payment_intents")
                .route(web::post().to(intents::create))
                .route(web::get().to(intents::list)),
        )
        .route("/payment_intents/search", web::get().to(intents::search))
        .route("/payment_intents/{id}", web::get().to(intents::read))
        .route("/payment_intents/{id}/capture", web::post().to(intents::capture))
        .route("/payment_intents/{id}/cancel", web::post().to(intents::cancel))
        .route("/refunds", web::post().to(refunds::create))
        .route("/refunds/{id}", web::get().to(refunds::read));
    config
        .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
        .service(v1)
        .route("/ledger", web::get().to(books::ledger))
        .service(
            web::resource("/faults")
                .route(web::get().to(books::faults))
                .route(web::put().to(books::set_faults)),
        )
        .route("/faults/fired", web::get().to(books::fired))
        .service(
            web::resource("/webhook")
                .route(web::get().to(webhook::read))
                .route(web::put().to(webhook::set))
                .route(web::delete().to(webhook::remove)),
        )
        .route("/livez", web::get().to(books::livez))
        .default_service(web::to(unknown));
}

async fn unknown(request: HttpRequest) -> ApiError {
    ApiError::unknown_url(request.method().as_str(), request.path())
}

/// A call with an effect: shows its idempotency key, is parsed, carried out and answered.
///
/// The key comes before the parameters are judged, so that a key that was used for another request
/// is told so even if this one is malformed.
async fn write(
    service: &Service,
    request: &HttpRequest,
    body: Body,
    parse: impl FnOnce(&Form) -> Result<Command, ApiError>,
) -> Result<HttpResponse, ApiError> {
    tracing::debug!(
        event = "bank_called",
        trace_id = trace_of(request),
        path = request.path(),
        "a call with an effect"
    );
    let form = Form::parse(&body.map_err(|error| ApiError::body(&error))?)?;
    let key = idempotency_key(request)?.map(|key| KeyUse {
        key,
        request: Fingerprint::of(request.method().as_str(), request.path(), form.pairs()),
    });
    match service.begin(key)? {
        Begun::Replay(reply) => {
            let mut response = respond(reply);
            response
                .headers_mut()
                .insert(IDEMPOTENT_REPLAYED.clone(), HeaderValue::from_static("true"));
            Ok(response)
        }
        Begun::Turn(turn) => {
            let command = parse(&form)?;
            faulty::tell(service.execute(turn, command).await?)
        }
    }
}

/// The caller's trace, for the log: the second part of `traceparent` (W3C Trace Context). What is no
/// trace id is dropped by the log.
fn trace_of(request: &HttpRequest) -> Option<&str> {
    request.headers().get("traceparent")?.to_str().ok()?.split('-').nth(1)
}

fn respond(reply: Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).content_type(ContentType::json()).body(reply.body)
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let Some(value) = request.headers().get(&IDEMPOTENCY_KEY) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= KEY_BYTES_MAX => Ok(Some(key.to_owned())),
        _ => Err(ApiError::invalid(
            None,
            None,
            format!("The Idempotency-Key must be 1 to {KEY_BYTES_MAX} visible ASCII characters."),
        )),
    }
}

/// The uuid in an id such as `pi_…`; `None` if it is not one of ours.
fn parse_id(tag: &str, id: &str) -> Option<Uuid> {
    let hex = id.strip_prefix(tag)?;
    // Exactly as it is written: otherwise one object would have several names.
    let exact = hex.len() == 32 && !hex.bytes().any(|byte| byte.is_ascii_uppercase());
    exact.then(|| Uuid::try_parse(hex).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let hex = "0190a0b0c0d07000800000000000000a";
        assert_eq!(
            parse_id("pi_", &format!("pi_{hex}")).map(|id| id.simple().to_string()).as_deref(),
            Some(hex)
        );
        for wrong in [
            format!("re_{hex}"),
            format!("pi_{}", hex.to_uppercase()),
            "pi_".to_owned(),
            "pi_0190a0b0-c0d0-7000-8000-00000000000a".to_owned(),
            format!("pi_{hex}0"),
        ] {
            assert_eq!(parse_id("pi_", &wrong), None, "{wrong}");
        }
    }
}
