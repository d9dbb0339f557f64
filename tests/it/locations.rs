//! Where goods lie: locations, moves between them, and the ledger of a SKU.

use crate::client::{Reply, points_at, send, try_send};
use crate::idempotency::assert_replayed;
use crate::world::{World, on_both, order_of};
use futures_util::future::{join_all, join3};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Makes a location, or gives it another rank.
async fn location(world: &World, name: &str, rank: i64) {
    let made = world.api.put(&format!("/v1/stock-locations/{name}"), &json!({"rank": rank})).await;
    assert_eq!(made.expect(200), json!({"name": name, "rank": rank}));
}

/// Adds units of TEA at a location, or takes them away.
async fn adjust(world: &World, key: &str, delta: i64, location: &str) -> Reply {
    let body = json!({"delta": delta, "location": location, "reason": "count"});
    send(world.api.keyed("/v1/stock/TEA/adjustments", key, &body)).await
}

async fn move_tea(world: &World, key: &str, quantity: i64, from: &str, to: &str) -> Reply {
    let body = json!({"quantity": quantity, "from": from, "to": to});
    send(world.api.keyed("/v1/stock/TEA/moves", key, &body)).await
}

/// Location, on hand and available of TEA; the sums equal the totals.
async fn lies(world: &World) -> Vec<(String, i64, i64)> {
    let stock = world.api.get("/v1/stock/TEA").await.expect(200);
    let number = |value: &Value, member: &str| value[member].as_i64().unwrap();
    let found: Vec<(String, i64, i64)> = stock["locations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|at| {
            let name = at["location"].as_str().unwrap().to_owned();
            (name, number(at, "on_hand"), number(at, "available"))
        })
        .collect();
    let sum = |pick: fn(&(String, i64, i64)) -> i64| found.iter().map(pick).sum::<i64>();
    assert_eq!(sum(|at| at.1), number(&stock, "on_hand"), "{stock}");
    assert_eq!(sum(|at| at.2), number(&stock, "available"), "{stock}");
    found
}

fn places(parts: &[(&str, i64, i64)]) -> Vec<(String, i64, i64)> {
    parts.iter().map(|(name, here, free)| ((*name).to_owned(), *here, *free)).collect()
}

/// All entries of the ledger of TEA, newest first, read in pages of `limit`.
async fn ledger(world: &World, limit: usize) -> Vec<Value> {
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/stock/TEA/movements?limit={limit}{cursor}");
        let page = world.api.get(&path).await.expect(200);
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= limit, "{page}");
        entries.extend(data.iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else {
            assert_eq!(page["has_more"], false);
            return entries;
        };
        cursor = format!("&cursor={next}");
    }
}

