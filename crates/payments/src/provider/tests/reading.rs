//! What an answer to a charge means, as a table.

use crate::provider::answer::read_charge;
use crate::stage::{ORDER, intent, refusal};
use domain::{ChargeOutcome, Currency, Money};

fn read(status: u16, body: &str) -> Result<ChargeOutcome, String> {
    read_charge(status, body.as_bytes(), ORDER, Money::new(500, Currency::USD))
}

fn declined(code: &str, provider_ref: Option<&str>) -> ChargeOutcome {
    ChargeOutcome::Declined { code: code.to_owned(), provider_ref: provider_ref.map(str::to_owned) }
}

#[test]
fn only_a_fitting_answer_is_an_answer() {
    let provider_ref = "pi_1".to_owned();
    let paid = r#"{"id":"pi_1","status":"succeeded","amount":500,"currency":"usd","x":[]}"#;
    let captured = ChargeOutcome::Captured { provider_ref: provider_ref.clone() };
    assert_eq!(read(200, paid), Ok(captured.clone()));
    assert_eq!(read(201, &intent("pi_1", "succeeded", 500)), Ok(captured));
    let held = intent("pi_1", "requires_capture", 0);
    assert_eq!(read(200, &held), Ok(ChargeOutcome::Authorized { provider_ref }));
}

#[test]
fn a_refused_card_and_an_unacceptable_request_are_definite() {
    let card = r#"{"error":{"type":"card_error","code":"card_declined",
        "decline_code":"insufficient_funds","payment_intent":{"id":"pi_2"}}}"#;
    assert_eq!(read(402, card), Ok(declined("insufficient_funds", Some("pi_2"))));
    let shown = card.replace(r#"{"id":"pi_2"}"#, &intent("pi_2", "requires_payment_method", 0));
    assert_eq!(read(402, &shown), Ok(declined("insufficient_funds", Some("pi_2"))));
    let bare = r#"{"error":{"type":"card_error"}}"#;
    assert_eq!(read(402, bare), Ok(declined("card_declined", None)));
    for code in ["resource_missing", "amount_too_small"] {
        assert_eq!(read(400, &refusal(code)), Ok(declined(code, None)));
    }
}

#[test]
fn everything_else_is_doubt() {
    let paid = intent("pi_1", "succeeded", 500);
    let card = |status: &str| {
        let shown = intent("pi_1", status, 0);
        format!(r#"{{"error":{{"type":"card_error","payment_intent":{shown}}}}}"#)
    };
    let other_order = paid.replace(&ORDER.to_string(), "another");
    assert_ne!(other_order, paid);
    for (status, body) in [
        (200, paid.replace(":500,", ":501,")),
        (200, paid.replace("usd", "eur")),
        (200, other_order),
        (200, paid.replace(":500,", ":500.5,")),
        (200, paid.replace(":500,", ":\"500\",")),
        (200, paid.replace("\"pi_1\"", "null")),
        (200, intent("pi_1", "processing", 0)),
        (200, intent("pi_1", "requires_action", 0)),
        (200, intent("pi_1", "canceled", 0)),
        (302, paid.clone()),
        (500, paid.clone()),
        (402, card("succeeded")),
        (402, card("requires_capture")),
        (402, card("processing")),
        (400, card("requires_payment_method")),
        (402, refusal("resource_missing")),
        (404, refusal("resource_missing")),
    ] {
        assert!(read(status, &body).is_err(), "{status} {body}");
    }
}

#[test]
fn the_amount_is_compared_unless_that_bug_is_planted() {
    let wrong = intent("pi_1", "succeeded", 500).replace(":500,", ":501,");
    assert!(read(200, &wrong).is_err());
    faults::plant(Some("amount-not-compared"));
    let believed = read(200, &wrong);
    faults::plant(None);
    assert!(believed.is_ok());
}
