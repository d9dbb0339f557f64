//! The same request twice: once in effect, and the same answer byte for byte.

use crate::client::{Api, Reply, send};
use crate::world::{World, on_both, order_of};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeSet;

/// Fails unless `again` is `first` told once more.
pub fn assert_replayed(first: &Reply, again: &Reply) {
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert!(again.is_replay(), "{again:?}");
    for header in ["location", "etag", "content-type"] {
        assert_eq!(again.header(header), first.header(header), "{header}");
    }
}

async fn orders_made(world: &World) -> i64 {
    world.database.number("SELECT count(*) FROM orders").await
}

on_both! {
    async fn a_repetition_gets_the_first_answer_also_after_restart_and_crash(mut world in World) {
        world.stocked("TEA", 250, 10).await;
        let mut declined = order_of(&[("TEA", 1)]);
        declined["payment"]["method"] = json!("pm_card_chargeDeclined");
        let requests = [
            ("k-1", order_of(&[("TEA", 2)]), 201),
            ("k-2", order_of(&[("TEA", 99)]), 409),
            ("k-3", declined, 402),
        ];
        let mut first = Vec::new();
        for (key, body, status) in &requests {
            let reply = world.api.place(key, body).await;
            assert_eq!((reply.status, reply.is_replay()), (*status, false), "{}", reply.text);
            first.push(reply);
        }
        for end in ["none", "terminate", "kill"] {
            match end {
                "terminate" => assert_eq!(world.terminate().await.code(), Some(0)),
                "kill" => world.kill(),
                _ => {}
            }
            if end != "none" {
                world.restart().await;
            }
            // What was short may be there by now: the answer stays what it was.
            let body = json!({"delta": 1000});
            let path = "/v1/stock/TEA/adjustments";
            send(world.api.keyed(path, &format!("more-{end}"), &body)).await.expect(200);
            for ((key, body, _), first) in requests.iter().zip(&first) {
                assert_replayed(first, &world.api.place(key, body).await);
            }
        }
        assert_eq!(orders_made(&world).await, 3);
        assert_eq!(world.stock("TEA").await, (3010, 2, 3008));
        assert_eq!(world.bank.ledger().await.iter().filter(|e| e["captured"] == 500).count(), 1);
        world.assert_balanced().await;
    }

    async fn spelling_makes_no_other_request(world in World) {
        world.stocked("TEA", 250, 10).await;
        let first = world.api.place("k-1", &order_of(&[("TEA", 2)])).await;
        first.expect(201);
        let spelt = r#" {"payment": {"capture":"automatic","method" : "pm_card_visa"},
            "lines":[{"quantity":2,"discount_amount":0,"sku":"TEA"}], "metadata":{},
            "external_ref":null, "currency":"USD"}"#;
        let request = world
            .api
            .request(Method::POST, "/v1/orders")
            .header("Idempotency-Key", "\"k-1\"")
            .header("Content-Type", "application/json")
            .body(spelt);
        assert_replayed(&first, &send(request).await);
    }

    async fn another_request_with_the_same_key_has_no_effect(world in World) {
        world.stocked("TEA", 250, 10).await;
        world.api.place("k-1", &order_of(&[("TEA", 2)])).await.expect(201);
        for other in [order_of(&[("TEA", 3)]), order_of(&[("TEA", 2), ("TEA", 1)])] {
            world.api.place("k-1", &other).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
        }
        let mut other = order_of(&[("TEA", 2)]);
        other["external_ref"] = json!("x");
        world.api.place("k-1", &other).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!((orders_made(&world).await, world.stock("TEA").await), (1, (10, 2, 8)));
    }

    async fn a_key_names_a_request_of_one_kind(world in World) {
        world.stocked("TEA", 250, 10).await;
        let adjust = json!({"delta": 5});
        let path = "/v1/stock/TEA/adjustments";
        let body = order_of(&[("TEA", 1)]);
        let added = send(world.api.keyed(path, "same", &adjust)).await;
        added.expect(200);
        let placed = world.api.place("same", &body).await;
        placed.expect(201);
        assert_replayed(&added, &send(world.api.keyed(path, "same", &adjust)).await);
        assert_replayed(&placed, &world.api.place("same", &body).await);
        assert_eq!((orders_made(&world).await, world.stock("TEA").await), (1, (15, 1, 14)));
        world.assert_balanced().await;
    }

    async fn of_fifty_at_once_one_makes_the_order(world in World) {
        world.stocked("TEA", 250, 100).await;
        let body = order_of(&[("TEA", 1)]);
        // The bank waits, so that the first is still running when the others come.
        world.bank.stall().await;
        let all = join_all((0..50).map(|_| world.api.place("k-1", &body)));
        let release = async {
            world.pending(1).await;
            world.bank.recover().await;
        };
        let (replies, ()) = futures_util::future::join(all, release).await;
        let (done, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|r| r.status == 201);
        let answers: BTreeSet<&str> = done.iter().map(|reply| reply.text.as_str()).collect();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(done.iter().filter(|reply| !reply.is_replay()).count(), 1);
        for reply in &refused {
            assert_eq!(reply.problem(409, "IDEMPOTENCY_IN_PROGRESS")["retryable"], true);
            assert!(reply.header("retry-after").parse::<u32>().is_ok(), "{reply:?}");
        }
        assert_replayed(&done[0], &world.api.place("k-1", &body).await);
        assert_eq!((orders_made(&world).await, world.stock("TEA").await), (1, (100, 1, 99)));
        assert_eq!(world.bank.ledger().await.len(), 1);
        world.assert_balanced().await;
    }

    async fn an_accepted_order_stays_accepted_in_its_answer(world in World) {
        world.stocked("TEA", 250, 10).await;
        let body = order_of(&[("TEA", 1)]);
        let order = world.api.order("k-1", &body).header("Prefer", "respond-async");
        let first = send(order).await;
        first.expect(202);
        assert_eq!(world.settled(&first.order_id()).await["status"], "confirmed");
        assert_replayed(&first, &world.api.place("k-1", &body).await);
    }

    async fn a_key_is_needed_and_must_be_one(world in World) {
        world.stocked("TEA", 250, 10).await;
        let body = order_of(&[("TEA", 1)]);
        let adjustment = json!({"delta": 1});
        let adjustments = "/v1/stock/TEA/adjustments";
        for (path, body) in [("/v1/orders", &body), (adjustments, &adjustment)] {
            world.api.post(path, body).await.problem(400, "IDEMPOTENCY_KEY_REQUIRED");
            let long = "k".repeat(256);
            for bad in ["", "two words", "\"open", "\"\"", "tab\tkey", "\u{e9}", &long] {
                let reply = send(world.api.keyed(path, bad, body)).await;
                assert_eq!(reply.status, 400, "{bad:?}: {}", reply.text);
                reply.problem(400, "IDEMPOTENCY_KEY_INVALID");
            }
            let twice = world.api.keyed(path, "a", body).header("Idempotency-Key", "b");
            send(twice).await.problem(400, "IDEMPOTENCY_KEY_INVALID");
        }
        assert_eq!(orders_made(&world).await, 0);
        let longest = "k".repeat(255);
        world.api.place(&longest, &body).await.expect(201);
        assert_eq!(world.stock("TEA").await, (10, 1, 9));
    }

    async fn keys_of_two_principals_do_not_collide(mut world in World) {
        world.stocked("TEA", 250, 10).await;
        let body = order_of(&[("TEA", 1)]);
        let first = world.api.place("k-1", &body).await;
        first.expect(201);
        let before = world.api.clone();
        assert_eq!(world.terminate().await.code(), Some(0));
        world.restart_with_key("the-admin-key-of-somebody-else-42").await;
        let second = world.api.place("k-1", &body).await;
        second.expect(201);
        assert!(!second.is_replay());
        assert_ne!(second.order_id(), first.order_id());
        // The first key is good as before, and gets its own answer.
        let before = Api { base: world.api.base.clone(), ..before };
        assert_replayed(&first, &before.place("k-1", &body).await);
        assert_eq!(orders_made(&world).await, 2);
    }

    async fn a_refused_request_does_not_use_up_its_key(world in World) {
        world.stocked("TEA", 250, 10).await;
        let mut wrong = order_of(&[("TEA", 1)]);
        wrong["lines"][0]["quantity"] = json!(0);
        world.api.place("k-1", &wrong).await.problem(422, "VALIDATION_FAILED");
        let unknown = order_of(&[("NOWHERE", 1)]);
        world.api.place("k-1", &unknown).await.problem(422, "VALIDATION_FAILED");
        world.api.place("k-1", &order_of(&[("TEA", 1)])).await.expect(201);
    }
}
