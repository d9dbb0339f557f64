//! Asking for the money.

use super::{no_answers, staged};
use crate::provider::{HttpProvider, PaymentProvider, ProviderError, charge_key};
use crate::stage::{ORDER, Play, Stage, intent, later, limits, sending};
use domain::{Capture, ChargeOutcome, Currency, Money, Payment};
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test]
async fn a_charge_says_what_is_wanted_and_for_which_order() {
    let script = vec![
        Play::Json(200, intent("pi_1", "succeeded", 500)),
        Play::Json(200, intent("pi_2", "requires_capture", 0)),
    ];
    let (stage, provider) = staged(script).await;
    let paid = provider.charge(&sending(Capture::Automatic), later()).await;
    assert_eq!(paid, ChargeOutcome::Captured { provider_ref: "pi_1".to_owned() });
    let held = provider.charge(&sending(Capture::Manual), later()).await;
    assert_eq!(held, ChargeOutcome::Authorized { provider_ref: "pi_2".to_owned() });
    let heard = stage.heard();
    assert_eq!(heard[0].what, "POST /v1/payment_intents");
    assert_eq!(heard[0].authorization.as_deref(), Some("Bearer sk_test"));
    assert_eq!(heard[0].key, Some(format!("orderly-{ORDER}-1-charge")));
    for (name, value) in [
        ("amount", "500"),
        ("currency", "usd"),
        ("payment_method", "pm_card_visa"),
        ("capture_method", "automatic"),
        ("confirm", "true"),
        ("metadata[order_id]", &ORDER.to_string()),
        ("payment_method_options[card][request_multicapture]", ""),
    ] {
        assert_eq!(heard[0].field(name), value, "{name}");
    }
    assert_eq!(heard[1].field("capture_method"), "manual");
    let parts = heard[1].field("payment_method_options[card][request_multicapture]");
    assert_eq!(parts, "if_available");
}

#[tokio::test]
async fn what_is_no_answer_leaves_the_outcome_unknown() {
    for (what, play) in no_answers() {
        let (stage, provider) = staged(vec![play]).await;
        let outcome = provider.charge(&sending(Capture::Automatic), later()).await;
        assert!(matches!(outcome, ChargeOutcome::Unknown { .. }), "{what}: {outcome:?}");
        assert_eq!(stage.heard().len(), 1, "{what}");
    }
}

#[tokio::test]
async fn while_in_doubt_it_is_asked_again_with_the_same_key() {
    let script = vec![
        Play::Close,
        Play::Json(500, String::new()),
        Play::Json(200, intent("pi_1", "succeeded", 500)),
    ];
    let stage = Stage::open(script).await;
    let config = crate::ProviderConfig { limits: limits(3), ..stage.config() };
    let provider = HttpProvider::new(config).expect("a provider");
    let outcome = provider.charge(&sending(Capture::Automatic), later()).await;
    assert!(matches!(outcome, ChargeOutcome::Captured { .. }), "{outcome:?}");
    let heard = stage.heard();
    assert_eq!(heard.len(), 3);
    assert!(heard.iter().all(|one| *one == heard[0]), "{heard:?}");
}

#[tokio::test]
async fn a_refusal_is_not_asked_for_again() {
    let declined = r#"{"error":{"type":"card_error","code":"expired_card"}}"#.to_owned();
    let stage = Stage::open(vec![Play::Json(402, declined)]).await;
    let config = crate::ProviderConfig { limits: limits(3), ..stage.config() };
    let provider = HttpProvider::new(config).expect("a provider");
    let outcome = provider.charge(&sending(Capture::Automatic), later()).await;
    let code = "expired_card".to_owned();
    assert_eq!(outcome, ChargeOutcome::Declined { code, provider_ref: None });
    assert_eq!(stage.heard().len(), 1);
}

#[tokio::test]
async fn nothing_is_sent_after_the_deadline_or_through_an_open_breaker() {
    let stage = Stage::open(vec![Play::Close]).await;
    let mut config = stage.config();
    config.limits.breaker.calls_min = 1;
    let provider = HttpProvider::new(config).expect("a provider");
    let payment = sending(Capture::Automatic);
    let outcome = provider.charge(&payment, Instant::now()).await;
    assert!(matches!(outcome, ChargeOutcome::Unknown { .. }));
    assert!(stage.heard().is_empty());
    for calls in [1, 0] {
        let outcome = provider.charge(&payment, later()).await;
        assert!(matches!(outcome, ChargeOutcome::Unknown { .. }), "{outcome:?}");
        assert_eq!(stage.heard().len(), calls);
    }
}

#[test]
fn the_key_is_the_orders_own_unless_that_bug_is_planted() {
    let payment = sending(Capture::Automatic);
    let later = Payment { amount: Money::new(1, Currency::EUR), ..payment.clone() };
    assert_eq!(charge_key(&payment), charge_key(&later));
    faults::plant(Some("charge-with-a-new-key"));
    let (one, other) = (charge_key(&payment), charge_key(&payment));
    faults::plant(None);
    assert_ne!(one, other);
}

#[tokio::test]
async fn a_secret_is_neither_empty_nor_shown() {
    let (stage, _) = staged(Vec::new()).await;
    let config = stage.config();
    let shown = format!("{config:?}");
    assert!(!shown.contains("sk_test") && !shown.contains("whsec"), "{shown}");
    let empty = crate::ProviderConfig { webhook_secrets: vec![String::new()], ..config };
    let refused = HttpProvider::new(empty).map(|_| ());
    assert!(matches!(refused, Err(ProviderError::EmptyWebhookSecret)));
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for_without_end() {
    // Nobody takes the connection: the system does, and keeps silent.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let (stage, _) = staged(Vec::new()).await;
    let config = crate::ProviderConfig {
        base_url: format!("http://{}", silent.local_addr().expect("an address")),
        call_timeout: Duration::from_millis(50),
        ..stage.config()
    };
    let provider = HttpProvider::new(config).expect("a provider");
    let outcome = provider.charge(&sending(Capture::Automatic), later()).await;
    assert!(matches!(outcome, ChargeOutcome::Unknown { .. }), "{outcome:?}");
}

#[tokio::test]
async fn the_books_are_read_line_by_line_or_not_at_all() {
    let line = r#"{"payment_intent":"pi_1","idempotency_key":"k","order_id":"o","amount":5,
        "currency":"USD","captured":5,"refunded":0,"status":"succeeded"}"#
        .replace('\n', "");
    let script = vec![
        Play::Json(200, format!("{line}\n{line}")),
        Play::Json(404, String::new()),
        Play::Json(200, line.replace("USD", "xx")),
        Play::Json(200, line.replace(":5,", ":5.5,")),
        Play::Json(500, String::new()),
        Play::Close,
    ];
    let (_stage, provider) = staged(script).await;
    let books = provider.ledger().await.expect("reads").expect("has books");
    assert_eq!((books.len(), books[1].captured), (2, 5));
    assert_eq!(provider.ledger().await.expect("reads"), None);
    for what in ["no currency", "no whole number", "a failure", "nothing"] {
        assert!(provider.ledger().await.is_err(), "{what}");
    }
}
