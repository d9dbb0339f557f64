//! Each lie in the books is found by the check that is there for it.

use super::*;
use domain::{
    Capture, Currency, LineItem, Money, Order, OrderId, PaymentId, PaymentPlan, Sku, StockLevel,
    Timestamp,
};
use inventory::SkuAudit;
use store::outbox::End;
use uuid::Uuid;

const AT: Timestamp = Timestamp::from_micros(0);

fn order() -> Order {
    let placed = domain::Draft {
        external_ref: None,
        customer_id: None,
        currency: Currency::USD,
        items: vec![LineItem {
            sku: Sku::parse("A").expect("a SKU"),
            quantity: 2,
            unit_amount: 100,
            discount_amount: 0,
            tax_amount: 0,
        }],
        payment: PaymentPlan {
            payment_id: PaymentId(Uuid::from_u128(9)),
            method: "pm".to_owned(),
            capture: Capture::Automatic,
        },
        metadata: serde_json::Map::new(),
        pricing: None,
    }
    .place()
    .expect("a good draft");
    let order = Order::from_placed(OrderId(Uuid::from_u128(1)), &placed, AT);
    let outcome = domain::ChargeOutcome::Captured { provider_ref: "pi_1".to_owned() };
    let event = domain::decide(&order, domain::Command::SettlePayment { outcome, goods: true })
        .expect("settles");
    order.after(&event, AT)
}

fn payment(order: &Order) -> Payment {
    Payment {
        id: order.payment.id,
        order_id: order.id,
        amount: Money::new(200, Currency::USD),
        capture: Capture::Automatic,
        method: "pm".to_owned(),
        status: PaymentStatus::Captured,
        provider_ref: Some("pi_1".to_owned()),
        decline_code: None,
    }
}

fn entry(order: &Order) -> LedgerEntry {
    LedgerEntry {
        payment_intent: "pi_1".to_owned(),
        order_id: Some(order.id.to_string()),
        amount: 200,
        currency: "USD".to_owned(),
        captured: 200,
        refunded: 0,
        status: "succeeded".to_owned(),
    }
}

fn stock() -> SkuAudit {
    SkuAudit {
        sku: Sku::parse("A").expect("a SKU"),
        level: StockLevel { on_hand: 5, reserved: 2 },
        shipped: 0,
        adjusted: 5,
        returned: 0,
        elsewhere: 1,
        held: 2,
    }
}

/// The names of the checks that find something after `lie` has changed the books.
fn found(lie: impl FnOnce(&mut Facts, &mut Vec<LedgerEntry>)) -> Vec<&'static str> {
    let order = order();
    let mut facts = Facts::new(vec![stock()], vec![payment(&order)], &[]);
    facts.add_order(&order);
    facts.add_end(End { order_id: order.id, events: 2, last_version: 2 });
    let mut ledger = vec![entry(&order)];
    lie(&mut facts, &mut ledger);
    let checks = all(&facts, Some(&ledger), Some(&ledger));
    checks.iter().filter(|check| !check.ok).map(|check| check.name).collect()
}

#[test]
fn honest_books_balance() {
    assert_eq!(found(|_, _| ()), Vec::<&str>::new());
}

#[test]
fn every_lie_about_stock_is_found() {
    assert_eq!(
        found(|facts, _| facts.stock[0].level.on_hand = 1),
        ["stock_never_negative_or_oversold", "stock_equals_adjustments"]
    );
    assert_eq!(found(|facts, _| facts.stock[0].adjusted = 6), ["stock_equals_adjustments"]);
    assert_eq!(
        found(|facts, _| facts.stock[0].level.reserved = 3),
        ["reserved_equals_reservations"]
    );
    assert_eq!(
        found(|facts, _| facts.stock[0].held = 3),
        ["reserved_equals_reservations", "reservations_match_orders"]
    );
    assert_eq!(found(|facts, _| facts.stock[0].returned = 1), ["stock_equals_adjustments"]);
    assert_eq!(found(|facts, _| facts.stock[0].elsewhere = 6), ["locations_hold_what_is_there"]);
    assert_eq!(found(|facts, _| facts.stock.clear()), ["reservations_match_orders"]);
}

#[test]
fn every_lie_about_events_is_found() {
    assert_eq!(found(|facts, _| facts.ends.clear()), ["events_match_versions"]);
    let gap = |facts: &mut Facts, _: &mut Vec<LedgerEntry>| {
        facts.ends.values_mut().for_each(|end| end.last_version = 3);
    };
    assert_eq!(found(gap), ["events_match_versions"]);
}

