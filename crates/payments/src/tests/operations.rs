//! The books of what is done with payments.

use super::{START, Shop, in_a_shop, patient};
use crate::stage::{ORDER, done, operation, settled};
use domain::OperationKind::{Capture, FinalCapture, Refund, Void};
use domain::{
    Operation, OperationId, OperationKind, OperationStatus, OrderId, Payment, PaymentId, Timestamp,
};
use store::StoreError;
use uuid::Uuid;

/// The order of a number, whose operations have names of their own.
fn of_order(number: u128, leg: i64, kind: OperationKind) -> Operation {
    let id = number * 1_000 + u128::from(leg.unsigned_abs());
    Operation {
        id: OperationId(Uuid::from_u128(id)),
        order_id: OrderId(Uuid::from_u128(number)),
        ..operation(leg, kind, 10)
    }
}

async fn request(shop: &Shop, operations: Vec<Operation>) -> Result<(), crate::PaymentsError> {
    let tx = shop.db.begin().await?;
    let tx = shop.payments.request(tx, operations, &patient()).await?;
    Ok(tx.commit().await?)
}

async fn settle(shop: &Shop, operations: Vec<Operation>) -> Vec<OperationId> {
    let tx = shop.db.begin().await.expect("begins");
    let settled = shop.payments.settle_operations(tx, operations, &patient()).await;
    let (tx, ids) = settled.expect("settles");
    tx.commit().await.expect("commits");
    ids
}

fn refused(operation: Operation) -> Operation {
    let refusal_code = Some("no".to_owned());
    Operation { status: OperationStatus::Refused, refusal_code, ..operation }
}

#[test]
fn an_operation_takes_one_outcome_from_the_first_who_brings_one() {
    in_a_shop(Vec::new(), async |shop| {
        let all =
            [operation(2, Capture, 100), operation(3, FinalCapture, 50), operation(4, Refund, 20)];
        // Not in their order, and not the last word about their status.
        let wanted = vec![all[2].clone(), done(all[0].clone(), "x"), all[1].clone()];
        request(shop, wanted).await.expect("is kept");
        assert_eq!(shop.payments.operations_of(ORDER).await.expect("reads"), all);
        let next = async || shop.payments.next_operation(ORDER).await.expect("reads");
        assert_eq!(next().await.as_ref(), Some(&all[0]));

        let outcome = [done(all[0].clone(), "pi_1"), refused(all[1].clone()), all[2].clone()];
        let ids = settle(shop, outcome.to_vec()).await;
        assert_eq!(ids.len(), 2);
        assert!(ids.contains(&all[0].id) && ids.contains(&all[1].id));
        assert_eq!(next().await.as_ref(), Some(&all[2]));

        let late = vec![refused(all[0].clone()), done(all[1].clone(), "pi_2")];
        assert_eq!(settle(shop, late).await, []);
        assert_eq!(shop.payments.operations_of(ORDER).await.expect("reads"), outcome);
        assert_eq!(settle(shop, vec![done(all[2].clone(), "re_1")]).await, [all[2].id]);
        assert_eq!(next().await, None);
        assert_eq!(settle(shop, Vec::new()).await, []);
    });
}

#[test]
fn nothing_is_kept_of_a_transaction_that_ends_otherwise() {
    in_a_shop(Vec::new(), async |shop| {
        let tx = shop.db.begin().await.expect("begins");
        let tx = shop.payments.request(tx, vec![operation(2, Void, 0)], &patient()).await;
        tx.expect("takes it").rollback().await.expect("rolls back");
        assert_eq!(shop.payments.operations_of(ORDER).await.expect("reads"), []);
        request(shop, vec![operation(2, Void, 0)]).await.expect("is kept");
        let tx = shop.db.begin().await.expect("begins");
        let outcome = vec![done(operation(2, Void, 0), "pi_1")];
        let settled = shop.payments.settle_operations(tx, outcome.clone(), &patient()).await;
        let (tx, ids) = settled.expect("settles");
        assert_eq!(ids.len(), 1);
        tx.rollback().await.expect("rolls back");
        assert_eq!(settle(shop, outcome).await.len(), 1);
    });
}

