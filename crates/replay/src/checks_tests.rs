use std::time::Duration;

use serde_json::json;

use super::super::client::Retries;
use super::super::dataset::{Order, OrderLine};
use super::super::returns::{given, take_back};
use super::super::tally::{Origin, Sent};
use super::super::wire::{LineAnswer, OrderAnswer, Outcome};
use super::*;

/// Two orders: 3 units of A for 30, of which `accepted` are sold.
fn tally(accepted: usize, origin: Origin) -> Tally {
    let mut tally = Tally::default();
    for n in 0..2 {
        let order = Order {
            order_ref: n.to_string(),
            customer_ref: "c".into(),
            store_ref: None,
            timestamp: None,
            currency: "USD".into(),
            lines: vec![OrderLine {
                sku: "A".into(),
                quantity: 3,
                unit_amount: 11,
                discount_amount: 3,
            }],
            total_minor: 30,
        };
        let answer = OrderAnswer {
            id: n.to_string(),
            status: "confirmed".into(),
            amount_subtotal: 33,
            amount_discount: 3,
            amount_total: 30,
            lines: vec![LineAnswer { quantity: 3 }],
        };
        let outcome = if n < accepted { Outcome::Accepted(answer) } else { Outcome::Refused };
        let (label, retries, latency) = (String::new(), Retries::default(), Duration::ZERO);
        tally.record(Sent { order, label, outcome, origin, retries, latency });
    }
    tally
}

fn totals() -> Totals {
    Totals {
        orders: 2,
        lines: 2,
        units: 6,
        gross_minor: 66,
        discount_minor: 6,
        total_minor: 60,
        customers: 1,
        skus: 1,
    }
}

fn an_audit(captured: i64, refunded: i64) -> Audit {
    serde_json::from_value(json!({"balanced": true, "checks": [
        {"name": "bank_ledger_matches_payments", "ok": true, "figures": {"USD": {
            "ledger_captured": captured, "payments_captured": captured,
            "orders_total": captured, "ledger_refunded": refunded,
            "payments_refunded": refunded, "orders_refunded": refunded}}}]}))
    .unwrap()
}

/// A run on a server with `held` units and `earned` minor units from before, opening stock 6.
struct Case {
    tally: Tally,
    totals: Option<Totals>,
    booked_before: bool,
    given: Option<Given>,
    /// On hand and available, before and after.
    units: ((i64, i64), (i64, i64)),
    earned: (i64, i64),
    refunded: (i64, i64),
}

impl Case {
    fn fresh() -> Self {
        Self {
            tally: tally(2, Origin::Fresh),
            totals: Some(totals()),
            booked_before: false,
            given: None,
            units: ((0, 0), (6, 0)),
            earned: (0, 60),
            refunded: (0, 0),
        }
    }

    /// Names of the checks that fail.
    fn failures(&self) -> Vec<String> {
        let level = |(on_hand, available)| Level { on_hand, available, version: 1 };
        let levels = |pair| HashMap::from([("A".to_owned(), level(pair))]);
        let evidence = Evidence {
            totals: self.totals.as_ref(),
            tally: &self.tally,
            opening: &HashMap::from([("A".to_owned(), 6)]),
            booked_before: &HashMap::from([("A".to_owned(), self.booked_before)]),
            sells_out: self.totals.is_some(),
            given: self.given.as_ref(),
            stock_before: &levels(self.units.0),
            stock_after: &levels(self.units.1),
            audit_before: &an_audit(self.earned.0, self.refunded.0),
            audit_after: &an_audit(self.earned.1, self.refunded.1),
        };
        checks(&evidence).into_iter().filter(|check| !check.ok).map(|check| check.name).collect()
    }
}

#[test]
fn a_good_first_run_passes() {
    assert_eq!(Case::fresh().failures(), Vec::<String>::new());
}

#[test]
fn a_good_repetition_passes() {
    let case = Case {
        tally: tally(2, Origin::Earlier),
        booked_before: true,
        earned: (60, 60),
        ..Case::fresh()
    };
    assert_eq!(case.failures(), Vec::<String>::new());
}

#[test]
fn a_repetition_that_charged_twice_fails() {
    let case = Case {
        tally: tally(2, Origin::Earlier),
        booked_before: true,
        earned: (60, 120),
        ..Case::fresh()
    };
    assert_eq!(case.failures().len(), 3);
}

#[test]
fn what_the_server_held_before_does_not_matter() {
    let case = Case { units: ((4, 4), (10, 4)), earned: (1_000, 1_060), ..Case::fresh() };
    assert_eq!(case.failures(), Vec::<String>::new());
}

#[test]
fn a_resumed_run_passes_when_its_stock_was_booked_before() {
    // The earlier run booked 6 units and sold 3 of them.
    let mut tally = tally(1, Origin::Earlier);
    let fresh = self::tally(1, Origin::Fresh);
    assert_eq!((tally.refused, fresh.refused), (1, 1));
    tally.fresh += 1;
    let case = Case {
        tally,
        totals: None,
        booked_before: true,
        units: ((6, 3), (6, 3)),
        earned: (30, 30),
        ..Case::fresh()
    };
    assert_eq!(case.failures(), Vec::<String>::new());
}

