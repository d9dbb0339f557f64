//! Tests of the body of an order.

use super::*;
use crate::http::body::parse;
use crate::problem::Code;
use serde_json::json;

fn read(body: &Value) -> Result<OrderBody, Problem> {
    parse(body.to_string().as_bytes())
}

fn check(body: &Value) -> Result<OrderRequest, Problem> {
    read(body)?.check(LINES_MAX)
}

/// The pointers of the faults, in order.
fn pointers(body: &Value) -> Vec<String> {
    let problem = check(body).expect_err("a fault");
    assert_eq!(problem.code(), Code::ValidationFailed, "{problem}");
    let json: Value = serde_json::from_str(&problem.json("00")).expect("json");
    let errors = json["errors"].as_array().expect("errors");
    errors.iter().filter_map(|error| error["pointer"].as_str().map(String::from)).collect()
}

fn order() -> Value {
    json!({
        "external_ref": "basket-1",
        "customer_id": "0190a000-0000-7000-8000-000000000001",
        "currency": "USD",
        "lines": [{"sku": "A", "quantity": 2, "unit_amount": 199, "discount_amount": 50}],
        "payment": {"method": "pm_card_visa", "capture": "manual"},
        "metadata": {"channel": "web"}
    })
}

/// The order with `value` at `pointer`.
fn with(pointer: &str, value: Value) -> Value {
    let mut body = order();
    *body.pointer_mut(pointer).expect("a place") = value;
    body
}

#[test]
fn a_good_order_is_understood() {
    let request = check(&order()).expect("a good order");
    assert_eq!(request.external_ref.as_deref(), Some("basket-1"));
    assert_eq!(request.currency.code(), "USD");
    assert_eq!(request.payment_method.as_deref(), Some("pm_card_visa"));
    assert_eq!(request.capture, Capture::Manual);
    let line = &request.lines[0];
    assert_eq!(
        (line.sku.as_str(), line.quantity, line.unit_amount, line.discount_amount),
        ("A", 2, Some(199), 50)
    );
    let least = check(&json!({"currency": "USD", "lines": [{"sku": "A", "quantity": 1}]}));
    let least = least.expect("a good order");
    assert_eq!((least.capture, least.lines[0].unit_amount), (Capture::Automatic, None));
}

#[test]
fn each_wrong_value_is_told_with_its_place() {
    for (pointer, value) in [
        ("/external_ref", json!("")),
        ("/external_ref", json!("x".repeat(201))),
        ("/external_ref", json!("a\u{0}b")),
        ("/customer_id", json!("7")),
        ("/currency", json!("usd")),
        ("/currency", json!("XXXX")),
        ("/currency", json!(null)),
        ("/lines", json!(null)),
        ("/lines", json!([])),
        ("/lines/0/sku", json!("")),
        ("/lines/0/sku", json!("x".repeat(65))),
        ("/lines/0/sku", json!(null)),
        ("/lines/0/quantity", json!(0)),
        ("/lines/0/quantity", json!(-1)),
        ("/lines/0/quantity", json!(1.5)),
        ("/lines/0/quantity", json!(1e308)),
        ("/lines/0/quantity", json!(i64::MAX)),
        ("/lines/0/quantity", json!(u64::MAX)),
        ("/lines/0/quantity", json!(null)),
        ("/lines/0/unit_amount", json!(-1)),
        ("/lines/0/unit_amount", json!(1.0)),
        ("/lines/0/discount_amount", json!(-1)),
        ("/payment/method", json!("")),
        ("/payment/method", json!("4111 1111 1111 1111")),
        ("/payment/method", json!("x".repeat(101))),
        ("/payment/capture", json!("later")),
        ("/metadata", json!({"note": "x".repeat(16 * 1024)})),
    ] {
        assert_eq!(pointers(&with(pointer, value.clone())), [pointer], "{value}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let body = json!({
        "external_ref": "",
        "lines": [{"sku": "A", "quantity": 1}, {"quantity": 0}],
        "payment": {"capture": "x"}
    });
    let expected =
        ["/external_ref", "/currency", "/lines/1/sku", "/lines/1/quantity", "/payment/capture"];
    assert_eq!(pointers(&body), expected);
    assert_eq!(pointers(&json!({})), ["/currency", "/lines"]);
}

