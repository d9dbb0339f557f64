//! The map of the shop: who calls whom, and how it fares.

use crate::client::send;
use crate::house::graph::ARROWS;
use crate::process::eventually;
use crate::world::{World, on_both, order_of};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Arrows at run time that are none between crates: what `recommendations` knows of the catalogue it
/// is told by a function; the broker is given its consumers; the bank is called over HTTP; the cache is
/// a part of the inventory's crate.
const AT_RUN_TIME_ONLY: &[(&str, &str)] = &[
    ("recommendations", "catalog"),
    ("broker", "shipping"),
    ("payments", "bank"),
    ("inventory", "cache"),
];

/// Crates that are parts of the shop.
const PARTS: &[&str] = &[
    "gateway",
    "orders",
    "catalog",
    "customers",
    "flags",
    "inventory",
    "payments",
    "recommendations",
    "shipping",
    "broker",
    "store",
];

/// Arrows between crates along which nothing is called by itself: what consumers write they write
/// into the broker's transaction, a follower is told what the broker reads, and the gateway has no
/// statement of its own.
const NOT_CALLED: &[(&str, &str)] = &[
    ("recommendations", "broker"),
    ("recommendations", "store"),
    ("shipping", "broker"),
    ("shipping", "store"),
    ("gateway", "store"),
];

async fn topology(world: &World) -> Value {
    world.api.get("/v1/topology").await.expect(200)
}

fn edge<'a>(topology: &'a Value, from: &str, to: &str) -> &'a Value {
    let edges = topology["edges"].as_array().unwrap();
    let found = edges.iter().find(|edge| edge["from"] == from && edge["to"] == to);
    found.unwrap_or_else(|| panic!("no edge {from} → {to}: {topology:#}"))
}

fn node<'a>(topology: &'a Value, name: &str) -> &'a Value {
    let found = topology["nodes"].as_array().unwrap().iter().find(|node| node["name"] == name);
    found.unwrap_or_else(|| panic!("no node {name}: {topology:#}"))
}

/// The arrows of the answer.
fn arrows(topology: &Value) -> BTreeSet<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let edges = topology["edges"].as_array().unwrap();
    edges.iter().map(|edge| (word(&edge["from"]), word(&edge["to"]))).collect()
}

