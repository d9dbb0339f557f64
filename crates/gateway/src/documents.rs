//! The OpenAPI document: what the handlers do not say by themselves.

#[path = "documents_access.rs"]
mod access;
#[path = "documents_limits.rs"]
mod limits;
#[path = "documents_links.rs"]
mod links;

use crate::problem::{Fault, PROBLEM_JSON};
use crate::routes;
use crate::views::{self, CustomerView, OrderView, PriceView, ProductView, StockView};
use access::Schemes;
use actix_web::App;
use std::collections::BTreeMap;
use utoipa::openapi::{ContentBuilder, Object, Ref, RefOr, Response, ResponseBuilder, Schema};
use utoipa::{IntoParams, OpenApi, ToSchema};
use utoipa_actix_web::AppExt;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Orderly",
        description = "An order-processing back end: orders, stock, payments, in one transaction \
                       log. Money is an integer in the currency's minor unit; integers are written \
                       without fraction or exponent; times are RFC 3339 UTC; identifiers are \
                       UUIDv7. Every answer carries `X-Trace-Id`; every error is a problem (RFC \
                       9457) with a stable `code`. `traceparent` is continued. HEAD is answered \
                       wherever GET is.",
        version = env!("CARGO_PKG_VERSION"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        contact(name = "Orderly")
    ),
    components(schemas(views::Problem, Fault)),
    modifiers(&Schemes),
    tags(
        (name = "orders", description = "Place and read orders."),
        (name = "products", description = "The catalogue."),
        (name = "pricing", description = "What orders cost: price lists and other rules."),
        (name = "flags", description = "Feature flags: what is decided without a release."),
        (name = "stock", description = "What is on the shelf, and what of it is promised."),
        (name = "customers", description = "Who orders."),
        (name = "payments", description = "How orders are paid."),
        (name = "signing in", description = "Accounts, sessions and tokens."),
        (name = "keys", description = "Who may do what."),
        (name = "operations", description = "The state of the shop."),
    ),
)]
struct Base;

/// The OpenAPI 3.1 document of the public listener, generated from the handlers.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let app = App::new().into_utoipa_app().openapi(Base::openapi());
    let mut document = app.configure(routes::configure).split_for_parts().1;
    let components = document.components.get_or_insert_default();
    for schema in components.schemas.values_mut() {
        if let RefOr::T(schema) = schema {
            merge(schema);
        }
    }
    access::write(&mut document);
    limits::write(&mut document);
    routes::shapes::write(&mut document);
    links::write(&mut document);
    document
}

/// Makes one object of an "all of" of objects. Otherwise the parts that allow no other members
/// would refuse those of their neighbours.
fn merge(schema: &mut Schema) {
    let Schema::AllOf(all) = schema else { return };
    let mut merged = Object::new();
    for part in &all.items {
        let RefOr::T(Schema::Object(part)) = part else { return };
        merged.properties.extend(part.properties.clone());
        merged.required.extend(part.required.clone());
        merged.additional_properties =
            merged.additional_properties.or_else(|| part.additional_properties.clone());
    }
    merged.description = all.description.clone();
    *schema = Schema::Object(merged);
}

/// Problems that an operation may answer with, as a type to name among its `responses`.
macro_rules! problems {
    ($(#[$doc:meta])* $name:ident: $($status:literal $what:literal,)*) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> $crate::documents::Responses {
                $crate::documents::told(&[$(($status, $what),)*])
            }
        }
    };
}
pub(crate) use problems;

/// Responses by status.
pub(crate) type Responses = BTreeMap<String, RefOr<Response>>;

/// The responses of [`problems`].
pub(crate) fn told(problems: &[(u16, &str)]) -> Responses {
    problems.iter().map(|(status, what)| (status.to_string(), problem(what).into())).collect()
}

fn problem(what: &str) -> Response {
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(what).content(PROBLEM_JSON, content).build()
}

