//! The checker must be able to fail: sound books pass, and each kind of doctoring is found.

use super::check;
use crate::bank::books::{Books, Said, Wish};
use crate::catalogue;
use crate::facts::{EventRow, Facts, Level, OrderRow, PaymentRow, PromiseRow};
use crate::ledger::{Entry, Ledger, Misuse, Reply, Sight, Step, What};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

const UNITS: i64 = 2;

fn sku() -> String {
    catalogue::sku(0)
}

fn total() -> i64 {
    catalogue::price(&sku()) * UNITS
}

fn id() -> Uuid {
    Uuid::from_u128(7)
}

fn reply(status: u16, body: &serde_json::Value) -> Reply {
    Reply {
        node: 0,
        status,
        code: body["code"].as_str().map(str::to_owned),
        location: None,
        etag: None,
        replayed: false,
        body: body.to_string(),
    }
}

fn entry(key: &str, what: What, replies: Vec<Reply>) -> Entry {
    let (path, body) = (String::new(), String::new());
    Entry { key: key.into(), what, path, body, prefer: None, replies, sent: 1, persistent: true }
}

fn event(seq: i64, version: i64, kind: &str) -> EventRow {
    EventRow { seq, partition: 3, order_id: id(), version, kind: kind.to_owned() }
}

/// One product, one order of it, paid and told.
fn sound() -> (Facts, Ledger) {
    let mut books = Books::default();
    let charge = Wish::Charge {
        amount: total(),
        currency: "usd".into(),
        manual: false,
        method: "pm_card_visa".into(),
        order_id: id().to_string(),
        leg: None,
    };
    let Said::Intent(intent) = books.perform("charge", &charge, false) else {
        panic!("a card that is good")
    };
    let told = json!({"id": id().to_string(), "currency": "USD", "amount_total": total(),
        "lines": [{"sku": sku(), "quantity": UNITS, "quantity_shipped": 0,
            "quantity_cancelled": 0, "quantity_returned": 0}]});
    let level = Level { on_hand: 10, reserved: UNITS, shipped: 0, returned: 0 };
    let order = OrderRow {
        id: id(),
        key: "order".into(),
        status: "confirmed".into(),
        version: 2,
        capture: "automatic".into(),
        amounts: [total(), total(), total(), 0],
    };
    let payment = PaymentRow {
        order_id: id(),
        status: "captured".into(),
        provider_ref: Some(intent.id.clone()),
    };
    let facts = Facts {
        orders: vec![order],
        events: vec![event(1, 1, "order.placed"), event(2, 2, "order.confirmed")],
        promises: vec![PromiseRow { order_id: id(), sku: sku(), units: UNITS, live: true }],
        stock: BTreeMap::from([(sku(), level)]),
        adjusted: BTreeMap::from([(sku(), 10)]),
        payments: vec![payment],
        answers: BTreeMap::from([("order".into(), 201), ("opening".into(), 200)]),
        shipments: BTreeMap::from([(id(), "preparing".to_owned())]),
        counted: vec![1, 1],
        positions: vec![("observer".into(), 3, 2)],
        observed: vec![(1, id(), 1), (2, id(), 2)],
        intents: vec![intent],
        told: BTreeMap::from([(id().to_string(), told.clone())]),
        ..Facts::default()
    };
    let placed = What::Place { units: BTreeMap::from([(sku(), UNITS)]), total: total() };
    let opened = What::Adjust { sku: sku(), delta: 10 };
    let entries = vec![
        entry("opening", opened, vec![reply(200, &json!({}))]),
        entry("order", placed, vec![reply(201, &told), reply(201, &told)]),
    ];
    (facts, Ledger { entries, ..Ledger::default() })
}

/// The promises that these books break.
fn broken(doctor: impl FnOnce(&mut Facts, &mut Ledger)) -> Vec<&'static str> {
    let (mut facts, mut ledger) = sound();
    doctor(&mut facts, &mut ledger);
    let mut promises: Vec<_> = check(&facts, &ledger).into_iter().map(|v| v.promise).collect();
    promises.sort_unstable();
    promises.dedup();
    promises
}