/// Makes every part of the shop do something.
async fn trade(world: &World) {
    world.stocked("TEA", 250, 100).await;
    world.stocked("POT", 1_500, 100).await;
    let customer = json!({"external_ref": "c-1", "name": "Ann", "email": "ann@example.org",
        "default_payment_method": "pm_card_visa"});
    let customer = world.api.post("/v1/customers", &customer).await.expect(201);
    for number in 0..5 {
        let mut order = order_of(&[("TEA", 1), ("POT", 1)]);
        order["customer_id"] = customer["id"].clone();
        order["payment"] = json!({});
        world.api.place(&format!("k-{number}"), &order).await.expect(201);
    }
    world.api.get("/v1/dead-letters").await.expect(200);
    crate::cache::recent(world, "TEA").await;
    world.api.get("/v1/flags").await.expect(200);
    eventually("the pot is recommended with the tea", async || {
        let found = world.api.get("/v1/products/TEA/recommendations").await.expect(200);
        if found["data"][0]["sku"] == "POT" { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
}

on_both! {
    async fn every_arrow_of_the_shop_is_seen_and_no_other(world in World) {
        trade(&world).await;
        let payments = world.api.get("/v1/orders").await.expect(200);
        let payment = payments["data"][0]["payment"]["id"].as_str().unwrap().to_owned();
        world.api.get(&format!("/v1/payments/{payment}")).await.expect(200);
        let topology = eventually("the shipments are prepared", async || {
            let topology = topology(&world).await;
            let calls = edge(&topology, "broker", "shipping")["calls_per_min"].as_f64();
            if calls > Some(0.0) { Ok(topology) } else { Err(topology.to_string()) }
        })
        .await;
        let mut expected: BTreeSet<(String, String)> = ARROWS
            .iter()
            .flat_map(|(from, to)| to.iter().map(|to| (*from, *to)))
            .filter(|arrow| PARTS.contains(&arrow.0) && PARTS.contains(&arrow.1))
            .filter(|arrow| !NOT_CALLED.contains(arrow))
            .chain(AT_RUN_TIME_ONLY.iter().copied())
            .map(|(from, to)| (from.to_owned(), to.to_owned()))
            .collect();
        // Its rights to the database are the recorder's own.
        expected.retain(|arrow| arrow.0 != "store");
        assert_eq!(arrows(&topology), expected, "the map is not the crate graph");
        for (from, to) in &expected {
            let edge = edge(&topology, from, to);
            assert_eq!((&edge["health"], &edge["error_rate"]), (&json!("up"), &json!(0.0)), "{edge}");
            assert!(edge["calls_per_min"].as_f64() > Some(0.0), "{edge}");
        }
        for part in PARTS.iter().chain(&["bank", "cache"]) {
            assert_eq!(node(&topology, part)["health"], "up", "{topology:#}");
        }
        for (from, to, target) in [
            ("orders", "inventory", 0.9995),
            ("payments", "customers", 0.999),
            ("recommendations", "catalog", 0.99),
        ] {
            let edge = edge(&topology, from, to);
            assert_eq!((&edge["slo"], &edge["budget_left"]), (&json!(target), &json!(1.0)), "{edge}");
        }
        let inventory = edge(&topology, "orders", "inventory");
        assert!(inventory["p99_ms"].as_f64() > Some(0.0), "{inventory}");
        let bank = edge(&topology, "payments", "bank");
        assert_eq!(
            (&bank["breaker"], &bank["bulkhead"]["in_flight_max"], &bank["retries"]["made"]),
            (&json!("closed"), &json!(512), &json!(0)),
        );
        let metrics = world.private("/metrics").await.text;
        let line = r#"edge_calls_total{caller="orders",callee="inventory",outcome="ok"} "#;
        assert!(metrics.lines().any(|shown| shown.starts_with(line)), "{metrics}");
    }
}

#[tokio::test]
async fn the_map_is_drawn_as_text_and_as_a_picture() {
    let world = World::sqlite().await;
    trade(&world).await;
    let chart = world.api.get("/v1/topology?format=mermaid").await;
    assert_eq!(
        (chart.status, chart.header("content-type")),
        (200, "text/vnd.mermaid; charset=utf-8")
    );
    assert!(chart.text.starts_with("flowchart LR\n") && chart.text.contains("bank([bank]):::up"));
    let picture = world.api.get("/v1/topology?format=svg").await;
    assert_eq!((picture.status, picture.header("content-type")), (200, "image/svg+xml"));
    let count = topology(&world).await["edges"].as_array().unwrap().len();
    assert_eq!(picture.text.matches("marker-end").count(), count, "{}", picture.text);
    // For whoever wants to look at it.
    if let Some(file) = std::env::var_os("TOPOLOGY_SVG") {
        std::fs::write(file, &picture.text).unwrap();
    }
    let refused = world.api.get("/v1/topology?format=png").await;
    let problem = refused.problem(400, "INVALID_PARAMETER");
    assert_eq!(problem["details"]["parameter"], "format", "{problem}");
    let nobody = send(world.api.http.get(format!("{}/v1/topology", world.api.base))).await;
    nobody.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_bank_that_is_down_is_red_with_its_breaker_open_and_orders_stay_up() {
    let mut world = World::sqlite().await;
    world.stocked("TEA", 250, 1_000).await;
    world.bank.kill();
    let mut placed = 0;
    let topology_of = eventually("the edge to the bank is down, its breaker open", async || {
        for _ in 0..10 {
            placed += 1;
            let order = world.api.order(&format!("k-{placed}"), &order_of(&[("TEA", 1)]));
            let reply = send(order.header("Prefer", "respond-async")).await;
            assert_eq!(reply.expect(202)["status"], "pending");
        }
        let topology = topology(&world).await;
        let bank = edge(&topology, "payments", "bank");
        let seen = (&bank["health"], &bank["breaker"]);
        if seen == (&json!("down"), &json!("open")) { Ok(topology) } else { Err(bank.to_string()) }
    })
    .await;
    let bank = edge(&topology_of, "payments", "bank");
    assert!(bank["error_rate"].as_f64() > Some(0.5), "{bank}");
    assert!(bank["budget_left"].as_f64() < Some(0.0), "the budget is overspent: {bank}");
    assert!(bank["retries"]["made"].as_u64() > Some(0), "{bank}");
    assert_eq!(node(&topology_of, "bank")["health"], "down");
    for up in ["gateway", "orders", "inventory", "payments", "store"] {
        assert_eq!(node(&topology_of, up)["health"], "up", "{topology_of:#}");
    }
    for (from, to) in [("gateway", "orders"), ("orders", "inventory"), ("orders", "payments")] {
        assert_eq!(edge(&topology_of, from, to)["health"], "up", "{topology_of:#}");
    }
    let picture = world.api.get("/v1/topology?format=svg").await.text;
    assert!(picture.contains("payments → bank: down.") && picture.contains("breaker OPEN"));

    world.bank.restart().await;
    world.pending(0).await;
    let topology_of = topology(&world).await;
    let bank = edge(&topology_of, "payments", "bank");
    assert_eq!(bank["breaker"], "closed", "{bank}");
    world.assert_balanced().await;
}
