//! Tests of what is told of a step: every kind with every outcome.

use super::*;
use crate::routes::answers::tests::order;
use domain::{
    CancelRequested, Cancelled, Delivered, LineUnits, OrderStatus, Refunded, RemainderCancelled,
    Returned, Shipped, Sku,
};
use serde_json::json;

const KINDS: [AskKind; 5] =
    [AskKind::Cancel, AskKind::Ship, AskKind::Deliver, AskKind::Refund, AskKind::Return];

fn sku() -> Sku {
    Sku::parse("SKU \"1\"").expect("a SKU")
}

fn two_units() -> Vec<LineUnits> {
    vec![LineUnits { line: 0, sku: sku(), quantity: 2 }]
}

fn render(kind: AskKind, order: &Order, outcome: &LifeOutcome<'_>) -> (Answer, Value) {
    let answer = render_life_answer(kind, order, outcome, "0af7");
    let body = serde_json::from_str(&answer.body).expect("json");
    (answer, body)
}

/// The member that tells of the step, and its content.
type Member = Option<(&'static str, Value)>;

/// Each event that a step leads to, the status, and what tells of the step.
fn events() -> Vec<(OrderEvent, u16, Member)> {
    let lines = json!([{"line": 0, "sku": "SKU \"1\"", "quantity": 2}]);
    let reason = || "late".to_owned();
    vec![
        (OrderEvent::CancelRequested(CancelRequested { reason: reason() }), 202, None),
        (
            OrderEvent::Cancelled(Cancelled {
                reason: reason(),
                payment: None,
                amount_captured: 348,
                amount_refunded: 348,
            }),
            200,
            None,
        ),
        (
            OrderEvent::RemainderCancelled(RemainderCancelled {
                reason: reason(),
                lines: two_units(),
                amount_refunded: 5,
            }),
            200,
            None,
        ),
        (
            OrderEvent::Shipped(Shipped { lines: two_units(), amount_captured: 7, is_last: true }),
            201,
            Some(("shipment", json!({"version": 2, "lines": lines, "amount_captured": 7}))),
        ),
        (OrderEvent::Delivered(Delivered {}), 200, None),
        (
            OrderEvent::Refunded(Refunded { amount: 9, lines: vec![], reason: reason() }),
            201,
            Some(("refund", json!({"version": 2, "amount": 9, "lines": []}))),
        ),
        (
            OrderEvent::Returned(Returned {
                lines: two_units(),
                restock: true,
                amount_refunded: 11,
            }),
            201,
            Some((
                "return",
                json!({"version": 2, "lines": lines, "restock": true, "amount_refunded": 11}),
            )),
        ),
    ]
}

#[test]
fn what_was_done_is_told_with_the_order_and_the_step() {
    let order = order();
    let view: Value = serde_json::from_str(&plain(&order)).expect("json");
    for kind in KINDS {
        for (event, status, step) in events() {
            let (answer, body) = render(kind, &order, &LifeOutcome::Done(&event));
            assert_eq!(answer.status, status, "{event:?}");
            assert_eq!(answer.location, Some(format!("/v1/orders/{}", order.id)));
            assert_eq!(answer.etag.as_deref(), Some("\"v2\""));
            let mut expected = view.clone();
            if let Some((member, content)) = step {
                expected[member] = content;
            }
            assert_eq!(body, expected, "{event:?}");
        }
    }
}

#[test]
fn the_order_comes_first_and_then_the_step() {
    let order = order();
    let event = OrderEvent::Refunded(Refunded { amount: 9, lines: vec![], reason: String::new() });
    let (answer, _) = render(AskKind::Refund, &order, &LifeOutcome::Done(&event));
    let plain = plain(&order);
    let open = plain.strip_suffix('}').expect("an object");
    let refund = r#","refund":{"version":2,"amount":9,"lines":[]}}"#;
    assert_eq!(answer.body, format!("{open}{refund}"));
}

/// Every refusal with its code, for a cancellation and for any other step.
fn refusals() -> Vec<(Refusal, Code, Code, Value)> {
    let part = |quantity| PartRequest { sku: sku(), quantity };
    let short = json!({"sku": "SKU \"1\"", "requested": 3, "left": 1});
    let same = |refusal, code, details| (refusal, code, code, details);
    let mut all = vec![
        same(Refusal::NotFree, Code::InvalidState, json!({})),
        same(Refusal::PaymentUnknown("?".to_owned()), Code::InvalidState, json!({})),
        same(Refusal::PaymentMismatch, Code::InvalidState, json!({})),
        same(Refusal::NothingToShip(part(3)), Code::NothingToShip, short.clone()),
        same(Refusal::AllShipped, Code::NothingToShip, json!({})),
        same(Refusal::NothingToReturn(part(3)), Code::NothingToReturn, short),
        same(Refusal::AllReturned, Code::NothingToReturn, json!({})),
        same(
            Refusal::RefundExceedsCaptured { wanted: 400, left: 338 },
            Code::RefundExceedsCaptured,
            json!({"left": 338}),
        ),
        same(Refusal::NotHeld, Code::MoneyNotHeld, json!({})),
        same(Refusal::MovedOn, Code::InvalidState, json!({})),
    ];
    all.extend(OrderStatus::ALL.map(|status| {
        (Refusal::WrongStatus(status), Code::OrderNotCancellable, Code::InvalidState, json!({}))
    }));
    all
}

#[test]
fn every_refusal_is_told_with_its_code_and_the_state_of_the_order() {
    let mut order = order();
    order.status = OrderStatus::PartiallyShipped;
    order.amounts.refunded = 10;
    order.lines[0].quantity_shipped = 1;
    for kind in KINDS {
        for (refusal, for_cancel, for_others, mut details) in refusals() {
            let code = if kind == AskKind::Cancel { for_cancel } else { for_others };
            let (answer, body) = render(kind, &order, &LifeOutcome::Refused(&refusal));
            details["order_id"] = json!(order.id);
            details["status"] = json!("partially_shipped");
            assert_eq!((answer.status, &answer.location), (409, &None), "{refusal:?}");
            assert_eq!(answer.etag.as_deref(), Some("\"v2\""));
            assert_eq!(body["code"], code.as_str(), "{kind:?} {refusal:?}");
            assert_eq!(body["details"], details, "{refusal:?}");
            assert_eq!((&body["trace_id"], &body["status"]), (&json!("0af7"), &json!(409)));
            assert_eq!(body["retryable"], false);
        }
    }
}

#[test]
fn a_second_cancellation_is_accepted_like_the_first() {
    let mut order = order();
    order.status = OrderStatus::Pending;
    let outcome = LifeOutcome::Refused(&Refusal::CancelPending);
    let (answer, body) = render(AskKind::Cancel, &order, &outcome);
    assert_eq!((answer.status, &body["status"]), (202, &json!("pending")));
    assert_eq!(answer.location, Some(format!("/v1/orders/{}", order.id)));
}
