//! Tests of the OpenAPI document.

use super::*;
use crate::access::{Entry, Reach};
use crate::routes::operations;
use serde_json::Value;
use std::collections::BTreeSet;

/// Sources of the handlers: a route that is not in the document would show here.
const SOURCES: &[&str] = &[
    include_str!("routes/accounts.rs"),
    include_str!("routes/addresses.rs"),
    include_str!("routes/tokens.rs"),
    include_str!("routes/audit.rs"),
    include_str!("routes/categories.rs"),
    include_str!("routes/price_lists.rs"),
    include_str!("routes/promotions.rs"),
    include_str!("routes/coupons.rs"),
    include_str!("routes/tax_tables.rs"),
    include_str!("routes/mismatches.rs"),
    include_str!("routes/flags.rs"),
    include_str!("routes/product_export.rs"),
    include_str!("routes/customers.rs"),
    include_str!("routes/dead_letters.rs"),
    include_str!("routes/keys.rs"),
    include_str!("routes/life.rs"),
    include_str!("routes/order_batch.rs"),
    include_str!("routes/orders.rs"),
    include_str!("routes/payments.rs"),
    include_str!("routes/probes.rs"),
    include_str!("routes/products.rs"),
    include_str!("routes/recommendations.rs"),
    include_str!("routes/stock.rs"),
    include_str!("routes/timeline.rs"),
    include_str!("routes/topology.rs"),
    include_str!("routes/webhooks.rs"),
    include_str!("routes/stock_locations.rs"),
    include_str!("routes/stock_movements.rs"),
];

/// Where the provider tells something: it has no key, and signs instead.
const PROVIDER_EVENTS: &str = "/v1/webhooks/payments";

/// Method and path of every `#[get("…")]` and its like.
fn routes_in_source() -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for line in SOURCES.iter().flat_map(|source| source.lines()) {
        for method in ["get", "post", "put", "delete", "patch", "head", "options"] {
            let attribute = format!("#[{method}(\"");
            if let Some(path) =
                line.strip_prefix(&attribute).and_then(|rest| rest.strip_suffix("\")]"))
            {
                found.insert((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    found
}

#[test]
fn routes_and_document_are_the_same() {
    let document = openapi();
    let documented: BTreeSet<(String, String)> = document
        .paths
        .paths
        .iter()
        .flat_map(|(path, item)| {
            operations(item).into_iter().map(move |(method, _)| (method.to_owned(), path.clone()))
        })
        .collect();
    let mut routes = routes_in_source();
    assert!(routes.remove(&("GET".to_owned(), "/metrics".to_owned())), "on the private listener");
    assert_eq!(documented, routes);
    assert_eq!(documented.len(), 76);
}

#[test]
fn operations_are_complete() {
    let document = openapi();
    let mut ids = BTreeSet::new();
    for (path, item) in &document.paths.paths {
        for (method, operation) in operations(item) {
            let id = operation.operation_id.as_deref().unwrap_or("");
            assert!(ids.insert(id.to_owned()), "the operation id {id} stands twice");
            assert!(operation.summary.is_some(), "{method} {path} has no summary");
            let responses = &operation.responses.responses;
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
            if path == PROVIDER_EVENTS {
                assert!(responses.contains_key("401") && !responses.contains_key("403"));
            } else if path.starts_with("/v1/") {
                for status in ["401", "403", "429", "500", "503"] {
                    assert!(responses.contains_key(status), "{method} {path} lacks {status}");
                }
            }
            let has_body = operation.request_body.is_some();
            assert_eq!(has_body, matches!(method, "POST" | "PUT" | "PATCH"), "{method} {path}");
        }
    }
}

#[test]
fn each_operation_says_what_it_needs() {
    let document: Value = serde_json::to_value(openapi()).expect("json");
    assert!(document.get("security").is_none_or(Value::is_null), "said by each operation");
    for rule in crate::access::ACCESS {
        let operation = &document["paths"][rule.path][rule.method.to_lowercase()];
        let said = &operation["x-access"];
        let description = operation["description"].as_str().unwrap_or("");
        let security = operation["security"].as_array().expect("a list");
        match rule.entry {
            Entry::Scope(scope) => {
                assert_eq!((&said["entry"], &said["scope"]), (&"scope".into(), &scope.into()));
                let named = format!("the scope `{scope}`");
                let text = description.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(text.contains(&named), "{rule:?} does not tell of {named}");
                for (way, place) in [("bearer", 0), ("token", 1)] {
                    assert_eq!(security[place][way], serde_json::json!([scope]), "{rule:?}");
                }
            }
            Entry::Known => assert_eq!(security.len(), 2, "{rule:?}"),
            Entry::Open | Entry::Signed => {
                assert_eq!(security, &[serde_json::json!({})], "{rule:?}");
            }
        }
        let customers = match rule.customers {
            _ if rule.entry == Entry::Open => "all",
            Reach::Nothing => "nothing",
            Reach::Own => "own",
            Reach::All => "all",
        };
        assert_eq!(said["customers"], customers, "{rule:?}");
    }
}

#[test]
fn errors_are_told_as_problems() {
    let document: Value = serde_json::to_value(openapi()).expect("json");
    let paths = document["paths"].as_object().expect("paths");
    let mut errors = 0;
    for (path, item) in paths.iter().filter(|(path, _)| path.starts_with("/v1/")) {
        for operation in item.as_object().expect("operations").values() {
            let responses = operation["responses"].as_object().expect("responses");
            for (status, response) in
                responses.iter().filter(|(status, _)| status.as_str() >= "400")
            {
                let schema = &response["content"][PROBLEM_JSON]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{path} {status}");
                errors += 1;
            }
        }
    }
    assert!(errors > 100, "{errors}");
}

#[test]
fn limits_are_told_wherever_they_hold() {
    let document: Value = serde_json::to_value(openapi()).expect("json");
    let paths = document["paths"].as_object().expect("paths");
    let mut from_memory = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("operations") {
            let responses = operation["responses"].as_object().expect("responses");
            let has = |status: &str, name: &str| responses[status]["headers"].get(name).is_some();
            if !path.starts_with("/v1/") || path == PROVIDER_EVENTS {
                assert!(!responses.contains_key("429"), "{method} {path}");
                continue;
            }
            for name in ["RateLimit-Policy", "RateLimit", "Retry-After"] {
                assert!(has("429", name), "{method} {path} {name}");
            }
            assert!(has("503", "Retry-After"), "{method} {path}");
            let good = responses.keys().find(|status| status.starts_with('2')).expect("a success");
            assert!(has(good, "RateLimit") && has(good, "RateLimit-Policy"), "{method} {path}");
            if has(good, "X-Degraded") {
                from_memory.push(format!("{method} {path}"));
            }
        }
    }
    from_memory.sort();
    let expected = ["/v1/products", "/v1/products/{sku}", "/v1/products/{sku}/recommendations"];
    assert_eq!(from_memory, expected.map(|path| format!("get {path}")));
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, document: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').expect("a local reference");
                    assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
                }
                members.values().for_each(|member| walk(member, document));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, document)),
            _ => {}
        }
    }
    let text = openapi().to_json().expect("json");
    let document: Value = serde_json::from_str(&text).expect("json");
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "Orderly");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    for scheme in ["bearer", "token"] {
        let scheme = &document["components"]["securitySchemes"][scheme];
        assert_eq!((&scheme["type"], &scheme["scheme"]), (&"http".into(), &"bearer".into()));
    }
    walk(&document, &document);
}

