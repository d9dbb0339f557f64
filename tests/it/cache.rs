//! What a node remembers of the stock saves queries and changes nothing else.

use crate::client::{Api, Reply, send};
use crate::process::{Program, eventually};
use crate::world::{World, on_both, order_of};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

/// The stock of a SKU for somebody who takes it a second old.
pub async fn recent(world: &World, sku: &str) -> Reply {
    let request = world.api.request(Method::GET, &format!("/v1/stock/{sku}"));
    send(request.header("Cache-Control", "max-age=1")).await
}

/// How often this statement was run.
async fn statements(world: &World, name: &str) -> u64 {
    counted(world, &format!("db_statements_total{{statement=\"{name}\"}}")).await
}

async fn counted(world: &World, metric: &str) -> u64 {
    let metrics = world.private("/metrics").await.text;
    let line = metrics.lines().find(|line| line.starts_with(metric));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

/// Fails unless the order is refused as it should be: told, and in the books.
async fn assert_sold_out(world: &World, key: &str) -> String {
    let refused = world.api.place(key, &order_of(&[("HOT", 1)])).await;
    let problem = refused.problem(409, "OUT_OF_STOCK");
    let shortages = json!([{"sku": "HOT", "requested": 1, "available": 0}]);
    assert_eq!(problem["details"]["shortages"], shortages, "{problem}");
    refused.order_id()
}

on_both! {
    async fn what_is_sold_out_is_refused_without_a_look_at_the_shelves(mut world in World) {
        world.terminate().await;
        // Longer than this test takes: then what is counted is exact.
        world.restart_with("ORDERLY_STOCK_CACHE_MS", "60000").await;
        world.stocked("HOT", 1_999, 2).await;
        world.stocked("TEA", 250, 10).await;
        for number in 0..2 {
            world.api.place(&format!("b-{number}"), &order_of(&[("HOT", 1)])).await.expect(201);
        }
        // This one looks, and finds nothing.
        assert_sold_out(&world, "first").await;
        let looks = async || {
            (statements(&world, "reserve").await, statements(&world, "lock_levels").await)
        };
        let before = looks().await;
        let keys: Vec<String> = (0..200).map(|number| format!("r-{number}")).collect();
        let refused = join_all(keys.iter().map(|key| assert_sold_out(&world, key))).await;
        assert_eq!(looks().await, before, "an order looked at the shelves");
        let hits = counted(&world, r#"cache_lookups_total{cache="sold_out",outcome="hit"}"#).await;
        assert!(hits >= 200, "{hits}");
        // They are orders like others: in the books, with a timeline, and the same when asked again.
        for (key, id) in keys.iter().zip(&refused).take(3) {
            assert_eq!(world.order(id).await["status"], "rejected");
            let again = world.api.place(key, &order_of(&[("HOT", 1)])).await;
            assert!(again.is_replay() && again.order_id() == *id, "{}", again.text);
        }
        // Who wants something else is served, and goods that come back are sold at once.
        world.api.place("tea", &order_of(&[("TEA", 1)])).await.expect(201);
        let body = json!({"delta": 1, "reason": "delivery"});
        send(world.api.keyed("/v1/stock/HOT/adjustments", "more", &body)).await.expect(200);
        world.api.place("lucky", &order_of(&[("HOT", 1)])).await.expect(201);
        assert_sold_out(&world, "late").await;
        assert_eq!(world.stock("HOT").await, (3, 3, 0));
        world.assert_balanced().await;
    }

    async fn without_a_memory_everything_is_the_same(mut world in World) {
        world.terminate().await;
        world.restart_with("ORDERLY_STOCK_CACHE_MS", "0").await;
        world.stocked("HOT", 1_999, 1).await;
        world.api.place("b", &order_of(&[("HOT", 1)])).await.expect(201);
        for number in 0..3 {
            assert_sold_out(&world, &format!("r-{number}")).await;
        }
        assert_eq!(recent(&world, "HOT").await.expect(200)["available"], 0);
        let topology = world.api.get("/v1/topology").await.expect(200);
        let nodes = topology["nodes"].as_array().unwrap();
        let cache = nodes.iter().find(|node| node["name"] == "cache").expect("is on the map");
        assert_eq!(cache["health"], "impaired", "{cache}");
        world.assert_balanced().await;
    }

    async fn a_level_may_be_as_old_as_its_reader_says(mut world in World) {
        world.terminate().await;
        world.restart_with("ORDERLY_STOCK_CACHE_MS", "60000").await;
        world.stocked("TEA", 250, 10).await;
        let first = recent(&world, "TEA").await;
        assert_eq!(first.expect(200)["available"], 10);
        assert!(matches!(first.header("age"), "0" | "1"), "{}", first.header("age"));
        // Its own adjustments a node sees at once, and whoever says nothing is told the latest.
        let body = json!({"delta": 5, "reason": "delivery"});
        send(world.api.keyed("/v1/stock/TEA/adjustments", "more", &body)).await.expect(200);
        assert_eq!(recent(&world, "TEA").await.expect(200)["available"], 15);
        world.api.place("o", &order_of(&[("TEA", 1)])).await.expect(201);
        let latest = world.api.get("/v1/stock/TEA").await;
        assert_eq!(latest.expect(200)["available"], 14);
        assert_eq!(latest.header("age"), "");
    }
}

#[tokio::test]
async fn goods_that_one_node_puts_on_the_shelf_are_sold_by_another() {
    let world = World::postgres().await;
    world.stocked("HOT", 1_999, 1).await;
    let data = world.path().join("second").display().to_string();
    let environment = world.environment().with("ORDERLY_DATA_DIR", data);
    let mut second = Program::start(&["serve"], &environment, world.path(), "second");
    let base = second.announced("orderly serves on ").await.unwrap();
    let there = Api { base, ..world.api.clone() };
    let body = order_of(&[("HOT", 1)]);
    world.api.place("b", &body).await.expect(201);
    // The first refusal looks; from then on it remembers.
    for number in 0..2 {
        there.place(&format!("r-{number}"), &body).await.problem(409, "OUT_OF_STOCK");
    }
    let more = json!({"delta": 1, "reason": "delivery"});
    send(world.api.keyed("/v1/stock/HOT/adjustments", "more", &more)).await.expect(200);
    // What it has not heard of it looks for, however many ask for it at once.
    world.stocked("NEW", 250, 300).await;
    let news = order_of(&[("NEW", 1)]);
    let placed = (0..200).map(|number| {
        let (there, news) = (there.clone(), news.clone());
        async move { there.place(&format!("n-{number}"), &news).await }
    });
    for reply in futures_util::future::join_all(placed).await {
        reply.expect(201);
    }
    let mut tries = 0;
    let sold: Value = eventually("the other node sells it", async || {
        tries += 1;
        let reply = there.place(&format!("s-{tries}"), &body).await;
        if reply.status == 201 { Ok(reply.json()) } else { Err(reply.text) }
    })
    .await;
    assert_eq!(sold["status"], "confirmed");
    world.assert_balanced().await;
    drop(second);
}
