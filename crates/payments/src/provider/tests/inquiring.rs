//! Asking what became of a payment.

use super::{no_answers, staged};
use crate::provider::{Inquiry, PaymentProvider};
use crate::stage::{ORDER, Play, intent, later, refusal, sending, settled};
use domain::{Capture, ChargeOutcome, Payment, PaymentStatus};

fn page(intents: &[String]) -> Play {
    Play::Json(200, format!(r#"{{"data":[{}],"has_more":false}}"#, intents.join(",")))
}

fn failed(id: &str, code: &str) -> String {
    let error =
        format!(r#""last_payment_error":{{"code":"card_declined","decline_code":"{code}"}}"#);
    intent(id, "requires_payment_method", 0).replace(r#""last_payment_error":null"#, &error)
}

fn lapsed(id: &str) -> String {
    let reason = r#""cancellation_reason":"automatic""#;
    intent(id, "canceled", 0).replace(r#""cancellation_reason":null"#, reason)
}

async fn asked(payment: &Payment, play: Play) -> Inquiry {
    let (stage, provider) = staged(vec![play]).await;
    let inquiry = provider.inquire(payment, later()).await;
    assert_eq!(stage.heard().len(), 1);
    inquiry
}

fn known(inquiry: Inquiry) -> (PaymentStatus, Option<String>, Option<String>) {
    match inquiry {
        Inquiry::Known { payment, .. } => {
            (payment.status, payment.provider_ref, payment.decline_code)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_payment_is_looked_for_by_its_name_or_else_by_its_order() {
    let script = vec![
        page(&[intent("pi_7", "succeeded", 500)]),
        Play::Json(200, intent("pi_1", "succeeded", 500)),
    ];
    let (stage, provider) = staged(script).await;
    let found = provider.inquire(&sending(Capture::Automatic), later()).await;
    assert_eq!(known(found), (PaymentStatus::Captured, Some("pi_7".to_owned()), None));
    let found = provider.inquire(&settled(Capture::Automatic), later()).await;
    assert_eq!(known(found), (PaymentStatus::Captured, Some("pi_1".to_owned()), None));
    let heard = stage.heard();
    assert_eq!(heard[0].what, "GET /v1/payment_intents/search");
    assert_eq!(heard[0].field("query"), format!("metadata['order_id']:'{ORDER}'"));
    assert_eq!(heard[1].what, "GET /v1/payment_intents/pi_1");
    assert_eq!(heard[1].authorization.as_deref(), Some("Bearer sk_test"));
    assert!(heard.iter().all(|one| one.key.is_none()), "to look is not to do");
}

#[tokio::test]
async fn of_several_payments_the_one_with_money_counts() {
    let declined = |id| failed(id, "expired_card");
    let held = || intent("pi_2", "requires_capture", 0);
    let payment = sending(Capture::Manual);
    for found in [vec![declined("pi_1"), held()], vec![held(), lapsed("pi_3"), declined("pi_4")]] {
        let told = known(asked(&payment, page(&found)).await);
        assert_eq!(told, (PaymentStatus::Authorized, Some("pi_2".to_owned()), None));
    }
    // Should there be two with money, the answer is the same on every node.
    let twice = [intent("pi_9", "requires_capture", 0), held()];
    let told = known(asked(&payment, page(&twice)).await);
    assert_eq!(told.1.as_deref(), Some("pi_2"));
    let (status, name, code) =
        known(asked(&payment, page(&[lapsed("pi_1"), declined("pi_2")])).await);
    assert_eq!((status, name.as_deref()), (PaymentStatus::Declined, Some("pi_2")));
    assert_eq!(code.as_deref(), Some("expired_card"));
    let (status, _, code) = known(asked(&payment, page(&[lapsed("pi_1")])).await);
    assert_eq!((status, code.as_deref()), (PaymentStatus::Declined, Some("authorization_expired")));
}

#[tokio::test]
async fn what_is_not_this_payment_is_not_seen() {
    let payment = sending(Capture::Automatic);
    assert_eq!(asked(&payment, page(&[])).await, Inquiry::Absent);
    let order = format!(r#""order_id":"{ORDER}""#);
    let anew = intent("pi_1", "succeeded", 500).replace(&order, &format!(r#"{order},"leg":"4""#));
    let foreign = intent("pi_2", "succeeded", 500).replace(&order, r#""order_id":"other""#);
    assert_eq!(asked(&payment, page(&[anew, foreign])).await, Inquiry::Absent);
}

#[tokio::test]
async fn what_does_not_fit_is_unknown() {
    let wrong = || intent("pi_2", "succeeded", 500).replace(":500,", ":501,");
    let payment = sending(Capture::Automatic);
    let many = Play::Json(200, r#"{"data":[],"has_more":true}"#.to_owned());
    for (what, play) in [
        ("another amount", page(&[wrong()])),
        ("another amount of one", page(&[intent("pi_1", "succeeded", 500), wrong()])),
        ("another amount of a refused one", page(&[failed("pi_1", "x").replace(":500,", ":5,")])),
        ("on its way", page(&[intent("pi_1", "processing", 0)])),
        ("on its way besides a refused one", {
            page(&[failed("pi_1", "x"), intent("pi_2", "processing", 0)])
        }),
        ("not attempted", page(&[intent("pi_1", "requires_payment_method", 0)])),
        ("held and not taken", page(&[intent("pi_1", "requires_capture", 0)])),
        ("too many", many),
        ("a search that is refused", Play::Json(400, refusal("parameter_invalid"))),
    ] {
        let inquiry = asked(&payment, play).await;
        assert!(matches!(inquiry, Inquiry::Unknown { .. }), "{what}: {inquiry:?}");
    }
    let named = settled(Capture::Automatic);
    for (what, play) in [
        ("not found", Play::Json(404, refusal("resource_missing"))),
        ("another name", Play::Json(200, intent("pi_2", "succeeded", 500))),
        ("settled differently", Play::Json(200, lapsed("pi_1"))),
    ] {
        let inquiry = asked(&named, play).await;
        assert!(matches!(inquiry, Inquiry::Unknown { .. }), "{what}: {inquiry:?}");
    }
    for (what, play) in no_answers() {
        let inquiry = asked(&payment, play).await;
        assert!(matches!(inquiry, Inquiry::Unknown { .. }), "{what}: {inquiry:?}");
    }
}

#[tokio::test]
async fn a_hold_that_was_used_is_still_that_payment() {
    let used = Play::Json(200, intent("pi_1", "succeeded", 300));
    let payment = settled(Capture::Manual);
    let outcome = ChargeOutcome::Authorized { provider_ref: "pi_1".to_owned() };
    assert_eq!(asked(&payment, used).await, Inquiry::Known { payment: payment.clone(), outcome });
}
