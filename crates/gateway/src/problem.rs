//! Errors as clients see them: RFC 9457 problems, one table of codes.

use crate::http::edge::put_headers;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use actors::AskError;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use store::StoreError;
use utoipa::ToSchema;

/// Media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Most faults told at once. A body can be wrong in a million places.
pub(crate) const FAULTS_MAX: usize = 100;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $type:literal, $status:literal, $title:literal, $retryable:literal;)*) => {
        /// Names a kind of error for ever. Clients match on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it stands in the member `code`.
            #[must_use]
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $code,)* } }

            /// The HTTP status it comes with.
            #[must_use]
            pub const fn status(self) -> u16 { match self { $(Self::$name => $status,)* } }

            /// One line for people, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str { match self { $(Self::$name => $title,)* } }

            /// Whether the very same request may succeed when it is sent again.
            #[must_use]
            pub const fn is_retryable(self) -> bool { match self { $(Self::$name => $retryable,)* } }

            /// The stable name of the kind, as it stands in the member `type`.
            #[must_use]
            pub const fn type_urn(self) -> &'static str {
                match self { $(Self::$name => concat!("urn:orderly:problem:", $type),)* }
            }
        }
    };
}

codes! {
    /// The body cannot be read: not JSON, a wrong type, an unknown member.
    InvalidBody = "INVALID_BODY", "invalid-body", 400, "The body cannot be read", false;
    /// A header has a value that makes no sense.
    InvalidHeader = "INVALID_HEADER", "invalid-header", 400, "A header is not valid", false;
    /// A query parameter is unknown or has a value that makes no sense.
    InvalidParameter = "INVALID_PARAMETER", "invalid-parameter", 400, "A query parameter is not valid", false;
    /// The cursor was not given out for this list.
    InvalidCursor = "INVALID_CURSOR", "invalid-cursor", 400, "The cursor is not valid", false;
    /// The request needs an idempotency key.
    IdempotencyKeyRequired = "IDEMPOTENCY_KEY_REQUIRED", "idempotency-key-required", 400, "An idempotency key is required", false;
    /// The idempotency key is malformed.
    IdempotencyKeyInvalid = "IDEMPOTENCY_KEY_INVALID", "idempotency-key-invalid", 400, "The idempotency key is not valid", false;
    /// The server could not make sense of the request line or headers.
    BadRequest = "BAD_REQUEST", "bad-request", 400, "The request is not valid", false;
    /// No key or token, or one that is not known.
    Unauthenticated = "UNAUTHENTICATED", "unauthenticated", 401, "A valid API key or token is required", false;
    /// The e-mail address, the password or the refresh token is not right.
    InvalidCredentials = "INVALID_CREDENTIALS", "invalid-credentials", 401, "The credentials are not right", false;
    /// What the provider tells is not signed, or not with the secret that was agreed on.
    InvalidSignature = "INVALID_SIGNATURE", "invalid-signature", 401, "A valid signature is required", false;
    /// The provider refused the payment.
    PaymentDeclined = "PAYMENT_DECLINED", "payment-declined", 402, "The payment was declined", false;
    /// The key has not the scope that this needs, or the role not the right.
    Forbidden = "FORBIDDEN", "forbidden", 403, "This is not allowed", false;
    /// There is no such thing.
    NotFound = "NOT_FOUND", "not-found", 404, "Not found", false;
    /// The resource does not know the method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", "method-not-allowed", 405, "The method is not allowed", false;
    /// The body did not arrive in time.
    RequestTimeout = "REQUEST_TIMEOUT", "request-timeout", 408, "The request did not arrive in time", true;
    /// Not enough units of what was ordered.
    OutOfStock = "OUT_OF_STOCK", "out-of-stock", 409, "Not enough stock", false;
    /// A coupon of the order was used by as many orders as may.
    CouponUsedUp = "COUPON_USED_UP", "coupon-used-up", 409, "The coupon is used up", false;
    /// The stock would become less than what is promised.
    InsufficientStock = "INSUFFICIENT_STOCK", "insufficient-stock", 409, "Not enough free stock", false;
    /// The order was cancelled before its payment was known.
    OrderCancelled = "ORDER_CANCELLED", "order-cancelled", 409, "The order was cancelled", false;
    /// The order is in a state from which it cannot be cancelled.
    OrderNotCancellable = "ORDER_NOT_CANCELLABLE", "order-not-cancellable", 409, "The order cannot be cancelled", false;
    /// The order is in a state that does not allow this.
    InvalidState = "INVALID_STATE", "invalid-state", 409, "The order's state does not allow this", false;
    /// The order has not so many units that have not left yet.
    NothingToShip = "NOTHING_TO_SHIP", "nothing-to-ship", 409, "There are not so many units to ship", false;
    /// Not so many units of the order can come back.
    NothingToReturn = "NOTHING_TO_RETURN", "nothing-to-return", 409, "There are not so many units to return", false;
    /// More than was taken and not given back yet.
    RefundExceedsCaptured = "REFUND_EXCEEDS_CAPTURED", "refund-exceeds-captured", 409, "The refund is more than what was captured", false;
    /// The money for these units is not held any more.
    MoneyNotHeld = "MONEY_NOT_HELD", "money-not-held", 409, "The money is not held any more", false;
    /// An account has this e-mail address, or the customer has an account.
    AccountExists = "ACCOUNT_EXISTS", "account-exists", 409, "There is such an account already", false;
    /// The first request with this key is still running.
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS", "idempotency-in-progress", 409, "The first request with this key is still running", true;
    /// The order or customer has another version than the client insists on.
    VersionMismatch = "VERSION_MISMATCH", "version-mismatch", 412, "The version is another one", false;
    /// The body is too large.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", "payload-too-large", 413, "The body is too large", false;
    /// The body has a media type that is not understood here.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", "unsupported-media-type", 415, "The media type is not supported", false;
    /// The body was read, and says something that cannot be.
    ValidationFailed = "VALIDATION_FAILED", "validation-failed", 422, "The request is not valid", false;
    /// The key was used for another request.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", "idempotency-key-reused", 422, "The idempotency key was used for another request", false;
    /// The client has used up its quota.
    RateLimited = "RATE_LIMITED", "rate-limited", 429, "Too many requests", true;
    /// The head of the request is too large.
    HeadTooLarge = "HEAD_TOO_LARGE", "head-too-large", 431, "The head of the request is too large", false;
    /// A fault of ours.
    Internal = "INTERNAL", "internal", 500, "Internal error", false;
    /// The node has too much to do; nothing happened.
    Overloaded = "OVERLOADED", "overloaded", 503, "The server is overloaded", true;
    /// Something that is needed cannot be reached.
    Unavailable = "UNAVAILABLE", "unavailable", 503, "The service is unavailable", true;
    /// The deadline passed; nothing durable happened.
    DeadlineExceeded = "DEADLINE_EXCEEDED", "deadline-exceeded", 504, "The deadline passed", true;
}

