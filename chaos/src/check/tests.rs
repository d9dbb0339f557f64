//! The checker can fail: each lie in the facts is found by the checks that are there for it.

use super::*;
use crate::bank::LedgerEntry;
use crate::clients::Record;
use crate::http::{Answer, Request};
use serde_json::json;

const SKU: &str = "SKU-01";
const PRICE: i64 = 137;

fn request(key: &str, quantity: i64) -> Request {
    let body = json!({"external_ref": key, "currency": "USD",
        "lines": [{"sku": SKU, "quantity": quantity}]});
    Request::post("/v1/orders", key, body)
}

fn record(key: &str, quantity: i64, status: u16, body: &serde_json::Value) -> Record {
    let answer = Answer { status, body: body.to_string(), ..Answer::default() };
    Record {
        operation: "place",
        request: request(key, quantity),
        about: None,
        owns_key: true,
        attempts: Vec::new(),
        outcome: Outcome::Ok,
        answer: Some(answer),
        findings: Vec::new(),
    }
}

fn order(id: &str, key: &str, quantity: i64, status: &str) -> OrderRow {
    let total = quantity * PRICE;
    let paid = if status == "confirmed" { total } else { 0 };
    OrderRow {
        id: id.to_owned(),
        principal_id: "p".to_owned(),
        idempotency_key: key.to_owned(),
        external_ref: Some(key.to_owned()),
        status: status.to_owned(),
        currency: "USD".to_owned(),
        amount_total: total,
        amount_authorized: paid,
        amount_captured: paid,
        amount_refunded: 0,
        capture: "automatic".to_owned(),
        lines: vec![LineRow {
            sku: SKU.to_owned(),
            quantity,
            unit_amount: PRICE,
            amount_total: total,
            ..LineRow::default()
        }],
        goods: None,
        version: 2,
    }
}

fn event(order: &str, version: i64, kind: &str, seq: i64, data: serde_json::Value) -> EventRow {
    EventRow { order_id: order.to_owned(), version, kind: kind.to_owned(), seq, data }
}

/// Order `a` of two units is paid; order `b` of five was refused by the card.
fn honest() -> Facts {
    let paid = json!({"id": "a", "status": "confirmed", "amount_total": 2 * PRICE, "version": 2});
    let refused = json!({"code": "PAYMENT_DECLINED", "details": {"order_id": "b"}});
    let confirmed = json!({"amount_captured": 2 * PRICE,
        "lines": [{"sku": SKU, "quantity": 2}]});
    let entry = |order: &str, amount: i64, captured: i64| LedgerEntry {
        payment_intent: format!("pi_{order}"),
        order_id: Some(order.to_owned()),
        amount,
        currency: "usd".to_owned(),
        captured,
        status: "succeeded".to_owned(),
        ..LedgerEntry::default()
    };
    let payment = |order: &str, amount: i64, status: &str| PaymentRow {
        order_id: order.to_owned(),
        amount,
        currency: "USD".to_owned(),
        status: status.to_owned(),
        provider_ref: Some(format!("pi_{order}")),
    };
    let units = |quantity: i64| vec![(SKU.to_owned(), quantity)];
    let reservation = |order: &str, quantity: i64, live: bool| ReservationRow {
        order_id: order.to_owned(),
        units: units(quantity),
        live,
    };
    Facts {
        records: vec![record("k1", 2, 201, &paid), record("k2", 5, 402, &refused)],
        replays: vec![ReplayFact { key: "k1".into(), node: "node0".into(), difference: None }],
        orders: vec![order("a", "k1", 2, "confirmed"), order("b", "k2", 5, "rejected")],
        events: vec![
            event("a", 1, "order.placed", 1, json!({})),
            event("b", 1, "order.placed", 2, json!({})),
            event("a", 2, "order.confirmed", 3, confirmed),
            event("b", 2, "order.rejected", 4, json!({})),
        ],
        payments: vec![payment("a", 2 * PRICE, "captured"), payment("b", 5 * PRICE, "declined")],
        stock: vec![StockRow {
            sku: SKU.to_owned(),
            on_hand: 10,
            reserved: 2,
            adjusted: 10,
            ..StockRow::default()
        }],
        reservations: vec![reservation("a", 2, true), reservation("b", 5, false)],
        adjustments: vec![AdjustmentRow {
            reason: "opening_stock".into(),
            sku: SKU.into(),
            delta: 10,
        }],
        shipments: vec![ShipmentRow {
            order_id: "a".to_owned(),
            status: "preparing".to_owned(),
            units: units(2),
        }],
        ledger: vec![entry("a", 2 * PRICE, 2 * PRICE), entry("b", 5 * PRICE, 0)],
        audits: vec![("node0".to_owned(), None)],
        samples: 1,
        looks: 1,
        ..Facts::default()
    }
}

