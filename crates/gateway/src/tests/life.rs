//! The life of an order through the front door. What costs nothing needs no provider: its steps
//! are taken whole; what costs something waits for a provider that cannot be reached.

use super::{ADMIN, Client, READER, Told, in_a_shop, request};
use actix_web::http::Method;
use serde_json::{Value, json};

async fn placed(client: &Client, sku: &str, quantity: i64) -> String {
    let order = json!({"currency": "USD", "lines": [{"sku": sku, "quantity": quantity}],
        "payment": {"method": "pm_card_visa"}});
    let post = request(ADMIN, Method::POST, "/v1/orders")
        .insert_header(("Idempotency-Key", format!("place-{sku}-{quantity}")))
        .insert_header(("Prefer", "respond-async"));
    let told = client.send(post.set_json(order)).await;
    assert!(matches!(told.status, 201 | 202), "{}", told.body);
    told.header("location").to_owned()
}

/// Takes a step and checks the head of its answer.
async fn step(client: &Client, order: &str, what: &str, body: &Value, status: u16) -> Value {
    let (path, key) = (format!("{order}/{what}"), format!("{what}-{body}").replace(' ', "_"));
    let told = client.post(&path, &key, body).await;
    assert_eq!(told.status, status, "{what}: {}", told.body);
    let json = told.json();
    assert_eq!(told.header("location"), order);
    assert_eq!(told.header("etag"), format!("\"v{}\"", json["version"]));
    json
}

/// The answer without the member that tells of the step.
fn without(mut told: Value, member: &str) -> Value {
    told.as_object_mut().expect("an object").remove(member);
    told
}

async fn stock(client: &Client, sku: &str) -> (i64, i64) {
    let level = client.get(&format!("/v1/stock/{sku}")).await.json();
    (level["on_hand"].as_i64().expect("a number"), level["reserved"].as_i64().expect("a number"))
}

#[test]
fn an_order_lives_its_whole_life() {
    in_a_shop(|_, client| async move {
        let order = placed(&client, "A", 5).await;
        assert_eq!(stock(&client, "A").await, (10, 5));
        let part = json!({"lines": [{"sku": "A", "quantity": 2}]});

        let told = step(&client, &order, "shipments", &part, 201).await;
        let units = json!([{"line": 0, "sku": "A", "quantity": 2}]);
        let shipment = json!({"version": 3, "lines": units, "amount_captured": 0});
        assert_eq!((&told["status"], &told["shipment"]), (&json!("partially_shipped"), &shipment));
        assert_eq!(without(told, "shipment"), client.get(&order).await.json());
        assert_eq!(stock(&client, "A").await, (8, 3));

        let one = json!({"lines": [{"sku": "A", "quantity": 1}], "restock": true});
        let told = step(&client, &order, "returns", &one, 201).await;
        let units = json!([{"line": 0, "sku": "A", "quantity": 1}]);
        let back = json!({"version": 4, "lines": units, "restock": true, "amount_refunded": 0});
        assert_eq!(told["return"], back);
        assert_eq!(told["lines"][0]["quantity_returned"], 1);
        assert_eq!(without(told, "return"), client.get(&order).await.json());
        assert_eq!(stock(&client, "A").await, (9, 3));

        let told = step(&client, &order, "cancel", &json!({"reason": "enough"}), 200).await;
        assert_eq!(told["status"], "shipped");
        assert_eq!(told["lines"][0]["quantity_cancelled"], 3);
        assert_eq!(told, client.get(&order).await.json());
        assert_eq!(stock(&client, "A").await, (9, 0));

        let told = step(&client, &order, "deliver", &json!({}), 200).await;
        assert_eq!((&told["status"], &told["version"]), (&json!("delivered"), &json!(6)));
        assert_eq!(told, client.get(&order).await.json());
        let events = client.get(&format!("{order}/events?after=2")).await.json();
        let kinds: Vec<_> =
            events["data"].as_array().expect("events").iter().map(|e| &e["type"]).collect();
        let expected =
            ["order.shipped", "order.returned", "order.remainder_cancelled", "order.delivered"];
        assert_eq!(kinds, expected);
        for event in events["data"].as_array().expect("events") {
            assert_eq!(event["actor"], "key:admin", "{event}");
        }
    });
}

