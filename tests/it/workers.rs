//! What the workers behind the broker make of confirmed orders.

use crate::client::try_send;
use crate::process::{Program, eventually};
use crate::world::{World, on_both, order_of};
use futures_util::future::join_all;
use serde_json::json;

const SHIPMENTS: &str = "SELECT count(*) FROM shipment";

/// Events that a group has not passed.
const BEHIND: &str = "SELECT count(*) FROM consumer_position p JOIN event e \
    ON e.partition = p.partition AND e.seq > p.seq";

async fn wait_for_shipments(world: &World, count: i64) {
    eventually("the workers have prepared the shipments", async || {
        let found = world.database.number(SHIPMENTS).await;
        if found == count { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
}

/// Waits until every group has passed every event.
async fn caught_up(world: &World) {
    eventually("the workers have caught up", async || match world.database.number(BEHIND).await {
        0 => Ok(()),
        behind => Err(behind.to_string()),
    })
    .await;
}

/// Starts the program, which dies at the first commit of a worker, until it has nothing to commit
/// any more; how often it died.
async fn deaths_until_it_lives(world: &World) -> usize {
    // Of either group: once of the batch, then twice of each of the two events.
    for deaths in 0..=10 {
        let mut program = Program::start(&["serve"], &world.environment(), world.path(), "mortal");
        let lives = eventually("the program dies, or has passed all events", async || {
            if !program.runs() {
                return Ok(false);
            }
            match world.database.number(BEHIND).await {
                0 => Ok(true),
                behind => Err(behind.to_string()),
            }
        })
        .await;
        if lives {
            program.ask_to_stop();
            program.ended().await;
            return deaths;
        }
    }
    panic!("the program dies for ever");
}

on_both! {
    async fn a_program_that_dies_of_its_workers_comes_up_and_loses_nothing(mut world in World) {
        world.stocked("TEA", 100, 10).await;
        assert_eq!(world.terminate().await.code(), Some(0));
        world.restart_with("ORDERLY_CRASH_AT", "broker.before_commit").await;
        // The worker may be faster than the answer.
        let _ = try_send(world.api.keyed("/v1/orders", "k", &order_of(&[("TEA", 1)]))).await;
        assert!(!world.stopped().await.success(), "nobody died");
        assert!(deaths_until_it_lives(&world).await > 0);
        world.restart_with("ORDERLY_CRASH_AT", "").await;
        // Its payment may have been under way: then recovery goes on with it.
        eventually("the client is told", async || {
            let told = world.api.place("k", &order_of(&[("TEA", 1)])).await;
            if told.status == 201 { Ok(()) } else { Err(told.text) }
        })
        .await;
        wait_for_shipments(&world, 1).await;
        eventually("nothing is parked any more", async || {
            match world.database.number("SELECT count(*) FROM parked_event").await {
                0 => Ok(()),
                parked => Err(parked.to_string()),
            }
        })
        .await;
        world.assert_balanced().await;
    }

    async fn what_is_bought_together_is_recommended(world in World) {
        for sku in ["TEA", "CUP", "MILK", "SOAP"] {
            world.stocked(sku, 100, 1_000).await;
        }
        let path = "/v1/products/TEA/recommendations";
        // A node that has just started first reads the log.
        eventually("nothing is bought together yet", async || {
            let found = world.api.get(path).await.expect(200);
            let nothing = json!({"data": [], "degraded": false});
            if found == nothing { Ok(()) } else { Err(found.to_string()) }
        })
        .await;
        let baskets: [&[(&str, i64)]; 6] = [
            &[("TEA", 1), ("CUP", 1)],
            &[("TEA", 2), ("CUP", 1)],
            &[("CUP", 1), ("TEA", 1)],
            &[("TEA", 1), ("MILK", 3)],
            &[("SOAP", 1)],
            &[("SOAP", 1), ("MILK", 1)],
        ];
        for (number, basket) in baskets.iter().enumerate() {
            world.api.place(&format!("k-{number}"), &order_of(basket)).await.expect(201);
        }
        // Orders that came to nothing count for nothing.
        let short = order_of(&[("TEA", 9_999), ("SOAP", 1)]);
        world.api.place("short", &short).await.problem(409, "OUT_OF_STOCK");
        let found = eventually("the orders are counted", async || {
            let found = world.api.get(path).await.expect(200);
            let data = found["data"].as_array().unwrap();
            let orders = data.iter().map(|row| (&row["sku"], &row["orders"]));
            let all = [(&json!("CUP"), &json!(3)), (&json!("MILK"), &json!(1))];
            if orders.eq(all) { Ok(found) } else { Err(found.to_string()) }
        })
        .await;
        // 3 together · 6 in all / (4 tea · 3 cup), and 1 · 6 / (4 tea · 2 milk).
        assert_eq!(found["data"][0]["score"], 1.5, "{found}");
        assert_eq!(found["data"][1]["score"], 0.75, "{found}");
        let one = world.api.get(&format!("{path}?limit=1")).await.expect(200);
        assert_eq!(one["data"].as_array().unwrap().len(), 1);
        // What is not sold any more is not recommended.
        let retired = json!({"name": "cup", "unit_amount": 1, "currency": "USD", "active": false});
        world.api.put("/v1/products/CUP", &retired).await.expect(200);
        let found = world.api.get(path).await.expect(200);
        assert_eq!(found["data"][0]["sku"], "MILK", "{found}");
        world.api.get("/v1/products/NEVER/recommendations").await.problem(404, "NOT_FOUND");
    }

    async fn every_confirmed_order_is_shipped_once_also_after_a_crash(mut world in World) {
        world.stocked("TEA", 100, 60).await;
        let place = async |world: &World, prefix: &str| {
            let orders = (0..40).map(|number| {
                let (api, key) = (&world.api, format!("{prefix}-{number}"));
                async move { api.place(&key, &order_of(&[("TEA", 1)])).await.status }
            });
            join_all(orders).await.iter().filter(|status| **status == 201).count()
        };
        assert_eq!(place(&world, "a").await, 40);
        // The workers may be anywhere in their work now.
        world.kill();
        world.restart().await;
        assert_eq!(place(&world, "b").await, 20);
        wait_for_shipments(&world, 60).await;
        caught_up(&world).await;
        assert_eq!(world.database.number(SHIPMENTS).await, 60);
        let orders = "SELECT count(*) FROM shipment s JOIN orders o ON o.id = s.order_id \
            WHERE o.status = 'confirmed'";
        assert_eq!(world.database.number(orders).await, 60);
        // Each order is counted once, whatever was repeated.
        eventually("the orders are counted", async || {
            let metrics = world.private("/metrics").await.text;
            let counted = metrics.lines().find(|line| line.starts_with("recommendations_orders "));
            if counted == Some("recommendations_orders 60") { Ok(()) } else { Err(metrics) }
        })
        .await;
        assert_eq!(world.database.number("SELECT count(*) FROM parked_event").await, 0);
        world.assert_balanced().await;
    }
}