#[test]
fn links_lead_to_operations_and_their_parameters() {
    let document: Value = serde_json::to_value(openapi()).expect("json");
    let items = document["paths"].as_object().expect("paths").values();
    let all: Vec<&Value> =
        items.flat_map(|item| item.as_object().expect("operations").values()).collect();
    let named = |id: &Value| all.iter().find(|operation| operation["operationId"] == *id);
    let mut written = 0;
    for response in all
        .iter()
        .flat_map(|operation| operation["responses"].as_object().expect("responses").values())
    {
        for link in response["links"].as_object().into_iter().flat_map(|links| links.values()) {
            let to = named(&link["operationId"]).expect("an operation");
            let parameters = to["parameters"].as_array().expect("parameters");
            for name in link["parameters"].as_object().expect("parameters").keys() {
                assert!(parameters.iter().any(|known| known["name"] == *name), "{link}");
            }
            written += 1;
        }
    }
    assert_eq!(written, links::count(), "each row of the table is about an answer");
}

#[test]
fn bodies_in_streams_allow_their_own_members_and_no_others() {
    let document: Value = serde_json::to_value(openapi()).expect("json");
    let schemas = &document["components"]["schemas"];
    for (name, member, alone) in [
        ("NewOrderInStream", "idempotency_key", "NewOrder"),
        ("ProductInStream", "sku", "ProductChange"),
        ("AdjustmentInStream", "sku", "StockAdjustment"),
    ] {
        let mut members = schemas[name]["properties"].as_object().expect("members").clone();
        assert!(members.remove(member).is_some(), "{name}");
        assert_eq!(Value::from(members), schemas[alone]["properties"], "{name}");
        assert_eq!(schemas[name]["additionalProperties"], false, "{name}");
        let required = schemas[name]["required"].as_array().expect("names");
        assert!(required.contains(&Value::from(member)), "{name}");
    }
}