#[test]
fn what_the_order_does_not_allow_is_refused_with_its_code() {
    in_a_shop(|_, client| async move {
        let order = placed(&client, "A", 3).await;
        let refused = async |what: &str, key: &str, body: Value| {
            let told = client.post(&format!("{order}/{what}"), key, &body).await;
            let (status, code) = told.problem();
            assert_eq!(status, 409, "{}", told.body);
            (code, told.json()["details"].clone())
        };
        let units = |quantity: i64| json!({"lines": [{"sku": "A", "quantity": quantity}]});
        let (code, details) = refused("deliver", "k-1", json!({})).await;
        assert_eq!((code.as_str(), &details["status"]), ("INVALID_STATE", &json!("confirmed")));
        let (code, details) = refused("shipments", "k-2", units(4)).await;
        assert_eq!((code.as_str(), &details["sku"]), ("NOTHING_TO_SHIP", &json!("A")));
        assert_eq!((&details["requested"], &details["left"]), (&json!(4), &json!(3)));
        let (code, _) = refused("returns", "k-3", units(1)).await;
        assert_eq!(code, "INVALID_STATE");
        let (code, details) = refused("refunds", "k-4", json!({"amount": 1})).await;
        assert_eq!((code.as_str(), &details["left"]), ("REFUND_EXCEEDS_CAPTURED", &json!(0)));
        step(&client, &order, "shipments", &json!({}), 201).await;
        let (code, _) = refused("shipments", "k-5", json!({})).await;
        assert_eq!(code, "INVALID_STATE");
        let (code, details) = refused("returns", "k-6", units(4)).await;
        assert_eq!((code.as_str(), &details["left"]), ("NOTHING_TO_RETURN", &json!(3)));
        let (code, details) = refused("cancel", "k-7", json!({})).await;
        assert_eq!(
            (code.as_str(), &details["status"]),
            ("ORDER_NOT_CANCELLABLE", &json!("shipped"))
        );
        assert_eq!(client.get(&order).await.json()["version"], 3);
    });
}

#[test]
fn a_step_is_taken_once_and_told_byte_for_byte() {
    in_a_shop(|_, client| async move {
        let (order, other) = (placed(&client, "A", 3).await, placed(&client, "A", 4).await);
        let one = json!({"lines": [{"sku": "A", "quantity": 1}]});
        let ship = format!("{order}/shipments");
        let first = client.post(&ship, "same", &one).await;
        assert_eq!(first.status, 201, "{}", first.body);
        let replayed = |again: &Told, first: &Told| {
            assert_eq!((again.status, &again.body), (first.status, &first.body));
            assert_eq!(again.header("idempotent-replayed"), "true");
            for name in ["etag", "location", "content-type"] {
                assert_eq!(again.header(name), first.header(name));
            }
        };
        replayed(&client.post(&ship, "same", &one).await, &first);
        let reused = (422, "IDEMPOTENCY_KEY_REUSED".to_owned());
        assert_eq!(client.post(&ship, "same", &json!({})).await.problem(), reused);
        let elsewhere = client.post(&format!("{other}/shipments"), "same", &one).await;
        assert_eq!(elsewhere.problem(), reused);
        // The same key for a request of another kind is another request.
        let early = client.post(&format!("{order}/deliver"), "same", &json!({})).await;
        assert_eq!(early.problem(), (409, "INVALID_STATE".to_owned()));
        // A refusal stays, whatever the order would allow by now.
        assert_eq!(client.post(&ship, "rest", &json!({})).await.status, 201);
        replayed(&client.post(&format!("{order}/deliver"), "same", &json!({})).await, &early);
        assert_eq!(client.get(&order).await.json()["version"], 4);
        assert_eq!(client.get(&other).await.json()["version"], 2);
    });
}

#[test]
fn a_client_may_insist_on_the_order_that_it_knows() {
    in_a_shop(|_, client| async move {
        let order = placed(&client, "A", 3).await;
        let ship = async |key: &str, tag: &str| {
            let post = request(ADMIN, Method::POST, &format!("{order}/shipments"))
                .insert_header(("Idempotency-Key", key.to_owned()))
                .insert_header(("If-Match", tag.to_owned()));
            client.send(post.set_json(json!({"lines": [{"sku": "A", "quantity": 1}]}))).await
        };
        for tag in ["\"v1\"", "\"v3\"", "W/\"v2\"", "\"x\""] {
            let told = ship("k", tag).await;
            assert_eq!(told.problem(), (412, "VERSION_MISMATCH".to_owned()), "{tag}");
            assert_eq!(told.json()["details"], json!({"current_version": 2}));
        }
        for tag in ["v2", "\"v2\", \"v3\"", ""] {
            assert_eq!(ship("k", tag).await.problem(), (400, "INVALID_HEADER".to_owned()), "{tag}");
        }
        // None of them used up the key, and a replay does not look at the tag.
        let first = ship("k", "\"v2\"").await;
        assert_eq!((first.status, first.header("etag")), (201, "\"v3\""));
        assert_eq!(ship("k", "\"v2\"").await.header("idempotent-replayed"), "true");
        assert_eq!(ship("k-2", "\"v2\"").await.problem().0, 412);
        assert_eq!(ship("k-2", "*").await.status, 201);
    });
}

