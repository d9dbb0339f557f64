//! The bank over real sockets.

// The attribute tells clippy that a failed `unwrap` here is a failed test.
#[cfg(test)]
mod faults;
#[cfg(test)]
mod life;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod webhooks;
#[cfg(test)]
mod world;

use std::pin::pin;

use bank::{BankError, JournalError};
use futures_util::future::select;
use reqwest::Method;
use serde_json::{Value, json};

use world::World;

#[tokio::test]
async fn a_charge_succeeds_and_can_be_read() {
    let world = World::start().await;
    let more = [("metadata[order_id]", "o-1"), ("metadata[till]", "7")];
    let charged = world.charge("k-1", "1299", &more).await;
    assert_eq!((charged.status, charged.replayed), (200, false));
    assert_eq!(charged.content_type, "application/json");
    let intent = charged.json();
    assert!(intent["id"].as_str().unwrap().starts_with("pi_"));
    for (name, value) in [
        ("object", json!("payment_intent")),
        ("status", json!("succeeded")),
        ("amount", json!(1299)),
        ("amount_received", json!(1299)),
        ("amount_capturable", json!(0)),
        ("currency", json!("usd")),
        ("payment_method", json!("pm_card_visa")),
        ("metadata", json!({"order_id": "o-1", "till": "7"})),
    ] {
        assert_eq!(intent[name], value, "{name}");
    }
    let read = world.get(&format!("/v1/payment_intents/{}", charged.id())).await;
    assert_eq!((read.status, &read.text), (200, &charged.text));
    world.finish().await;
}

#[tokio::test]
async fn declining_methods_are_declined_as_documented() {
    let world = World::start().await;
    for (method, code, decline_code) in [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_visa_chargeDeclinedFraudulent", "card_declined", "fraudulent"),
    ] {
        let declined = world.charge(method, "500", &[("payment_method", method)]).await;
        assert_eq!(declined.status, 402, "{method}");
        let error = declined.error();
        assert_eq!(error["type"], "card_error", "{method}");
        assert_eq!((&error["code"], &error["decline_code"]), (&json!(code), &json!(decline_code)));
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert_eq!(error["payment_intent"]["status"], "requires_payment_method");
        let again = world.charge(method, "500", &[("payment_method", method)]).await;
        assert_eq!((again.status, again.replayed, &again.text), (402, true, &declined.text));
    }
    assert!(world.ledger().await.iter().all(|line| line["captured"] == 0));
    world.finish().await;
}

#[tokio::test]
async fn malformed_charges_name_the_parameter() {
    let world = World::start().await;
    let good = [
        ("amount", "100"),
        ("currency", "usd"),
        ("confirm", "true"),
        ("payment_method", "pm_card_visa"),
    ];
    for (param, value, code) in [
        ("amount", "", "parameter_missing"),
        ("amount", "0", "parameter_invalid_integer"),
        ("amount", "9.99", "parameter_invalid_integer"),
        ("currency", "", "parameter_missing"),
        ("currency", "zzz", ""),
        ("confirm", "", ""),
        ("confirm", "false", ""),
        ("payment_method", "", "parameter_missing"),
        ("payment_method", "pm_unknown", "resource_missing"),
        ("capture_method", "later", ""),
        ("amuont", "1", "parameter_unknown"),
    ] {
        let mut form: Vec<_> = good.into_iter().filter(|(name, _)| *name != param).collect();
        form.push((param, value));
        let refused = world.post("/v1/payment_intents", "same key", &form).await;
        let error = refused.error();
        assert_eq!(refused.status, 400, "{param}={value}");
        assert_eq!(error["type"], "invalid_request_error", "{param}={value}");
        assert_eq!(error["param"], param, "{param}={value}");
        assert_eq!(error["code"].as_str().unwrap_or_default(), code, "{param}={value}");
    }
    // None of them used the key up, none of them made anything.
    assert!(world.ledger().await.is_empty());
    assert!(!world.post("/v1/payment_intents", "same key", &good).await.replayed);
    world.finish().await;
}