problems! {
    /// What can go wrong with a read.
    ReadProblems:
    400 "`INVALID_PARAMETER`, `INVALID_CURSOR`, `INVALID_HEADER`",
    401 "`UNAUTHENTICATED`",
    403 "`FORBIDDEN`",
    500 "`INTERNAL`",
    503 "`UNAVAILABLE`, `OVERLOADED`; with `Retry-After`",
    504 "`DEADLINE_EXCEEDED`",
}

problems! {
    /// What can go wrong with a write.
    WriteProblems:
    400 "`INVALID_BODY`, `INVALID_HEADER`, `IDEMPOTENCY_KEY_REQUIRED`, `IDEMPOTENCY_KEY_INVALID`",
    401 "`UNAUTHENTICATED`",
    403 "`FORBIDDEN`",
    408 "`REQUEST_TIMEOUT`: the body did not arrive within 10 seconds, or came too slowly",
    413 "`PAYLOAD_TOO_LARGE`: the body is larger than 1 MiB",
    415 "`UNSUPPORTED_MEDIA_TYPE`",
    422 "`VALIDATION_FAILED` with `errors`, `IDEMPOTENCY_KEY_REUSED`",
    500 "`INTERNAL`",
    503 "`UNAVAILABLE`, `OVERLOADED`; with `Retry-After`",
    504 "`DEADLINE_EXCEEDED`: nothing durable happened",
}

problems! {
    /// What is asked for is not there.
    NotFound:
    404 "`NOT_FOUND`",
}

problems! {
    /// What can go wrong with a step of an order, besides what goes wrong with any write.
    StepProblems:
    404 "`NOT_FOUND`",
    412 "`VERSION_MISMATCH`, with `details.current_version`.",
}

problems! {
    /// What can go wrong with a stream before its first line. Later it goes wrong line by line.
    StreamProblems:
    400 "`INVALID_HEADER`, `IDEMPOTENCY_KEY_INVALID`",
    401 "`UNAUTHENTICATED`",
    403 "`FORBIDDEN`",
    415 "`UNSUPPORTED_MEDIA_TYPE`",
    500 "`INTERNAL`",
    503 "`UNAVAILABLE`, with `Retry-After`",
}

/// Which page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters of a list for the OpenAPI document")]
pub(crate) struct PageParameters {
    /// Rows of a page: 1 to 100, default 20.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The headers of a step of an order.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes the headers of a step for the OpenAPI document")]
pub(crate) struct StepHeaders {
    /// Names the request, up to 255 visible ASCII characters. The step is taken at most once.
    #[param(rename = "Idempotency-Key")]
    idempotency_key: String,
    #[doc = "The entity tag of the order as the client knows it: the step is taken only if the \
             order is still that one."]
    #[param(rename = "If-Match")]
    if_match: Option<String>,
    /// Default 10000, at most 60000.
    #[param(rename = "X-Request-Timeout-Ms")]
    timeout_ms: Option<i64>,
}

macro_rules! outcomes {
    ($($name:ident: $member:ident $view:ty;)*) => {$(
        #[doc = concat!("The outcome of one line of a stream: `", stringify!($member), "` or `error`.")]
        #[derive(ToSchema)]
        #[expect(dead_code, reason = "describes a line of an answer for the OpenAPI document")]
        pub(crate) struct $name {
            /// Which line, counted from 1.
            line: u64,
            /// The HTTP status that the line would have had by itself.
            status: u16,
            /// What was made, unless it went wrong.
            #[schema(required = false, nullable = false)]
            $member: Option<$view>,
            /// What went wrong.
            #[schema(required = false, nullable = false)]
            error: Option<views::Problem>,
        }
    )*};
}

outcomes! {
    OrderOutcome: order OrderView<'static>;
    ProductOutcome: product ProductView<'static>;
    PriceOutcome: price PriceView<'static>;
    StockOutcome: stock StockView<'static>;
    CustomerOutcome: customer CustomerView<'static>;
}

#[cfg(test)]
#[path = "documents_tests.rs"]
mod tests;