#[test]
fn sound_books_are_sound() {
    let (facts, ledger) = sound();
    assert_eq!(check(&facts, &ledger), []);
    assert_eq!(facts.unrest(), None);
}

#[test]
fn a_lost_order_is_found() {
    assert!(broken(|facts, _| facts.orders.clear()).contains(&"I1"));
}

#[test]
fn another_content_is_found() {
    let other = |facts: &mut Facts| {
        for told in facts.told.values_mut() {
            told["lines"][0]["quantity"] = json!(UNITS + 1);
        }
    };
    assert!(broken(|facts, _| other(facts)).contains(&"I1"));
}

#[test]
fn an_answer_that_is_not_true_is_found() {
    assert!(broken(|facts, _| facts.orders[0].status = "pending".into()).contains(&"I1"));
}

#[test]
fn two_orders_of_one_key_are_found() {
    let twice = |facts: &mut Facts| {
        let second = OrderRow { id: Uuid::from_u128(8), ..facts.orders[0].clone() };
        facts.orders.push(second);
    };
    assert!(broken(|facts, _| twice(facts)).contains(&"I2"));
    assert!(broken(|facts, _| facts.orders[0].key = "nobody's".into()).contains(&"I2"));
}

#[test]
fn a_wrong_replay_is_found() {
    let other = |ledger: &mut Ledger| ledger.entries[1].replies[1].body.push(' ');
    assert_eq!(broken(|_, ledger| other(ledger)), ["I3"]);
    assert_eq!(
        broken(|facts, _| {
            let _ = facts.answers.remove("order");
        }),
        ["I3"]
    );
    assert_eq!(
        broken(|facts, _| {
            let _ = facts.answers.insert("x".into(), 503);
        }),
        ["I3"]
    );
}

#[test]
fn a_key_that_does_two_things_is_found() {
    let misuse = |ledger: &mut Ledger| {
        let reply = ledger.entries[1].replies[0].clone();
        ledger.misuses.push(Misuse { key: "order".into(), reply, after_answer: true });
    };
    assert!(broken(|_, ledger| misuse(ledger)).contains(&"I4"));
}

#[test]
fn a_step_that_was_taken_twice_is_found() {
    let refunded = |facts: &mut Facts, times: i64| {
        for time in 0..times {
            facts.events.push(event(3 + time, 3 + time, "order.refunded"));
            facts.observed.push((3 + time, id(), 3 + time));
        }
        facts.orders[0].version += times;
    };
    let asked = |facts: &mut Facts, ledger: &mut Ledger| {
        let what = What::Step { order: id().to_string(), step: Step::Refund };
        ledger.entries.push(entry("refund", what, vec![reply(201, &json!({}))]));
        facts.answers.insert("refund".into(), 201);
    };
    let once = broken(|facts, ledger| {
        refunded(facts, 1);
        asked(facts, ledger);
    });
    assert_eq!(once, [""; 0]);
    let twice = broken(|facts, ledger| {
        refunded(facts, 2);
        asked(facts, ledger);
    });
    assert_eq!(twice, ["I4"]);
}

#[test]
fn money_that_is_not_the_orders_is_found() {
    let twice = |facts: &mut Facts| {
        let mut second = facts.intents[0].clone();
        second.id = "pi_second".into();
        facts.intents.push(second);
    };
    assert_eq!(broken(|facts, _| twice(facts)), ["I5", "I7"]);
    assert!(broken(|facts, _| facts.intents[0].captured -= 1).contains(&"I5"));
    assert!(broken(|facts, _| facts.intents[0].capturable = 1).contains(&"I5"));
    assert_eq!(broken(|facts, _| facts.intents[0].order_id = "nobody's".into()), ["I5", "I7"]);
    assert_eq!(broken(|facts, _| facts.payments[0].status = "sending".into()), ["I7"]);
    assert!(broken(|facts, _| facts.orders[0].status = "cancelled".into()).contains(&"I6"));
    assert!(broken(|facts, _| facts.intents[0].refunded = 1).contains(&"I14"));
}

