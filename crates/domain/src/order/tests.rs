//! Table and property tests of the order's state machine.

mod histories;

use super::*;
use crate::event::OrderEvent;
use crate::{ChargeOutcome, Sku};
use proptest::prelude::*;
use uuid::Uuid;

fn item(sku: &str, quantity: i64, unit_amount: i64, discount_amount: i64) -> LineItem {
    LineItem {
        sku: Sku::parse(sku).expect("a good SKU"),
        quantity,
        unit_amount,
        discount_amount,
        tax_amount: 0,
    }
}

fn draft(items: Vec<LineItem>, capture: Capture) -> Draft {
    Draft {
        external_ref: Some("basket-1".to_owned()),
        customer_id: None,
        currency: Currency::USD,
        items,
        payment: PaymentPlan {
            payment_id: PaymentId(Uuid::from_u128(7)),
            method: "pm_card_visa".to_owned(),
            capture,
        },
        metadata: Map::new(),
        pricing: None,
    }
}

const AT: Timestamp = Timestamp::from_micros(1_000_000);
const LATER: Timestamp = Timestamp::from_micros(2_000_000);

fn order(items: Vec<LineItem>, capture: Capture) -> Order {
    let placed = draft(items, capture).place().expect("a good draft");
    Order::from_placed(OrderId(Uuid::from_u128(1)), &placed, AT)
}

fn commands() -> Vec<(&'static str, Command)> {
    let settle = |outcome| Command::SettlePayment { outcome, goods: true };
    let provider_ref = || "pi_1".to_owned();
    vec![
        ("confirm without payment", Command::ConfirmWithoutPayment),
        ("refuse for stock", Command::RefuseForStock(Vec::new())),
        ("captured", settle(ChargeOutcome::Captured { provider_ref: provider_ref() })),
        ("authorized", settle(ChargeOutcome::Authorized { provider_ref: provider_ref() })),
        ("declined", settle(ChargeOutcome::Declined { code: "x".to_owned(), provider_ref: None })),
        ("unknown", settle(ChargeOutcome::Unknown { why: "time-out".to_owned() })),
    ]
}

/// Every command against every kind of order, as one table that reads like the specification.
#[test]
fn transition_table() {
    let paid = || vec![item("A", 2, 199, 50)];
    let free = || vec![item("A", 1, 100, 100)];
    let cases = [
        ("pending automatic", order(paid(), Capture::Automatic)),
        ("pending manual", order(paid(), Capture::Manual)),
        ("pending free", order(free(), Capture::Automatic)),
    ];
    let mut seen = String::new();
    for (name, start) in cases {
        for (what, command) in commands() {
            let result = match decide(&start, command) {
                Ok(event) => {
                    let next = start.clone().after(&event, LATER);
                    let a = next.amounts;
                    format!("{} held {} taken {}", next.status.as_str(), a.authorized, a.captured)
                }
                Err(refusal) => format!("refused: {refusal}"),
            };
            seen.push_str(&format!("{name} | {what} -> {result}\n"));
        }
    }
    let expected = "\
pending automatic | confirm without payment -> refused: the order has something to pay
pending automatic | refuse for stock -> rejected held 0 taken 0
pending automatic | captured -> confirmed held 348 taken 348
pending automatic | authorized -> refused: the provider's answer does not fit what was asked
pending automatic | declined -> rejected held 0 taken 0
pending automatic | unknown -> refused: the payment is not known yet: time-out
pending manual | confirm without payment -> refused: the order has something to pay
pending manual | refuse for stock -> rejected held 0 taken 0
pending manual | captured -> refused: the provider's answer does not fit what was asked
pending manual | authorized -> confirmed held 348 taken 0
pending manual | declined -> rejected held 0 taken 0
pending manual | unknown -> refused: the payment is not known yet: time-out
pending free | confirm without payment -> confirmed held 0 taken 0
pending free | refuse for stock -> rejected held 0 taken 0
pending free | captured -> confirmed held 0 taken 0
pending free | authorized -> refused: the provider's answer does not fit what was asked
pending free | declined -> rejected held 0 taken 0
pending free | unknown -> refused: the payment is not known yet: time-out
";
    assert_eq!(seen, expected);
}

#[test]
fn an_order_that_ended_refuses_everything() {
    let start = order(vec![item("A", 1, 5, 0)], Capture::Automatic);
    let event = decide(&start, Command::RefuseForStock(Vec::new())).expect("may be refused");
    let ended = start.after(&event, LATER);
    for (what, command) in commands() {
        let refused = decide(&ended, command);
        assert_eq!(refused, Err(Refusal::WrongStatus(OrderStatus::Rejected)), "{what}");
    }
}

/// The order after these commands, all of which it must take.
fn lived(mut order: Order, commands: Vec<Command>) -> Order {
    for command in commands {
        let event =
            decide(&order, command.clone()).unwrap_or_else(|no| panic!("{command:?}: {no}"));
        order = order.after(&event, LATER);
    }
    order
}

