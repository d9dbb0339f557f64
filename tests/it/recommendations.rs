//! What is bought together, as the nodes count it in memory.

use crate::client::Api;
use crate::process::{Program, eventually};
use crate::world::{World, on_both, order_of};
use serde_json::{Value, json};

const TEA: &str = "/v1/products/TEA/recommendations";
const SKUS: [&str; 4] = ["TEA", "CUP", "MILK", "SOAP"];

/// Sells `rounds` times three baskets: tea and cup, tea and milk and cup, soap.
async fn sell(world: &World, prefix: &str, rounds: usize) {
    for sku in SKUS {
        world.stocked(sku, 100, 1_000).await;
    }
    let baskets: [&[(&str, i64)]; 3] =
        [&[("TEA", 1), ("CUP", 1)], &[("MILK", 2), ("CUP", 1), ("TEA", 1)], &[("SOAP", 1)]];
    for round in 0..rounds {
        for (number, basket) in baskets.iter().enumerate() {
            let key = format!("{prefix}-{round}-{number}");
            world.api.place(&key, &order_of(basket)).await.expect(201);
        }
    }
}

/// `(sku, orders)` of an answer.
fn rows(found: &Value) -> Vec<(&str, u64)> {
    let data = found["data"].as_array().unwrap().iter();
    data.map(|row| (row["sku"].as_str().unwrap(), row["orders"].as_u64().unwrap())).collect()
}

/// Waits until a node says this, and that it is sure of it.
async fn told(api: &Api, path: &str, expected: &[(&str, u64)]) -> Value {
    eventually(&format!("{path} tells {expected:?}"), async || {
        let found = api.get(path).await.expect(200);
        let is_so = rows(&found) == expected && found["degraded"] == false;
        if is_so { Ok(found) } else { Err(found.to_string()) }
    })
    .await
}

