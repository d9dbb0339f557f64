//! The edge of the server, where every request comes in and every answer goes out: its trace, its
//! span, its log line and its metric; panics become answers, and errors get their final form.

use crate::admission::FromMemory;
use crate::http::bodies::{Announced, Held};
use crate::limits::Told;
use crate::listener::Working;
use crate::problem::{Code, Problem};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{ConnectionType, Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use actors::TraceId;
use domain::IdSource;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{Span, field};
use tracing_actix_web::RootSpanBuilder;
use uuid::Uuid;

/// Header of every answer.
const TRACE_ID: header::HeaderName = header::HeaderName::from_static("x-trace-id");

/// Says of an answer that it comes from memory, and what is away.
const DEGRADED: header::HeaderName = header::HeaderName::from_static("x-degraded");

/// Whether the server is about to stop, as application data: clients are told to connect anew,
/// elsewhere.
#[derive(Clone, Default)]
pub(crate) struct Draining(Arc<AtomicBool>);

impl Draining {
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The source of trace ids, as application data.
pub(crate) struct TraceIds(pub(crate) Arc<dyn IdSource>);

/// What is known of a request when it comes in.
#[derive(Clone)]
struct Arrival {
    trace_id: TraceId,
    /// Pattern of the route that fits the path, whatever the method.
    route: Option<Arc<str>>,
}

/// Builds the span of a request.
pub(crate) struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let traceparent = request.headers().get("traceparent").and_then(|it| it.to_str().ok());
        let continued = traceparent.and_then(TraceId::from_traceparent);
        let trace_id = continued.unwrap_or_else(|| {
            let ids = request.app_data::<web::Data<TraceIds>>();
            TraceId::new(ids.map_or(Uuid::nil(), |ids| ids.0.uuid()))
        });
        let route: Option<Arc<str>> = request.match_pattern().map(Into::into);
        let span = tracing::info_span!(
            "http_request",
            %trace_id,
            traceparent = continued.and(traceparent),
            http.method = request.method().as_str(),
            http.route = route.as_deref().unwrap_or("none"),
            http.status = field::Empty,
            user_id = field::Empty,
            order_id = field::Empty,
            amount = field::Empty,
        );
        request.extensions_mut().insert(Arrival { trace_id, route });
        span
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("http.status", status.as_u16());
    }
}

/// The trace that a request belongs to.
pub(crate) fn trace_id(request: &HttpRequest) -> TraceId {
    let arrival = request.extensions().get::<Arrival>().map(|arrival| arrival.trace_id);
    arrival.unwrap_or(TraceId::new(Uuid::nil()))
}

/// Pattern of the route that fits the request's path, whatever the method.
pub(crate) fn route(request: &HttpRequest) -> Option<Arc<str>> {
    request.extensions().get::<Arrival>().and_then(|arrival| arrival.route.clone())
}

/// The middleware.
pub(crate) async fn edge(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    let working = Working::begin(&request);
    let method = request.method().clone();
    if method == Method::HEAD {
        // What GET would answer, without its body.
        request.head_mut().method = Method::GET;
    }
    let arrival = request.extensions().get::<Arrival>().cloned();
    let (trace_id, route) = arrival
        .map_or((TraceId::new(Uuid::nil()), None), |arrival| (arrival.trace_id, arrival.route));
    let trace_id = trace_id.to_string();
    let outcome = AssertUnwindSafe(next.call(request)).catch_unwind().await;
    let route = route.as_deref().unwrap_or("none");
    match outcome {
        Ok(Ok(response)) => {
            let response = finish(response, &trace_id);
            note(&method, route, response.status(), began.elapsed());
            Ok(response.map_body(|_, body| deliver(body, &method, working)))
        }
        // The request is lost with its handler, so the answer is made from the error alone.
        Ok(Err(error)) => {
            let problem = Problem::new(
                Code::of_status(error.as_response_error().status_code()),
                error.to_string(),
            );
            Err(give_up(problem, trace_id, &method, route, began))
        }
        Err(panic) => {
            tracing::error!(event = "handler_panicked", panic = actors::panic_message(&*panic));
            Err(give_up(Problem::internal(), trace_id, &method, route, began))
        }
    }
}