#[test]
fn a_step_of_an_order_asks_for_one_thing() {
    in_a_shop(Vec::new(), async |shop| {
        request(shop, vec![operation(2, Capture, 100)]).await.expect("is kept");
        let same_leg =
            Operation { id: OperationId(Uuid::from_u128(99)), ..operation(2, Refund, 100) };
        for wrong in [same_leg, operation(1, Refund, 100), operation(3, Refund, -1)] {
            let result = request(shop, vec![wrong]).await;
            let refused = result.expect_err("is refused");
            let crate::PaymentsError::Store(error) = refused else { panic!("{refused}") };
            assert!(matches!(error, StoreError::Constraint { .. }), "{error}");
        }
        assert_eq!(shop.payments.operations_of(ORDER).await.expect("reads").len(), 1);
    });
}

#[test]
fn what_is_open_for_long_is_found_page_by_page() {
    in_a_shop(Vec::new(), async |shop| {
        let first: Vec<_> = (1..=3).map(|n| of_order(n, 2, Void)).collect();
        request(shop, first.clone()).await.expect("is kept");
        shop.move_clock(10);
        let second: Vec<_> = (4..=5).map(|n| of_order(n, 2, Void)).collect();
        request(shop, second.clone()).await.expect("is kept");
        shop.move_clock(10);
        request(shop, vec![of_order(6, 2, Void)]).await.expect("is kept");
        settle(shop, vec![done(first[1].clone(), "pi_1")]).await;

        let before = Timestamp::from_micros(0).plus_seconds(START + 20);
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = shop.payments.open_operations(before, after, 2).await.expect("reads");
            let Some(last) = page.last() else { break };
            assert!(page.len() <= 2);
            after = Some(last.cursor());
            seen.extend(page.into_iter().map(|open| open.operation));
        }
        let wanted = [&first[0], &first[2], &second[0], &second[1]];
        assert_eq!(seen.iter().collect::<Vec<_>>(), wanted);
    });
}

#[test]
fn the_audit_sees_all_of_them_in_its_snapshot() {
    in_a_shop(Vec::new(), async |shop| {
        let all: Vec<_> = (1..=3)
            .flat_map(|number| (2..=4).map(move |leg| of_order(number, leg, Refund)))
            .collect();
        request(shop, all.iter().rev().cloned().collect()).await.expect("is kept");
        let mut snapshot = shop.db.snapshot().await.expect("begins");
        let seen = shop.payments.take_operations(&mut snapshot).await.expect("reads");
        assert_eq!(seen, all);
        snapshot.rollback().await.expect("ends");
    });
}

#[test]
fn a_payment_is_found_by_its_order_and_shown_with_what_is_done_with_it() {
    in_a_shop(Vec::new(), async |shop| {
        let payment = settled(domain::Capture::Manual);
        let other = Payment {
            id: PaymentId(Uuid::from_u128(8)),
            order_id: OrderId(Uuid::from_u128(9)),
            ..payment.clone()
        };
        shop.record(vec![payment.clone(), other.clone()]).await;
        let operations = vec![operation(2, Capture, 100), operation(3, Void, 0)];
        request(shop, operations.clone()).await.expect("is kept");
        let payments = &shop.payments;
        assert_eq!(payments.payment_of(ORDER).await.expect("reads"), Some(payment.clone()));
        let nobody = OrderId(Uuid::from_u128(77));
        assert_eq!(payments.payment_of(nobody).await.expect("reads"), None);
        let shown = payments.get_with_operations(payment.id).await.expect("reads");
        assert_eq!(shown, Some((payment, operations)));
        let shown = payments.get_with_operations(other.id).await.expect("reads");
        assert_eq!(shown, Some((other, Vec::new())));
        let absent = PaymentId(Uuid::from_u128(77));
        assert_eq!(payments.get_with_operations(absent).await.expect("reads"), None);
    });
}