#[test]
fn goods_out_of_nothing_are_found() {
    let level =
        |change: fn(&mut Level)| broken(|facts, _| change(facts.stock.get_mut(&sku()).unwrap()));
    assert_eq!(level(|level| level.on_hand += 1), ["I8"]);
    assert_eq!(level(|level| level.reserved += 1), ["I9"]);
    assert_eq!(level(|level| level.returned += 1), ["I8"]);
    assert_eq!(level(|level| level.reserved = 11), ["I8", "I9"]);
    assert_eq!(broken(|facts, _| facts.promises[0].live = false), ["I9"]);
    assert_eq!(
        broken(|facts, _| {
            let _ = facts.adjusted.insert(sku(), 11);
        }),
        ["I8"]
    );
    let moment = |ledger: &mut Ledger| ledger.bad_stock.push("oversold for a moment".into());
    assert_eq!(broken(|_, ledger| moment(ledger)), ["I8"]);
}

#[test]
fn a_gap_in_the_log_is_found() {
    let gap = broken(|facts, _| {
        facts.events[1].version = 3;
        facts.observed[1].2 = 3;
    });
    assert_eq!(gap, ["I10"]);
    assert!(broken(|facts, _| drop(facts.events.pop())).contains(&"I10"));
}

#[test]
fn effects_that_are_lost_double_or_out_of_turn_are_found() {
    assert_eq!(
        broken(|facts, _| {
            let _ = facts.observed.pop();
        }),
        ["I11"]
    );
    assert_eq!(broken(|facts, _| facts.observed.push((2, id(), 2))), ["I11", "I12"]);
    assert_eq!(broken(|facts, _| facts.observed.reverse()), ["I12"]);
    assert_eq!(broken(|facts, _| facts.observed.push((9, id(), 9))), ["I11"]);
    assert_eq!(broken(|facts, _| facts.shipments.clear()), ["I11"]);
    assert_eq!(broken(|facts, _| facts.counted[0] = 2), ["I11"]);
}

#[test]
fn a_way_that_no_order_can_go_is_found() {
    assert!(broken(|facts, _| facts.events[1].kind = "order.delivered".into()).contains(&"I13"));
    assert!(broken(|facts, _| facts.orders[0].status = "delivered".into()).contains(&"I13"));
}

#[test]
fn a_client_that_sees_the_past_is_found() {
    let sight = |status, version| Sight { order: "o".into(), status, version, at_least: 2 };
    assert_eq!(broken(|_, ledger| ledger.sights.push(sight(200, 1))), ["I15"]);
    assert_eq!(broken(|_, ledger| ledger.sights.push(sight(404, 0))), ["I15"]);
}

#[test]
fn a_request_that_is_never_answered_is_found() {
    let silent = |ledger: &mut Ledger| {
        let what = What::Adjust { sku: sku(), delta: 0 };
        ledger.entries.push(entry("silent", what, Vec::new()));
    };
    assert_eq!(broken(|_, ledger| silent(ledger)), ["I16"]);
}

#[test]
fn what_still_moves_is_not_at_rest() {
    let rest = |doctor: fn(&mut Facts)| {
        let (mut facts, _) = sound();
        doctor(&mut facts);
        facts.unrest()
    };
    assert!(rest(|facts| facts.orders[0].status = "pending".into()).is_some());
    assert!(rest(|facts| facts.operations = 1).is_some());
    assert!(rest(|facts| facts.parked = 1).is_some());
    assert!(rest(|facts| facts.positions[0].2 = 1).is_some());
    assert!(rest(|facts| facts.orders[0].status = "cancelled".into()).is_some());
}