#[test]
fn every_lie_about_money_is_found() {
    let lost = |facts: &mut Facts, _: &mut Vec<LedgerEntry>| facts.payments.clear();
    assert_eq!(found(lost), ["payments_match_orders", "bank_ledger_matches_payments"]);
    let twice = |_: &mut Facts, ledger: &mut Vec<LedgerEntry>| {
        let mut second = ledger[0].clone();
        second.payment_intent = "pi_2".to_owned();
        ledger.push(second);
    };
    assert_eq!(found(twice), ["bank_ledger_matches_payments"]);
    let orphan = |_: &mut Facts, ledger: &mut Vec<LedgerEntry>| ledger[0].order_id = None;
    assert_eq!(found(orphan), ["bank_ledger_matches_payments"]);
    let never = |_: &mut Facts, ledger: &mut Vec<LedgerEntry>| ledger.clear();
    assert_eq!(found(never), ["bank_ledger_matches_payments"]);
    let refunded = |_: &mut Facts, ledger: &mut Vec<LedgerEntry>| ledger[0].refunded = 1;
    assert_eq!(found(refunded), ["bank_ledger_matches_payments"]);
    let promised = |facts: &mut Facts, _: &mut Vec<LedgerEntry>| {
        facts.orders.values_mut().for_each(|order| order.refunded = 5);
    };
    assert_eq!(found(promised), ["payments_match_orders"]);
    let other_sum = |_: &mut Facts, ledger: &mut Vec<LedgerEntry>| ledger[0].captured = 199;
    assert_eq!(found(other_sum), ["bank_ledger_matches_payments"]);
}

#[test]
fn an_ended_order_that_keeps_money_is_found() {
    let ended = |facts: &mut Facts, _: &mut Vec<LedgerEntry>| {
        facts.orders.values_mut().for_each(|order| order.status = OrderStatus::Cancelled);
    };
    assert_eq!(found(ended), ["ended_orders_hold_nothing"]);
}

/// A refund that is to be done is known to us before the provider has done it, and one that is done
/// must be in its books.
#[test]
fn money_on_its_way_is_no_lie_and_money_that_never_moved_is_one() {
    let refund = |status, at_provider| {
        found(|facts, ledger| {
            let order = facts.orders.keys().copied().next().expect("one order");
            let operation = domain::Operation {
                id: domain::OperationId(Uuid::from_u128(3)),
                order_id: order,
                payment_id: PaymentId(Uuid::from_u128(9)),
                leg: 3,
                kind: domain::OperationKind::Refund,
                amount: Money::new(50, Currency::USD),
                status,
                provider_ref: None,
                refusal_code: None,
            };
            facts.moved.entry(order).or_default().add(&operation);
            facts.orders.values_mut().for_each(|order| order.refunded = 50);
            ledger[0].refunded = at_provider;
        })
    };
    use domain::OperationStatus::{Done, Open};
    assert_eq!(refund(Open, 0), Vec::<&str>::new());
    assert_eq!(refund(Open, 50), Vec::<&str>::new());
    assert_eq!(refund(Done, 50), Vec::<&str>::new());
    assert_eq!(refund(Done, 0), ["bank_ledger_matches_payments"]);
    assert_eq!(refund(Open, 51), ["bank_ledger_matches_payments"]);
}

#[test]
fn an_order_whose_sums_do_not_fit_is_found() {
    let wrong = |facts: &mut Facts, _: &mut Vec<LedgerEntry>| {
        facts.orders.values_mut().for_each(|order| order.adds_up = false);
    };
    assert_eq!(found(wrong), ["order_amounts_add_up"]);
}

#[test]
fn figures_are_told_per_currency() {
    let order = order();
    let mut facts = Facts::new(vec![stock()], vec![payment(&order)], &[]);
    facts.add_order(&order);
    // Three sums that differ, so that each is known to come from its own books.
    facts.orders.values_mut().for_each(|order| order.refunded = 30);
    facts.moved.insert(order.id, Moved { refunded: 40, ..Moved::default() });
    let figures = figures(&facts, &[LedgerEntry { refunded: 50, ..entry(&order) }]);
    let sum = CurrencyFigures {
        ledger_captured: 200,
        payments_captured: 200,
        orders_total: 200,
        ledger_refunded: 50,
        payments_refunded: 40,
        orders_refunded: 30,
    };
    assert_eq!(figures, BTreeMap::from([("USD", sum)]));
}
