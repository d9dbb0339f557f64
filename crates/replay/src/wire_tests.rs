use serde_json::{Value, json};

use super::super::dataset::OrderLine;
use super::*;

fn an_order() -> Order {
    Order {
        order_ref: "o 1".into(),
        customer_ref: "c".into(),
        store_ref: Some("s".into()),
        timestamp: None,
        currency: "USD".into(),
        lines: vec![OrderLine {
            sku: "A".into(),
            quantity: 2,
            unit_amount: 10,
            discount_amount: 1,
        }],
        total_minor: 19,
    }
}

fn lines(body: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(body).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn bodies_follow_the_contract() {
    let product = Product {
        sku: "A".into(),
        name: "Milk".into(),
        category: "DAIRY".into(),
        unit_amount: 10,
        currency: "USD".into(),
    };
    let body = products(&[product.clone(), product]).unwrap();
    let want = json!({"sku": "A", "name": "Milk", "category": "DAIRY", "unit_amount": 10,
        "currency": "USD", "active": true});
    assert_eq!(lines(&body), [want.clone(), want]);
    let body = stock(&[Opening { sku: "A".into(), units: 7 }]).unwrap();
    assert_eq!(lines(&body), [json!({"sku": "A", "delta": 7, "reason": "opening_stock"})]);
    let body = customers(&["9".into()]).unwrap();
    let want = json!({"external_ref": "9", "name": "Customer 9",
        "default_payment_method": "pm_card_visa"});
    assert_eq!(lines(&body), [want]);
}

#[test]
fn an_order_carries_its_prices_and_what_the_file_says_about_it() {
    let body = order(&an_order(), "id-9", None).unwrap();
    let want = json!({"external_ref": "o 1", "customer_id": "id-9", "currency": "USD",
        "lines": [{"sku": "A", "quantity": 2, "unit_amount": 10, "discount_amount": 1}],
        "payment": {"method": "pm_card_visa"}, "metadata": {"store_ref": "s"}});
    assert_eq!(lines(&body), [want]);
    let line = order(&an_order(), "id-9", Some("run-o")).unwrap();
    assert_eq!(lines(&line)[0]["idempotency_key"], "run-o");
}

#[test]
fn keys_are_visible_ascii_and_differ_when_names_differ() {
    assert_eq!(idempotency_key("run", "31198"), "run-31198");
    assert_eq!(idempotency_key("run", "a b"), "run-a%20b");
    assert_eq!(idempotency_key("run", "a%20b"), "run-a%2520b");
    assert_eq!(idempotency_key("run", "\"ü\""), "run-%22%C3%BC%22");
}

const CONFIRMED: &[u8] = br#"{"id":"1","status":"confirmed","amount_subtotal":20,
    "amount_discount":1,"amount_total":19,"lines":[{"sku":"A","quantity":2}],"version":3}"#;

#[test]
fn a_confirmed_order_is_accepted_with_its_amounts() {
    let (label, outcome) = classify(201, CONFIRMED);
    assert_eq!(label, "201 confirmed");
    let want = OrderAnswer {
        id: "1".into(),
        status: "confirmed".into(),
        amount_subtotal: 20,
        amount_discount: 1,
        amount_total: 19,
        lines: vec![LineAnswer { quantity: 2 }],
    };
    assert_eq!(outcome, Outcome::Accepted(want));
}

#[test]
fn pending_and_business_refusals_are_told_apart() {
    let (label, outcome) = classify(202, br#"{"id":"7","status":"pending"}"#);
    assert_eq!((label.as_str(), outcome), ("202 pending", Outcome::Pending("7".into())));
    let (label, outcome) = classify(409, br#"{"code":"OUT_OF_STOCK"}"#);
    assert_eq!((label.as_str(), outcome), ("409 OUT_OF_STOCK", Outcome::Refused));
    let (label, outcome) = classify(402, br#"{"code":"PAYMENT_DECLINED"}"#);
    assert_eq!((label.as_str(), outcome), ("402 PAYMENT_DECLINED", Outcome::Refused));
}

#[test]
fn everything_else_is_a_failure_that_shows_the_body() {
    let cases: [(u16, &[u8], &str, &str); 5] = [
        (422, br#"{"code":"VALIDATION_FAILED"}"#, "422 VALIDATION_FAILED", "unexpected answer"),
        (500, b"<html>", "500 without code", "<html>"),
        (409, br#"{"code":"VERSION_MISMATCH"}"#, "409 VERSION_MISMATCH", "unexpected answer"),
        (201, b"{}", "201 unreadable", "not an order"),
        (201, br#"{"id":"1","status":"rejected"}"#, "201 rejected", "success without a sale"),
    ];
    for (status, body, want_label, want) in cases {
        let (label, outcome) = classify(status, body);
        assert_eq!(label, want_label);
        let Outcome::Failed(detail) = outcome else { panic!("{status} must be a failure") };
        assert!(detail.contains(want), "{detail}");
    }
}

#[test]
fn the_status_of_an_order_read_later_settles_it() {
    let order = |status: &str| -> OrderAnswer {
        serde_json::from_value(json!({"id": "1", "status": status})).unwrap()
    };
    for status in ["confirmed", "partially_shipped", "shipped", "delivered"] {
        assert_eq!(settled(order(status)), Settled::Accepted(order(status)));
    }
    assert_eq!(settled(order("rejected")), Settled::Refused("rejected".into()));
    assert_eq!(settled(order("pending")), Settled::NotYet("1".into()));
    assert_eq!(settled(order("lost")), Settled::Unknown("lost".into()));
}

#[test]
fn excerpts_stay_short_and_on_one_line() {
    assert_eq!(excerpt(b"a\n  b"), "a b");
    let long = excerpt("ü".repeat(1_000).as_bytes());
    assert_eq!(long.chars().count(), 301);
}
