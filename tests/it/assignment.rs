//! Mass assignment: no body of the API takes a member that it does not have, and no member says
//! what only the shop says.

use crate::client::{Api, send};
use crate::users::{ABSENT, person, staff};
use crate::world::{World, on_both};
use reqwest::Method;
use serde_json::{Map, Value, json};

/// Columns of the books and names that programs like to take over.
const COLUMNS: &[&str] = &[
    "id",
    "status",
    "total",
    "amount_total",
    "amount_tax",
    "amount_captured",
    "amount_refunded",
    "price",
    "tenant_id",
    "paid_at",
    "created_at",
    "updated_at",
    "version",
    "role",
    "scopes",
    "customer_id",
    "principal_id",
    "account_id",
    "owner",
    "is_admin",
    "admin",
    "password_hash",
    "secret",
    "secret_hash",
    "goods",
    "cancel_requested",
    "payment_id",
    "provider_ref",
    "reserved",
    "on_hand",
    "available",
    "erased_at",
    "revoked_at",
    "last_used_at",
    "prefix",
    "actor",
    "fence",
    "metadata.status",
    "__proto__",
    "constructor",
];

/// An operation that reads a body.
struct Taking {
    method: Method,
    path: String,
    media_type: String,
    members: Map<String, Value>,
}

/// Every operation of the document with a body of ours.
fn taking(document: &Value) -> Vec<Taking> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(content) = operation["requestBody"]["content"].as_object() else { continue };
            for (media_type, content) in content {
                let name = content["schema"]["$ref"].as_str().unwrap();
                if name.ends_with("/ProviderEvent") {
                    // Somebody else's event: signed, and nothing of it is taken over.
                    continue;
                }
                let schema = document.pointer(name.trim_start_matches('#')).unwrap();
                let schema = schema.get("oneOf").map_or(schema, |either| &either[0]);
                // Some have no members at all.
                let members = schema["properties"].as_object().cloned().unwrap_or_default();
                found.push(Taking {
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.clone(),
                    media_type: media_type.clone(),
                    members,
                });
            }
        }
    }
    found
}

fn concrete(path: &str) -> String {
    let path = path.replace("{id}", ABSENT).replace("{order_id}", ABSENT);
    path.replace("{sku}", "TEA").replace("{name}", "north").replace("{consumer}", "shipping")
}

/// Sends a body of one member; status and code of what is said of it.
async fn send_one(api: &Api, taking: &Taking, member: &str) -> (u64, String) {
    let body = json!({ member: "x" }).to_string();
    let request = api
        .request(taking.method.clone(), &concrete(&taking.path))
        .header("Content-Type", &taking.media_type)
        .header("Idempotency-Key", format!("{member}-{}", taking.path.len()))
        .body(body);
    let reply = send(request).await;
    let body = reply.json();
    let body = if reply.status == 200 { &body["error"] } else { &body };
    let code = body["code"].as_str().unwrap_or("none").to_owned();
    (body["status"].as_u64().unwrap_or(reply.status.into()), code)
}

on_both! {
    async fn no_body_takes_a_member_that_it_does_not_have(world in World) {
        let document = send(world.api.http.get(format!("{}/openapi.json", world.api.base))).await;
        let all = taking(&document.expect(200));
        // With a password, so that there is one to be changed.
        let admin = staff(&world, "admin").await;
        assert!(all.len() >= 20, "{}", all.len());
        let mut sent = 0;
        for taking in &all {
            for member in COLUMNS.iter().filter(|name| !taking.members.contains_key(**name)) {
                let said = send_one(&admin, taking, member).await;
                let place = format!("{} {} {member}", taking.method, taking.path);
                assert_eq!(said, (400, "INVALID_BODY".to_owned()), "{place}");
                sent += 1;
            }
        }
        assert!(sent > 700, "{sent}");
    }

    async fn a_customer_takes_over_nothing_by_naming_it(world in World) {
        let ada = person(&world, "ada").await;
        let mine = format!("/v1/customers/{}", ada.id);
        let before = ada.api.get(&mine).await.expect(200);
        for member in ["id", "version", "role", "scopes", "external_ref", "customer_id"] {
            let body = json!({"name": "Ada", member: "admin"});
            let reply = send(ada.api.request(Method::PATCH, &mine).json(&body)).await;
            reply.problem(400, "INVALID_BODY");
        }
        assert_eq!(ada.api.get(&mine).await.expect(200), before);
        let me = ada.api.get("/v1/me").await.expect(200);
        assert_eq!((&me["kind"], &me["scopes"]), (&json!("customer"), &json!([])));
    }
}
