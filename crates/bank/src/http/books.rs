//! What a test looks at and turns on: the ledger, the faults, the pulse. None of it asks for a key.

use actix_web::{HttpResponse, web};
use futures_util::stream;

use super::Body;
use super::error::ApiError;
use crate::faults::Faults;
use crate::service::{Service, ServiceError};

/// The books, one line for each payment intent that exists when the call comes, oldest first. They
/// are streamed: each line is true at the moment it is written.
pub(super) async fn ledger(service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    let end = service.intent_count()?;
    let chunks = stream::try_unfold((service, 0), move |(service, from)| async move {
        if from >= end {
            return Ok::<_, ServiceError>(None);
        }
        let (lines, next) = service.ledger_chunk(from, end).await?;
        Ok(Some((lines, (service, next))))
    });
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(chunks))
}

/// The faults that are on.
pub(super) async fn faults(service: web::Data<Service>) -> HttpResponse {
    HttpResponse::Ok().json(service.faults.faults())
}

/// How often each fault has happened since the bank started.
pub(super) async fn fired(service: web::Data<Service>) -> HttpResponse {
    HttpResponse::Ok().json(service.faults.fired())
}

/// Replaces the faults. 200 with the new ones; 400 unknown or out of range; 500 the ledger has
/// failed and authorisations were to expire.
pub(super) async fn set_faults(
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let body = body.map_err(|error| ApiError::body(&error))?;
    let faults: Faults = serde_json::from_slice(&body)
        .map_err(|error| ApiError::invalid(None, None, format!("Invalid faults: {error}")))?;
    faults.check().map_err(|error| {
        ApiError::invalid(None, error.setting(), format!("Invalid faults: {error}."))
    })?;
    service.faults.set(faults);
    tracing::info!(?faults, "the bank's faults were set");
    if faults.expire_authorizations {
        let expired = service.expire_authorisations().await?;
        tracing::info!(expired, "authorisations were made to expire");
    }
    Ok(HttpResponse::Ok().json(service.faults.faults()))
}

/// 200 while calls can be carried out, 500 after the ledger has failed.
pub(super) async fn livez(service: web::Data<Service>) -> Result<&'static str, ApiError> {
    service.check()?;
    Ok("ok")
}