#[tokio::test]
async fn an_authorised_amount_is_captured_in_part_refunded_and_no_more() {
    let world = World::start().await;
    let intent = world.charge("k", "1000", &[("capture_method", "manual")]).await;
    assert_eq!(intent.json()["status"], "requires_capture");
    assert_eq!(intent.json()["amount_capturable"], 1000);
    let id = intent.id();
    let capture = format!("/v1/payment_intents/{id}/capture");

    let too_much = world.post(&capture, "c-0", &[("amount_to_capture", "1001")]).await;
    assert_eq!(
        (too_much.status, too_much.error()["code"].clone()),
        (400, "amount_too_large".into())
    );
    let captured = world.post(&capture, "c-1", &[("amount_to_capture", "600")]).await.json();
    assert_eq!(captured["status"], "succeeded");
    assert_eq!(
        (&captured["amount_received"], &captured["amount_capturable"]),
        (&json!(600), &json!(0))
    );
    let twice = world.post(&capture, "c-2", &[]).await;
    assert_eq!(twice.error()["code"], "payment_intent_unexpected_state");

    let refund = |key: &'static str, amount: &'static str| {
        let id = id.clone();
        let world = &world;
        async move {
            let mut form = vec![("payment_intent", id.as_str()), ("reason", "duplicate")];
            if !amount.is_empty() {
                form.push(("amount", amount));
            }
            world.post("/v1/refunds", key, &form).await
        }
    };
    let part = refund("r-1", "250").await;
    assert_eq!((part.status, &part.json()["amount"]), (200, &json!(250)));
    assert_eq!(part.json()["payment_intent"], id.as_str());
    let refund_id = part.id();
    assert!(refund_id.starts_with("re_"));
    assert_eq!(world.get(&format!("/v1/refunds/{refund_id}")).await.text, part.text);
    assert_eq!(refund("r-2", "351").await.error()["code"], "amount_too_large");
    assert_eq!(refund("r-3", "").await.json()["amount"], 350);
    let none_left = refund("r-4", "1").await;
    assert_eq!(none_left.error()["code"], "charge_already_refunded");
    assert_eq!(none_left.status, 400);
    let replayed = refund("r-1", "250").await;
    assert_eq!((replayed.replayed, &replayed.text), (true, &part.text));

    let line = &world.ledger().await[0];
    assert_eq!((&line["captured"], &line["refunded"]), (&json!(600), &json!(600)));
    world.finish().await;
}

#[tokio::test]
async fn an_authorised_intent_can_be_cancelled_once() {
    let world = World::start().await;
    let id = world.charge("", "1000", &[("capture_method", "manual")]).await.id();
    let path = format!("/v1/payment_intents/{id}/cancel");
    let form = [("cancellation_reason", "abandoned")];
    let canceled = world.post(&path, "c", &form).await;
    assert_eq!(canceled.json()["status"], "canceled");
    assert_eq!(canceled.json()["cancellation_reason"], "abandoned");
    assert!(canceled.json()["canceled_at"].is_i64());
    assert_eq!(world.post(&path, "c", &form).await.text, canceled.text);
    assert_eq!(world.post(&path, "d", &form).await.status, 400);
    let succeeded = world.charge("", "1000", &[]).await.id();
    let path = format!("/v1/payment_intents/{succeeded}/cancel");
    assert_eq!(world.post(&path, "", &[]).await.error()["code"], "payment_intent_unexpected_state");
    world.finish().await;
}

#[tokio::test]
async fn the_same_key_gets_the_same_bytes_and_another_request_an_error() {
    let world = World::start().await;
    let more = [("metadata[order_id]", "o-1")];
    let first = world.charge("k", "100", &more).await;
    let again = world.charge("k", "100", &more).await;
    assert_eq!((again.status, again.replayed, &again.text), (200, true, &first.text));
    for other in [world.charge("k", "101", &more).await, world.charge("k", "", &[]).await] {
        assert_eq!((other.status, other.replayed), (400, false));
        assert_eq!(other.error()["type"], "idempotency_error");
    }
    let elsewhere = world.post("/v1/refunds", "k", &[("payment_intent", &first.id())]).await;
    assert_eq!(elsewhere.error()["type"], "idempotency_error");
    assert_eq!(world.ledger().await.len(), 1);
    let long = "k".repeat(256);
    assert_eq!(world.charge(&long, "100", &[]).await.status, 400);
    world.finish().await;
}

