//! Each breaking change is found, and what breaks nobody is not.

use super::compare::breaks;
use serde_json::{Value, json};

/// A small contract.
fn document() -> Value {
    json!({
        "paths": {"/v1/things/{id}": {"post": {
            "security": [{"bearer": []}],
            "parameters": [{"in": "query", "name": "limit", "required": false,
                "schema": {"type": "integer", "maximum": 100}}],
            "requestBody": {"required": false, "content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/Order"}}}},
            "responses": {"201": {
                "headers": {"ETag": {}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/View"}}}},
                "404": {"description": "none"}},
        }}, "/open": {"get": {"security": [], "responses": {"200": {}}}}},
        "components": {"schemas": {
            "Order": {"type": "object", "additionalProperties": false, "required": ["sku"],
                "properties": {
                    "sku": {"type": "string", "maxLength": 64},
                    "note": {"type": ["string", "null"]},
                    "kind": {"type": "string", "enum": ["a", "b"]},
                    "lines": {"type": "array", "maxItems": 500,
                        "items": {"$ref": "#/components/schemas/Order"}},
                    "pay": {"oneOf": [{"type": "string"}, {"type": "object"}]}}},
            "View": {"allOf": [{"$ref": "#/components/schemas/Base"}, {"type": "object",
                "required": ["total"], "properties": {
                    "total": {"type": "integer", "format": "int64"},
                    "by": {"type": "object", "additionalProperties": {"type": "integer"}},
                    "parent": {"$ref": "#/components/schemas/View"}}}]},
            "Base": {"type": "object", "required": ["id"], "properties": {
                "id": {"type": "string"},
                "status": {"type": "string", "enum": ["open"]},
                "gone_at": {"type": ["string", "null"]}}}}},
    })
}

/// What breaks when the value at a pointer is another one; `null` takes it away.
fn with(pointer: &str, value: Value) -> Vec<String> {
    let mut new = document();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = new.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
    let name = name.replace("~1", "/");
    match parent {
        Value::Object(object) if value.is_null() => drop(object.remove(&name).expect(pointer)),
        Value::Object(object) => drop(object.insert(name, value)),
        Value::Array(entries) => entries.push(value),
        other => panic!("{pointer}: {other}"),
    }
    breaks(&document(), &new).into_iter().collect()
}

const POST: &str = "/paths/~1v1~1things~1{id}/post";
const ORDER: &str = "/components/schemas/Order";
const VIEW: &str = "/components/schemas/View/allOf/1";
const BASE: &str = "/components/schemas/Base";

#[test]
fn the_same_document_breaks_nothing() {
    assert_eq!(breaks(&document(), &document()), [].into());
}

const AT: &str = "POST /v1/things/{id}";

/// Each change of a value below a pointer is found, and told so after [`AT`].
fn each_is_found(below: &str, cases: &[(&str, Value, &str)]) {
    for (pointer, value, says) in cases {
        let (pointer, says) = (format!("{below}{pointer}"), format!("{AT}: {says}"));
        let found = with(&pointer, value.clone());
        assert!(found.contains(&says), "{pointer}: {says}\n{found:#?}");
    }
}

#[test]
fn routes_stay() {
    let gone = with("/paths/~1v1~1things~1{id}", json!(null));
    assert_eq!(gone, ["/v1/things/{id}: the path is gone"]);
    let keyed = with("/paths/~1open/get/security", json!([{"bearer": []}]));
    assert_eq!(keyed, ["GET /open: it wants a key now"]);
    let required = json!({"in": "query", "name": "x", "required": true});
    each_is_found(
        POST,
        &[
            ("", json!(null), "the method is gone"),
            ("/parameters", json!([]), "parameter limit is gone"),
            ("/parameters/0/required", json!(true), "parameter limit is required now"),
            (
                "/parameters/0/schema/maximum",
                json!(50),
                "parameter limit has maximum 50 now; it was 100",
            ),
            ("/parameters/-", required, "parameter x is new and required"),
            ("/requestBody/required", json!(true), "body is required now"),
            (
                "/requestBody/content/application~1json",
                json!(null),
                "body: application/json is gone",
            ),
            ("/responses/404", json!(null), "404 is not answered any more"),
            ("/responses/201/headers/ETag", json!(null), "201: the header ETag is gone"),
        ],
    );
}

#[test]
fn what_clients_send_is_taken() {
    each_is_found(
        ORDER,
        &[
            ("/required", json!(["sku", "kind"]), "body.kind is required now"),
            ("/properties/note", json!(null), "body.note is gone"),
            (
                "/properties/note/type",
                json!("string"),
                "body.note was null or string and is string",
            ),
            ("/properties/sku/maxLength", json!(32), "body.sku has maxLength 32 now; it was 64"),
            ("/properties/sku/minLength", json!(2), "body.sku has minLength 2 now; it was null"),
            (
                "/properties/sku/pattern",
                json!("^x"),
                "body.sku has another pattern: \"^x\" was null",
            ),
            ("/properties/kind/enum", json!(["a"]), "body.kind may not be \"b\" any more"),
            ("/properties/sku/enum", json!(["a"]), "body.sku is now one of a list"),
            (
                "/properties/lines/items",
                json!({"type": "string"}),
                "body.lines[] was object and is string",
            ),
            (
                "/properties/pay/oneOf",
                json!([{"type": "string"}]),
                "body.pay: one choice is gone or narrower: {\"type\":\"object\"}",
            ),
        ],
    );
}

#[test]
fn what_clients_read_is_there() {
    each_is_found(
        VIEW,
        &[
            ("/properties/total", json!(null), "201.total is gone"),
            (
                "/properties/total/type",
                json!(["integer", "null"]),
                "201.total was integer and is integer or null",
            ),
            (
                "/properties/total/format",
                json!("int32"),
                "201.total has another format: \"int32\" was \"int64\"",
            ),
            (
                "/properties/by/additionalProperties/type",
                json!("string"),
                "201.by.* was integer and is string",
            ),
        ],
    );
    each_is_found(BASE, &[("/required", json!([]), "201.id may be missing now")]);
}

#[test]
fn what_breaks_nobody_is_let_through() {
    for (pointer, value) in [
        ("/paths/~1v1~1more", json!({"get": {}})),
        (&format!("{POST}/responses/409") as &str, json!({})),
        (&format!("{POST}/parameters/-"), json!({"in": "query", "name": "x", "required": false})),
        (&format!("{POST}/parameters/0/schema/maximum"), json!(1_000)),
        (&format!("{ORDER}/required"), json!([])),
        (&format!("{ORDER}/properties/colour"), json!({"type": "string"})),
        (&format!("{ORDER}/properties/sku/maxLength"), json!(128)),
        (&format!("{ORDER}/properties/kind/enum"), json!(["a", "b", "c"])),
        (&format!("{ORDER}/properties/sku/type"), json!(["string", "null"])),
        (&format!("{ORDER}/properties/pay/oneOf/-"), json!({"type": "integer"})),
        (&format!("{ORDER}/additionalProperties"), json!(true)),
        (&format!("{BASE}/properties/status/enum"), json!(["open", "shut"])),
        (&format!("{BASE}/properties/gone_at/type"), json!("string")),
        (&format!("{BASE}/properties/colour"), json!({"type": "string"})),
        (&format!("{BASE}/required"), json!(["id", "status"])),
    ] {
        assert_eq!(with(pointer, value), Vec::<String>::new(), "{pointer}");
    }
}
