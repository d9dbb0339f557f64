//! Events: what is told, how it is signed, and what goes wrong on the way.

use std::pin::pin;

use bank::WebhookConfig;
use serde_json::{Value, json};

use crate::shop::Shop;
use crate::world::World;

/// A bank that tells a shop.
async fn telling(shop: &Shop) -> World {
    let world = World::start().await;
    assert_eq!(world.put_webhook(shop.url(), shop.secret()).await.status, 200);
    world
}

/// Waits until all events have been told or given up.
async fn settled(world: &World) -> Value {
    loop {
        let status = world.get("/webhook").await.json();
        if status["pending"] == 0 {
            return status;
        }
    }
}

async fn end(world: World, shop: Shop) {
    world.finish().await;
    shop.close().await;
}

#[tokio::test]
async fn every_change_is_told_and_signed() {
    let mut shop = Shop::open();
    let mut world = World::start().await;
    world.webhook =
        Some(WebhookConfig { url: shop.url().to_owned(), secret: shop.secret().to_owned() });
    world.restart().await;
    let paid = world.charge("paid", "100", &[("metadata[order_id]", "o-1")]).await;
    let told = shop.next().await;
    let event = told.json();
    assert_eq!((&event["object"], &event["livemode"]), (&json!("event"), &json!(false)));
    assert!(told.id().starts_with("evt_") && event["created"].is_i64());
    assert_eq!(event["type"], "payment_intent.succeeded");
    assert_eq!(event["data"]["object"], paid.json());
    assert_eq!(event["request"]["idempotency_key"], "paid");
    assert!(told.is_signed_with(shop.secret()) && !told.is_signed_with("whsec_other"));

    let declined = [("payment_method", "pm_card_chargeDeclined")];
    assert_eq!(world.charge("declined", "100", &declined).await.status, 402);
    let told = shop.next().await;
    assert_eq!(told.kind(), "payment_intent.payment_failed");
    let object = &told.json()["data"]["object"];
    assert_eq!(object["last_payment_error"]["decline_code"], "generic_decline");

    let id = world.authorise("held", "100").await;
    assert_eq!(shop.next().await.kind(), "payment_intent.amount_capturable_updated");
    for (amount, more, kind, left) in [
        ("40", true, "payment_intent.amount_capturable_updated", 60),
        ("20", false, "payment_intent.succeeded", 0),
    ] {
        let captured = world.capture(&id, "", amount, more).await;
        let told = shop.next().await;
        assert_eq!((told.kind().as_str(), told.about()), (kind, id.clone()));
        assert_eq!(told.json()["data"]["object"], captured.json());
        assert_eq!(told.json()["data"]["object"]["amount_capturable"], left);
    }
    let back = [("payment_intent", id.as_str()), ("amount", "60")];
    let refunded = world.post("/v1/refunds", "", &back).await;
    let mut told = shop.take(2).await;
    told.sort_by_key(crate::shop::Told::kind);
    assert_eq!(
        (told[0].kind().as_str(), told[1].kind().as_str()),
        ("charge.refunded", "refund.created")
    );
    let charge = &told[0].json()["data"]["object"];
    assert_eq!((&charge["amount_refunded"], &charge["refunded"]), (&json!(60), &json!(true)));
    assert_eq!(charge["payment_intent"], id.as_str());
    assert_eq!(told[1].json()["data"]["object"], refunded.json());

    let void = world.authorise("void", "100").await;
    shop.next().await;
    world.post(&format!("/v1/payment_intents/{void}/cancel"), "", &[]).await;
    assert_eq!(shop.next().await.kind(), "payment_intent.canceled");
    let lapsed = world.authorise("lapsed", "100").await;
    shop.next().await;
    world.suffer(&json!({"expire_authorizations": true})).await;
    let told = shop.next().await;
    assert_eq!((told.kind().as_str(), told.about()), ("payment_intent.canceled", lapsed));
    assert_eq!(told.json()["data"]["object"]["cancellation_reason"], "automatic");

    // A replay and a refusal change nothing, so they tell nothing: the next event is a later one.
    world.charge("paid", "100", &[("metadata[order_id]", "o-1")]).await;
    assert_eq!(world.post("/v1/refunds", "no", &back).await.status, 400);
    let last = world.charge("last", "1", &[]).await.id();
    assert_eq!(shop.next().await.about(), last);
    let status = settled(&world).await;
    assert_eq!((&status["delivered"], &status["given_up"]), (&json!(12), &json!(0)));
    end(world, shop).await;
}

