//! Errors as clients see them: RFC 9457 problems, one table of codes.

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
    /// No key, or one that is not known.
    Unauthenticated = "UNAUTHENTICATED", "unauthenticated", 401, "A valid API key is required", false;
    /// The provider refused the payment.
    PaymentDeclined = "PAYMENT_DECLINED", "payment-declined", 402, "The payment was declined", false;
    /// The key has not the scope that this needs.
    Forbidden = "FORBIDDEN", "forbidden", 403, "The API key does not allow this", false;
    /// There is no such thing.
    NotFound = "NOT_FOUND", "not-found", 404, "Not found", false;
    /// The resource does not know the method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", "method-not-allowed", 405, "The method is not allowed", false;
    /// The body did not arrive in time.
    RequestTimeout = "REQUEST_TIMEOUT", "request-timeout", 408, "The request did not arrive in time", true;
    /// Not enough units of what was ordered.
    OutOfStock = "OUT_OF_STOCK", "out-of-stock", 409, "Not enough stock", false;
    /// The stock would become less than what is promised.
    InsufficientStock = "INSUFFICIENT_STOCK", "insufficient-stock", 409, "Not enough free stock", false;
    /// The first request with this key is still running.
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS", "idempotency-in-progress", 409, "The first request with this key is still running", true;
    /// The body is too large.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", "payload-too-large", 413, "The body is too large", false;
    /// The body has a media type that is not understood here.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", "unsupported-media-type", 415, "The media type is not supported", false;
    /// The body was read, and says something that cannot be.
    ValidationFailed = "VALIDATION_FAILED", "validation-failed", 422, "The request is not valid", false;
    /// The key was used for another request.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", "idempotency-key-reused", 422, "The idempotency key was used for another request", false;
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
#[derive(Debug)]
pub struct Problem {
    code: Code,
    message: Cow<'static, str>,
    details: Map<String, Value>,
    errors: Vec<Fault>,
    allow: Option<String>,
    trace_id: Option<String>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem that says `message`.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Map::new(),
            errors: Vec::new(),
            allow: None,
            trace_id: None,
            cause: None,
        }
    }

    /// `VALIDATION_FAILED` with these faults; only the first hundred are told.
    pub(crate) fn invalid(mut faults: Vec<Fault>) -> Self {
        let found = faults.len();
        faults.truncate(FAULTS_MAX);
        let message = match faults.first() {
            Some(only) if found == 1 => format!("{}: {}", only.pointer, only.detail),
            _ => format!("{found} values are not valid"),
        };
        Self { errors: faults, ..Self::new(Code::ValidationFailed, message) }
    }

    /// `NOT_FOUND`, the same for what never was and what belongs to somebody else.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."))
    }

    /// `METHOD_NOT_ALLOWED` with the methods that are.
    pub(crate) fn method_not_allowed(allow: String) -> Self {
        let message = format!("Allowed here: {allow}.");
        Self { allow: Some(allow), ..Self::new(Code::MethodNotAllowed, message) }
    }

    /// Adds a member to `details`.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a place in the body.
    pub(crate) fn at(mut self, pointer: impl Into<String>) -> Self {
        let detail = self.message.clone().into_owned();
        self.errors.push(Fault::at(pointer, detail));
        self
    }

    /// Keeps the cause for the log. Clients never see it.
    pub(crate) fn because(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// Names the trace that the client is told.
    pub(crate) fn traced(mut self, trace_id: String) -> Self {
        self.trace_id = Some(trace_id);
        self
    }

    /// Its kind.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The JSON that the client gets.
    pub(crate) fn json(&self, trace_id: &str) -> String {
        let body = ProblemBody::new(self.code, &self.message, &self.details, trace_id);
        ProblemBody { errors: &self.errors, ..body }.json()
    }

    /// The response that the client gets.
    pub(crate) fn response(&self, trace_id: &str) -> HttpResponse {
        let mut response = self.head(trace_id);
        response.body(self.json(trace_id))
    }

    fn head(&self, trace_id: &str) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((header::CONTENT_TYPE, PROBLEM_JSON));
        if self.code == Code::Unauthenticated {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(allow) = &self.allow {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        if self.code.tells_when_to_retry() {
            response.insert_header((header::RETRY_AFTER, retry_after_seconds(trace_id)));
        }
        if self.code.ends_connection() {
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
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as &(dyn Error + 'static))
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        match &self.trace_id {
            Some(trace_id) => self.response(trace_id),
            // The edge replaces this: only there the trace is known.
            None => HttpResponse::new(self.status_code()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let problem = match &error {
            StoreError::Unavailable(_) | StoreError::Conflict(_) => {
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
            AskError::TimedOut | AskError::Crashed => {
                Self::new(Code::Unavailable, OUTCOME_UNKNOWN)
            }
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
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn table_of_codes_is_consistent() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            let name = code.as_str();
            assert!(seen.insert(name), "{name} stands twice");
            assert!(
                name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'),
                "{name} is not SCREAMING_SNAKE"
            );
            let kebab = name.to_ascii_lowercase().replace('_', "-");
            assert_eq!(code.type_urn(), format!("urn:orderly:problem:{kebab}"));
            assert!((400..600).contains(&code.status()), "{name}");
            assert!(StatusCode::from_u16(code.status()).is_ok(), "{name}");
            assert!(!code.title().is_empty());
            // What went wrong on the client's side does not get better by itself.
            if code.is_retryable() {
                assert!(matches!(code.status(), 408 | 409 | 503 | 504), "{name}");
            }
            assert!(!code.tells_when_to_retry() || code.is_retryable(), "{name}");
        }
    }

    #[test]
    fn statuses_of_the_server_itself_have_codes_of_the_same_status() {
        for status in [401, 403, 404, 405, 408, 413, 415, 503, 504, 400, 500] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(Code::of_status(status).status(), status.as_u16());
        }
        assert_eq!(Code::of_status(StatusCode::URI_TOO_LONG), Code::BadRequest);
        assert_eq!(Code::of_status(StatusCode::BAD_GATEWAY), Code::Internal);
    }

    #[test]
    fn problem_has_all_members() {
        let problem = Problem::invalid(vec![Fault::at("/lines", "is required")]);
        assert_eq!(
            problem.json("0af7"),
            r#"{"type":"urn:orderly:problem:validation-failed","title":"The request is not valid","status":422,"code":"VALIDATION_FAILED","message":"/lines: is required","details":{},"trace_id":"0af7","retryable":false,"errors":[{"pointer":"/lines","detail":"is required"}]}"#
        );
        let other = Problem::not_found("order").with("id", "7");
        assert_eq!(
            other.json("0af7"),
            r#"{"type":"urn:orderly:problem:not-found","title":"Not found","status":404,"code":"NOT_FOUND","message":"There is no such order.","details":{"id":"7"},"trace_id":"0af7","retryable":false}"#
        );
    }

    #[test]
    fn tells_at_most_a_hundred_faults() {
        let faults = (0..5_000).map(|n| Fault::at(format!("/lines/{n}"), "bad")).collect();
        let problem = Problem::invalid(faults);
        assert_eq!(problem.errors.len(), FAULTS_MAX);
        assert_eq!(problem.message, "5000 values are not valid");
    }

    #[test]
    fn responses_carry_the_headers_of_their_code() {
        let header = |problem: &Problem, name: header::HeaderName| {
            problem.response("00").headers().get(name).and_then(|v| v.to_str().ok().map(String::from))
        };
        let unauthenticated = Problem::new(Code::Unauthenticated, "no");
        assert_eq!(header(&unauthenticated, header::WWW_AUTHENTICATE).as_deref(), Some("Bearer"));
        let method = Problem::method_not_allowed("GET, PUT".to_owned());
        assert_eq!(header(&method, header::ALLOW).as_deref(), Some("GET, PUT"));
        let busy = Problem::overloaded();
        assert_eq!(header(&busy, header::RETRY_AFTER).as_deref(), Some("1"));
        assert_eq!(header(&busy, header::CONTENT_TYPE).as_deref(), Some(PROBLEM_JSON));
        assert_eq!(header(&Problem::internal(), header::RETRY_AFTER), None);
    }

    #[test]
    fn doubt_is_told_as_doubt() {
        let told = |error: AskError| Problem::from(error).code();
        assert_eq!(told(AskError::Full), Code::Overloaded);
        assert_eq!(told(AskError::Expired), Code::DeadlineExceeded);
        assert_eq!(told(AskError::TimedOut), Code::Unavailable);
        assert_eq!(Problem::from(AskError::Crashed).message, OUTCOME_UNKNOWN);
        assert_eq!(Problem::from(AskError::Stopped).code(), Code::Unavailable);
        let refused = StoreError::Configuration("x".to_owned());
        assert_eq!(Problem::from(refused).code(), Code::Internal);
    }
}