/// The body as it is sent.
fn deliver(body: BoxBody, method: &Method, working: Option<Working>) -> BoxBody {
    match (working, body.size()) {
        _ if *method == Method::HEAD => Announced(body.size()).boxed(),
        // Its work goes on while it is sent.
        (Some(working), BodySize::Stream) => Held::new(body, working).boxed(),
        _ => body,
    }
}

fn give_up(
    problem: Problem,
    trace_id: String,
    method: &Method,
    route: &str,
    began: Instant,
) -> Error {
    let status = StatusCode::from_u16(problem.code().status());
    note(method, route, status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), began.elapsed());
    problem.traced(trace_id).into()
}

/// Gives an answer its final form.
fn finish(response: ServiceResponse<BoxBody>, trace_id: &str) -> ServiceResponse<BoxBody> {
    let told = told(response.response(), trace_id);
    let mut response = match told {
        Some(told) => response.into_response(told),
        None => response,
    };
    put_headers(response.response_mut(), trace_id);
    put_circumstances(&mut response);
    response
}

/// Tells of the circumstances of an answer: the client's quota, what is away, and that the server
/// is about to stop.
fn put_circumstances(response: &mut ServiceResponse<BoxBody>) {
    let told = response.request().extensions().get::<Told>().copied();
    let is_from_memory = response.request().extensions().contains::<FromMemory>();
    let draining = response.request().app_data::<web::Data<Draining>>();
    let is_draining = draining.is_some_and(|draining| draining.has_begun());
    let headers = response.response_mut().headers_mut();
    if let Some(told) = told {
        told.put(headers);
    }
    if is_from_memory {
        headers.insert(DEGRADED, header::HeaderValue::from_static("database"));
    }
    if is_draining {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
}

/// The problem that takes the place of an answer, if it is an error that is not one yet.
fn told(response: &HttpResponse, trace_id: &str) -> Option<HttpResponse> {
    if let Some(problem) = response.error().and_then(|error| error.as_error::<Problem>()) {
        log(problem);
        return Some(problem.response(trace_id));
    }
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let media_type = response.headers().get(header::CONTENT_TYPE);
    if media_type.is_some_and(|value| value.as_bytes().starts_with(b"application/")) {
        return None;
    }
    let message = response.error().map_or_else(
        || status.canonical_reason().unwrap_or("The request failed.").to_owned(),
        ToString::to_string,
    );
    Some(Problem::new(Code::of_status(status), message).response(trace_id))
}

/// Logs the cause of what is our fault. The client is not told.
pub(crate) fn log(problem: &Problem) {
    let code = problem.code();
    let cause = std::error::Error::source(problem);
    match (code.status(), cause) {
        (500, Some(cause)) => {
            tracing::error!(event = "request_failed", code = code.as_str(), cause, "{problem}");
        }
        (500, None) => tracing::error!(event = "request_failed", code = code.as_str(), "{problem}"),
        (501.., Some(cause)) => {
            tracing::warn!(event = "request_failed", code = code.as_str(), cause, "{problem}");
        }
        _ => tracing::debug!(event = "request_refused", code = code.as_str(), "{problem}"),
    }
}

/// Headers of every answer.
pub(crate) fn put_headers<B>(response: &mut HttpResponse<B>, trace_id: &str) {
    let headers = response.headers_mut();
    if let Ok(value) = header::HeaderValue::from_str(trace_id) {
        headers.insert(TRACE_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    }
}

/// Tells log and metrics of an answer. Reads that went well are not worth a line.
fn note(method: &Method, route: &str, status: StatusCode, took: Duration) {
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let status_number = status.as_u16();
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    match status_number {
        500.. => {
            tracing::warn!(event = "request_finished", http.status = status_number, duration_ms);
        }
        ..400 if is_read => {
            tracing::debug!(event = "request_finished", http.status = status_number, duration_ms);
        }
        _ => tracing::info!(event = "request_finished", http.status = status_number, duration_ms),
    }
    metrics::histogram!(
        "http_request_seconds",
        "route" => route.to_owned(),
        "method" => known_method(method),
        "status" => class(status),
    )
    .record(took.as_secs_f64());
}

/// A method as a label: clients may invent others, the metric may not grow with them.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "PATCH" => "PATCH",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::PROBLEM_JSON;
    use actix_web::http::header::HeaderMap;
    use actix_web::{App, middleware, test};
    use tracing_actix_web::TracingLogger;

    struct OneId;

    impl IdSource for OneId {
        fn uuid(&self) -> Uuid {
            Uuid::from_u128(0xabc)
        }
    }

    async fn panics() -> HttpResponse {
        panic!("a planted panic")
    }

    async fn fails() -> Result<HttpResponse, Problem> {
        Err(Problem::internal().because(std::io::Error::other("secret detail")))
    }

    async fn ask(path: &str, traceparent: Option<&str>) -> (StatusCode, HeaderMap, String) {
        let app = App::new()
            .app_data(web::Data::new(TraceIds(Arc::new(OneId))))
            .route("/panics", web::get().to(panics))
            .route("/fails", web::get().to(fails))
            .route("/number/{n}", web::get().to(|n: web::Path<u8>| async move { n.to_string() }))
            .wrap(middleware::from_fn(edge))
            .wrap(TracingLogger::<RequestSpan>::new());
        let app = test::init_service(app).await;
        let mut request = test::TestRequest::get().uri(path);
        if let Some(value) = traceparent {
            request = request.insert_header(("traceparent", value));
        }
        let response: HttpResponse<BoxBody> =
            match test::try_call_service(&app, request.to_request()).await {
                Ok(response) => response.into_parts().1.map_into_boxed_body(),
                Err(error) => error.error_response(),
            };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = actix_web::body::to_bytes(response.into_body()).await.expect("a body");
        (status, headers, String::from_utf8(body.to_vec()).expect("text"))
    }

    fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    const FRESH: &str = "00000000000000000000000000000abc";

    #[actix_web::test]
    async fn a_panic_is_answered_with_its_trace() {
        let (status, headers, body) = ask("/panics", None).await;
        assert_eq!(status, 500);
        assert_eq!(text(&headers, "content-type"), PROBLEM_JSON);
        assert_eq!(text(&headers, "x-trace-id"), FRESH);
        let body: serde_json::Value = serde_json::from_str(&body).expect("json");
        assert_eq!(
            (body["code"].as_str(), body["trace_id"].as_str()),
            (Some("INTERNAL"), Some(FRESH))
        );
    }

    #[actix_web::test]
    async fn the_clients_trace_goes_on() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let header = format!("00-{trace}-b7ad6b7169203331-01");
        let (status, headers, body) = ask("/fails", Some(&header)).await;
        assert_eq!(status, 500);
        assert_eq!(text(&headers, "x-trace-id"), trace);
        assert!(body.contains(trace));
        assert!(!body.contains("secret detail"));
        let (_, headers, _) = ask("/number/7", Some("00-zz-1-1")).await;
        assert_eq!(text(&headers, "x-trace-id"), FRESH);
    }

    #[actix_web::test]
    async fn every_answer_has_the_common_headers_and_every_error_the_common_form() {
        for (path, status, code) in [
            ("/number/7", 200, ""),
            ("/number/x", 404, "NOT_FOUND"),
            ("/nowhere", 404, "NOT_FOUND"),
        ] {
            let (found, headers, body) = ask(path, None).await;
            assert_eq!(found, status, "{path}");
            assert_eq!(text(&headers, "x-content-type-options"), "nosniff");
            assert_eq!(text(&headers, "cache-control"), "no-store");
            assert_eq!(text(&headers, "x-trace-id"), FRESH);
            assert!(body.contains(code), "{path}: {body}");
            let is_problem = text(&headers, "content-type") == PROBLEM_JSON;
            assert_eq!(is_problem, !code.is_empty(), "{path}");
        }
    }

    #[::core::prelude::v1::test]
    fn labels_are_bounded() {
        let invented = Method::from_bytes(b"BREW").expect("a method");
        assert_eq!(known_method(&invented), "other");
        assert_eq!(known_method(&Method::PUT), "PUT");
        assert_eq!(class(StatusCode::CREATED), "2xx");
        assert_eq!(class(StatusCode::BAD_GATEWAY), "5xx");
    }
}
