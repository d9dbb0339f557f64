//! Lists: filters, pages without a skipped or repeated row, and what is refused.

use crate::client::Reply;
use crate::world::{World, on_both, order_of};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

/// All rows of a list, page by page, each of at most `limit` rows.
async fn walk(world: &World, list: &str, limit: usize) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    let joint = if list.contains('?') { '&' } else { '?' };
    loop {
        let page = world.api.get(&format!("{list}{joint}limit={limit}{cursor}")).await.expect(200);
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= limit, "{page}");
        rows.extend(data.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => {
                assert_eq!((&page["has_more"], data.len()), (&json!(true), limit));
                cursor = format!("&cursor={next}");
            }
            None => {
                assert_eq!(page["has_more"], false);
                return rows;
            }
        }
    }
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

async fn place(world: &World, prefix: &str, count: usize, body: &Value) -> Vec<Reply> {
    let orders = (0..count).map(|number| {
        let (api, key) = (&world.api, format!("{prefix}-{number}"));
        async move { api.place(&key, body).await }
    });
    join_all(orders).await
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort_unstable();
    ids
}

on_both! {
    async fn pages_skip_and_repeat_nothing_while_orders_come_in(world in World) {
        world.stocked("TEA", 100, 100_000).await;
        let body = order_of(&[("TEA", 1)]);
        let before: Vec<String> =
            place(&world, "before", 45, &body).await.iter().map(Reply::order_id).collect();
        let stop = AtomicBool::new(false);
        let writer = async {
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) {
                for reply in place(&world, &format!("during-{round}"), 4, &body).await {
                    reply.expect(201);
                }
                round += 1;
            }
            round
        };
        let reader = async {
            let mut walks = Vec::new();
            for limit in [1, 7, 20, 44, 45] {
                walks.push((limit, ids(&walk(&world, "/v1/orders", limit).await)));
            }
            stop.store(true, Ordering::Relaxed);
            walks
        };
        let (rounds, walks) = join(writer, reader).await;
        assert!(rounds > 0);
        for (limit, found) in walks {
            let unique: BTreeSet<&String> = found.iter().collect();
            assert_eq!(unique.len(), found.len(), "limit {limit}: an order came twice");
            assert!(found.is_sorted_by(|a, b| a > b), "limit {limit}: newest first");
            for id in &before {
                assert!(unique.contains(id), "limit {limit}: {id} was skipped");
            }
        }
    }

    async fn orders_can_be_filtered(world in World) {
        world.stocked("TEA", 100, 12).await;
        let customer = world.api.post("/v1/customers", &json!({"name": "Ada"})).await.expect(201);
        let customer = customer["id"].as_str().unwrap();
        let mut theirs = order_of(&[("TEA", 1)]);
        theirs["customer_id"] = json!(customer);
        theirs["external_ref"] = json!("basket &?/ä");
        let early: Vec<String> = place(&world, "a", 5, &order_of(&[("TEA", 1)]))
            .await
            .iter()
            .map(Reply::order_id)
            .collect();
        let middle = world.api.place("m", &theirs).await;
        let late: Vec<String> =
            place(&world, "b", 4, &theirs).await.iter().map(Reply::order_id).collect();
        let short: Vec<String> = place(&world, "c", 3, &order_of(&[("TEA", 50)]))
            .await
            .iter()
            .map(Reply::order_id)
            .collect();
        let middle_at = middle.expect(201)["created_at"].as_str().unwrap().to_owned();
        let with_middle = |others: &[String]| sorted([others, &[middle.order_id()]].concat());
        let list =
            async |query: &str| sorted(ids(&walk(&world, &format!("/v1/orders?{query}"), 2).await));
        assert_eq!(list("status=rejected").await, sorted(short.clone()));
        assert_eq!(list("status=pending").await, Vec::<String>::new());
        assert_eq!(list(&format!("customer_id={customer}")).await, with_middle(&late));
        let reference = "external_ref=basket%20%26%3F%2F%C3%A4";
        assert_eq!(list(reference).await, with_middle(&late));
        assert_eq!(list("external_ref=basket").await, Vec::<String>::new());
        assert_eq!(list(&format!("{reference}&status=rejected")).await, Vec::<String>::new());
        let both = format!("{reference}&status=confirmed&customer_id={customer}");
        assert_eq!(list(&both).await, with_middle(&late));
        // Times are told in milliseconds: orders of the same one may fall on either side.
        let after = walk(&world, &format!("/v1/orders?created_after={middle_at}"), 3).await;
        assert!(after.iter().all(|order| order["created_at"].as_str() >= Some(&*middle_at)));
        assert!(late.iter().chain(&short).all(|id| ids(&after).contains(id)), "{after:?}");
        let until = walk(&world, &format!("/v1/orders?created_before={middle_at}"), 3).await;
        assert!(until.iter().all(|order| order["created_at"].as_str() <= Some(&*middle_at)));
        for id in &early {
            let at = world.order(id).await["created_at"].clone();
            assert!(ids(&until).contains(id) || at == json!(middle_at), "{id} {at}: {until:?}");
        }
        assert_eq!(list("created_before=2001-01-01T00:00:00Z").await, Vec::<String>::new());
        let window =
            "created_after=2001-01-01T00:00:00Z&created_before=2999-01-01T00:00:00%2B01:00";
        assert_eq!(list(window).await.len(), 13);
    }

    async fn other_lists_are_walked_the_same_way(world in World) {
        let lines = |count: usize, line: fn(usize) -> Value| -> Vec<String> {
            (0..count).map(|number| line(number).to_string()).collect()
        };
        let products = lines(23, |n| {
            json!({"sku": format!("P{n:03}"), "name": "p",
                "category": if n % 2 == 0 { "even" } else { "odd" }, "unit_amount": n,
                "currency": "USD"})
        });
        world.api.stream("/v1/products:batch", None, &products).await;
        let stock = lines(23, |n| json!({"sku": format!("P{n:03}"), "delta": n + 1}));
        world.api.stream("/v1/stock:batch", None, &stock).await;
        let customers =
            lines(23, |n| json!({"name": format!("c{n}"), "external_ref": format!("c{n}")}));
        world.api.stream("/v1/customers:batch", None, &customers).await;
        let skus = |rows: &[Value]| -> Vec<String> {
            rows.iter().map(|row| row["sku"].as_str().unwrap().to_owned()).collect()
        };
        let all: Vec<String> = (0..23).map(|n| format!("P{n:03}")).collect();
        let even: Vec<String> = all.iter().step_by(2).cloned().collect();
        for limit in [1, 22, 23, 100] {
            assert_eq!(skus(&walk(&world, "/v1/products", limit).await), all);
            assert_eq!(skus(&walk(&world, "/v1/products?category=even", limit).await), even);
            assert_eq!(skus(&walk(&world, "/v1/stock", limit).await), all);
            let found = ids(&walk(&world, "/v1/customers", limit).await);
            let unique: BTreeSet<&String> = found.iter().collect();
            assert_eq!((found.len(), unique.len()), (23, 23));
        }
    }

    async fn what_is_no_page_is_refused(world in World) {
        world.stocked("TEA", 100, 100).await;
        place(&world, "k", 3, &order_of(&[("TEA", 1)])).await;
        for list in ["/v1/orders", "/v1/products", "/v1/stock", "/v1/customers"] {
            for limit in ["0", "101", "-1", "1.5", "x", "", "99999999999999999999"] {
                let reply = world.api.get(&format!("{list}?limit={limit}")).await;
                let problem = reply.problem(400, "INVALID_PARAMETER");
                assert_eq!(problem["details"]["parameter"], "limit", "{list} {limit}");
            }
            world.api.get(&format!("{list}?nonsense=1")).await.problem(400, "INVALID_PARAMETER");
            for cursor in ["x", "", "AAAA", "%00", &"A".repeat(400)] {
                let reply = world.api.get(&format!("{list}?cursor={cursor}")).await;
                let code = if cursor == "%00" { "INVALID_PARAMETER" } else { "INVALID_CURSOR" };
                reply.problem(400, code);
            }
        }
        let page = world.api.get("/v1/orders?limit=1").await.expect(200);
        let cursor = page["next_cursor"].as_str().unwrap();
        for at in [0, cursor.len() / 2, cursor.len() - 2] {
            let mut bytes = cursor.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let tampered = String::from_utf8(bytes).unwrap();
            let reply = world.api.get(&format!("/v1/orders?limit=1&cursor={tampered}")).await;
            reply.problem(400, "INVALID_CURSOR");
        }
        for list in ["/v1/orders?status=confirmed&", "/v1/customers?", "/v1/stock?"] {
            let reply = world.api.get(&format!("{list}cursor={cursor}")).await;
            reply.problem(400, "INVALID_CURSOR");
        }
        for bad in [
            "status=lost",
            "customer_id=7",
            "created_after=yesterday",
            "created_before=2026-13-01T00:00:00Z",
        ] {
            world.api.get(&format!("/v1/orders?{bad}")).await.problem(400, "INVALID_PARAMETER");
        }
        // A cursor outlives the server that gave it.
        world.api.get(&format!("/v1/orders?limit=1&cursor={cursor}")).await.expect(200);
    }
}