#[test]
fn wrong_stock_is_named() {
    let case = Case { units: ((0, 0), (6, -1)), ..Case::fresh() };
    let want = [
        "SKUs below 0",
        "SKUs where opening − available ≠ units of accepted orders",
        "SKUs not sold out",
    ];
    assert_eq!(case.failures(), want);
}

#[test]
fn a_refused_order_breaks_the_fixed_totals_only() {
    let refused = |totals| Case {
        tally: tally(1, Origin::Fresh),
        totals,
        units: ((0, 0), (6, 3)),
        earned: (0, 30),
        ..Case::fresh()
    };
    let fixed = refused(Some(totals())).failures();
    assert!(fixed.contains(&"orders confirmed".to_owned()), "{fixed:?}");
    assert!(fixed.contains(&"SKUs not sold out".to_owned()), "{fixed:?}");
    assert_eq!(refused(None).failures(), Vec::<String>::new());
}

#[test]
fn money_that_does_not_match_is_found() {
    let case = Case { earned: (0, 90), ..Case::fresh() };
    let want = [
        "bank: captured for these orders, USD minor units",
        "payments: captured for these orders, USD minor units",
        "orders: total of these orders, USD minor units",
    ];
    assert_eq!(case.failures(), want);
}

#[test]
fn an_unbalanced_audit_or_one_without_figures_fails() {
    let tally = tally(2, Origin::Fresh);
    let unbalanced: Audit = serde_json::from_value(
        json!({"balanced": false, "checks": [{"name": "no_negative_stock", "ok": false}]}),
    )
    .unwrap();
    let none = HashMap::new();
    let evidence = Evidence {
        totals: None,
        tally: &tally,
        opening: &HashMap::from([("A".to_owned(), 6)]),
        booked_before: &HashMap::new(),
        sells_out: false,
        given: None,
        stock_before: &none,
        stock_after: &none,
        audit_before: &an_audit(0, 0),
        audit_after: &unbalanced,
    };
    let failed: Vec<Check> = checks(&evidence).into_iter().filter(|check| !check.ok).collect();
    let find = |name: &str| failed.iter().find(|check| check.name == name).unwrap();
    assert_eq!(find("the audit balances").detail.as_deref(), Some("no_negative_stock"));
    assert_eq!(find("SKUs without a stock row").detail.as_deref(), Some("A"));
    let bank = find("bank: captured for these orders, USD minor units");
    assert_eq!((&bank.expected, &bank.found), (&json!(60), &Value::Null));
}

/// The fresh run, of which 2 of the 3 units of an order came back: 20 were refunded.
fn with_returns(origin: Origin) -> Case {
    Case {
        given: Some(given(2, origin)),
        // Six were there, three left, two came back; three are promised to the other order.
        units: ((0, 0), (5, 2)),
        refunded: (0, 20),
        ..Case::fresh()
    }
}

#[test]
fn good_returns_pass_whatever_was_refunded_before() {
    assert_eq!(with_returns(Origin::Fresh).failures(), Vec::<String>::new());
    let case = Case { refunded: (500, 520), ..with_returns(Origin::Fresh) };
    assert_eq!(case.failures(), Vec::<String>::new());
}

#[test]
fn a_good_repetition_of_returns_passes_and_one_that_refunds_twice_fails() {
    let again = |refunded| Case {
        tally: tally(2, Origin::Earlier),
        booked_before: true,
        units: ((5, 2), (5, 2)),
        earned: (60, 60),
        refunded,
        ..with_returns(Origin::Earlier)
    };
    assert_eq!(again((20, 20)).failures(), Vec::<String>::new());
    assert_eq!(again((20, 40)).failures().len(), 3);
}

#[test]
fn returns_that_are_resumed_pass() {
    // One unit came back in the earlier run, one in this.
    let mut given = given(1, Origin::Earlier);
    take_back(&mut given, 1, Origin::Fresh);
    let case = Case {
        tally: tally(2, Origin::Earlier),
        booked_before: true,
        given: Some(given),
        units: ((4, 1), (5, 2)),
        earned: (60, 60),
        refunded: (10, 20),
        ..Case::fresh()
    };
    assert_eq!(case.failures(), Vec::<String>::new());
}

#[test]
fn units_that_did_not_come_back_are_found() {
    let case = Case { units: ((0, 0), (3, 0)), ..with_returns(Origin::Fresh) };
    let want = [
        "SKUs where opening − available ≠ units sold − units returned",
        "SKUs where opening − on hand ≠ units shipped − units returned",
        "SKUs where available ≠ units returned",
    ];
    assert_eq!(case.failures(), want);
}

#[test]
fn units_that_came_back_without_having_left_are_found() {
    let case = Case { units: ((0, 0), (8, 2)), ..with_returns(Origin::Fresh) };
    let want = ["SKUs where opening − on hand ≠ units shipped − units returned"];
    assert_eq!(case.failures(), want);
}

#[test]
fn refunds_that_do_not_match_are_found() {
    let case = Case { refunded: (0, 19), ..with_returns(Origin::Fresh) };
    let want = [
        "bank: refunded for these returns, USD minor units",
        "payments: refunded for these returns, USD minor units",
        "orders: refunded for these returns, USD minor units",
    ];
    assert_eq!(case.failures(), want);
}
