//! What the routes of all kinds of price rules have in common: a body is a rule, an answer is the
//! rule with its id, and reads are answered from memory.

use super::answers::ok;
use crate::admission::Gate;
use crate::http::body;
use crate::http::query::page_of;
use crate::problem::Problem;
use actix_web::{HttpRequest, HttpResponse, web};
use catalog::Rule;
use pricing::{Document, Rules};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// The rules of one kind, by id.
pub(super) type Shelf<T> = fn(&Rules) -> &BTreeMap<String, Arc<Document<T>>>;

/// A rule as it is told.
#[derive(Serialize)]
#[serde(transparent)]
struct Told<'a, T>(&'a Document<T>);

impl<'a, T> From<&'a Arc<Document<T>>> for Told<'a, T> {
    fn from(document: &'a Arc<Document<T>>) -> Self {
        Self(document)
    }
}

/// Writes the rule in the body under `id`, and tells it as it is now.
pub(super) async fn put<T: DeserializeOwned + Serialize>(
    (request, payload): (HttpRequest, web::Payload),
    gate: &Gate,
    id: web::Path<String>,
    (rule, shelf): (fn(T) -> Rule, Shelf<T>),
) -> Result<HttpResponse, Problem> {
    let caller = gate.admit(&request).await?;
    let body: T = body::json(&request, payload).await?;
    let (catalog, context) = (gate.services.catalog.clone(), caller.context());
    let (key, rule) = (id.clone(), rule(body));
    caller.write(async move { catalog.put_rule(key, rule, &context).await }).await?;
    tell(gate, &id, shelf)
}

/// Tells one rule.
pub(super) async fn get<T: Serialize>(
    request: HttpRequest,
    gate: &Gate,
    id: &str,
    shelf: Shelf<T>,
) -> Result<HttpResponse, Problem> {
    gate.admit(&request).await?;
    tell(gate, id, shelf)
}

fn tell<T: Serialize>(gate: &Gate, id: &str, shelf: Shelf<T>) -> Result<HttpResponse, Problem> {
    let rules = gate.services.catalog.rules();
    let document = shelf(&rules).get(id).ok_or_else(|| Problem::not_found("rule"))?;
    Ok(ok(&Told(document)))
}

/// Tells a page of rules by id.
pub(super) async fn list<T: Serialize>(
    request: HttpRequest,
    gate: &Gate,
    path: &'static str,
    shelf: Shelf<T>,
) -> Result<HttpResponse, Problem> {
    gate.admit(&request).await?;
    let page = page_of(&request, path, &gate.cursors)?;
    let after = page.after(|text| Some(text.to_owned()))?;
    let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let rules = gate.services.catalog.rules();
    let rows = usize::try_from(page.rows()).unwrap_or(0);
    let rows = shelf(&rules).range::<str, _>((from, Bound::Unbounded)).take(rows);
    let rows: Vec<Arc<Document<T>>> = rows.map(|(_, document)| document.clone()).collect();
    let rows = page.page(rows, &gate.cursors, |document| document.id.clone());
    Ok(ok(&rows.view::<Told<'_, T>>()))
}
