//! The later life of a payment: captured in parts, refunded, voided.

use serde_json::{Value, json};

use crate::world::{Answer, World};

fn stand(intent: &Value) -> (&str, i64, i64) {
    let amount = |name: &str| intent[name].as_i64().unwrap();
    (intent["status"].as_str().unwrap(), amount("amount_received"), amount("amount_capturable"))
}

async fn refund(world: &World, id: &str, key: &str, amount: &str) -> Answer {
    world.post("/v1/refunds", key, &[("payment_intent", id), ("amount", amount)]).await
}

#[tokio::test]
async fn an_authorised_amount_is_captured_in_parts() {
    let mut world = World::start().await;
    let id = world.authorise("a", "1000").await;
    let first = world.capture(&id, "c-1", "300", true).await;
    assert_eq!(stand(&first.json()), ("requires_capture", 300, 700));
    let too_much = world.capture(&id, "c-2", "701", true).await;
    assert_eq!((too_much.status, &too_much.error()["code"]), (400, &json!("amount_too_large")));
    let second = world.capture(&id, "c-3", "200", true).await;
    assert_eq!(stand(&second.json()), ("requires_capture", 500, 500));
    assert_eq!(stand(&world.intent(&id).await), ("requires_capture", 500, 500));
    let line = world.ledger().await.remove(0);
    assert_eq!((&line["captured"], &line["status"]), (&json!(500), &json!("requires_capture")));

    // What is captured can go back while the rest is held; what is held can not.
    let more = refund(&world, &id, "r-1", "501").await;
    assert_eq!((more.status, &more.error()["code"]), (400, &json!("amount_too_large")));
    assert_eq!(refund(&world, &id, "r-2", "100").await.status, 200);

    let void = world.post(&format!("/v1/payment_intents/{id}/cancel"), "v", &[]).await;
    assert_eq!(void.error()["code"], "payment_intent_unexpected_state");
    assert_eq!(stand(&void.error()["payment_intent"]), ("requires_capture", 500, 500));

    let last = world.capture(&id, "c-4", "400", false).await;
    assert_eq!(stand(&last.json()), ("succeeded", 900, 0));
    let over = world.capture(&id, "c-5", "1", true).await;
    assert_eq!(over.error()["code"], "payment_intent_unexpected_state");

    world.restart().await;

    // Each answer is what it was, whatever came after it.
    for (key, amount, more, answer) in [
        ("c-1", "300", true, &first),
        ("c-2", "701", true, &too_much),
        ("c-3", "200", true, &second),
        ("c-4", "400", false, &last),
        ("c-5", "1", true, &over),
    ] {
        let again = world.capture(&id, key, amount, more).await;
        assert_eq!(
            (again.status, again.replayed, &again.text),
            (answer.status, true, &answer.text)
        );
    }
    let again = world.post(&format!("/v1/payment_intents/{id}/cancel"), "v", &[]).await;
    assert_eq!((again.replayed, &again.text), (true, &void.text));
    let line = world.ledger().await.remove(0);
    let amounts = (&line["amount"], &line["captured"], &line["refunded"], &line["status"]);
    assert_eq!(amounts, (&json!(1000), &json!(900), &json!(100), &json!("succeeded")));
    assert_eq!(refund(&world, &id, "r-3", "800").await.status, 200);
    let none_left = refund(&world, &id, "r-4", "1").await;
    assert_eq!(none_left.error()["code"], "charge_already_refunded");
    world.finish().await;
}

#[tokio::test]
async fn the_rest_is_released_by_a_final_capture_of_nothing() {
    let world = World::start().await;
    let id = world.authorise("a", "1000").await;
    let nothing = world.capture(&id, "c-0", "0", false).await;
    assert_eq!(nothing.status, 400, "nothing was captured yet: that would be a cancellation");
    world.capture(&id, "c-1", "300", true).await;
    let released = world.capture(&id, "c-2", "0", false).await;
    assert_eq!(stand(&released.json()), ("succeeded", 300, 0));
    let wrong = [("final_capture", "maybe")];
    let wrong = world.post(&format!("/v1/payment_intents/{id}/capture"), "", &wrong).await;
    assert_eq!((wrong.status, &wrong.error()["param"]), (400, &json!("final_capture")));
    world.finish().await;
}

#[tokio::test]
async fn a_capture_takes_all_that_is_left_if_it_does_not_say() {
    let world = World::start().await;
    let id = world.authorise("a", "1000").await;
    world.capture(&id, "c-1", "300", true).await;
    let rest = world.post(&format!("/v1/payment_intents/{id}/capture"), "c-2", &[]).await;
    assert_eq!(stand(&rest.json()), ("succeeded", 1000, 0));
    world.finish().await;
}

#[tokio::test]
async fn nobody_but_the_bank_gives_the_reason_automatic() {
    let world = World::start().await;
    let id = world.authorise("a", "1000").await;
    let form = [("cancellation_reason", "automatic")];
    let refused = world.post(&format!("/v1/payment_intents/{id}/cancel"), "v", &form).await;
    assert_eq!((refused.status, &refused.error()["param"]), (400, &json!("cancellation_reason")));
    assert_eq!(world.intent(&id).await["status"], "requires_capture");
    world.finish().await;
}
