//! What operators and developers look at: probes, metrics, the API's document.

use crate::client::send;
use crate::process::eventually;
use crate::world::{World, on_both, order_of};
use gateway::ACCESS;
use serde_json::Value;
use std::collections::BTreeSet;

/// Metrics that one order must have moved.
const AFTER_ONE_ORDER: &[&str] = &[
    "actor_mailbox_depth",
    "actor_mailbox_wait_seconds",
    "actor_handling_seconds",
    "actor_panics_total",
    "actor_restarts_total",
    "actor_health",
    "batch_items",
    "batch_seconds",
    "breaker_state",
    "breaker_calls_total",
    "breaker_call_seconds",
    "bulkhead_in_flight",
    "http_request_seconds",
    "db_transaction_seconds",
    "db_statements_total",
    "orders_total",
    "broker_events_total",
    "broker_lag_events",
    "build_info",
    "db_begin_seconds",
    "db_pool_connections",
    "edge_call_seconds",
    "edge_calls_total",
    "retry_budget_left",
];

/// The metrics of a page, by the name of their family.
fn families(metrics: &str) -> BTreeSet<String> {
    let kinds = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    kinds.filter_map(|kind| kind.split(' ').next()).map(str::to_owned).collect()
}

on_both! {
    async fn probes_answer_on_both_listeners(world in World) {
        for base in [&world.api.base, &world.private] {
            for (path, state) in [("/livez", "live"), ("/readyz", "ready")] {
                let reply = send(world.api.http.get(format!("{base}{path}"))).await;
                assert_eq!(reply.expect(200)["status"], state, "{base}{path}");
            }
        }
        // The private listener serves nothing else.
        for path in ["/v1/orders", "/docs/", "/openapi.json"] {
            world.private(path).await.problem(404, "NOT_FOUND");
        }
        send(world.api.http.get(format!("{}/metrics", world.api.base)))
            .await
            .problem(404, "NOT_FOUND");
    }

    async fn metrics_tell_of_an_order_and_are_all_documented(world in World) {
        world.stocked("TEA", 250, 10).await;
        world.api.place("k-1", &order_of(&[("TEA", 1)])).await.expect(201);
        let metrics = eventually("the workers have counted the order's events", async || {
            let metrics = world.private("/metrics").await;
            assert_eq!(metrics.status, 200);
            let found = families(&metrics.text);
            let missing: Vec<_> =
                AFTER_ONE_ORDER.iter().filter(|name| !found.contains(**name)).collect();
            if missing.is_empty() { Ok(metrics) } else { Err(format!("without {missing:?}")) }
        })
        .await;
        assert!(metrics.header("content-type").starts_with("text/plain"), "{metrics:?}");
        let confirmed = r#"orders_total{outcome="confirmed"} 1"#;
        assert!(metrics.text.lines().any(|line| line == confirmed), "{}", metrics.text);
        let documented: BTreeSet<&str> =
            telemetry::METRICS.iter().map(|metric| metric.name).collect();
        let found = families(&metrics.text);
        let undocumented: Vec<_> =
            found.iter().filter(|name| !documented.contains(name.as_str())).collect();
        assert!(undocumented.is_empty(), "not in telemetry::METRICS: {undocumented:?}");
        let without_help: Vec<_> = found
            .iter()
            .filter(|name| !metrics.text.contains(&format!("# HELP {name} ")))
            .collect();
        assert!(without_help.is_empty(), "{without_help:?}");
    }

    async fn the_document_names_every_route(world in World) {
        let reply = send(world.api.http.get(format!("{}/openapi.json", world.api.base))).await;
        let document = reply.expect(200);
        assert!(
            document["openapi"].as_str().unwrap().starts_with("3.1"),
            "{}",
            document["openapi"]
        );
        assert_eq!(document["info"]["title"], "Orderly");
        let mut found = Vec::new();
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                    found.push(format!("{} {path}", method.to_uppercase()));
                    let id = operation["operationId"].as_str().unwrap();
                    assert!(ids.insert(id.to_owned()), "{id} stands twice");
                    assert!(!operation["responses"].as_object().unwrap().is_empty(), "{id}");
                }
            }
        }
        found.sort_unstable();
        let mut wanted: Vec<String> =
            ACCESS.iter().map(|rule| format!("{} {}", rule.method, rule.path)).collect();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "the document and the table of who may use what differ");
        assert_references(&document, &document);
    }
}

/// Fails unless every reference in the document leads somewhere in it.
fn assert_references(document: &Value, part: &Value) {
    match part {
        Value::Object(members) => {
            if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                let pointer = target.strip_prefix('#').unwrap_or_else(|| panic!("{target}"));
                assert!(document.pointer(pointer).is_some(), "{target} is not there");
            }
            members.values().for_each(|member| assert_references(document, member));
        }
        Value::Array(items) => items.iter().for_each(|item| assert_references(document, item)),
        _ => {}
    }
}

#[tokio::test]
async fn the_page_of_the_document_loads_nothing_from_elsewhere() {
    let world = World::sqlite().await;
    let redirect = send(world.api.http.get(format!("{}/docs", world.api.base))).await;
    assert_eq!(redirect.status, 200);
    let page = send(world.api.http.get(format!("{}/docs/", world.api.base))).await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
    let mut loaded = 0;
    for attribute in ["src=\"", "href=\""] {
        for reference in
            page.text.split(attribute).skip(1).filter_map(|rest| rest.split('"').next())
        {
            assert!(!reference.contains("//"), "{reference} is somewhere else");
            let path = reference.trim_start_matches("./");
            let asset = send(world.api.http.get(format!("{}/docs/{path}", world.api.base))).await;
            assert_eq!(asset.status, 200, "{reference}");
            loaded += 1;
        }
    }
    assert!(loaded >= 3, "{}", page.text);
    let setup =
        send(world.api.http.get(format!("{}/docs/swagger-initializer.js", world.api.base))).await;
    assert!(setup.text.contains("/openapi.json"), "{}", setup.text);
}
