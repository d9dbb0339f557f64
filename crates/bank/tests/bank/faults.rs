//! What goes wrong on purpose: what the caller sees, and what the ledger holds.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{Answer, World};

/// What a caller sees of a charge of 500.
fn seen(answer: &Result<Answer, reqwest::Error>) -> String {
    let Ok(answer) = answer else { return "no answer".to_owned() };
    let body = serde_json::from_str::<Value>(&answer.text);
    let what = match &body {
        Err(_) => "no JSON".to_owned(),
        Ok(body) if body["error"].is_object() => {
            let code = body["error"]["code"].as_str();
            code.or(body["error"]["type"].as_str()).unwrap_or_default().to_owned()
        }
        Ok(body) => format!("amount {}", body["amount"]),
    };
    format!("{} {what}", answer.status)
}

#[tokio::test]
async fn every_outcome_is_what_it_is_called() {
    for (fault, shown, has_effect) in [
        ("error_before", "500 api_error", false),
        ("error_after", "500 api_error", true),
        ("reset_before", "no answer", false),
        ("lost_reply", "no answer", true),
        ("rate_limit", "429 rate_limit", false),
        ("malformed", "200 no JSON", true),
        ("oversized", "200 amount 500", true),
        ("wrong_amount", "200 amount 501", true),
    ] {
        let world = World::start().await;
        let form = [("metadata[order_id]", "o-1")];
        world.suffer(&json!({format!("{fault}_percent"): 100})).await;
        let first = world.try_charge("k", "500", &form).await;
        assert_eq!(seen(&first), shown, "{fault}");
        assert_eq!(world.fired(fault).await, 1, "{fault}");
        if let Ok(answer) = &first {
            let is_oversized = answer.text.len() > 1 << 20;
            assert_eq!((is_oversized, !answer.has_length), (fault == "oversized", is_oversized));
            assert_eq!(answer.retry_after.is_empty(), fault != "rate_limit", "{fault}");
        }
        let ledger = world.ledger().await;
        assert_eq!(ledger.len(), usize::from(has_effect), "{fault}");
        if has_effect {
            assert_eq!(
                (&ledger[0]["captured"], &ledger[0]["idempotency_key"]),
                (&json!(500), &json!("k"))
            );
            // The fault is still on, but this call has no effect: it is told what the first was.
            let again = world.charge("k", "500", &form).await;
            assert_eq!((again.status, again.replayed), (200, true), "{fault}");
            let id = ledger[0]["payment_intent"].as_str().unwrap();
            assert_eq!(again.json(), world.intent(id).await, "{fault}");
        }
        world.recover().await;
        let again = world.charge("k", "500", &form).await;
        assert_eq!((again.status, again.replayed), (200, has_effect), "{fault}");
        assert_eq!(again.json()["amount"], 500, "{fault}");
        assert_eq!(world.ledger().await.len(), 1, "{fault}");
        assert_eq!(world.fired(fault).await, 1, "{fault}");
        world.finish().await;
    }
}