#[test]
fn the_number_of_lines_is_bounded() {
    let lines = |count| with("/lines", json!(vec![json!({"sku": "A", "quantity": 1}); count]));
    assert!(check(&lines(500)).is_ok());
    assert_eq!(pointers(&lines(501)), ["/lines"]);
    let import = read(&lines(5_000)).expect("a body").check(LINES_MAX_IMPORT);
    assert_eq!(import.expect("a good order").lines.len(), 5_000);
}

#[test]
fn wrong_types_and_unknown_members_cannot_be_read() {
    for (pointer, value) in [
        ("/external_ref", json!(7)),
        ("/lines", json!({})),
        ("/lines/0", json!({"sku": "A", "quantity": 1, "amount_total": 5})),
        ("/lines/0/quantity", json!("2")),
        ("/payment", json!("pm_card_visa")),
        ("/metadata", json!([])),
    ] {
        let problem = read(&with(pointer, value)).expect_err("unreadable");
        assert_eq!(problem.code(), Code::InvalidBody, "{pointer}");
    }
    for column in ["status", "total", "price", "tenant_id", "paid_at", "role", "version"] {
        let mut body = order();
        body[column] = json!(1);
        assert_eq!(read(&body).expect_err("unknown").code(), Code::InvalidBody, "{column}");
    }
}

#[test]
fn prices_are_noticed() {
    let names = |line: Value| read(&with("/lines/0", line)).expect("a body").names_prices();
    assert!(names(json!({"sku": "A", "quantity": 1, "unit_amount": 0})));
    assert!(names(json!({"sku": "A", "quantity": 1, "discount_amount": 1})));
    assert!(names(json!({"sku": "A", "quantity": 1, "discount_amount": 0.0})));
    assert!(!names(json!({"sku": "A", "quantity": 1, "discount_amount": 0})));
    assert!(!names(json!({"sku": "A", "quantity": 1, "unit_amount": null})));
}

#[test]
fn spelling_does_not_change_what_an_order_is() {
    let of = |text: &str| {
        let body: OrderBody = parse(text.as_bytes()).expect("a body");
        order_fingerprint(&body.check(LINES_MAX).expect("a good order"))
    };
    let base =
        of(r#"{"currency":"USD","lines":[{"sku":"A","quantity":1}],"metadata":{"a":1,"b":2}}"#);
    for same in [
        r#"{"metadata":{"b":2, "a":1}, "lines":[{"quantity":1,"sku":"A"}], "currency":"USD"}"#,
        r#"{"currency":"USD","lines":[{"sku":"\u0041","quantity":1,"discount_amount":0,"unit_amount":null}],"metadata":{"a":1,"b":2},"payment":{"capture":"automatic"},"external_ref":null}"#,
    ] {
        assert_eq!(base, of(same), "{same}");
    }
    for other in [
        r#"{"currency":"EUR","lines":[{"sku":"A","quantity":1}],"metadata":{"a":1,"b":2}}"#,
        r#"{"currency":"USD","lines":[{"sku":"A","quantity":2}],"metadata":{"a":1,"b":2}}"#,
        r#"{"currency":"USD","lines":[{"sku":"A","quantity":1,"unit_amount":0}],"metadata":{"a":1,"b":2}}"#,
        r#"{"currency":"USD","lines":[{"sku":"A","quantity":1}],"metadata":{"a":1,"b":3}}"#,
        r#"{"currency":"USD","lines":[{"sku":"A","quantity":1}],"metadata":{"a":1,"b":2},"external_ref":"x"}"#,
    ] {
        assert_ne!(base, of(other), "{other}");
    }
}

#[test]
fn only_an_order_in_a_stream_takes_its_key_along() {
    let mut body = order();
    body["idempotency_key"] = json!("k-1");
    let mut read = read(&body).expect("a body");
    assert_eq!(read.take_key().as_deref(), Some("k-1"));
    assert_eq!(read.take_key(), None);
}
