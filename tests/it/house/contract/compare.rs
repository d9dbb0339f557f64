//! Compares two OpenAPI documents: what of the old one do its clients miss in the new one?
//!
//! No well-kept comparer can be had from the registries that the build uses; this one knows what
//! our documents contain. It errs on the side of finding too much.

use super::schema::{Schemas, Side};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

const METHODS: &[&str] = &["get", "put", "post", "delete", "patch", "head", "options", "trace"];

/// The sentences of what breaks, each once.
pub(super) fn breaks(old: &Value, new: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let schemas = Schemas { old, new };
    for (path, old_item) in members(&old["paths"]) {
        let Some(new_item) = new["paths"].get(path) else {
            found.insert(format!("{path}: the path is gone"));
            continue;
        };
        for method in METHODS {
            let Some(old_operation) = old_item.get(*method) else { continue };
            let at = format!("{} {path}", method.to_uppercase());
            match new_item.get(*method) {
                None => drop(found.insert(format!("{at}: the method is gone"))),
                Some(operation) => {
                    found.extend(operation_breaks(&schemas, &at, old_operation, operation))
                }
            }
        }
    }
    found
}

/// The members of an object; none of anything else.
pub(super) fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// The entries of an array; none of anything else.
pub(super) fn entries(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn operation_breaks(schemas: &Schemas<'_>, at: &str, old: &Value, new: &Value) -> Vec<String> {
    let mut found = parameters(schemas, at, old, new);
    found.extend(body(schemas, at, old, new));
    for (status, old_response) in members(&old["responses"]) {
        let at = format!("{at}: {status}");
        match new["responses"].get(status) {
            None => found.push(format!("{at} is not answered any more")),
            Some(response) => {
                let (old, new) = (schemas.old_of(old_response), schemas.new_of(response));
                for (header, _) in members(&old["headers"]) {
                    if new["headers"].get(header).is_none() {
                        found.push(format!("{at}: the header {header} is gone"));
                    }
                }
                let content = (&old["content"], &new["content"]);
                found.extend(contents(schemas, &at, content, Side::Answer));
            }
        }
    }
    let open = |operation: &Value| operation["security"].as_array().is_some_and(Vec::is_empty);
    if open(old) && !open(new) {
        found.push(format!("{at}: it wants a key now"));
    }
    found
}

fn parameters(schemas: &Schemas<'_>, at: &str, old: &Value, new: &Value) -> Vec<String> {
    let named = |parameter: &Value| (parameter["in"].clone(), parameter["name"].clone());
    let olds: Vec<&Value> = entries(&old["parameters"]).map(|p| schemas.old_of(p)).collect();
    let news: Vec<&Value> = entries(&new["parameters"]).map(|p| schemas.new_of(p)).collect();
    let mut found = Vec::new();
    for parameter in &olds {
        let at = format!("{at}: parameter {}", parameter["name"].as_str().unwrap_or_default());
        match news.iter().find(|other| named(other) == named(parameter)) {
            None => found.push(format!("{at} is gone")),
            Some(other) => {
                if other["required"] == true && parameter["required"] != true {
                    found.push(format!("{at} is required now"));
                }
                let pair = (&parameter["schema"], &other["schema"]);
                found.extend(schemas.breaks(&at, pair, Side::Request));
            }
        }
    }
    let required = news.iter().filter(|parameter| parameter["required"] == true);
    let added = required.filter(|one| !olds.iter().any(|other| named(other) == named(one)));
    found.extend(added.map(|parameter| {
        let name = parameter["name"].as_str().unwrap_or_default();
        format!("{at}: parameter {name} is new and required")
    }));
    found
}

fn body(schemas: &Schemas<'_>, at: &str, old: &Value, new: &Value) -> Vec<String> {
    let at = format!("{at}: body");
    let (old, new) = (schemas.old_of(&old["requestBody"]), schemas.new_of(&new["requestBody"]));
    let mut found = Vec::new();
    if new["required"] == true && old["required"] != true {
        found.push(format!("{at} is required now"));
    }
    found.extend(contents(schemas, &at, (&old["content"], &new["content"]), Side::Request));
    found
}

fn contents(
    schemas: &Schemas<'_>,
    at: &str,
    (old, new): (&Value, &Value),
    side: Side,
) -> Vec<String> {
    let mut found = Vec::new();
    for (kind, old_content) in members(old) {
        match new.get(kind) {
            None => found.push(format!("{at}: {kind} is gone")),
            Some(content) => {
                let pair = (&old_content["schema"], &content["schema"]);
                found.extend(schemas.breaks(at, pair, side));
            }
        }
    }
    found
}
