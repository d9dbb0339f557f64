//! Asking the provider, through the actor.

use super::{in_a_shop, patient};
use crate::stage::{ORDER, Play, done, intent, operation, sending, settled, unexpected};
use crate::{Charged, Inquiry};
use domain::OperationKind::{self, FinalCapture, Refund, Void};
use domain::{Capture, OperationOutcome, PaymentStatus};

const CAPTURE: OperationKind = OperationKind::Capture;

fn is_done(name: &str) -> OperationOutcome {
    OperationOutcome::Done { provider_ref: name.to_owned() }
}

#[test]
fn silence_is_no_refusal_unless_that_bug_is_planted() {
    in_a_shop(Vec::new(), async |shop| {
        let payment = sending(Capture::Automatic);
        let charge = async || shop.payments.charge(payment.clone(), &patient()).await;
        let silent = charge().await.expect("answers");
        assert!(matches!(silent, Charged::Unknown { .. }), "{silent:?}");
        faults::plant(Some("silence-is-refusal"));
        let planted = charge().await.expect("answers");
        faults::plant(None);
        let Charged::Known { payment, .. } = planted else { panic!("{planted:?}") };
        assert_eq!(payment.status, PaymentStatus::Declined);
        assert_eq!(shop.stage.heard().len(), 2);
    });
}

#[test]
fn an_inquiry_tells_what_became_of_a_payment() {
    let found = format!(r#"{{"data":[{}]}}"#, intent("pi_1", "succeeded", 500));
    let script = vec![Play::Json(200, found), Play::Json(200, r#"{"data":[]}"#.to_owned())];
    in_a_shop(script, async |shop| {
        let payment = sending(Capture::Automatic);
        let ask = async || shop.payments.inquire(payment.clone(), &patient()).await;
        let Ok(Inquiry::Known { payment: paid, .. }) = ask().await else { panic!("not known") };
        assert_eq!(paid, settled(Capture::Automatic));
        assert_eq!(ask().await.expect("answers"), Inquiry::Absent);
        assert!(matches!(ask().await, Ok(Inquiry::Unknown { .. })));
    });
}

#[test]
fn what_was_held_is_let_go_unless_that_bug_is_planted() {
    in_a_shop(vec![Play::Json(200, intent("pi_1", "canceled", 0))], async |shop| {
        let (void, payment) = (operation(2, Void, 0), settled(Capture::Manual));
        let carry = async || {
            let outcome = shop.payments.carry_out(void.clone(), payment.clone(), &patient()).await;
            outcome.expect("answers")
        };
        faults::plant(Some("void-forgotten"));
        let planted = carry().await;
        faults::plant(None);
        assert!(matches!(planted, OperationOutcome::Done { .. }));
        assert!(shop.stage.heard().is_empty());
        assert_eq!(carry().await, is_done("pi_1"));
        assert_eq!(shop.stage.heard().len(), 1);
    });
}

#[test]
fn an_order_leaves_in_parts_while_its_hold_lapses_and_is_given_back() {
    in_a_shop(Vec::new(), async |shop| {
        let payment = settled(Capture::Manual);
        shop.record(vec![payment.clone()]).await;
        let steps = [
            operation(2, CAPTURE, 100),
            operation(3, FinalCapture, 400),
            operation(4, Refund, 150),
        ];
        let tx = shop.db.begin().await.expect("begins");
        let tx = shop.payments.request(tx, steps.to_vec(), &patient()).await.expect("requests");
        tx.commit().await.expect("commits");
        let lapsed = intent("pi_1", "succeeded", 100);
        let refund = |name: &str, of: &str, amount: i64| {
            let body = format!(
                r#"{{"id":"{name}","status":"succeeded","amount":{amount},"currency":"usd",
                    "payment_intent":"{of}"}}"#
            );
            Play::Json(200, body)
        };
        for play in [
            Play::Json(200, intent("pi_1", "requires_capture", 100)),
            Play::Json(400, unexpected(&lapsed)),
            Play::Json(200, intent("pi_2", "succeeded", 400).replacen(":500,", ":400,", 1)),
            refund("re_1", "pi_1", 100),
            refund("re_2", "pi_2", 50),
        ] {
            shop.stage.then(play);
        }
        for (step, name) in steps.iter().zip(["pi_1", "pi_2", "re_1,re_2"]) {
            let next = shop.payments.next_operation(ORDER).await.expect("reads");
            assert_eq!(next.as_ref(), Some(step));
            let outcome = shop.payments.carry_out(step.clone(), payment.clone(), &patient()).await;
            assert_eq!(outcome.expect("answers"), is_done(name));
            let tx = shop.db.begin().await.expect("begins");
            let settled = vec![done(step.clone(), name)];
            let settled = shop.payments.settle_operations(tx, settled, &patient()).await;
            settled.expect("settles").0.commit().await.expect("commits");
        }
        let heard = shop.stage.heard();
        let keys: Vec<_> = heard.iter().filter_map(|one| one.key.as_deref()).collect();
        let key = |rest: &str| format!("orderly-{ORDER}-{rest}");
        let wanted =
            ["2-capture", "3-final_capture", "3-recharge", "4-refund", "1000004-refund"].map(key);
        assert_eq!(keys, wanted);
    });
}