async fn metric(world: &World, name: &str) -> f64 {
    let text = world.private("/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
}

on_both! {
    async fn a_restart_comes_to_the_same_counts(mut world in World) {
        sell(&world, "a", 3).await;
        let before = told(&world.api, TEA, &[("CUP", 6), ("MILK", 3)]).await;
        // 6 together · 9 in all / (6 tea · 6 cup)
        assert_eq!(before["data"][0]["score"], 1.5);
        world.kill();
        world.restart().await;
        assert_eq!(told(&world.api, TEA, &[("CUP", 6), ("MILK", 3)]).await, before);
        sell(&world, "b", 1).await;
        told(&world.api, TEA, &[("CUP", 8), ("MILK", 4)]).await;
        assert!(metric(&world, "recommendations_orders").await >= 12.0);
        assert!(metric(&world, "recommendations_bytes").await >= 1_000.0);
    }

    async fn an_event_that_cannot_be_read_is_passed_over(mut world in World) {
        sell(&world, "a", 3).await;
        told(&world.api, TEA, &[("CUP", 6), ("MILK", 3)]).await;
        world.terminate().await;
        world.expect_errors();
        let spoilt = "UPDATE event SET data = '{}' WHERE type = 'order.confirmed' AND order_id = \
            (SELECT id FROM orders WHERE idempotency_key LIKE '%a-1-1')";
        assert_eq!(world.database.change(spoilt).await, 1);
        world.restart().await;
        told(&world.api, TEA, &[("CUP", 5), ("MILK", 2)]).await;
        let skipped = r#"follower_skipped_total{follower="recommendations"}"#;
        assert!((metric(&world, skipped).await - 1.0).abs() < f64::EPSILON);
        // It goes on behind it, and nothing waits for anybody.
        sell(&world, "b", 1).await;
        told(&world.api, TEA, &[("CUP", 7), ("MILK", 3)]).await;
        assert_eq!(world.database.number("SELECT count(*) FROM parked_event").await, 0);
    }

    async fn dead_recommendations_change_no_order(mut world in World) {
        sell(&world, "a", 1).await;
        world.terminate().await;
        world.expect_errors();
        // It panics at every word of new events, until it is given up.
        world.restart_with("ORDERLY_PANIC_IN", "broker.follower.recommendations:*").await;
        let given_up = r#"actor_health{actor="broker.follower.recommendations"}"#;
        let mut round = 0;
        eventually("the follower is given up", async || {
            round += 1;
            sell(&world, &format!("b-{round}"), 1).await;
            let text = world.private("/metrics").await.text;
            let line = text.lines().find(|line| line.starts_with(given_up)).unwrap_or_default();
            if line.ends_with(" 0") { Ok(()) } else { Err(line.to_owned()) }
        })
        .await;
        sell(&world, "c", 2).await;
        assert_eq!(world.private("/readyz").await.status, 200, "orders do not need it");
        let orders = i64::from((round + 3) * 3);
        let confirmed = "SELECT count(*) FROM orders WHERE status = 'confirmed'";
        assert_eq!(world.database.number(confirmed).await, orders);
        eventually("shipping goes on", async || {
            let shipments = world.database.number("SELECT count(*) FROM shipment").await;
            if shipments == orders { Ok(()) } else { Err(shipments.to_string()) }
        })
        .await;
        let found = eventually("the answer says that it grows old", async || {
            let found = world.api.get(TEA).await.expect(200);
            if found["degraded"] == true { Ok(found) } else { Err(found.to_string()) }
        })
        .await;
        assert!(rows(&found).iter().all(|(sku, _)| *sku != "TEA"), "{found}");
        world.assert_balanced().await;
    }

    async fn without_memory_there_are_none_and_orders_go_on(mut world in World) {
        world.terminate().await;
        world.restart_with("ORDERLY_RECOMMENDATIONS_MEMORY_MIB", "0").await;
        sell(&world, "a", 2).await;
        let nothing = json!({"data": [], "degraded": true});
        assert_eq!(world.api.get(TEA).await.expect(200), nothing);
        eventually("the follower has read", async || {
            let read = r#"follower_events_total{follower="recommendations"}"#;
            let read = metric(&world, read).await;
            if read >= 6.0 { Ok(()) } else { Err(read.to_string()) }
        })
        .await;
        assert_eq!(world.api.get(TEA).await.expect(200), nothing);
        world.assert_balanced().await;
    }

    async fn a_customer_is_told_what_goes_with_what_they_bought(world in World) {
        let customer = async |name: &str| {
            let body = json!({"name": name, "external_ref": name});
            let made = world.api.post("/v1/customers", &body).await.expect(201);
            made["id"].as_str().unwrap().to_owned()
        };
        let (buyer, stranger) = (customer("buyer").await, customer("stranger").await);
        sell(&world, "a", 2).await;
        let mut order = order_of(&[("TEA", 1)]);
        order["customer_id"] = json!(buyer);
        world.api.place("theirs", &order).await.expect(201);
        let path = format!("/v1/customers/{buyer}/recommendations");
        told(&world.api, &path, &[("CUP", 4), ("MILK", 2)]).await;
        let one = world.api.get(&format!("{path}?limit=1")).await.expect(200);
        assert_eq!(rows(&one), [("CUP", 4)]);
        // Of somebody who has bought nothing nothing is known: the best sellers.
        let path = format!("/v1/customers/{stranger}/recommendations?limit=2");
        eventually("the best sellers are told", async || {
            let found = world.api.get(&path).await.expect(200);
            let best = rows(&found) == [("TEA", 5), ("CUP", 4)] && found["degraded"] == true;
            if best { Ok(()) } else { Err(found.to_string()) }
        })
        .await;
        for nobody in ["0190a000-0000-7000-8000-000000000000", "7"] {
            let path = format!("/v1/customers/{nobody}/recommendations");
            world.api.get(&path).await.problem(404, "NOT_FOUND");
        }
        let path = format!("/v1/customers/{buyer}/recommendations?limit=0");
        world.api.get(&path).await.problem(400, "INVALID_PARAMETER");
    }

    async fn the_group_of_the_version_before_is_gone(mut world in World) {
        sell(&world, "a", 1).await;
        world.terminate().await;
        // As the version before left it: behind, and with an event that it could not digest.
        for old in [
            "DELETE FROM _sqlx_migrations WHERE version = 4",
            "INSERT INTO consumer_position (consumer, partition, seq) \
             SELECT 'recommendations', partition, 0 FROM consumer_position",
            "INSERT INTO parked_event (consumer, order_id, version, partition, seq, attempts, \
             next_attempt_at, dead_since, last_error) \
             SELECT 'recommendations', order_id, version, partition, seq, 10, at, at, 'old' \
             FROM event WHERE version = 1",
        ] {
            assert!(world.database.change(old).await > 0, "{old}");
        }
        world.restart().await;
        let dead = world.api.get("/v1/dead-letters").await.expect(200);
        assert_eq!(dead["data"], json!([]));
        let rows = "SELECT count(*) FROM consumer_position WHERE consumer <> 'shipping'";
        assert_eq!(world.database.number(rows).await, 0);
        told(&world.api, TEA, &[("CUP", 2), ("MILK", 1)]).await;
    }
}

#[tokio::test]
async fn two_nodes_come_to_the_same_counts() {
    let world = World::postgres().await;
    sell(&world, "a", 4).await;
    let data = world.path().join("second").display().to_string();
    let environment = world.environment().with("ORDERLY_DATA_DIR", data);
    let mut second = Program::start(&["serve"], &environment, world.path(), "second");
    let base = second.announced("orderly serves on ").await.unwrap();
    let there = Api { base, ..world.api.clone() };
    // What was sold before it started, and what the other node sells.
    let both = async |expected: &[(&str, u64)]| {
        let here = told(&world.api, TEA, expected).await;
        assert_eq!(told(&there, TEA, expected).await, here);
    };
    both(&[("CUP", 8), ("MILK", 4)]).await;
    sell(&world, "b", 2).await;
    both(&[("CUP", 12), ("MILK", 6)]).await;
    // And the other way round.
    there.place("there", &order_of(&[("TEA", 1), ("SOAP", 1)])).await.expect(201);
    both(&[("CUP", 12), ("MILK", 6), ("SOAP", 1)]).await;
    drop(second);
}
