//! Tests of the table of shapes.

use super::*;
use crate::documents::openapi;
use std::collections::BTreeSet;

fn document() -> Value {
    serde_json::to_value(openapi()).expect("json")
}

fn operations(document: &Value) -> Vec<&Value> {
    let paths = document["paths"].as_object().expect("paths");
    paths.values().flat_map(|item| item.as_object().expect("operations").values()).collect()
}

#[test]
fn every_row_of_the_table_is_about_something() {
    let document = document();
    for (names, members) in rows() {
        for name in *names {
            let schema = &document["components"]["schemas"][name];
            // A refund is one of two objects with the same members.
            let schema = schema.get("oneOf").map_or(schema, |either| &either[0]);
            for (member, _) in *members {
                assert!(schema["properties"].get(member).is_some(), "{name} has no {member}");
            }
        }
    }
    let parameters: BTreeSet<&str> = operations(&document)
        .into_iter()
        .filter_map(|operation| operation["parameters"].as_array())
        .flatten()
        .filter_map(|parameter| parameter["name"].as_str())
        .collect();
    for (name, _) in PARAMETERS {
        assert!(parameters.contains(name), "no parameter {name}");
    }
    let ids: BTreeSet<&str> = operations(&document)
        .into_iter()
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    for id in WITHOUT_BODY {
        assert!(ids.contains(id), "no operation {id}");
    }
}

#[test]
fn every_number_and_text_of_a_request_is_bounded() {
    let document = document();
    let mut seen = 0;
    for operation in operations(&document) {
        let id = operation["operationId"].as_str().expect("an id");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let (name, schema) = (&parameter["name"], &parameter["schema"]);
            let kinds = schema["type"].as_str();
            assert!(kinds.is_some(), "{id} {name} has one type: {schema}");
            if kinds == Some("integer") {
                assert!(schema.get("minimum").is_some(), "{id} {name} has no least number");
                seen += 1;
            }
        }
    }
    for (names, _) in BODIES.iter().chain(people::BODIES) {
        for name in *names {
            let schema = &document["components"]["schemas"][name];
            let schema = schema.get("oneOf").map_or(schema, |either| &either[0]);
            for (member, schema) in schema["properties"].as_object().expect("members") {
                let kind = schema["type"].to_string();
                if kind.contains("integer") {
                    assert!(schema.get("maximum").is_some(), "{name} {member}: {schema}");
                } else if kind.contains("string") {
                    let bounded = ["maxLength", "pattern", "enum", "format"];
                    let is = bounded.iter().any(|key| schema.get(key).is_some());
                    assert!(is, "{name} {member}: {schema}");
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
}

/// Two schemas of one name would be one: the open one would take the place of the strict one.
#[test]
fn bodies_allow_no_other_members() {
    let document = document();
    let mut open = Vec::new();
    for operation in operations(&document) {
        for content in operation["requestBody"]["content"].as_object().into_iter().flatten() {
            let name = content.1["schema"]["$ref"].as_str().expect("a reference");
            let schema = document.pointer(name.trim_start_matches('#')).expect("a schema");
            let schema = schema.get("oneOf").map_or(schema, |either| &either[0]);
            if schema["additionalProperties"] != false {
                open.push(name);
            }
        }
    }
    assert_eq!(open, ["#/components/schemas/ProviderEvent"], "its other members are not read");
}

#[test]
fn special_shapes() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let delta = &schemas["StockAdjustment"]["properties"]["delta"]["oneOf"];
    assert_eq!((&delta[0]["maximum"], &delta[1]["minimum"]), (&Value::from(-1), &Value::from(1)));
    let capture = &schemas["NewOrderPayment"]["properties"]["capture"]["enum"];
    assert_eq!(*capture, serde_json::json!(["automatic", "manual", null]));
    let refund = &schemas["NewRefund"]["oneOf"];
    for (index, (this, not)) in [("amount", "lines"), ("lines", "amount")].iter().enumerate() {
        let one = &refund[index];
        assert_eq!(one["required"], serde_json::json!([this]));
        assert_eq!(one["properties"][not]["type"], "null");
        assert!(one["properties"][this]["type"].is_string());
        assert_eq!(one["additionalProperties"], false);
    }
    let scopes = &schemas["ApiKeyRequest"]["properties"]["scopes"];
    assert_eq!((&scopes["minItems"], &scopes["maxItems"]), (&Value::from(1), &Value::from(50)));
    assert_eq!(scopes["items"]["pattern"], people::SCOPE);
    let cancel = &document["paths"]["/v1/orders/{id}/cancel"]["post"]["requestBody"];
    assert_eq!(cancel["required"], false);
    let place = &document["paths"]["/v1/orders"]["post"]["requestBody"];
    assert_eq!(place["required"], true);
}