#[tokio::test]
async fn a_call_without_an_answer_gets_no_byte_of_one() {
    let world = World::start().await;
    for fault in ["reset_before_percent", "lost_reply_percent"] {
        world.suffer(&json!({fault: 100})).await;
        let body = "amount=5&currency=usd&confirm=true&payment_method=pm_card_visa";
        let address = world.url("").replace("http://", "");
        let request = format!(
            "POST /v1/payment_intents HTTP/1.1\r\nHost: bank\r\nAuthorization: Bearer sk\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A reset is as good as an orderly end.
        let _ = socket.read_to_end(&mut answer).await;
        assert_eq!(String::from_utf8_lossy(&answer), "", "{fault}");
    }
    assert_eq!(world.ledger().await.len(), 1, "the second had its effect");
    world.finish().await;
}

#[tokio::test]
async fn captures_cancellations_and_refunds_lose_their_answers_too() {
    let world = World::start().await;
    let id = world.authorise("a", "1000").await;
    let other = world.authorise("b", "1000").await;
    world.suffer(&json!({"lost_reply_percent": 100})).await;
    let capture = format!("/v1/payment_intents/{id}/capture");
    let cancel = format!("/v1/payment_intents/{other}/cancel");
    let back = [("payment_intent", id.as_str()), ("amount", "300")];
    let calls = [
        (capture.as_str(), "capture", &[][..]),
        (cancel.as_str(), "cancel", &[]),
        ("/v1/refunds", "refund", &back),
    ];
    for (path, key, form) in calls {
        world.try_post(path, key, form).await.expect_err("the answer is lost");
    }
    let ledger = world.ledger().await;
    assert_eq!((&ledger[0]["captured"], &ledger[0]["refunded"]), (&json!(1000), &json!(300)));
    assert_eq!(ledger[1]["status"], "canceled");
    for (path, key, form) in calls {
        let again = world.post(path, key, form).await;
        assert_eq!((again.status, again.replayed), (200, true), "{path}");
    }
    assert_eq!(world.ledger().await, ledger);
    assert_eq!(world.fired("lost_reply").await, 3);
    world.finish().await;
}

#[tokio::test]
async fn a_refused_call_names_no_wrong_amount() {
    let world = World::start().await;
    world.suffer(&json!({"wrong_amount_percent": 100})).await;
    let declined = world.charge("k", "500", &[("payment_method", "pm_card_chargeDeclined")]).await;
    assert_eq!(declined.status, 402);
    assert_eq!(declined.error()["payment_intent"]["amount"], 500);
    assert_eq!(world.fired("wrong_amount").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn the_same_seed_loses_the_same_answers() {
    let world = World::start().await;
    let mut runs = Vec::new();
    for (run, seed) in [(0, 7), (1, 7), (2, 8)] {
        world
            .suffer(&json!({"seed": seed, "lost_reply_percent": 30, "rate_limit_percent": 20}))
            .await;
        let mut shown = Vec::new();
        for call in 0..40 {
            shown.push(seen(&world.try_charge(&format!("{run}-{call}"), "1", &[]).await));
        }
        runs.push(shown);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    let refused = runs.iter().flatten().filter(|shown| shown.starts_with("429")).count();
    let lost = runs.iter().flatten().filter(|shown| *shown == "no answer").count();
    assert_eq!(world.ledger().await.len(), 120 - refused);
    assert_eq!(world.fired("rate_limit").await, refused as u64);
    assert_eq!(world.fired("lost_reply").await, lost as u64);
    assert!(refused > 0 && lost > 0);
    world.finish().await;
}

#[tokio::test]
async fn a_delay_may_be_for_nobody() {
    let world = World::start().await;
    world.suffer(&json!({"delay_ms": 600_000, "delay_percent": 0})).await;
    assert_eq!(world.charge("k", "1", &[]).await.status, 200);
    assert_eq!(world.fired("delay").await, 0);
    world.suffer(&json!({"delay_ms": 1})).await;
    assert_eq!(world.charge("l", "1", &[]).await.status, 200);
    assert_eq!(world.fired("delay").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_capture_may_find_its_authorisation_expired() {
    let mut world = World::start().await;
    let id = world.authorise("a", "1000").await;
    world.suffer(&json!({"authorization_expired_percent": 100})).await;
    let refused = world.capture(&id, "c", "1000", false).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.error()["code"], "payment_intent_unexpected_state");
    assert_eq!(refused.error()["payment_intent"]["status"], "canceled");
    assert_eq!(world.fired("authorization_expired").await, 1);
    world.recover().await;

    world.restart().await;

    let line = &world.ledger().await[0];
    assert_eq!((&line["status"], &line["captured"]), (&json!("canceled"), &json!(0)));
    assert_eq!(world.intent(&id).await["cancellation_reason"], "automatic");
    let again = world.capture(&id, "c", "1000", false).await;
    assert_eq!((again.replayed, &again.text), (true, &refused.text));
    // What was answered when it was authorised stays.
    let first = world.charge("a", "1000", &[("capture_method", "manual")]).await;
    assert_eq!((first.replayed, &first.json()["status"]), (true, &json!("requires_capture")));
    world.finish().await;
}

#[tokio::test]
async fn all_authorisations_of_a_moment_can_be_made_to_expire() {
    let mut world = World::start().await;
    let open = world.authorise("open", "100").await;
    let part = world.authorise("part", "100").await;
    assert_eq!(world.capture(&part, "p", "40", true).await.status, 200);
    world.charge("paid", "100", &[]).await;
    let set = world.put_faults(r#"{"expire_authorizations": true}"#).await;
    assert_eq!((set.status, &set.json()["expire_authorizations"]), (200, &json!(false)));
    assert_eq!(world.fired("expire_authorizations").await, 2);
    world.authorise("later", "100").await;
    for (id, shown) in [(&open, "canceled"), (&part, "succeeded")] {
        let refused = world.capture(id, "", "10", true).await;
        assert_eq!(refused.error()["code"], "payment_intent_unexpected_state", "{shown}");
        assert_eq!(refused.error()["payment_intent"]["status"], shown);
    }
    let stand = |ledger: &[Value]| {
        let told =
            |line: &Value| format!("{} {}", line["status"].as_str().unwrap(), line["captured"]);
        ledger.iter().map(told).collect::<Vec<_>>()
    };
    let ledger = world.ledger().await;
    assert_eq!(
        stand(&ledger),
        ["canceled 0", "succeeded 40", "succeeded 100", "requires_capture 0"]
    );
    world.restart().await;
    assert_eq!(world.ledger().await, ledger);
    world.finish().await;
}

#[tokio::test]
async fn a_new_intent_is_found_late() {
    let world = World::start().await;
    world.suffer(&json!({"search_lag_ms": 4_000})).await;
    let id = world.charge("k", "1", &[("metadata[order_id]", "o-1")]).await.id();
    // The clock of this test goes on by a second each time the bank looks at it.
    assert_eq!(world.get(&format!("/v1/payment_intents/{id}")).await.status, 404);
    let query = "query=metadata%5B%27order_id%27%5D%3A%27o-1%27";
    let search = format!("/v1/payment_intents/search?{query}");
    assert_eq!(world.get(&search).await.json()["data"], json!([]));
    let list = world.get("/v1/payment_intents").await.json();
    assert_eq!((&list["data"], &list["has_more"]), (&json!([]), &json!(false)));
    assert_eq!(world.fired("search_lag").await, 3);
    assert_eq!(world.ledger().await.len(), 1, "the ledger hides nothing");
    assert_eq!(world.get(&search).await.json()["data"][0]["id"], id.as_str());
    assert_eq!(world.get("/v1/payment_intents").await.json()["data"][0]["id"], id.as_str());
    assert_eq!(world.intent(&id).await["id"], id.as_str());
    assert_eq!(world.fired("search_lag").await, 3);
    world.finish().await;
}

#[tokio::test]
async fn faults_are_read_set_and_checked() {
    let world = World::start().await;
    let off = world.get("/faults").await.json();
    for (name, value) in off.as_object().unwrap() {
        let is_off = matches!(value.as_u64(), Some(0)) || *value == json!(false);
        assert!(is_off || (name == "delay_percent" && *value == json!(100)), "{name}: {value}");
    }
    let set = world.put_faults(r#"{"decline_every": 2}"#).await.json();
    let mut expected = off.clone();
    expected["decline_every"] = json!(2);
    assert_eq!(set, expected);
    let statuses =
        [world.charge("a", "1", &[]).await.status, world.charge("b", "1", &[]).await.status];
    assert_eq!(statuses, [200, 402]);
    assert_eq!(world.fired("decline").await, 1);
    for (wrong, param) in [
        (r#"{"explode": 1}"#, ""),
        (r#"{"delay_ms": -1}"#, ""),
        (r#"{"lost_reply_percent": 1.5}"#, ""),
        (r#"{"delay_ms": 600001}"#, "delay_ms"),
        (r#"{"lost_reply_percent": 101}"#, "lost_reply_percent"),
        (r#"{"webhook_lost_percent": 101}"#, "webhook_lost_percent"),
        (r#"{"lost_reply_percent": 60, "rate_limit_percent": 41}"#, ""),
        ("x", ""),
    ] {
        let refused = world.put_faults(wrong).await;
        assert_eq!(refused.status, 400, "{wrong}");
        assert_eq!(refused.error()["param"].as_str().unwrap_or_default(), param, "{wrong}");
    }
    assert_eq!(world.get("/faults").await.json(), expected);
    assert_eq!(world.put_faults("{}").await.json(), off);
    world.finish().await;
}