#[tokio::test]
async fn a_key_in_flight_is_a_conflict() {
    let world = World::start().await;
    assert_eq!(world.put_faults(r#"{"delay_ms": 600000}"#).await.status, 200);
    // Two calls with one key: the one that claims it waits out the delay, the other is told so.
    {
        let one = pin!(world.charge("k", "100", &[]));
        let two = pin!(world.charge("k", "100", &[]));
        let (told, waiting) = select(one, two).await.factor_first();
        assert_eq!(
            (told.status, told.error()["code"].clone()),
            (409, "idempotency_key_in_use".into())
        );
        assert!(world.ledger().await.is_empty());
        world.put_faults("{}").await;
        assert_eq!(waiting.await.status, 200);
        assert_eq!(world.ledger().await.len(), 1);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let mut world = World::start().await;
    let paid = world.charge("paid", "100", &[("metadata[order_id]", "o-1")]).await;
    let declined_by = [("payment_method", "pm_card_chargeDeclined")];
    let declined = world.charge("declined", "100", &declined_by).await;
    let id = paid.id();
    let refund = [("payment_intent", id.as_str()), ("amount", "40")];
    let refunded = world.post("/v1/refunds", "refunded", &refund).await;
    let too_much = [("payment_intent", id.as_str()), ("amount", "61")];
    let refused = world.post("/v1/refunds", "refused", &too_much).await;
    assert_eq!(refused.status, 400);
    let intents = world.get("/v1/payment_intents").await;
    let ledger = world.ledger().await;

    world.restart().await;

    assert_eq!(world.get("/v1/payment_intents").await.text, intents.text);
    assert_eq!(world.ledger().await, ledger);
    for (before, after) in [
        (paid, world.charge("paid", "100", &[("metadata[order_id]", "o-1")]).await),
        (declined, world.charge("declined", "100", &declined_by).await),
        (refunded, world.post("/v1/refunds", "refunded", &refund).await),
        (refused, world.post("/v1/refunds", "refused", &too_much).await),
    ] {
        assert_eq!((after.status, &after.text), (before.status, &before.text));
        assert!(after.replayed);
    }
    assert_eq!(world.charge("paid", "101", &[]).await.error()["type"], "idempotency_error");
    assert_eq!(world.ledger().await, ledger);
    world.finish().await;
}

#[tokio::test]
async fn a_second_bank_on_the_same_ledger_does_not_start() {
    let world = World::start().await;
    match world.open().await {
        Err(BankError::Ledger(JournalError::InUse { .. })) => {}
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("a second bank runs"),
    }
    world.finish().await;
}

#[tokio::test]
async fn the_ledger_has_one_line_for_each_intent() {
    let world = World::start().await;
    world.charge("k-1", "100", &[("metadata[order_id]", "o-1")]).await;
    let form = [
        ("amount", "250"),
        ("currency", "EUR"),
        ("confirm", "true"),
        ("payment_method", "pm_card_amex"),
        ("capture_method", "manual"),
    ];
    let manual = world.post("/v1/payment_intents", "", &form).await.id();
    let lines = world.ledger().await;
    assert_eq!(
        lines[0],
        json!({
            "payment_intent": "pi_00000000000000000000000000000001", "idempotency_key": "k-1",
            "order_id": "o-1", "amount": 100, "currency": "USD", "captured": 100, "refunded": 0,
            "status": "succeeded"
        })
    );
    assert_eq!(
        lines[1],
        json!({
            "payment_intent": manual, "idempotency_key": null, "order_id": null, "amount": 250,
            "currency": "EUR", "captured": 0, "refunded": 0, "status": "requires_capture"
        })
    );
    for _ in 0..600 {
        world.charge("", "1", &[]).await;
    }
    // More than one chunk.
    let lines = world.ledger().await;
    assert_eq!(lines.len(), 602);
    assert!(lines[2..].iter().all(|line| line["captured"] == 1));
    world.finish().await;
}

#[tokio::test]
async fn pages_hold_every_intent_once() {
    let world = World::start().await;
    let mut newest_first = Vec::new();
    for _ in 0..5 {
        newest_first.insert(0, world.charge("", "1", &[]).await.id());
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("/v1/payment_intents?limit=2{after}")).await.json();
        assert_eq!(page["object"], "list");
        for intent in page["data"].as_array().unwrap() {
            seen.push(intent["id"].as_str().unwrap().to_owned());
        }
        if page["has_more"] == false {
            break;
        }
        after = format!("&starting_after={}", seen.last().unwrap());
    }
    assert_eq!(seen, newest_first);
    for wrong in ["limit=0", "limit=101", "starting_after=pi_nope", "ending_before=x"] {
        let refused = world.get(&format!("/v1/payment_intents?{wrong}")).await;
        assert_eq!(refused.status, 400, "{wrong}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_search_finds_the_intents_of_an_order() {
    let world = World::start().await;
    let order = [("metadata[order_id]", "o-1")];
    let first = world.charge("", "1", &order).await.id();
    let second = world.charge("", "2", &order).await.id();
    world.charge("", "3", &[("metadata[order_id]", "o-2")]).await;
    let search = |query: &'static str, more: String| {
        let url = world.url(&format!("/v1/payment_intents/search?{more}"));
        let request = world.client.get(url).bearer_auth("sk").query(&[("query", query)]);
        world.send(request)
    };
    let found = search("metadata['order_id']:'o-1'", String::new()).await.json();
    assert_eq!(found["object"], "search_result");
    assert_eq!((&found["has_more"], &found["next_page"]), (&json!(false), &Value::Null));
    assert_eq!((&found["data"][0]["id"], &found["data"][1]["id"]), (&json!(second), &json!(first)));
    let found = search("metadata['order_id']:'o-1'", "limit=1".to_owned()).await.json();
    assert_eq!((&found["has_more"], &found["data"][0]["id"]), (&json!(true), &json!(second)));
    let next = format!("limit=1&page={}", found["next_page"].as_str().unwrap());
    let found = search("metadata['order_id']:'o-1'", next).await.json();
    assert_eq!((&found["has_more"], &found["data"][0]["id"]), (&json!(false), &json!(first)));
    let none = search("metadata['order_id']:'o-9'", String::new()).await.json();
    assert_eq!(none["data"], json!([]));
    assert_eq!(search("status:'succeeded'", String::new()).await.error()["param"], "query");
    world.finish().await;
}

#[tokio::test]
async fn a_key_is_asked_for() {
    let world = World::start().await;
    for path in ["/v1/payment_intents", "/v1/payment_intents/search", "/v1/refunds/re_1"] {
        let refused = world.send(world.client.get(world.url(path))).await;
        assert_eq!(refused.status, 401, "{path}");
        assert_eq!(refused.error()["type"], "invalid_request_error", "{path}");
    }
    let url = world.url("/v1/payment_intents");
    for header in ["Bearer ", "Bearer", "Basic c2s6", "sk_test_1"] {
        let request = world.client.post(&url).header("Authorization", header);
        assert_eq!(world.send(request).await.status, 401, "{header}");
    }
    world.finish().await;

    let strict = World::with_key(Some("sk_only")).await;
    let url = strict.url("/v1/payment_intents");
    assert_eq!(strict.send(strict.client.get(&url).bearer_auth("sk_other")).await.status, 401);
    assert_eq!(strict.send(strict.client.get(&url).bearer_auth("sk_only")).await.status, 200);
    strict.finish().await;
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_and_what_is_too_long_is_refused() {
    let world = World::start().await;
    assert_eq!(world.get("/livez").await.text, "ok");
    for path in [
        "/v1/payment_intents/pi_1",
        "/v1/payment_intents/pi_00000000000000000000000000000099",
        "/v1/refunds/re_00000000000000000000000000000099",
        "/v1/customers",
        "/nothing",
    ] {
        let missing = world.get(path).await;
        assert_eq!(missing.status, 404, "{path}");
        assert_eq!(missing.error()["type"], "invalid_request_error", "{path}");
    }
    let absent = "pi_00000000000000000000000000000099";
    let refund = world.post("/v1/refunds", "r", &[("payment_intent", absent)]).await;
    assert_eq!((refund.status, refund.error()["code"].clone()), (404, "resource_missing".into()));
    let request = world
        .client
        .request(Method::POST, world.url("/v1/payment_intents"))
        .bearer_auth("sk")
        .body("a".repeat(64 * 1024 + 1));
    let refused = world.send(request).await;
    assert_eq!(
        (refused.status, refused.error()["type"].clone()),
        (413, "invalid_request_error".into())
    );
    world.finish().await;
}