impl Code {
    /// Whether the answer carries `Retry-After`.
    const fn tells_when_to_retry(self) -> bool {
        matches!(
            self,
            Self::IdempotencyInProgress
                | Self::RateLimited
                | Self::Overloaded
                | Self::Unavailable
                | Self::DeadlineExceeded
        )
    }

    /// Whether the rest of the request cannot be waited for, so that the connection ends.
    const fn ends_connection(self) -> bool {
        matches!(self, Self::RequestTimeout | Self::PayloadTooLarge)
    }

    /// The code for a status that a part of the HTTP server chose by itself.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::RequestTimeout,
            413 => Self::PayloadTooLarge,
            415 => Self::UnsupportedMediaType,
            429 => Self::RateLimited,
            431 => Self::HeadTooLarge,
            503 => Self::Unavailable,
            504 => Self::DeadlineExceeded,
            400..=499 => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}

/// One thing that is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// JSON pointer (RFC 6901) to the place in the body.
    #[schema(examples("/lines/0/quantity"))]
    pub pointer: String,
    /// What is wrong there.
    #[schema(examples("must be at least 1"))]
    pub detail: String,
}

impl Fault {
    /// A fault at `pointer`.
    pub(crate) fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// The JSON of a problem. Members come in this order.
#[derive(Serialize)]
pub(crate) struct ProblemBody<'a, D> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    message: &'a str,
    details: D,
    trace_id: &'a str,
    retryable: bool,
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault],
}

impl<'a, D: Serialize> ProblemBody<'a, D> {
    pub(crate) fn new(code: Code, message: &'a str, details: D, trace_id: &'a str) -> Self {
        Self {
            kind: code.type_urn(),
            title: code.title(),
            status: code.status(),
            code: code.as_str(),
            message,
            details,
            trace_id,
            retryable: code.is_retryable(),
            errors: &[],
        }
    }