#[test]
fn requests_for_steps_are_checked_before_anything_happens() {
    in_a_shop(|_, client| async move {
        let order = placed(&client, "A", 3).await;
        let nobody = "/v1/orders/0190a000-0000-7000-8000-000000000001";
        for (what, body) in [
            ("cancel", json!({})),
            ("shipments", json!({})),
            ("deliver", json!({})),
            ("refunds", json!({"amount": 1})),
            ("returns", json!({})),
        ] {
            let path = format!("{order}/{what}");
            let keyless = request(ADMIN, Method::POST, &path).set_json(&body);
            let expected = (400, "IDEMPOTENCY_KEY_REQUIRED".to_owned());
            assert_eq!(client.send(keyless).await.problem(), expected, "{what}");
            let unknown = client.post(&path, "k", &json!({"status": "shipped"})).await;
            assert_eq!(unknown.problem(), (400, "INVALID_BODY".to_owned()), "{what}");
            let other =
                request(READER, Method::POST, &path).insert_header(("Idempotency-Key", "k"));
            let told = client.send(other.set_json(&body)).await;
            assert_eq!(told.problem(), (403, "FORBIDDEN".to_owned()), "{what}");
            for absent in [nobody, "/v1/orders/7", "/v1/orders/%20"] {
                let told = client.post(&format!("{absent}/{what}"), "k", &body).await;
                assert_eq!(told.problem(), (404, "NOT_FOUND".to_owned()), "{absent}/{what}");
            }
        }
        for (what, body) in [("refunds", json!({})), ("shipments", json!({"lines": [{}]}))] {
            let told = client.post(&format!("{order}/{what}"), "k", &body).await;
            assert_eq!(told.problem(), (422, "VALIDATION_FAILED".to_owned()), "{what}");
        }
        // A body is not needed where everything has a default.
        let bare = request(ADMIN, Method::POST, &format!("{order}/shipments"));
        assert_eq!(client.send(bare.insert_header(("Idempotency-Key", "k"))).await.status, 201);
        assert_eq!(client.get(&order).await.json()["version"], 3);
    });
}

#[test]
fn a_cancellation_waits_for_a_payment_that_is_not_known() {
    in_a_shop(|_, client| async move {
        let order = placed(&client, "B", 1).await;
        let told = step(&client, &order, "cancel", &json!({"reason": "too slow"}), 202).await;
        assert_eq!((&told["status"], &told["version"]), (&json!("pending"), &json!(2)));
        // Whoever asks again, with another key, is told the same.
        let again = client.post(&format!("{order}/cancel"), "again", &json!({})).await;
        assert_eq!((again.status, again.json()), (202, told));
        let ship = client.post(&format!("{order}/shipments"), "k", &json!({})).await;
        assert_eq!(ship.problem(), (409, "INVALID_STATE".to_owned()));
        let events = client.get(&format!("{order}/events")).await.json();
        assert_eq!(events["data"][1]["type"], "order.cancel_requested");
        assert_eq!(events["data"][1]["data"]["reason"], "too slow");
        assert_eq!(events["data"].as_array().map(Vec::len), Some(2));
        let payment = client.get(&order).await.json()["payment"]["id"].clone();
        let path = format!("/v1/payments/{}", payment.as_str().expect("an id"));
        assert_eq!(client.get(&path).await.json()["operations"], json!([]));
    });
}

#[test]
fn orders_that_stand_still_are_a_list_of_their_own() {
    in_a_shop(|_, client| async move {
        placed(&client, "A", 1).await;
        let none = json!({"data": [], "has_more": false, "next_cursor": null});
        assert_eq!(client.get("/v1/orders?stuck=true").await.json(), none);
        let all = client.get("/v1/orders?stuck=false").await.json();
        assert_eq!(all["data"].as_array().map(Vec::len), Some(1));
        let refused = (400, "INVALID_PARAMETER".to_owned());
        for query in
            ["stuck=yes", "stuck=", "stuck=true&status=pending", "external_ref=x&stuck=true"]
        {
            let told = client.get(&format!("/v1/orders?{query}")).await;
            assert_eq!(told.problem(), refused, "{query}");
        }
    });
}

#[test]
fn a_timeline_is_read_from_where_the_client_left_off() {
    in_a_shop(|_, client| async move {
        let order = placed(&client, "A", 1).await;
        let events = format!("{order}/events");
        let versions = async |path: String| {
            let told = client.get(&path).await.json();
            let rows = told["data"].as_array().expect("events").clone();
            rows.iter().map(|row| row["version"].as_i64().expect("a number")).collect::<Vec<_>>()
        };
        assert_eq!(versions(events.clone()).await, [1, 2]);
        assert_eq!(versions(format!("{events}?after=1")).await, [2]);
        assert_eq!(versions(format!("{events}?after=2")).await, Vec::<i64>::new());
        for bad in ["after=-1", "after=x", "after=1&after=2", "since=1"] {
            let told = client.get(&format!("{events}?{bad}")).await;
            assert_eq!(told.problem(), (400, "INVALID_PARAMETER".to_owned()), "{bad}");
        }
        let ask = |id: &'static str| {
            request(ADMIN, Method::GET, &format!("{events}?after=0"))
                .insert_header(("Last-Event-ID", id))
        };
        let told = client.send(ask("1")).await.json();
        assert_eq!(told["data"].as_array().map(Vec::len), Some(1));
        assert_eq!(client.send(ask("x")).await.problem(), (400, "INVALID_HEADER".to_owned()));
        let nobody = "/v1/orders/0190a000-0000-7000-8000-000000000001/events";
        let stream = request(ADMIN, Method::GET, nobody);
        let told = client.send(stream.insert_header(("Accept", "text/event-stream"))).await;
        assert_eq!(told.problem(), (404, "NOT_FOUND".to_owned()));
    });
}