/// The invariants that find something after `lie` has changed the facts, each once, sorted.
fn found(lie: impl FnOnce(&mut Facts)) -> Vec<&'static str> {
    let mut facts = honest();
    lie(&mut facts);
    let checks = check(&facts);
    let mut bad: Vec<&str> =
        checks.iter().filter(|check| check.wrong > 0).map(|check| check.invariant).collect();
    bad.sort_unstable();
    bad.dedup();
    bad
}

#[test]
fn honest_facts_are_in_order() {
    assert_eq!(found(|_| ()), Vec::<&str>::new());
    let checks = check(&honest());
    let idle: Vec<&str> =
        checks.iter().filter(|check| check.checked == 0).map(|check| check.name).collect();
    let no_such_records = ["a step of an order happens once", "an adjustment happens once"];
    assert_eq!(idle, no_such_records, "checks that look at nothing");
}

#[test]
fn a_lost_order_is_found() {
    let bad = found(|facts| {
        facts.orders.remove(0);
    });
    assert!(bad.contains(&"I1"), "{bad:?}");
    assert_eq!(found(|facts| facts.orders[0].lines[0].quantity = 1), ["I1", "I9"]);
    assert!(found(|facts| facts.orders[0].amount_total = 1).contains(&"I1"));
    assert!(found(|facts| facts.orders[0].external_ref = None).contains(&"I1"));
    assert!(found(|facts| facts.orders[0].status = "rejected".into()).contains(&"I1"));
    assert!(found(|facts| facts.orders[1].status = "confirmed".into()).contains(&"I1"));
}

#[test]
fn a_second_order_of_a_key_is_found() {
    let twice = |facts: &mut Facts| {
        let mut second = facts.orders[1].clone();
        second.id = "c".into();
        facts.orders.push(second);
    };
    assert!(found(twice).contains(&"I2"));
    assert!(found(|facts| facts.orders[1].idempotency_key = "never sent".into()).contains(&"I2"));
}

#[test]
fn a_wrong_replay_is_found() {
    assert_eq!(found(|facts| facts.replays[0].difference = Some("other".into())), ["I3"]);
    let told = |invariant: &'static str| {
        move |facts: &mut Facts| {
            facts.records[0].findings.push(Finding::new(invariant, "seen"));
        }
    };
    for invariant in ["I3", "I4", "I15", "I19"] {
        assert_eq!(found(told(invariant)), [invariant]);
    }
}

#[test]
fn a_double_charge_is_found() {
    let twice = |facts: &mut Facts| {
        let mut second = facts.ledger[0].clone();
        second.payment_intent = "pi_again".into();
        facts.ledger.push(second);
    };
    assert_eq!(found(twice), ["I14", "I5"]);
}

#[test]
fn wrong_money_is_found() {
    assert_eq!(found(|facts| facts.ledger[0].captured -= 1), ["I14", "I5"]);
    let never = |facts: &mut Facts| {
        facts.ledger.remove(0);
    };
    assert_eq!(found(never), ["I14", "I5", "I7"]);
    let refused_and_kept = |facts: &mut Facts| facts.ledger[1].captured = 5 * PRICE;
    assert_eq!(found(refused_and_kept), ["I14", "I5", "I6"]);
    assert_eq!(found(|facts| facts.ledger[1].status = "requires_capture".into()), ["I6"]);
    let orphan = |facts: &mut Facts| facts.ledger[1].order_id = Some("nobody".into());
    assert_eq!(found(orphan), ["I7"]);
    let too_much = |facts: &mut Facts| facts.ledger[0].refunded = 3 * PRICE;
    assert_eq!(found(too_much), ["I14", "I5", "I6"]);
    let unpaid = |facts: &mut Facts| {
        facts.orders[0].amount_captured = 0;
        facts.ledger[0].captured = 0;
        facts.events[2].data["amount_captured"] = json!(0);
    };
    assert_eq!(found(unpaid), ["I5"]);
}

#[test]
fn oversold_stock_is_found() {
    let oversold = |facts: &mut Facts| {
        facts.stock[0].reserved = 11;
    };
    assert_eq!(found(oversold), ["I8", "I9"]);
    assert_eq!(found(|facts| facts.stock[0].on_hand = 9), ["I8"]);
    assert_eq!(found(|facts| facts.bad_levels.push("-1".into())), ["I8"]);
    assert_eq!(found(|facts| facts.reservations[0].live = false), ["I9"]);
    assert_eq!(found(|facts| facts.reservations[1].live = true), ["I9"]);
}

