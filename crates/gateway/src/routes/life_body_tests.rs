//! Tests of the bodies of the steps.

use super::*;
use crate::http::body::parse;
use crate::problem::Code;
use serde::de::DeserializeOwned;

fn read<T: StepBody + DeserializeOwned>(body: &Value) -> Result<Wish, (Code, String)> {
    parse::<T>(body.to_string().as_bytes()).and_then(StepBody::check).map_err(|problem| {
        let told: Value = serde_json::from_str(&problem.json("00")).expect("json");
        (problem.code(), told["errors"][0]["pointer"].as_str().unwrap_or("none").to_owned())
    })
}

fn part(sku: &str, quantity: i64) -> PartRequest {
    PartRequest { sku: Sku::parse(sku).expect("a SKU"), quantity }
}

#[test]
fn bodies_become_commands() {
    let lines = json!([{"sku": "A", "quantity": 2}, {"quantity": 1, "sku": "B"}]);
    let parts = vec![part("A", 2), part("B", 1)];
    let reason = || "late".to_owned();
    for (found, kind, command) in [
        (
            read::<CancelBody>(&json!({"reason": "late"})),
            AskKind::Cancel,
            Command::Cancel { reason: reason() },
        ),
        (
            read::<CancelBody>(&json!({})),
            AskKind::Cancel,
            Command::Cancel { reason: REASON_DEFAULT.to_owned() },
        ),
        (read::<ShipmentBody>(&json!({})), AskKind::Ship, Command::Ship(vec![])),
        (read::<ShipmentBody>(&json!({"lines": []})), AskKind::Ship, Command::Ship(vec![])),
        (
            read::<ShipmentBody>(&json!({"lines": lines})),
            AskKind::Ship,
            Command::Ship(parts.clone()),
        ),
        (read::<NothingBody>(&json!({})), AskKind::Deliver, Command::Deliver),
        (
            read::<RefundBody>(&json!({"amount": 5, "reason": "late"})),
            AskKind::Refund,
            Command::Refund { wish: RefundWish::Amount(5), reason: reason() },
        ),
        (
            read::<RefundBody>(&json!({"lines": lines})),
            AskKind::Refund,
            Command::Refund { wish: RefundWish::Lines(parts.clone()), reason: String::new() },
        ),
        (
            read::<ReturnBody>(&json!({"lines": lines, "restock": true})),
            AskKind::Return,
            Command::Return { lines: parts, restock: true },
        ),
        (
            read::<ReturnBody>(&json!({})),
            AskKind::Return,
            Command::Return { lines: vec![], restock: false },
        ),
    ] {
        let wish = found.expect("a wish");
        assert_eq!((wish.kind, wish.command), (kind, command));
    }
}

#[test]
fn the_same_wish_is_the_same_however_it_is_spelt() {
    let canonical = |wish: Result<Wish, _>| wish.map_err(|(code, _)| code).expect("ok").canonical;
    assert_eq!(
        canonical(read::<ShipmentBody>(&json!({}))),
        canonical(read::<ShipmentBody>(&json!({"lines": null})))
    );
    assert_eq!(
        canonical(read::<ReturnBody>(&json!({"restock": false}))),
        canonical(read::<ReturnBody>(&json!({"lines": []})))
    );
    let bodies = [
        canonical(read::<RefundBody>(&json!({"amount": 5}))),
        canonical(read::<RefundBody>(&json!({"amount": 6}))),
        canonical(read::<RefundBody>(&json!({"amount": 5, "reason": "late"}))),
        canonical(read::<RefundBody>(&json!({"lines": [{"sku": "A", "quantity": 5}]}))),
        canonical(read::<RefundBody>(&json!({"lines": [{"sku": "A", "quantity": 6}]}))),
    ];
    for (index, one) in bodies.iter().enumerate() {
        assert!(!bodies[index + 1..].contains(one), "{one}");
    }
}

#[test]
fn faults_are_told_with_their_place() {
    let wrong = |pointer: &str| Err((Code::ValidationFailed, pointer.to_owned()));
    let long = "x".repeat(201);
    assert_eq!(read::<CancelBody>(&json!({"reason": ""})), wrong("/reason"));
    assert_eq!(read::<CancelBody>(&json!({"reason": long})), wrong("/reason"));
    assert_eq!(read::<RefundBody>(&json!({"amount": 1, "reason": long})), wrong("/reason"));
    for (line, pointer) in [
        (json!({"quantity": 1}), "/lines/0/sku"),
        (json!({"sku": "", "quantity": 1}), "/lines/0/sku"),
        (json!({"sku": "A"}), "/lines/0/quantity"),
        (json!({"sku": "A", "quantity": 0}), "/lines/0/quantity"),
        (json!({"sku": "A", "quantity": -1}), "/lines/0/quantity"),
        (json!({"sku": "A", "quantity": 1.5}), "/lines/0/quantity"),
        (json!({"sku": "A", "quantity": i64::MAX}), "/lines/0/quantity"),
    ] {
        let body = json!({"lines": [line]});
        assert_eq!(read::<ShipmentBody>(&body), wrong(pointer), "{body}");
        assert_eq!(read::<RefundBody>(&body), wrong(pointer), "{body}");
        assert_eq!(read::<ReturnBody>(&body), wrong(pointer), "{body}");
    }
    let many = json!({"lines": vec![json!({"sku": "A", "quantity": 1}); 5_001]});
    assert_eq!(read::<ShipmentBody>(&many), wrong("/lines"));
    assert_eq!(read::<RefundBody>(&json!({})), wrong(""));
    assert_eq!(read::<RefundBody>(&json!({"amount": 1, "lines": []})), wrong("/lines"));
    for amount in [json!(0), json!(-1), json!(0.5), json!(i64::MAX)] {
        assert_eq!(read::<RefundBody>(&json!({"amount": amount})), wrong("/amount"), "{amount}");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let code = |found: Result<Wish, (Code, String)>| found.err().map(|(code, _)| code);
    let unknown = json!({"status": "shipped"});
    assert_eq!(code(read::<CancelBody>(&unknown)), Some(Code::InvalidBody));
    assert_eq!(code(read::<ShipmentBody>(&unknown)), Some(Code::InvalidBody));
    assert_eq!(code(read::<NothingBody>(&unknown)), Some(Code::InvalidBody));
    assert_eq!(code(read::<RefundBody>(&unknown)), Some(Code::InvalidBody));
    assert_eq!(code(read::<ReturnBody>(&unknown)), Some(Code::InvalidBody));
    assert_eq!(code(read::<ReturnBody>(&json!({"restock": "yes"}))), Some(Code::InvalidBody));
    assert_eq!(code(read::<RefundBody>(&json!({"amount": "5"}))), Some(Code::InvalidBody));
}
