//! Any actor may panic: its caller is answered, it is restarted, and the process serves on.

use crate::process::eventually;
use crate::world::{World, on_both, order_of};
use serde_json::json;

/// The actors that take messages. (Recovery, audit and the broker's work by the clock.)
const ACTORS: &[&str] = &[
    "orders.lane.0",
    "inventory",
    "payments",
    "customers",
    "catalog",
    "broker.follower.recommendations",
];

/// Requests of every kind; what they are answered is looked at by the test.
async fn some_of_everything(world: &World, round: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for number in 0..8 {
        let key = format!("k-{round}-{number}");
        statuses.push(world.api.place(&key, &order_of(&[("TEA", 1)])).await.status);
    }
    statuses.push(world.api.get("/v1/stock/TEA").await.status);
    for number in 0..2 {
        let body = json!({"name": "A", "external_ref": format!("c-{round}-{number}")});
        statuses.push(world.api.post("/v1/customers", &body).await.status);
    }
    for number in 0..2 {
        let body = json!({"name": "more", "unit_amount": 5 + number, "currency": "USD"});
        statuses.push(world.api.put("/v1/products/MORE", &body).await.status);
    }
    statuses
}

fn metric(text: &str, name: &str, actor: &str) -> f64 {
    let wanted = format!("{name}{{actor=\"{actor}\"}}");
    let line = text.lines().find_map(|line| line.strip_prefix(wanted.as_str()));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
}

on_both! {
    async fn every_actor_may_panic_once(mut world in World) {
        world.stocked("TEA", 250, 10_000).await;
        world.expect_errors();
        for (round, actor) in ACTORS.iter().enumerate() {
            world.terminate().await;
            world.restart_with("ORDERLY_PANIC_IN", &format!("{actor}:2")).await;
            let statuses = some_of_everything(&world, round).await;
            // Everyone is answered, and only the one that hit the panic may have got a 5xx.
            let failed = statuses.iter().filter(|status| **status >= 500).count();
            assert!(failed <= 2, "{actor}: {statuses:?}");
            let metrics = eventually("the panic shows in the metrics", async || {
                let text = world.private("/metrics").await.text;
                if metric(&text, "actor_panics_total", actor) >= 1.0 {
                    Ok(text)
                } else {
                    Err(format!("no panic of {actor}"))
                }
            })
            .await;
            assert!(metric(&metrics, "actor_restarts_total", actor) >= 1.0, "{actor}");
            // Restarted, it works: whoever failed asks again with the same key.
            for number in 0..8 {
                let key = format!("k-{round}-{number}");
                eventually("the order is settled", async || {
                    let reply = world.api.place(&key, &order_of(&[("TEA", 1)])).await;
                    if reply.status == 201 { Ok(()) } else { Err(reply.text) }
                })
                .await;
            }
            assert_eq!(world.private("/readyz").await.status, 200, "{actor}");
        }
        world.assert_balanced().await;
    }
}