#[test]
fn an_adjustment_made_twice_is_found() {
    let restock = |facts: &mut Facts| {
        let mut record = facts.records[0].clone();
        record.operation = "restock";
        record.request =
            Request::post(format!("/v1/stock/{SKU}/adjustments"), "r1", json!({"delta": 3}));
        record.answer = Some(Answer { status: 201, body: "{}".into(), ..Answer::default() });
        facts.records.push(record);
        let row = AdjustmentRow { reason: "r1".into(), sku: SKU.into(), delta: 3 };
        facts.adjustments.push(row);
        (facts.stock[0].on_hand, facts.stock[0].adjusted) = (13, 13);
    };
    assert_eq!(found(restock), Vec::<&str>::new());
    let twice = |facts: &mut Facts| {
        restock(facts);
        facts.adjustments.push(facts.adjustments[1].clone());
    };
    assert_eq!(found(twice), ["I2"]);
    let lost = |facts: &mut Facts| {
        restock(facts);
        facts.adjustments.pop();
    };
    assert_eq!(found(lost), ["I2"]);
}

#[test]
fn a_refund_made_twice_is_found() {
    let refund = |facts: &mut Facts, events: i64| {
        let mut record = facts.records[0].clone();
        (record.operation, record.about) = ("refund", Some("a".to_owned()));
        record.request = Request::post("/v1/orders/a/refunds", "f1", json!({"amount": 7}));
        record.answer = Some(Answer { status: 201, body: "{}".into(), ..Answer::default() });
        facts.records.push(record);
        for done in 1..=events {
            let data = json!({"amount": 7});
            facts.events.push(event("a", 2 + done, "order.refunded", 10 + done, data));
        }
        facts.orders[0].version += events;
        facts.orders[0].amount_refunded = 7 * events;
        facts.ledger[0].refunded = 7 * events;
    };
    assert_eq!(found(|facts| refund(facts, 1)), Vec::<&str>::new());
    assert_eq!(found(|facts| refund(facts, 2)), ["I2"]);
    assert_eq!(found(|facts| refund(facts, 0)), ["I2"]);
}

#[test]
fn an_event_gap_is_found() {
    let gap = |facts: &mut Facts| {
        facts.events[2].version = 3;
    };
    assert_eq!(found(gap), ["I10"]);
    let missing = |facts: &mut Facts| {
        facts.events.remove(0);
    };
    assert_eq!(found(missing), ["I10", "I13"]);
    let swapped = |facts: &mut Facts| facts.events.swap(0, 2);
    assert_eq!(found(swapped), ["I10"]);
    let phantom = |facts: &mut Facts| {
        facts.events.push(event("nobody", 1, "order.placed", 9, json!({})));
    };
    assert_eq!(found(phantom), ["I10"]);
}

#[test]
fn a_history_that_leads_nowhere_is_found() {
    let detour = |facts: &mut Facts| facts.events[3].kind = "order.delivered".into();
    assert_eq!(found(detour), ["I13", "I2"]);
    let other_money = |facts: &mut Facts| facts.events[2].data["amount_captured"] = json!(1);
    assert_eq!(found(other_money), ["I13"]);
}

#[test]
fn an_effect_lost_or_doubled_is_found() {
    assert_eq!(found(|facts| facts.shipments.clear()), ["I11"]);
    assert_eq!(found(|facts| facts.shipments[0].units[0].1 = 3), ["I11"]);
    assert_eq!(found(|facts| facts.shipments[0].status = "sent".into()), ["I12"]);
    let phantom = |facts: &mut Facts| facts.shipments[0].order_id = "c".into();
    assert_eq!(found(phantom), ["I11"]);
}

#[test]
fn what_does_not_end_is_found() {
    assert!(found(|facts| facts.orders[0].status = "pending".into()).contains(&"I16"));
    assert_eq!(found(|facts| facts.payments[0].status = "sending".into()), ["I16"]);
    assert_eq!(found(|facts| facts.parked.push(ParkedRow::default())), ["I16"]);
    assert_eq!(found(|facts| facts.audits[0].1 = Some("unbalanced".into())), ["I16"]);
    let undecided = |facts: &mut Facts| {
        facts.records[1].outcome = Outcome::Info;
        facts.records[1].attempts = vec![crate::clients::Attempt::default(); 5];
    };
    assert_eq!(found(undecided), ["I16"]);
    assert_eq!(found(|facts| facts.complaints.push("a panic".into())), ["I18"]);
}
