//! The life of an order after it was placed: shipped, delivered, refunded, taken back, cancelled;
//! with the books of the shop and of the bank.

use crate::client::{Reply, send};
use crate::idempotency::assert_replayed;
use crate::process::eventually;
use crate::world::{World, on_both, order_of};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

/// A request for a step, with as much time as there is.
fn asked(world: &World, id: &str, what: &str, key: &str, body: &Value) -> reqwest::RequestBuilder {
    let path = format!("/v1/orders/{id}/{what}");
    world.api.keyed(&path, key, body).header("X-Request-Timeout-Ms", "60000")
}

async fn step(world: &World, id: &str, what: &str, key: &str, body: &Value) -> Reply {
    send(asked(world, id, what, key, body)).await
}

/// Takes a step that must be taken, and checks that the answer shows the order as it is now.
async fn taken(world: &World, id: &str, what: &str, body: &Value, status: u16) -> Value {
    let reply = step(world, id, what, &format!("{what}-{id}"), body).await;
    let told = reply.expect(status);
    assert_eq!(reply.header("location"), format!("/v1/orders/{id}"));
    assert_eq!(reply.header("etag"), format!("\"v{}\"", told["version"]));
    let order = world.order(id).await;
    for (member, value) in order.as_object().unwrap() {
        assert_eq!(&told[member], value, "{member} after {what}");
    }
    told
}

fn units(sku: &str, quantity: i64) -> Value {
    json!({"lines": [{"sku": sku, "quantity": quantity}]})
}

fn manual(lines: &[(&str, i64)]) -> Value {
    let mut order = order_of(lines);
    order["payment"]["capture"] = json!("manual");
    order
}

/// `(authorized, captured, refunded)` of an order.
fn money(order: &Value) -> (i64, i64, i64) {
    let number = |member: &str| order[member].as_i64().unwrap();
    (number("amount_authorized"), number("amount_captured"), number("amount_refunded"))
}

/// `(captured, refunded, status)` of the one payment that the bank has of an order.
async fn at_the_bank(world: &World, id: &str) -> (i64, i64, String) {
    let entries = world.bank.ledger_of(id).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    let number = |member: &str| entries[0][member].as_i64().unwrap();
    (number("captured"), number("refunded"), entries[0]["status"].as_str().unwrap().to_owned())
}

/// What was done with the payment of an order since it was made: kind, amount and status.
async fn operations(world: &World, id: &str) -> Vec<(String, i64, String)> {
    let order = world.order(id).await;
    let path = format!("/v1/payments/{}", order["payment"]["id"].as_str().unwrap());
    let payment = world.api.get(&path).await.expect(200);
    let text = |row: &Value, member: &str| row[member].as_str().unwrap().to_owned();
    let rows = payment["operations"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "kind"), row["amount"].as_i64().unwrap(), text(row, "status")))
        .collect()
}

fn done(kind: &str, amount: i64) -> (String, i64, String) {
    (kind.to_owned(), amount, "done".to_owned())
}

/// Waits until an order stands so.
async fn stands(world: &World, id: &str, status: &str) -> Value {
    eventually(&format!("order {id} is {status}"), async || {
        let order = world.order(id).await;
        if order["status"] == status { Ok(order) } else { Err(order.to_string()) }
    })
    .await
}

/// Waits until the bank has given all back, or let all go.
async fn nothing_is_kept(world: &World, id: &str) {
    eventually("the bank keeps nothing", async || {
        let entries = world.bank.ledger_of(id).await;
        let open = |entry: &&Value| {
            entry["captured"] != entry["refunded"] || entry["status"] == "requires_capture"
        };
        if entries.iter().any(|entry| open(&entry)) { Err(format!("{entries:?}")) } else { Ok(()) }
    })
    .await;
}

