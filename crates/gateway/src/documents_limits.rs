//! What every operation of the API may answer under pressure, written into the document: a route
//! cannot forget it.

use super::problem;
use crate::limits::IN_MEMORY;
use crate::routes::operations_mut;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{Header, ObjectBuilder, OpenApi, RefOr, Response};

/// Writes limits and their headers into the operations under `/v1/`.
pub(super) fn write(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        if !path.starts_with("/v1/") {
            continue;
        }
        if let Some(read) = item.get.as_mut().filter(|_| IN_MEMORY.contains(&path.as_str())) {
            let told = "`database`: the answer comes from memory, because the database is away.";
            on_success(read, "X-Degraded", &header(Type::String, told));
        }
        // The provider's events have no key, and no quota.
        let has_quota = !path.starts_with("/v1/webhooks/");
        for (_, operation) in operations_mut(item) {
            if has_quota {
                limit(operation);
            }
            say_when_to_come_back(operation);
        }
    }
}

/// The quota on every answer of an operation, and 429.
fn limit(operation: &mut Operation) {
    let policy = "What the client may ask for: `q` requests in `w` seconds \
                  (draft-ietf-httpapi-ratelimit-headers). Only where there is a limit.";
    let standing = "What is left of it: `r` requests, and all of them again after `t` seconds.";
    let policy = header(Type::String, policy);
    let standing = header(Type::String, standing);
    on_success(operation, "RateLimit-Policy", &policy);
    on_success(operation, "RateLimit", &standing);
    let too_many = "`RATE_LIMITED`: the quota of the API key or account, or of failures to \
                    authenticate of the address, is used up; nothing was done";
    let responses = &mut operation.responses.responses;
    let too_many = responses.entry("429".to_owned()).or_insert_with(|| problem(too_many).into());
    put(too_many, "RateLimit-Policy", &policy);
    put(too_many, "RateLimit", &standing);
    put(too_many, "Retry-After", &seconds_to_wait());
}

/// 503 with the time to wait.
fn say_when_to_come_back(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    let away = "`UNAVAILABLE`, `OVERLOADED`; with `Retry-After`";
    let away = responses.entry("503".to_owned()).or_insert_with(|| problem(away).into());
    put(away, "Retry-After", &seconds_to_wait());
}

fn seconds_to_wait() -> Header {
    header(Type::Integer, "Seconds to wait.")
}

fn on_success(operation: &mut Operation, name: &str, header: &Header) {
    let responses = operation.responses.responses.iter_mut();
    for (_, response) in responses.filter(|(status, _)| status.starts_with(['2', '3'])) {
        put(response, name, header);
    }
}

fn put(response: &mut RefOr<Response>, name: &str, header: &Header) {
    if let RefOr::T(response) = response {
        response.headers.entry(name.to_owned()).or_insert_with(|| header.clone().into());
    }
}

fn header(kind: Type, description: &str) -> Header {
    let schema = ObjectBuilder::new().schema_type(kind);
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}