on_both! {
    async fn locations_are_listed_in_the_order_in_which_goods_leave(world in World) {
        for (name, rank) in [("north", 5), ("attic", 0), ("zoo", 0), ("cellar", 5)] {
            location(&world, name, rank).await;
        }
        location(&world, "north", 1).await;
        let mut found = Vec::new();
        let mut path = "/v1/stock-locations?limit=2".to_owned();
        loop {
            let page = world.api.get(&path).await.expect(200);
            found.extend(page["data"].as_array().unwrap().iter().map(|at| at["name"].clone()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/stock-locations?limit=2&cursor={cursor}");
        }
        assert_eq!(found, ["attic", "main", "zoo", "north", "cellar"]);
        // The main location is always there, and first among those of its rank by name alone.
        location(&world, "main", 0).await;
        for (name, body) in [("main", json!({"rank": 1})), ("north", json!({"rank": -1}))] {
            let reply = world.api.put(&format!("/v1/stock-locations/{name}"), &body).await;
            let problem = reply.problem(422, "VALIDATION_FAILED");
            assert!(points_at(&problem, "/rank"), "{problem}");
        }
        let long = format!("/v1/stock-locations/{}", "x".repeat(65));
        world.api.put(&long, &json!({"rank": 1})).await.problem(422, "VALIDATION_FAILED");
        for query in ["limit=0", "limit=101", "sort=name"] {
            let reply = world.api.get(&format!("/v1/stock-locations?{query}")).await;
            reply.problem(400, "INVALID_PARAMETER");
        }
        world.api.get("/v1/stock-locations?cursor=AAAA").await.problem(400, "INVALID_CURSOR");
    }

    async fn stock_lies_where_it_was_brought(world in World) {
        world.stocked("TEA", 100, 10).await;
        assert_eq!(lies(&world).await, places(&[("main", 10, 10)]));
        let unknown = adjust(&world, "a-1", 5, "north").await;
        let problem = unknown.problem(422, "VALIDATION_FAILED");
        assert!(points_at(&problem, "/location"), "{problem}");
        location(&world, "north", 1).await;
        location(&world, "attic", 0).await;
        // The key is free: nothing was judged under it.
        let added = adjust(&world, "a-1", 5, "north").await;
        assert_eq!((&added.expect(200)["on_hand"], added.is_replay()), (&json!(15), false));
        adjust(&world, "a-2", 2, "attic").await.expect(200);
        world.api.place("k-1", &order_of(&[("TEA", 13)])).await.expect(201);
        // Promises are laid over the locations in the order in which goods leave.
        let all = places(&[("attic", 2, 0), ("main", 10, 0), ("north", 5, 4)]);
        assert_eq!(lies(&world).await, all);
        // No more can be taken than lies there, nor than is free in all.
        let problem = adjust(&world, "a-3", -3, "attic").await.problem(409, "INSUFFICIENT_STOCK");
        assert_eq!(problem["details"]["available"], 2);
        let problem = adjust(&world, "a-4", -5, "north").await.problem(409, "INSUFFICIENT_STOCK");
        assert_eq!(problem["details"]["available"], 4);
        adjust(&world, "a-5", -4, "north").await.expect(200);
        let all = places(&[("attic", 2, 0), ("main", 10, 0), ("north", 1, 0)]);
        assert_eq!(lies(&world).await, all);
        let lines = [
            r#"{"sku":"TEA","delta":3,"location":"attic"}"#,
            r#"{"sku":"TEA","delta":3,"location":"nowhere"}"#,
            r#"{"sku":"TEA","delta":-1,"location":"attic"}"#,
        ]
        .map(str::to_owned);
        let outcomes = world.api.stream("/v1/stock:batch", Some("s"), &lines).await;
        assert_eq!(outcomes.status(1), (200, ""));
        assert_eq!(outcomes.status(2), (422, "VALIDATION_FAILED"));
        assert!(points_at(&outcomes.of(2)["error"], "/location"), "{outcomes:?}");
        assert_eq!(outcomes.of(3)["stock"]["available"], 2);
        assert_eq!(lies(&world).await, places(&[("attic", 4, 0), ("main", 10, 1), ("north", 1, 1)]));
        // The rank of the attic rises: goods leave it last now.
        location(&world, "attic", 9).await;
        assert_eq!(lies(&world).await, places(&[("main", 10, 0), ("north", 1, 0), ("attic", 4, 2)]));
        world.assert_balanced().await;
    }

    async fn units_are_moved_once(mut world in World) {
        world.stocked("TEA", 100, 10).await;
        location(&world, "north", 1).await;
        world.api.place("k-1", &order_of(&[("TEA", 9)])).await.expect(201);
        let first = move_tea(&world, "m-1", 6, "main", "north").await;
        let told = first.expect(200);
        assert_eq!((&told["on_hand"], &told["reserved"]), (&json!(10), &json!(9)));
        assert_eq!(told["locations"], json!([
            {"location": "main", "on_hand": 4, "available": 0},
            {"location": "north", "on_hand": 6, "available": 1},
        ]));
        assert_eq!(lies(&world).await, places(&[("main", 4, 0), ("north", 6, 1)]));
        let refused = move_tea(&world, "m-2", 5, "main", "north").await;
        assert_eq!(refused.problem(409, "INSUFFICIENT_STOCK")["details"]["available"], 4);
        adjust(&world, "a-1", 50, "main").await.expect(200);
        world.kill();
        world.restart().await;
        assert_replayed(&first, &move_tea(&world, "m-1", 6, "main", "north").await);
        assert_replayed(&refused, &move_tea(&world, "m-2", 5, "main", "north").await);
        move_tea(&world, "m-1", 7, "main", "north").await.problem(422, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(lies(&world).await, places(&[("main", 54, 45), ("north", 6, 6)]));

        for (body, pointer) in [
            (json!({"quantity": 0, "from": "main", "to": "north"}), "/quantity"),
            (json!({"quantity": 1.5, "from": "main", "to": "north"}), "/quantity"),
            (json!({"from": "main", "to": "north"}), "/quantity"),
            (json!({"quantity": 1, "from": "main", "to": "main"}), "/to"),
            (json!({"quantity": 1, "from": "nowhere", "to": "main"}), "/from"),
            (json!({"quantity": 1, "from": "main", "to": "nowhere"}), "/to"),
        ] {
            let reply = send(world.api.keyed("/v1/stock/TEA/moves", "m-3", &body)).await;
            let problem = reply.problem(422, "VALIDATION_FAILED");
            assert!(points_at(&problem, pointer), "{problem}");
        }
        let body = json!({"quantity": 1, "from": "main", "to": "north"});
        let keyless = world.api.post("/v1/stock/TEA/moves", &body).await;
        keyless.problem(400, "IDEMPOTENCY_KEY_REQUIRED");
        let never = send(world.api.keyed("/v1/stock/NEVER/moves", "m-4", &body)).await;
        assert_eq!(never.problem(409, "INSUFFICIENT_STOCK")["details"]["available"], 0);
        assert_eq!(lies(&world).await, places(&[("main", 54, 45), ("north", 6, 6)]));
        world.assert_balanced().await;
    }

    async fn a_refused_adjustment_is_refused_in_the_same_words(mut world in World) {
        world.stocked("TEA", 100, 10).await;
        let refused = adjust(&world, "a-1", -11, "main").await;
        refused.problem(409, "INSUFFICIENT_STOCK");
        assert!(!refused.is_replay());
        for (round, end) in ["none", "terminate", "kill"].into_iter().enumerate() {
            match end {
                "terminate" => assert_eq!(world.terminate().await.code(), Some(0)),
                "kill" => world.kill(),
                _ => {}
            }
            if end != "none" {
                world.restart().await;
            }
            // By now there would be enough.
            adjust(&world, &format!("more-{round}"), 100, "main").await.expect(200);
            assert_replayed(&refused, &adjust(&world, "a-1", -11, "main").await);
        }
        adjust(&world, "a-1", -12, "main").await.problem(422, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(world.stock("TEA").await, (310, 0, 310));
        world.assert_balanced().await;
    }

    async fn a_crash_around_the_commit_leaves_the_truth_to_the_key(mut world in World) {
        world.stocked("TEA", 100, 10).await;
        location(&world, "north", 1).await;
        for (point, committed) in [("adjust.before_commit", false), ("adjust.after_commit", true)] {
            let key = point.replace('.', "-");
            assert_eq!(world.terminate().await.code(), Some(0));
            world.restart_with("ORDERLY_CRASH_AT", point).await;
            let body = json!({"quantity": 2, "from": "main", "to": "north"});
            let lost = world.api.keyed("/v1/stock/TEA/moves", &key, &body);
            assert!(try_send(lost).await.is_err(), "{point}: the server lives");
            assert!(!world.stopped().await.success());
            world.restart_with("ORDERLY_CRASH_AT", "").await;
            let again = move_tea(&world, &key, 2, "main", "north").await;
            again.expect(200);
            assert_eq!(again.is_replay(), committed, "{point}");
        }
        assert_eq!(lies(&world).await, places(&[("main", 6, 6), ("north", 4, 4)]));
        world.assert_balanced().await;
    }

    async fn moves_do_not_get_in_the_way_of_orders(world in World) {
        world.stocked("TEA", 100, 40).await;
        location(&world, "north", 1).await;
        adjust(&world, "a-1", 40, "north").await.expect(200);
        // More is ordered than there is, while units go to and fro.
        let orders = (0..60).map(|number| {
            let (api, body) = (&world.api, order_of(&[("TEA", 2)]));
            async move { api.place(&format!("k-{number}"), &body).await.status }
        });
        let world = &world;
        let moves = (0..60).map(|number| {
            let (from, to) = if number % 2 == 0 { ("main", "north") } else { ("north", "main") };
            async move { move_tea(world, &format!("m-{number}"), 9, from, to).await.status }
        });
        let reads = (0..30).map(|_| lies(world));
        let (orders, moves, reads) = join3(join_all(orders), join_all(moves), join_all(reads)).await;
        let count = |status| orders.iter().filter(|found| **found == status).count();
        assert_eq!((count(201), count(409)), (40, 20), "{orders:?}");
        let statuses: BTreeSet<u16> = moves.iter().copied().collect();
        assert!(statuses.is_subset(&BTreeSet::from([200, 409])), "{statuses:?}");
        assert!(moves.contains(&200), "no move was possible");
        // A move is seen whole or not at all.
        for seen in &reads {
            assert_eq!(seen.iter().map(|(_, here, _)| here).sum::<i64>(), 80, "{seen:?}");
        }
        assert_eq!(world.stock("TEA").await, (80, 80, 0));
        let moved = i64::try_from(moves.iter().filter(|status| **status == 200).count()).unwrap();
        let entries = ledger(world, 100).await;
        let kept = entries.iter().filter(|entry| entry["kind"] == "move").count();
        assert_eq!(i64::try_from(kept).unwrap(), moved);
        world.assert_balanced().await;
    }

    async fn the_ledger_tells_of_every_unit(world in World) {
        world.stocked("TEA", 100, 5).await;
        world.stocked("CUP", 100, 5).await;
        location(&world, "attic", 0).await;
        adjust(&world, "a-1", 4, "attic").await.expect(200);
        adjust(&world, "a-2", -1, "main").await.expect(200);
        move_tea(&world, "m-1", 2, "main", "attic").await.expect(200);
        adjust(&world, "a-3", -99, "attic").await.problem(409, "INSUFFICIENT_STOCK");
        let order = world.api.place("k-1", &order_of(&[("TEA", 7)])).await.order_id();
        let step = async |step: &str, key: &str, body: Value| {
            let path = format!("/v1/orders/{order}/{step}");
            send(world.api.keyed(&path, key, &body)).await.expect(201);
        };
        let lines = |quantity: i64| json!([{"sku": "TEA", "quantity": quantity}]);
        step("shipments", "s-1", json!({"lines": lines(7)})).await;
        step("returns", "r-1", json!({"lines": lines(2), "restock": true})).await;
        step("returns", "r-2", json!({"lines": lines(1), "restock": false})).await;

        let entries = ledger(&world, 100).await;
        let told: Vec<(&str, i64, &Value, &Value)> = entries
            .iter()
            .rev()
            .map(|entry| {
                let delta = entry["delta"].as_i64().unwrap();
                (entry["kind"].as_str().unwrap(), delta, &entry["from"], &entry["to"])
            })
            .collect();
        let (none, main, attic) = (&Value::Null, &json!("main"), &json!("attic"));
        let shipped = [("shipment", -6, attic, none), ("shipment", -1, main, none)];
        assert_eq!(told[..4], [
            ("adjustment", 5, none, main),
            ("adjustment", 4, none, attic),
            ("adjustment", -1, main, none),
            ("move", 0, main, attic),
        ]);
        assert_eq!(told[4..6], shipped);
        assert_eq!(told[6..], [("return", 2, none, main), ("discard", 0, none, none)]);
        let on_hand: i64 = told.iter().map(|(_, delta, _, _)| delta).sum();
        assert_eq!(world.stock("TEA").await, (on_hand, 0, on_hand));
        assert_eq!(lies(&world).await, places(&[("attic", 0, 0), ("main", 3, 3)]));
        for entry in &entries {
            let for_order = ["shipment", "return", "discard"].map(Value::from);
            let expected = if for_order.contains(&entry["kind"]) { json!(order) } else { Value::Null };
            assert_eq!(entry["order_id"], expected, "{entry}");
            assert_eq!(entry["reason"].is_string(), entry["kind"] == "adjustment", "{entry}");
            assert!(entry["at"].is_string() && entry["id"].is_string(), "{entry}");
            assert!(entry["quantity"].as_i64() >= Some(1), "{entry}");
        }
        assert_eq!(entries.last().unwrap()["actor"], "key:admin");
        for limit in [1, 3, 7, 8] {
            assert_eq!(ledger(&world, limit).await, entries, "limit {limit}");
        }
        let page = world.api.get("/v1/stock/TEA/movements?limit=1").await.expect(200);
        let cursor = page["next_cursor"].as_str().unwrap();
        let other = world.api.get(&format!("/v1/stock/CUP/movements?cursor={cursor}")).await;
        other.problem(400, "INVALID_CURSOR");
        world.api.get("/v1/stock/NEVER/movements").await.problem(404, "NOT_FOUND");
        world.assert_balanced().await;
    }
}