on_both! {
    async fn an_order_lives_its_whole_life(world in World) {
        world.stocked("TEA", 250, 10).await;
        world.stocked("MUG", 900, 5).await;
        let placed = world.api.place("k-1", &order_of(&[("TEA", 3), ("MUG", 2)])).await;
        placed.expect(201);
        let id = placed.order_id();

        let told = taken(&world, &id, "shipments", &units("TEA", 2), 201).await;
        assert_eq!(told["status"], "partially_shipped");
        let lines = json!([{"line": 0, "sku": "TEA", "quantity": 2}]);
        let shipment = json!({"version": 3, "lines": lines, "amount_captured": 0});
        assert_eq!(told["shipment"], shipment);
        assert_eq!(told["lines"][0]["quantity_shipped"], 2);
        assert_eq!(world.stock("TEA").await, (8, 1, 7));

        let refund = json!({"amount": 100, "reason": "a dent"});
        let told = taken(&world, &id, "refunds", &refund, 201).await;
        assert_eq!(told["refund"], json!({"version": 4, "amount": 100, "lines": []}));
        assert_eq!((money(&told), &told["status"]), ((2550, 2550, 100), &json!("partially_shipped")));

        let mut back = units("TEA", 1);
        back["restock"] = json!(true);
        let told = taken(&world, &id, "returns", &back, 201).await;
        let lines = json!([{"line": 0, "sku": "TEA", "quantity": 1}]);
        let expected = json!({"version": 5, "lines": lines, "restock": true, "amount_refunded": 250});
        assert_eq!(told["return"], expected);
        assert_eq!(money(&told), (2550, 2550, 350));
        assert_eq!(world.stock("TEA").await, (9, 1, 8));

        let told = taken(&world, &id, "cancel", &json!({"reason": "enough"}), 200).await;
        assert_eq!((&told["status"], money(&told)), (&json!("shipped"), (2550, 2550, 2400)));
        assert_eq!(told["lines"][0]["quantity_cancelled"], 1);
        assert_eq!(told["lines"][1]["quantity_cancelled"], 2);
        assert_eq!((world.stock("TEA").await, world.stock("MUG").await), ((9, 0, 9), (5, 0, 5)));

        let told = taken(&world, &id, "deliver", &json!({}), 200).await;
        assert_eq!((&told["status"], &told["version"]), (&json!("delivered"), &json!(7)));
        assert_eq!(at_the_bank(&world, &id).await, (2550, 2400, "succeeded".to_owned()));
        let expected = [done("refund", 100), done("refund", 250), done("refund", 2050)];
        assert_eq!(operations(&world, &id).await, expected);
        world.assert_balanced().await;
    }

    async fn money_that_is_held_is_taken_for_what_leaves(world in World) {
        world.stocked("TEA", 250, 10).await;
        world.stocked("MUG", 900, 5).await;
        let lines = [("TEA", 3), ("MUG", 2)];
        let (all, part) = (
            world.api.place("k-1", &manual(&lines)).await.order_id(),
            world.api.place("k-2", &manual(&lines)).await.order_id(),
        );
        for id in [&all, &part] {
            let told = taken(&world, id, "shipments", &units("TEA", 2), 201).await;
            assert_eq!(told["shipment"]["amount_captured"], 500);
            assert_eq!(money(&told), (2550, 500, 0));
        }
        // One ships the rest, the other does not want it any more.
        let rest = step(&world, &all, "shipments", "rest", &json!({})).await.expect(201);
        assert_eq!(rest["shipment"]["amount_captured"], 2050);
        assert_eq!((&rest["status"], money(&rest)), (&json!("shipped"), (2550, 2550, 0)));
        assert_eq!(at_the_bank(&world, &all).await, (2550, 0, "succeeded".to_owned()));
        let expected = [done("capture", 500), done("final_capture", 2050)];
        assert_eq!(operations(&world, &all).await, expected);

        let told = taken(&world, &part, "cancel", &json!({}), 200).await;
        assert_eq!((&told["status"], money(&told)), (&json!("shipped"), (500, 500, 0)));
        let (captured, refunded, _) = at_the_bank(&world, &part).await;
        assert_eq!((captured, refunded), (500, 0));
        assert_eq!(operations(&world, &part).await, [done("capture", 500), done("void", 0)]);
        // Only what was taken can be given back.
        let more = step(&world, &part, "refunds", "k-3", &json!({"amount": 501})).await;
        let problem = more.problem(409, "REFUND_EXCEEDS_CAPTURED");
        assert_eq!(problem["details"]["left"], 500);
        // What was cancelled was never paid: it is not given back with what comes back.
        let mut back = units("TEA", 1);
        back["restock"] = json!(true);
        let told = taken(&world, &part, "returns", &back, 201).await;
        assert_eq!(told["return"]["amount_refunded"], 250);
        assert_eq!(money(&told), (500, 500, 250));
        assert_eq!((world.stock("TEA").await, world.stock("MUG").await), ((6, 0, 6), (3, 0, 3)));
        world.assert_balanced().await;
    }

    async fn an_order_is_cancelled_and_its_money_goes_back(world in World) {
        world.stocked("TEA", 250, 10).await;
        let paid = world.api.place("k-1", &order_of(&[("TEA", 2)])).await.order_id();
        let held = world.api.place("k-2", &manual(&[("TEA", 3)])).await.order_id();
        assert_eq!(world.stock("TEA").await, (10, 5, 5));
        let told = taken(&world, &paid, "cancel", &json!({"reason": "too late"}), 200).await;
        assert_eq!((&told["status"], money(&told)), (&json!("cancelled"), (500, 500, 500)));
        let told = taken(&world, &held, "cancel", &json!({}), 200).await;
        assert_eq!((&told["status"], money(&told)), (&json!("cancelled"), (0, 0, 0)));
        assert_eq!(world.stock("TEA").await, (10, 0, 10));
        assert_eq!(at_the_bank(&world, &paid).await, (500, 500, "succeeded".to_owned()));
        assert_eq!(at_the_bank(&world, &held).await, (0, 0, "canceled".to_owned()));
        assert_eq!(operations(&world, &paid).await, [done("refund", 500)]);
        assert_eq!(operations(&world, &held).await, [done("void", 0)]);
        for (what, code, body) in [
            ("cancel", "ORDER_NOT_CANCELLABLE", json!({})),
            ("shipments", "INVALID_STATE", json!({})),
            ("deliver", "INVALID_STATE", json!({})),
            ("refunds", "INVALID_STATE", json!({"amount": 1})),
            ("returns", "INVALID_STATE", json!({})),
        ] {
            let problem = step(&world, &paid, what, "again", &body).await.problem(409, code);
            assert_eq!(problem["details"]["status"], "cancelled", "{what}");
        }
        world.assert_balanced().await;
    }

    async fn a_cancellation_waits_until_the_payment_is_known(world in World) {
        world.stocked("TEA", 250, 10).await;
        world.bank.stall().await;
        let asynchronous = world.api.order("k-1", &order_of(&[("TEA", 2)]));
        let accepted = send(asynchronous.header("Prefer", "respond-async")).await;
        accepted.expect(202);
        let id = accepted.order_id();
        let first = step(&world, &id, "cancel", "c-1", &json!({"reason": "too slow"})).await;
        assert_eq!(first.expect(202)["status"], "pending");
        let second = step(&world, &id, "cancel", "c-2", &json!({})).await;
        assert_eq!(second.expect(202), first.json());
        assert_eq!(world.stock("TEA").await, (10, 2, 8));
        world.bank.recover().await;
        stands(&world, &id, "cancelled").await;
        nothing_is_kept(&world, &id).await;
        assert_eq!(world.stock("TEA").await, (10, 0, 10));
        // Each was told what was true then, and is told it again.
        assert_replayed(&accepted, &world.api.place("k-1", &order_of(&[("TEA", 2)])).await);
        let again = step(&world, &id, "cancel", "c-1", &json!({"reason": "too slow"})).await;
        assert_replayed(&first, &again);
        world.assert_balanced().await;
    }

    async fn whoever_waits_for_an_order_learns_that_it_was_cancelled(world in World) {
        world.stocked("TEA", 250, 10).await;
        world.bank.stall().await;
        let body = order_of(&[("TEA", 2)]);
        let place = world.api.place("k-1", &body);
        let cancel = async {
            world.pending(1).await;
            let listed = world.api.get("/v1/orders?status=pending").await.expect(200);
            let id = listed["data"][0]["id"].as_str().unwrap().to_owned();
            let reply = step(&world, &id, "cancel", "c-1", &json!({})).await;
            world.bank.recover().await;
            (id, reply)
        };
        let (placed, (id, cancelled)) = join(place, cancel).await;
        cancelled.expect(202);
        let problem = placed.problem(409, "ORDER_CANCELLED");
        assert_eq!(problem["details"]["order_id"], id);
        assert_eq!(world.order(&id).await["status"], "cancelled");
        assert_replayed(&placed, &world.api.place("k-1", &body).await);
        nothing_is_kept(&world, &id).await;
        assert_eq!(world.stock("TEA").await, (10, 0, 10));
        world.assert_balanced().await;
    }

    async fn a_step_is_taken_once_also_after_restart_and_crash(mut world in World) {
        world.stocked("TEA", 250, 10).await;
        let id = world.api.place("k-1", &order_of(&[("TEA", 4)])).await.order_id();
        let mut back = units("TEA", 1);
        back["restock"] = json!(true);
        let steps = [
            ("shipments", units("TEA", 3), 201),
            ("deliver", json!({}), 409),
            ("refunds", json!({"amount": 5}), 201),
            ("returns", back, 201),
            ("cancel", json!({}), 200),
        ];
        let mut first = Vec::new();
        for (what, body, status) in &steps {
            // The same key for each: a key names a request of one kind.
            let reply = step(&world, &id, what, "same", body).await;
            assert_eq!((reply.status, reply.is_replay()), (*status, false), "{}", reply.text);
            first.push(reply);
        }
        let before = (world.order(&id).await, world.stock("TEA").await);
        for end in ["none", "terminate", "kill"] {
            match end {
                "terminate" => assert_eq!(world.terminate().await.code(), Some(0)),
                "kill" => world.kill(),
                _ => {}
            }
            if end != "none" {
                world.restart().await;
            }
            for ((what, body, _), first) in steps.iter().zip(&first) {
                let again = step(&world, &id, what, "same", body).await;
                assert_eq!((again.status, &again.text), (first.status, &first.text), "{what}");
                assert!(again.is_replay(), "{again:?}");
                for header in ["location", "etag", "content-type"] {
                    assert_eq!(again.header(header), first.header(header), "{what} {header}");
                }
            }
            let other = step(&world, &id, "refunds", "same", &json!({"amount": 6})).await;
            other.problem(422, "IDEMPOTENCY_KEY_REUSED");
        }
        assert_eq!((world.order(&id).await, world.stock("TEA").await), before);
        assert_eq!(at_the_bank(&world, &id).await, (1000, 505, "succeeded".to_owned()));
        world.assert_balanced().await;
    }

    async fn a_client_may_insist_on_the_order_that_it_knows(world in World) {
        world.stocked("TEA", 250, 10).await;
        let placed = world.api.place("k-1", &order_of(&[("TEA", 2)])).await;
        let id = placed.order_id();
        let insisting = async |what: &str, key: &str, tag: &str| {
            let request = asked(&world, &id, what, key, &json!({}));
            send(request.header("If-Match", tag)).await
        };
        for tag in ["\"v1\"", "\"v3\"", "W/\"v2\""] {
            let problem = insisting("cancel", "c", tag).await.problem(412, "VERSION_MISMATCH");
            assert_eq!(problem["details"]["current_version"], 2, "{tag}");
        }
        insisting("cancel", "c", "v2").await.problem(400, "INVALID_HEADER");
        let shipped = insisting("shipments", "s", placed.header("etag")).await;
        shipped.expect(201);
        insisting("deliver", "d", placed.header("etag")).await.problem(412, "VERSION_MISMATCH");
        insisting("deliver", "d", shipped.header("etag")).await.expect(200);
        world.assert_balanced().await;
    }

    async fn of_a_cancellation_and_a_shipment_at_once_one_is_done(world in World) {
        world.stocked("TEA", 250, 100).await;
        let mut shipped = 0;
        for number in 0..10 {
            let order = if number % 2 == 0 { order_of(&[("TEA", 2)]) } else { manual(&[("TEA", 2)]) };
            let id = world.api.place(&format!("k-{number}"), &order).await.order_id();
            let body = json!({});
            let (cancel, ship) = join(
                step(&world, &id, "cancel", &id, &body),
                step(&world, &id, "shipments", &id, &body),
            )
            .await;
            let status = world.order(&id).await["status"].as_str().unwrap().to_owned();
            match (cancel.status, ship.status) {
                (200, 409) => {
                    ship.problem(409, "INVALID_STATE");
                    assert_eq!(status, "cancelled");
                    nothing_is_kept(&world, &id).await;
                }
                (409, 201) => {
                    cancel.problem(409, "ORDER_NOT_CANCELLABLE");
                    assert_eq!(status, "shipped");
                    shipped += 2;
                    assert_eq!(at_the_bank(&world, &id).await.0, 500);
                }
                other => panic!("{other:?}: {} {}", cancel.text, ship.text),
            }
        }
        assert_eq!(world.stock("TEA").await, (100 - shipped, 0, 100 - shipped));
        world.assert_balanced().await;
    }

    async fn of_many_refunds_at_once_no_more_is_given_than_was_taken(world in World) {
        world.stocked("TEA", 250, 10).await;
        let id = world.api.place("k-1", &order_of(&[("TEA", 1)])).await.order_id();
        let body = json!({"amount": 100});
        let keys: Vec<String> = (0..8).map(|number| format!("r-{number}")).collect();
        let replies = join_all(keys.iter().map(|key| step(&world, &id, "refunds", key, &body))).await;
        let (done, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|r| r.status == 201);
        assert_eq!(done.len(), 2);
        for reply in refused {
            let problem = reply.problem(409, "REFUND_EXCEEDS_CAPTURED");
            assert!(problem["details"]["left"].as_i64().unwrap() < 100, "{problem}");
        }
        assert_eq!(money(&world.order(&id).await), (250, 250, 200));
        assert_eq!(at_the_bank(&world, &id).await, (250, 200, "succeeded".to_owned()));
        world.assert_balanced().await;
    }

    async fn units_are_refunded_once_whatever_the_reason(world in World) {
        world.stocked("TEA", 333, 10).await;
        let priced = json!({"currency": "USD", "payment": {"method": "pm_card_visa"},
            "lines": [{"sku": "TEA", "quantity": 3, "discount_amount": 1}]});
        let id = world.api.place("k-1", &priced).await.order_id();
        taken(&world, &id, "shipments", &json!({}), 201).await;
        // Goodwill for one unit; when two come back, one of them was refunded already.
        let told = taken(&world, &id, "refunds", &units("TEA", 1), 201).await;
        assert_eq!(told["refund"]["amount"], 332);
        let told = taken(&world, &id, "returns", &units("TEA", 2), 201).await;
        assert_eq!(told["return"]["amount_refunded"], 333);
        let last = step(&world, &id, "refunds", "rest", &json!({"lines": []})).await.expect(201);
        assert_eq!((&last["refund"]["amount"], money(&last)), (&json!(333), (998, 998, 998)));
        let more = step(&world, &id, "refunds", "more", &json!({"amount": 1})).await;
        assert_eq!(more.problem(409, "REFUND_EXCEEDS_CAPTURED")["details"]["left"], 0);
        // What came back was not asked to be put on the shelf.
        assert_eq!(world.stock("TEA").await, (7, 0, 7));
        assert_eq!(at_the_bank(&world, &id).await, (998, 998, "succeeded".to_owned()));
        world.assert_balanced().await;
    }
}
