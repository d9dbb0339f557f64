//! Errors in Stripe's shape.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, Responder, ResponseError};

use crate::render::{ErrorBody, ErrorJson};
use crate::service::ServiceError;

/// An error of a call that left the books alone, or whose effect is unknown (500).
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    kind: &'static str,
    code: Option<&'static str>,
    param: Option<String>,
    message: String,
}

const INVALID: &str = "invalid_request_error";

impl ApiError {
    /// A request that cannot be understood: 400.
    pub(super) fn invalid(
        code: Option<&'static str>,
        param: Option<&str>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: INVALID,
            code,
            param: param.map(str::to_owned),
            message: message.into(),
        }
    }

    /// A parameter that must be there and is not: 400.
    pub(super) fn parameter_missing(param: &str) -> Self {
        let message = format!("Missing required param: {param}.");
        Self::invalid(Some("parameter_missing"), Some(param), message)
    }

    /// Something the request names does not exist: 404 if it is the resource itself.
    pub(super) fn no_such(status: StatusCode, what: &str, id: &str, param: &str) -> Self {
        let message = format!("No such {what}: '{id}'");
        Self { status, ..Self::invalid(Some("resource_missing"), Some(param), message) }
    }

    /// A body that could not be read: 413 if it is too long, else 400.
    pub(super) fn body(error: &actix_web::Error) -> Self {
        let status = match error.as_response_error().status_code() {
            StatusCode::PAYLOAD_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self { status, ..Self::invalid(None, None, format!("The body cannot be read: {error}")) }
    }

    /// No key: 401.
    pub(super) fn no_key() -> Self {
        let message = "You did not provide an API key. Send it as 'Authorization: Bearer KEY'.";
        Self { status: StatusCode::UNAUTHORIZED, ..Self::invalid(None, None, message) }
    }

    /// Another key than the one configured: 401.
    pub(super) fn wrong_key() -> Self {
        let message = "Invalid API key provided.";
        Self { status: StatusCode::UNAUTHORIZED, ..Self::invalid(None, None, message) }
    }

    /// The bank failed, or makes believe so: 500.
    pub(super) fn inside() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "api_error",
            ..Self::invalid(None, None, "An error occurred inside the bank.")
        }
    }

    /// Too many calls: 429.
    pub(super) fn rate_limited() -> Self {
        let message = "Too many requests hit the bank too quickly. Try again later.";
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self { status, ..Self::invalid(Some("rate_limit"), None, message) }
    }

    /// No such route: 404.
    pub(super) fn unknown_url(method: &str, path: &str) -> Self {
        let message = format!("Unrecognized request URL ({method}: {path}).");
        Self { status: StatusCode::NOT_FOUND, ..Self::invalid(None, None, message) }
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::KeyInUse => Self {
                status: StatusCode::CONFLICT,
                ..Self::invalid(
                    Some("idempotency_key_in_use"),
                    None,
                    "Another request with the same Idempotency-Key is still in progress.",
                )
            },
            ServiceError::KeyReused => Self {
                kind: "idempotency_error",
                ..Self::invalid(
                    None,
                    None,
                    "Keys for idempotent requests can only be used with the same endpoint and \
                     parameters they were first used with.",
                )
            },
            ServiceError::Down(_)
            | ServiceError::Contradiction(_)
            | ServiceError::Json(_)
            | ServiceError::Poisoned => {
                tracing::error!(error = %Chain(&error), "the bank cannot answer");
                Self::inside()
            }
        }
    }
}

/// An error with its causes.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let error =
            ErrorJson::new(self.kind, self.code, &self.message).about(self.param.as_deref());
        match serde_json::to_vec(&ErrorBody { error }) {
            Ok(body) => {
                HttpResponse::build(self.status).content_type(ContentType::json()).body(body)
            }
            Err(_) => HttpResponse::InternalServerError().finish(),
        }
    }
}

impl Responder for ApiError {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &actix_web::HttpRequest) -> HttpResponse {
        self.error_response()
    }
}
