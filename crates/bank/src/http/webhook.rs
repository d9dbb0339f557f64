//! Where events go: set at run time, as the shop may start after the bank. Asks for no key, like the
//! faults.

use actix_web::{HttpResponse, web};

use super::Body;
use super::error::ApiError;
use crate::service::Service;
use crate::webhook::WebhookConfig;

/// Where events go, without the secret, and how many went.
pub(super) async fn read(service: web::Data<Service>) -> HttpResponse {
    HttpResponse::Ok().json(service.webhooks.status())
}

/// Sends events there from now on. 200; 400 no such place, or no secret.
pub(super) async fn set(body: Body, service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    let body = body.map_err(|error| ApiError::body(&error))?;
    let invalid = |error: &dyn std::fmt::Display| {
        ApiError::invalid(None, None, format!("Invalid webhook: {error}"))
    };
    let config: WebhookConfig = serde_json::from_slice(&body).map_err(|error| invalid(&error))?;
    tracing::info!(?config, "the bank's webhook was set");
    service.webhooks.set(Some(config)).map_err(|error| invalid(&error))?;
    Ok(HttpResponse::Ok().json(service.webhooks.status()))
}

/// Sends no more events; those that wait are given up. 200.
pub(super) async fn remove(service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    let removed = service.webhooks.set(None);
    removed.map_err(|error| ApiError::invalid(None, None, error.to_string()))?;
    Ok(HttpResponse::Ok().json(service.webhooks.status()))
}