    pub(crate) fn json(&self) -> String {
        // A struct of texts, numbers and JSON values always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// An error on its way to the client. It becomes a response when the trace is known, at the edge.
///
/// Boxed: it is the rare half of many results, and should not make the other half larger.
#[derive(Debug)]
pub struct Problem(Box<Content>);

#[derive(Debug)]
struct Content {
    code: Code,
    message: Cow<'static, str>,
    details: Map<String, Value>,
    errors: Vec<Fault>,
    allow: Option<String>,
    retry_after: Option<u64>,
    trace_id: Option<String>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem that says `message`.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Content {
            code,
            message: message.into(),
            details: Map::new(),
            errors: Vec::new(),
            allow: None,
            retry_after: None,
            trace_id: None,
            cause: None,
        }))
    }

    /// `VALIDATION_FAILED` with these faults; only the first hundred are told.
    pub(crate) fn invalid(mut faults: Vec<Fault>) -> Self {
        let found = faults.len();
        faults.truncate(FAULTS_MAX);
        let message = match faults.first() {
            Some(only) if found == 1 => format!("{}: {}", only.pointer, only.detail),
            _ => format!("{found} values are not valid"),
        };
        let mut problem = Self::new(Code::ValidationFailed, message);
        problem.0.errors = faults;
        problem
    }

    /// `NOT_FOUND`, the same for what never was and what belongs to somebody else.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."))
    }

    /// `METHOD_NOT_ALLOWED` with the methods that are.
    pub(crate) fn method_not_allowed(allow: String) -> Self {
        let message = format!("Allowed here: {allow}.");
        let mut problem = Self::new(Code::MethodNotAllowed, message);
        problem.0.allow = Some(allow);
        problem
    }

    /// Says when to try again, in seconds; otherwise it is told by chance.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Adds a member to `details`.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a place in the body.
    pub(crate) fn at(mut self, pointer: impl Into<String>) -> Self {
        let detail = self.0.message.clone().into_owned();
        self.0.errors.push(Fault::at(pointer, detail));
        self
    }

    /// Keeps the cause for the log. Clients never see it.
    pub(crate) fn because(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.0.cause = Some(Box::new(cause));
        self
    }

    /// Names the trace that the client is told.
    pub(crate) fn traced(mut self, trace_id: String) -> Self {
        self.0.trace_id = Some(trace_id);
        self
    }

    /// Its kind.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.0.code
    }

    /// The JSON that the client gets.
    pub(crate) fn json(&self, trace_id: &str) -> String {
        let body = ProblemBody::new(self.0.code, &self.0.message, &self.0.details, trace_id);
        ProblemBody { errors: &self.0.errors, ..body }.json()
    }

    /// The response that the client gets.
    pub(crate) fn response(&self, trace_id: &str) -> HttpResponse {
        let mut response = self.head(trace_id);
        response.body(self.json(trace_id))
    }

    fn head(&self, trace_id: &str) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((header::CONTENT_TYPE, PROBLEM_JSON));
        if matches!(self.0.code, Code::Unauthenticated | Code::InvalidCredentials) {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if self.0.code == Code::InvalidSignature {
            response.insert_header((header::WWW_AUTHENTICATE, "Stripe-Signature"));
        }
        if let Some(allow) = &self.0.allow {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        if self.0.code.tells_when_to_retry() {
            let seconds = self.0.retry_after.unwrap_or_else(|| retry_after_seconds(trace_id));
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.0.code.ends_connection() {
            response.force_close();
        }
        response
    }
}

/// One to three seconds, spread by the trace: clients refused together do not come back together.
fn retry_after_seconds(trace_id: &str) -> u64 {
    1 + u64::from(trace_id.bytes().last().unwrap_or(0)) % 3
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.message)
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.cause.as_ref().map(|cause| &**cause as &(dyn Error + 'static))
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        match &self.0.trace_id {
            Some(trace_id) => {
                let mut response = self.response(trace_id);
                put_headers(&mut response, trace_id);
                response
            }
            // The edge replaces this: only there the trace is known.
            None => HttpResponse::new(self.status_code()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let problem = match &error {
            StoreError::Unavailable(_) | StoreError::Conflict(_) | StoreError::Overtaken { .. } => {
                Self::new(Code::Unavailable, "The database cannot be used right now.")
            }
            StoreError::CommitUnknown(_) => Self::new(Code::Unavailable, OUTCOME_UNKNOWN),
            StoreError::Constraint { .. }
            | StoreError::Refused { .. }
            | StoreError::Inconsistent { .. }
            | StoreError::Configuration(_)
            | StoreError::Migration(_) => Self::internal(),
        };
        problem.because(error)
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        let problem = match error {
            AskError::Full => Self::overloaded(),
            AskError::Expired => Self::expired(),
            AskError::Abandoned | AskError::Stopped => {
                Self::new(Code::Unavailable, "The service is stopping. Nothing happened.")
            }
            AskError::TimedOut | AskError::Crashed => Self::new(Code::Unavailable, OUTCOME_UNKNOWN),
        };
        problem.because(error)
    }
}

/// What to say when it is not known whether the work was done.
pub(crate) const OUTCOME_UNKNOWN: &str =
    "It is not known whether this happened. Send the same request again with the same key.";

impl Problem {
    /// A fault of ours, told without detail.
    pub(crate) fn internal() -> Self {
        Self::new(Code::Internal, "Something went wrong on our side.")
    }

    /// A key or token that opens nothing.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(Code::Unauthenticated, "The API key or token is not known, or has ended.")
    }

    /// Too much to do.
    pub(crate) fn overloaded() -> Self {
        Self::new(Code::Overloaded, "Too many requests wait already. Nothing happened.")
    }

    /// Too late.
    pub(crate) fn expired() -> Self {
        Self::new(Code::DeadlineExceeded, "The deadline passed. Nothing happened.")
    }
}

#[cfg(test)]
#[path = "problem_tests.rs"]
mod tests;
