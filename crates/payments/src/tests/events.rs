//! What the provider tells of its own accord.

use super::{START, Shop, in_a_shop, patient};
use crate::stage::ORDER;
use crate::{Received, WebhookError};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

fn event(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","type":"payment_intent.succeeded","data":{{"object":{{"id":"pi_1",
            "amount":1,"status":"succeeded","metadata":{{"order_id":"{ORDER}"}}}}}}}}"#
    )
}

/// The header of a body that was signed so many seconds after the test began.
fn signed(secret: &str, after: i64, body: &str) -> String {
    let at = START + after;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(format!("{at}.{body}").as_bytes());
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}

async fn receive(shop: &Shop, body: &str, header: &str) -> Result<Received, WebhookError> {
    shop.payments.receive(body.as_bytes(), Some(header), &patient()).await
}

async fn unhandled(shop: &Shop) -> Vec<String> {
    let events = shop.payments.unhandled_events(100).await.expect("reads");
    events.into_iter().map(|event| event.id).collect()
}

#[test]
fn an_event_counts_once_however_often_it_comes() {
    in_a_shop(Vec::new(), async |shop| {
        let body = event("evt_1");
        let first = receive(shop, &body, &signed("whsec_new", 0, &body)).await.expect("is taken");
        assert_eq!((first.order_id, first.is_new), (Some(ORDER), true));
        shop.move_clock(60);
        // Sent again, and by the other secret that is good for now.
        let again = receive(shop, &body, &signed("whsec_old", 60, &body)).await.expect("is taken");
        assert_eq!((again.order_id, again.is_new), (Some(ORDER), false));
        let kept = shop.payments.unhandled_events(100).await.expect("reads");
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].kind, "payment_intent.succeeded");
        assert_eq!(kept[0].order_id, Some(ORDER));
        assert_eq!(kept[0].received_at.micros(), START * 1_000_000);
        faults::plant(Some("webhook-not-deduplicated"));
        let planted = receive(shop, &body, &signed("whsec_new", 60, &body)).await;
        faults::plant(None);
        assert!(planted.expect("is taken").is_new);
        assert!(shop.stage.heard().is_empty(), "whoever cares asks later");
    });
}

#[test]
fn what_is_refused_leaves_nothing() {
    in_a_shop(Vec::new(), async |shop| {
        let body = event("evt_1");
        let good = signed("whsec_new", 0, &body);
        let forged = receive(shop, &body, &signed("whsec_x", 0, &body)).await;
        assert!(matches!(forged, Err(WebhookError::BadSignature)));
        let unsigned = shop.payments.receive(body.as_bytes(), None, &patient()).await;
        assert!(matches!(unsigned, Err(WebhookError::BadSignature)));
        let rewritten =
            receive(shop, &body.replace(r#""amount":1"#, r#""amount": 1"#), &good).await;
        assert!(matches!(rewritten, Err(WebhookError::BadSignature)));
        for after in [-301, 301] {
            let stale = receive(shop, &body, &signed("whsec_new", after, &body)).await;
            assert!(matches!(stale, Err(WebhookError::Stale)));
        }
        let malformed = receive(shop, "{}", &signed("whsec_new", 0, "{}")).await;
        assert!(matches!(malformed, Err(WebhookError::Malformed(_))));
        assert!(unhandled(shop).await.is_empty());
        assert!(receive(shop, &body, &good).await.expect("is taken").is_new);
    });
}

#[test]
fn events_are_handled_in_the_order_in_which_they_came() {
    in_a_shop(Vec::new(), async |shop| {
        for (after, id) in [(0, "evt_9"), (1, "evt_5"), (2, "evt_7")] {
            let body = event(id);
            receive(shop, &body, &signed("whsec_new", after, &body)).await.expect("is taken");
            shop.move_clock(1);
        }
        assert_eq!(unhandled(shop).await, ["evt_9", "evt_5", "evt_7"]);
        assert_eq!(shop.payments.unhandled_events(1).await.expect("reads").len(), 1);
        let ids = vec!["evt_5".to_owned(), "evt_x".to_owned()];
        shop.payments.mark_handled(ids.clone(), &patient()).await.expect("marks");
        assert_eq!(unhandled(shop).await, ["evt_9", "evt_7"]);
        shop.payments.mark_handled(ids, &patient()).await.expect("marks");
        shop.payments.mark_handled(Vec::new(), &patient()).await.expect("marks");
        // One that was handled is not new when it comes again, and stays handled.
        let body = event("evt_5");
        let again = receive(shop, &body, &signed("whsec_new", 3, &body)).await.expect("is taken");
        assert!(!again.is_new);
        assert_eq!(unhandled(shop).await, ["evt_9", "evt_7"]);
    });
}

#[test]
fn an_event_about_nobody_is_kept_too() {
    in_a_shop(Vec::new(), async |shop| {
        let body = r#"{"id":"evt_1","type":"payout.paid","data":{"object":{}}}"#;
        let received = receive(shop, body, &signed("whsec_new", 0, body)).await.expect("is taken");
        assert_eq!((received.order_id, received.is_new), (None, true));
        let kept = shop.payments.unhandled_events(1).await.expect("reads");
        assert_eq!((kept[0].id.as_str(), kept[0].order_id), ("evt_1", None));
    });
}