#[test]
fn units_that_were_cancelled_unpaid_are_not_refunded_when_others_come_back() {
    let units = |quantity| vec![PartRequest { sku: Sku::parse("A").expect("a SKU"), quantity }];
    let held = ChargeOutcome::Authorized { provider_ref: "pi_1".to_owned() };
    let start = || {
        let order = order(vec![item("A", 3, 450, 0)], Capture::Manual);
        let pay = Command::SettlePayment { outcome: held.clone(), goods: true };
        lived(order, vec![pay, Command::Ship(units(2))])
    };
    let cancel = || Command::Cancel { reason: String::new() };
    let back = |quantity| Command::Return { lines: units(quantity), restock: false };
    let goodwill = |quantity| Command::Refund {
        wish: RefundWish::Lines(units(quantity)),
        reason: String::new(),
    };
    for (commands, refunded) in [
        (vec![cancel()], 0),
        (vec![cancel(), back(1)], 450),
        (vec![cancel(), back(1), back(1)], 900),
        (vec![cancel(), goodwill(1)], 450),
        (vec![cancel(), goodwill(1), back(1)], 450),
        (vec![cancel(), goodwill(1), back(2)], 900),
        (vec![goodwill(1), cancel(), back(1)], 450),
        (vec![goodwill(1), cancel(), back(2)], 900),
        (vec![back(1), cancel(), back(1)], 900),
    ] {
        let order = lived(start(), commands.clone());
        assert_eq!(order.amounts.captured, 900, "{commands:?}");
        assert_eq!(order.amounts.refunded, refunded, "{commands:?}");
        assert!(order.lines.iter().all(Line::is_sane), "{commands:?}: {:?}", order.lines);
    }
}

#[test]
fn draft_names_what_is_wrong_and_where() {
    let good = || item("A", 1, 10, 0);
    let table = [
        (vec![], DraftError::NoLines),
        (vec![good(), item("A", 0, 10, 0)], DraftError::Quantity { line: 1 }),
        (vec![item("A", -1, 10, 0)], DraftError::Quantity { line: 0 }),
        (vec![item("A", i64::MAX, 10, 0)], DraftError::Quantity { line: 0 }),
        (vec![item("A", 1, -1, 0)], DraftError::UnitAmount { line: 0 }),
        (vec![item("A", 1, 10, 11)], DraftError::Discount { line: 0 }),
        (vec![item("A", 1, 10, -1)], DraftError::Discount { line: 0 }),
        (vec![item("A", 2, i64::MAX, 0)], DraftError::TooLarge { line: 0 }),
        (vec![good(), item("A", 1, crate::AMOUNT_MAX_MINOR, 0)], DraftError::TooLarge { line: 1 }),
    ];
    for (items, error) in table {
        assert_eq!(draft(items, Capture::Automatic).place(), Err(error));
    }
}

#[test]
fn the_same_sku_on_two_lines_is_one_demand() {
    let order =
        order(vec![item("B", 2, 1, 0), item("A", 1, 1, 0), item("B", 3, 1, 0)], Capture::Automatic);
    let units: Vec<_> =
        order.units_by_sku().into_iter().map(|(sku, n)| (sku.to_string(), n)).collect();
    assert_eq!(units, [("A".to_owned(), 1), ("B".to_owned(), 5)]);
}

#[test]
fn status_names_round_trip() {
    for status in OrderStatus::ALL {
        assert_eq!(OrderStatus::parse(status.as_str()), Some(status));
    }
    assert_eq!(OrderStatus::parse("paid"), None);
}

fn any_item() -> impl Strategy<Value = LineItem> {
    ("[A-C]", -2_i64..1_000, -2_i64..100_000, -2_i64..100_000)
        .prop_map(|(sku, quantity, unit, discount)| item(&sku, quantity, unit, discount))
}

proptest! {
    /// Any sequence of commands keeps the amounts sane, the versions without a gap, an ended
    /// order ended, and the row equal to the fold of its events read back from their JSON.
    #[test]
    fn any_history_keeps_every_invariant(
        items in prop::collection::vec(any_item(), 0..6),
        manual: bool,
        picks in prop::collection::vec(0_usize..6, 0..12),
    ) {
        let capture = if manual { Capture::Manual } else { Capture::Automatic };
        let Ok(placed) = draft(items, capture).place() else { return Ok(()) };
        let id = OrderId(Uuid::from_u128(1));
        let mut now = Order::from_placed(id, &placed, AT);
        let mut history = vec![OrderEvent::Placed(placed)];
        for pick in picks {
            prop_assert!(now.amounts.are_sane(), "{:?}", now.amounts);
            let Ok(event) = decide(&now, commands()[pick].1.clone()) else { continue };
            prop_assert_eq!(now.status, OrderStatus::Pending);
            now = now.after(&event, LATER);
            history.push(event);
            prop_assert_eq!(now.version, history.len() as i64);
        }
        let mut folded = None;
        for event in &history {
            let data = event.data_json().expect("events are plain data");
            let read = OrderEvent::from_parts(event.name(), &data).expect("reads back");
            prop_assert_eq!(&read, event);
            folded = match (folded, &read) {
                (None, OrderEvent::Placed(placed)) => Some(Order::from_placed(id, placed, AT)),
                (Some(order), event) => Some(Order::after(order, event, LATER)),
                (None, _) => None,
            };
        }
        prop_assert_eq!(folded, Some(now));
    }
}