#[tokio::test]
async fn an_event_that_is_refused_comes_again() {
    let mut shop = Shop::answering(&[500, 302]);
    let world = telling(&shop).await;
    let id = world.charge("k", "100", &[]).await.id();
    let told = shop.take(3).await;
    for again in &told {
        assert_eq!((&again.body, again.about()), (&told[0].body, id.clone()));
        assert!(again.is_signed_with(shop.secret()));
    }
    let status = settled(&world).await;
    assert_eq!((&status["delivered"], &status["given_up"]), (&json!(1), &json!(0)));
    end(world, shop).await;
}

#[tokio::test]
async fn events_wait_for_a_shop_that_is_away() {
    let mut shop = Shop::open();
    let gone = Shop::open();
    let nowhere = gone.url().to_owned();
    gone.close().await;
    let world = World::start().await;
    world.put_webhook(&nowhere, shop.secret()).await;
    let id = world.charge("k", "100", &[]).await.id();
    assert_eq!(world.get("/webhook").await.json()["url"], nowhere.as_str());
    world.put_webhook(shop.url(), shop.secret()).await;
    assert_eq!(shop.next().await.about(), id);
    end(world, shop).await;
}

#[tokio::test]
async fn a_webhook_is_checked_shown_without_its_secret_and_taken_away() {
    let mut shop = Shop::open();
    let world = World::start().await;
    assert_eq!(world.get("/webhook").await.json()["url"], Value::Null);
    let set = world.put_webhook(shop.url(), shop.secret()).await;
    assert_eq!(set.json()["url"], shop.url());
    assert!(!set.text.contains(shop.secret()), "{}", set.text);
    for (url, secret) in [("ftp://h/", "s"), ("hook", "s"), ("http://127.0.0.1:1/", "")] {
        assert_eq!(world.put_webhook(url, secret).await.status, 400, "{url}");
    }
    for wrong in
        ["x", "{}", r#"{"url": "http://h/"}"#, r#"{"url": "http://h/", "secret": "s", "x": 1}"#]
    {
        let request = world.client.put(world.url("/webhook")).body(wrong);
        assert_eq!(world.send(request).await.status, 400, "{wrong}");
    }
    assert_eq!(world.get("/webhook").await.json()["url"], shop.url());
    let removed = world.send(world.client.delete(world.url("/webhook"))).await;
    assert_eq!((removed.status, &removed.json()["url"]), (200, &Value::Null));
    world.charge("untold", "1", &[]).await;
    world.put_webhook(shop.url(), shop.secret()).await;
    let told = world.charge("told", "1", &[]).await.id();
    assert_eq!(shop.next().await.about(), told);
    end(world, shop).await;
}

#[tokio::test]
async fn a_duplicate_is_the_same_event() {
    let mut shop = Shop::open();
    let world = telling(&shop).await;
    world.suffer(&json!({"seed": 1, "webhook_duplicate_percent": 100})).await;
    let mut counts = Vec::new();
    for call in 0..8 {
        let id = world.charge(&call.to_string(), "1", &[]).await.id();
        assert_eq!(settled(&world).await["delivered"], call + 1);
        let first = shop.next().await;
        let mut count = 1;
        while let Some(again) = shop.waiting() {
            assert_eq!((again.id(), &again.body), (first.id(), &first.body));
            assert!(again.is_signed_with(shop.secret()));
            count += 1;
        }
        assert_eq!(first.about(), id);
        counts.push(count);
    }
    assert!(counts.iter().all(|count| matches!(count, 2 | 3)), "{counts:?}");
    assert!(counts.contains(&2) && counts.contains(&3), "{counts:?}");
    assert_eq!(world.fired("webhook_duplicate").await, 8);
    end(world, shop).await;
}

#[tokio::test]
async fn an_event_can_be_overtaken_by_the_next() {
    let mut shop = Shop::open();
    let world = telling(&shop).await;
    world.suffer(&json!({"webhook_reorder_percent": 100})).await;
    let first = world.authorise("a", "100").await;
    let second = world.authorise("b", "100").await;
    let told: Vec<String> = shop.take(2).await.iter().map(crate::shop::Told::about).collect();
    assert_eq!(told, [second, first]);
    assert_eq!(world.fired("webhook_reorder").await, 1);
    // With nothing after it, an event is late and no more.
    let alone = world.charge("c", "1", &[]).await.id();
    assert_eq!(shop.next().await.about(), alone);
    assert_eq!(world.fired("webhook_reorder").await, 1);
    end(world, shop).await;
}

#[tokio::test]
async fn an_event_can_be_late() {
    let mut shop = Shop::open();
    let world = telling(&shop).await;
    world.suffer(&json!({"webhook_delay_ms": 600_000})).await;
    let late = world.charge("late", "1", &[]).await.id();
    // The event is on its way once it is counted.
    while world.fired("webhook_delay").await == 0 {
        assert!(shop.waiting().is_none());
    }
    assert!(shop.waiting().is_none());
    world.recover().await;
    assert_eq!(shop.next().await.about(), late);
    end(world, shop).await;
}

#[tokio::test]
async fn an_event_can_come_before_the_answer() {
    let mut shop = Shop::silent();
    let world = telling(&shop).await;
    world.suffer(&json!({"webhook_early": true})).await;
    {
        let mut charging = pin!(world.charge("k", "100", &[]));
        let told = tokio::select! {
            told = shop.next() => told,
            answer = &mut charging => panic!("answered before the event: {answer:?}"),
        };
        assert_eq!(told.kind(), "payment_intent.succeeded");
        assert_eq!(world.ledger().await.len(), 1, "what is told is durable");
        assert!(futures_util::poll!(charging.as_mut()).is_pending(), "the shop has not answered");
        shop.speak();
        assert_eq!(charging.await.id(), told.about());
    }
    assert_eq!(world.fired("webhook_early").await, 1);
    end(world, shop).await;
}

#[tokio::test]
async fn an_event_can_be_lost() {
    let mut shop = Shop::open();
    let world = telling(&shop).await;
    world.suffer(&json!({"webhook_lost_percent": 100, "webhook_early": true})).await;
    assert_eq!(world.charge("lost", "1", &[]).await.status, 200);
    assert_eq!((world.fired("webhook_lost").await, world.fired("webhook_early").await), (1, 0));
    world.recover().await;
    let told = world.charge("told", "1", &[]).await.id();
    assert_eq!(shop.next().await.about(), told);
    end(world, shop).await;
}

#[tokio::test]
async fn the_first_attempt_can_be_signed_badly_or_long_ago() {
    let mut shop = Shop::answering(&[400, 200, 400, 200]);
    let world = telling(&shop).await;
    world.suffer(&json!({"webhook_bad_signature_percent": 100})).await;
    world.charge("a", "1", &[]).await;
    let told = shop.take(2).await;
    assert_eq!(told[0].body, told[1].body);
    assert_eq!(
        told.iter().map(|t| t.is_signed_with(shop.secret())).collect::<Vec<_>>(),
        [false, true]
    );
    world.suffer(&json!({"webhook_old_timestamp_percent": 100})).await;
    world.charge("b", "1", &[]).await;
    let told = shop.take(2).await;
    assert_eq!(told[0].body, told[1].body);
    assert!(told.iter().all(|attempt| attempt.is_signed_with(shop.secret())));
    let created = told[0].json()["created"].as_i64().unwrap();
    assert!(told[0].signed_at() < created - 500, "{} {created}", told[0].signed_at());
    assert!(told[1].signed_at() > created, "{} {created}", told[1].signed_at());
    let fired =
        [world.fired("webhook_bad_signature").await, world.fired("webhook_old_timestamp").await];
    assert_eq!(fired, [1, 1]);
    end(world, shop).await;
}
