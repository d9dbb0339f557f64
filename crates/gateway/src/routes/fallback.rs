//! What no route takes: an unknown path, or a known one with another method.

use crate::http::edge;
use crate::problem::Problem;
use actix_web::{HttpRequest, web};
use std::collections::{BTreeSet, HashMap};
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::HttpMethod;

/// The methods of each route.
pub(crate) struct Methods(HashMap<String, String>);

impl Methods {
    /// The methods as the document has them, and GET for each of `undocumented`. Whatever can be
    /// got can be asked for with HEAD.
    pub(crate) fn of(document: &OpenApi, undocumented: &[&str]) -> Self {
        let mut methods: HashMap<String, String> =
            undocumented.iter().map(|path| ((*path).to_owned(), "GET, HEAD".to_owned())).collect();
        for (path, item) in &document.paths.paths {
            let mut all: BTreeSet<&str> =
                operations(item).into_iter().map(|(method, _)| method).collect();
            if all.contains("GET") {
                all.insert("HEAD");
            }
            methods.insert(path.clone(), all.into_iter().collect::<Vec<_>>().join(", "));
        }
        Self(methods)
    }

    /// The same with one more route.
    pub(crate) fn and(mut self, path: &str, methods: &str) -> Self {
        self.0.insert(path.to_owned(), methods.to_owned());
        self
    }
}

/// The operations of a path, by method.
pub(crate) fn operations(
    item: &utoipa::openapi::PathItem,
) -> Vec<(&'static str, &utoipa::openapi::path::Operation)> {
    let named = |method: HttpMethod| match method {
        HttpMethod::Get => ("GET", &item.get),
        HttpMethod::Post => ("POST", &item.post),
        HttpMethod::Put => ("PUT", &item.put),
        HttpMethod::Delete => ("DELETE", &item.delete),
        HttpMethod::Options => ("OPTIONS", &item.options),
        HttpMethod::Head => ("HEAD", &item.head),
        HttpMethod::Patch => ("PATCH", &item.patch),
        HttpMethod::Trace => ("TRACE", &item.trace),
    };
    [
        HttpMethod::Get,
        HttpMethod::Post,
        HttpMethod::Put,
        HttpMethod::Delete,
        HttpMethod::Options,
        HttpMethod::Head,
        HttpMethod::Patch,
        HttpMethod::Trace,
    ]
    .into_iter()
    .filter_map(|method| {
        let (name, operation) = named(method);
        operation.as_ref().map(|operation| (name, operation))
    })
    .collect()
}

/// The operations of a path, by method, to be written into.
pub(crate) fn operations_mut(
    item: &mut utoipa::openapi::PathItem,
) -> Vec<(&'static str, &mut utoipa::openapi::path::Operation)> {
    let utoipa::openapi::PathItem { get, put, post, delete, patch, head, options, .. } = item;
    [
        ("GET", get),
        ("PUT", put),
        ("POST", post),
        ("DELETE", delete),
        ("PATCH", patch),
        ("HEAD", head),
        ("OPTIONS", options),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
    .collect()
}

/// Answers what no route takes.
pub(crate) async fn fallback(
    request: HttpRequest,
    methods: web::Data<Methods>,
) -> Result<String, Problem> {
    let allow = edge::route(&request).and_then(|route| methods.0.get(&*route).cloned());
    Err(allow.map_or_else(|| Problem::not_found("resource"), Problem::method_not_allowed))
}
