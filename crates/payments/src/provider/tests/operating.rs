//! Captures, voids and refunds.

use super::{no_answers, staged};
use crate::provider::{AuthorizationExpiry, HttpProvider, PaymentProvider, operation_key};
use crate::stage::{
    Heard, ORDER, Play, Stage, intent, later, limits, operation, refusal, sending, settled,
    unexpected,
};
use domain::OperationKind::{self, FinalCapture, Refund, Void};
use domain::{Capture, OperationOutcome, Payment};

const CAPTURE: OperationKind = OperationKind::Capture;

fn ok(body: String) -> Play {
    Play::Json(200, body)
}

fn refused(body: String) -> Play {
    Play::Json(400, body)
}

fn refund(amount: i64, status: &str) -> String {
    format!(
        r#"{{"id":"re_1","object":"refund","amount":{amount},"currency":"usd",
            "payment_intent":"pi_1","status":"{status}"}}"#
    )
}

fn lapsed(received: i64) -> String {
    let reason = r#""cancellation_reason":"automatic""#;
    let status = if received == 0 { "canceled" } else { "succeeded" };
    intent("pi_1", status, received).replace(r#""cancellation_reason":null"#, reason)
}

/// What was charged anew: less than the whole payment.
fn anew(amount: i64) -> String {
    let amount = format!(":{amount},");
    intent("pi_2", "succeeded", 0).replacen(":500,", &amount, 1)
}

fn is_done(provider_ref: &str) -> OperationOutcome {
    OperationOutcome::Done { provider_ref: provider_ref.to_owned() }
}

fn is_refused(code: &str) -> OperationOutcome {
    OperationOutcome::Refused { code: code.to_owned() }
}

fn is_unknown(outcome: &OperationOutcome) -> bool {
    matches!(outcome, OperationOutcome::Unknown { .. })
}

/// The fourth step of the order: `kind` over `minor`, after `taken` was captured.
async fn carried_out(
    kind: OperationKind,
    minor: i64,
    taken: i64,
    script: Vec<Play>,
) -> (OperationOutcome, Vec<Heard>) {
    let (stage, provider) = staged(script).await;
    let capture = if kind == Refund { Capture::Automatic } else { Capture::Manual };
    let (operation, payment) = (operation(4, kind, minor), settled(capture));
    let outcome = provider.carry_out_after(&operation, &payment, taken, later()).await;
    (outcome, stage.heard())
}

#[tokio::test]
async fn a_capture_takes_a_part_and_the_last_one_lets_go_of_the_rest() {
    let held = ok(intent("pi_1", "requires_capture", 200));
    let (outcome, heard) = carried_out(CAPTURE, 200, 0, vec![held]).await;
    assert_eq!(outcome, is_done("pi_1"));
    assert_eq!(heard[0].what, "POST /v1/payment_intents/pi_1/capture");
    assert_eq!(heard[0].key, Some(format!("orderly-{ORDER}-4-capture")));
    assert_eq!(heard[0].field("amount_to_capture"), "200");
    assert_eq!(heard[0].field("final_capture"), "false");
    let used = ok(intent("pi_1", "succeeded", 450));
    let (outcome, heard) = carried_out(FinalCapture, 250, 200, vec![used]).await;
    assert_eq!(outcome, is_done("pi_1"));
    assert_eq!(heard[0].key, Some(format!("orderly-{ORDER}-4-final_capture")));
    assert_eq!(heard[0].field("final_capture"), "true");
}

#[tokio::test]
async fn a_void_lets_go() {
    let (outcome, heard) = carried_out(Void, 0, 0, vec![ok(intent("pi_1", "canceled", 0))]).await;
    assert_eq!(outcome, is_done("pi_1"));
    assert_eq!(heard[0].what, "POST /v1/payment_intents/pi_1/cancel");
    assert_eq!(heard[0].key, Some(format!("orderly-{ORDER}-4-void")));
}

#[tokio::test]
async fn a_refund_gives_back() {
    let (outcome, heard) = carried_out(Refund, 120, 0, vec![ok(refund(120, "succeeded"))]).await;
    assert_eq!(outcome, is_done("re_1"));
    assert_eq!(heard[0].what, "POST /v1/refunds");
    assert_eq!(heard[0].key, Some(format!("orderly-{ORDER}-4-refund")));
    let wanted = [
        ("payment_intent", "pi_1"),
        ("amount", "120"),
        ("metadata[order_id]", &ORDER.to_string()),
        ("metadata[leg]", "4"),
    ];
    for (name, value) in wanted {
        assert_eq!(heard[0].field(name), value, "{name}");
    }
    let (outcome, _) = carried_out(Refund, 120, 0, vec![ok(refund(120, "pending"))]).await;
    assert_eq!(outcome, is_done("re_1"));
    let (outcome, _) = carried_out(Refund, 120, 0, vec![ok(refund(120, "failed"))]).await;
    assert_eq!(outcome, is_refused("refund_failed"));
}

#[tokio::test]
async fn what_is_no_answer_leaves_the_outcome_unknown() {
    for kind in OperationKind::ALL {
        for (what, play) in no_answers() {
            let (outcome, heard) = carried_out(kind, 100, 0, vec![play]).await;
            assert!(is_unknown(&outcome), "{kind:?}, {what}: {outcome:?}");
            assert_eq!(heard.len(), 1, "{kind:?}, {what}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_unknown() {
    let captured = |received| intent("pi_1", "requires_capture", received);
    for (what, kind, body) in [
        ("too little", CAPTURE, captured(199)),
        ("too much", CAPTURE, captured(201)),
        ("another whole", CAPTURE, captured(200).replacen(":500,", ":501,", 1)),
        ("another currency", CAPTURE, captured(200).replace("usd", "eur")),
        ("another payment", CAPTURE, captured(200).replace("pi_1", "pi_2")),
        ("another order", CAPTURE, captured(200).replace(&ORDER.to_string(), "x")),
        ("cancelled", CAPTURE, intent("pi_1", "canceled", 200)),
        ("still held", FinalCapture, captured(200)),
        ("not cancelled", Void, captured(0)),
        ("another payment cancelled", Void, intent("pi_2", "canceled", 0)),
        ("another refund", Refund, refund(201, "succeeded")),
        ("a refund in euros", Refund, refund(200, "succeeded").replace("usd", "eur")),
        ("a refund of another", Refund, refund(200, "succeeded").replace("pi_1", "pi_2")),
        ("a refund that waits", Refund, refund(200, "requires_action")),
    ] {
        let (outcome, _) = carried_out(kind, 200, 0, vec![ok(body)]).await;
        assert!(is_unknown(&outcome), "{what}: {outcome:?}");
    }
}

/// The payment was there when it was made: whoever does not know it is asked in the name of somebody
/// else, and says nothing about it.
#[tokio::test]
async fn a_payment_that_is_not_there_is_no_refusal() {
    for kind in [CAPTURE, Void, Refund] {
        let script = vec![Play::Json(404, refusal("resource_missing"))];
        let (outcome, _) = carried_out(kind, 100, 0, script).await;
        assert!(is_unknown(&outcome), "{kind:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_definite_refusal_is_one() {
    for (kind, status, code) in [
        (CAPTURE, 400, "amount_too_large"),
        (Refund, 400, "charge_already_refunded"),
        (Refund, 400, "amount_too_large"),
        (Refund, 400, "payment_intent_unexpected_state"),
    ] {
        let (outcome, _) = carried_out(kind, 100, 0, vec![Play::Json(status, refusal(code))]).await;
        assert_eq!(outcome, is_refused(code), "{kind:?}");
    }
}

#[tokio::test]
async fn a_hold_that_lapsed_is_charged_anew_for_what_is_to_be_captured() {
    let code = "payment_intent_unexpected_state";
    for (what, taken, refusals) in [
        ("cancelled", 0, vec![refused(unexpected(&lapsed(0)))]),
        ("not shown", 0, vec![refused(refusal(code)), ok(lapsed(0))]),
        ("by its older name", 0, {
            vec![refused(refusal("charge_expired_for_capture")), ok(intent("pi_1", "canceled", 0))]
        }),
        ("after a part was captured", 200, vec![refused(unexpected(&lapsed(200)))]),
    ] {
        let mut script = refusals;
        script.push(ok(anew(300)));
        let calls = script.len();
        let (outcome, heard) = carried_out(FinalCapture, 300, taken, script).await;
        assert_eq!(outcome, is_done("pi_2"), "{what}");
        assert_eq!(heard.len(), calls, "{what}");
        let recharge = &heard[calls - 1];
        assert_eq!(recharge.what, "POST /v1/payment_intents");
        assert_eq!(recharge.key, Some(format!("orderly-{ORDER}-4-recharge")));
        for (name, value) in [
            ("amount", "300"),
            ("payment_method", "pm_card_visa"),
            ("capture_method", "automatic"),
            ("metadata[order_id]", &ORDER.to_string()),
            ("metadata[leg]", "4"),
        ] {
            assert_eq!(recharge.field(name), value, "{what}: {name}");
        }
    }
}

#[tokio::test]
async fn a_charge_anew_has_three_outcomes_too() {
    let lapse = || refused(unexpected(&lapsed(0)));
    let card = r#"{"error":{"type":"card_error","code":"card_declined",
        "decline_code":"insufficient_funds"}}"#;
    let declined = Play::Json(402, card.to_owned());
    let (outcome, _) = carried_out(CAPTURE, 300, 0, vec![lapse(), declined]).await;
    assert_eq!(outcome, is_refused("insufficient_funds"));
    for play in [Play::Close, ok(anew(301)), ok(anew(300).replace("succeeded", "requires_capture"))]
    {
        let (outcome, _) = carried_out(CAPTURE, 300, 0, vec![lapse(), play]).await;
        assert!(is_unknown(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_hold_that_lapsed_is_left_alone_if_that_is_the_policy() {
    let stage = Stage::open(vec![refused(unexpected(&lapsed(0)))]).await;
    let policy = AuthorizationExpiry::Refuse;
    let config = crate::ProviderConfig { authorization_expiry: policy, ..stage.config() };
    let provider = HttpProvider::new(config).expect("a provider");
    let capture = operation(4, CAPTURE, 300);
    let outcome = provider.carry_out(&capture, &settled(Capture::Manual), later()).await;
    assert_eq!(outcome, is_refused("payment_intent_unexpected_state"));
    assert_eq!(stage.heard().len(), 1);
}

#[tokio::test]
async fn a_capture_is_refused_or_done_before_as_the_payment_shows() {
    let code = is_refused("payment_intent_unexpected_state");
    let by_hand = r#""cancellation_reason":"requested_by_customer""#;
    let by_hand = intent("pi_1", "canceled", 0).replace(r#""cancellation_reason":null"#, by_hand);
    for (what, taken, shown, wanted) in [
        ("cancelled by somebody", 0, by_hand, &code),
        ("captured by somebody", 0, intent("pi_1", "succeeded", 500), &code),
        ("captured before", 0, intent("pi_1", "succeeded", 300), &is_done("pi_1")),
        ("captured before, in parts", 200, intent("pi_1", "succeeded", 500), &is_done("pi_1")),
        ("held", 0, intent("pi_1", "requires_capture", 0), &code),
    ] {
        let script = vec![refused(unexpected(&shown))];
        let (outcome, heard) = carried_out(FinalCapture, 300, taken, script).await;
        assert_eq!((&outcome, heard.len()), (wanted, 1), "{what}");
    }
}

#[tokio::test]
async fn a_void_finds_what_is_held_gone_or_taken() {
    let code = is_refused("payment_intent_unexpected_state");
    for (what, taken, shown, wanted) in [
        ("lapsed", 0, lapsed(0), &is_done("pi_1")),
        ("lapsed after a part", 200, lapsed(200), &is_done("pi_1")),
        ("captured", 0, intent("pi_1", "succeeded", 500), &code),
        ("captured, more than known", 200, intent("pi_1", "succeeded", 500), &code),
    ] {
        let (outcome, heard) = carried_out(Void, 0, taken, vec![refused(unexpected(&shown))]).await;
        assert_eq!((&outcome, heard.len()), (wanted, 1), "{what}");
    }
}

#[tokio::test]
async fn what_is_left_after_a_part_is_let_go_by_a_last_capture_of_nothing() {
    let part = || refused(unexpected(&intent("pi_1", "requires_capture", 200)));
    let script = vec![part(), ok(intent("pi_1", "succeeded", 200))];
    let (outcome, heard) = carried_out(Void, 0, 200, script).await;
    assert_eq!(outcome, is_done("pi_1"));
    assert_eq!(heard[1].what, "POST /v1/payment_intents/pi_1/capture");
    assert_eq!(heard[1].key, Some(format!("orderly-{ORDER}-4-void-release")));
    assert_eq!(heard[1].field("amount_to_capture"), "0");
    assert_eq!(heard[1].field("final_capture"), "true");
    // It lapsed between the two.
    let script = vec![part(), refused(unexpected(&lapsed(200)))];
    assert_eq!(carried_out(Void, 0, 200, script).await.0, is_done("pi_1"));
    for play in [Play::Close, ok(intent("pi_1", "requires_capture", 200))] {
        let (outcome, _) = carried_out(Void, 0, 200, vec![part(), play]).await;
        assert!(is_unknown(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_payment_without_a_name_is_looked_for_first() {
    let page = |intents: &str| ok(format!(r#"{{"data":[{intents}],"has_more":false}}"#));
    let script =
        vec![page(&intent("pi_1", "requires_capture", 0)), ok(intent("pi_1", "canceled", 0))];
    let (stage, provider) = staged(script).await;
    let nameless = Payment { provider_ref: None, ..settled(Capture::Manual) };
    let outcome = provider.carry_out(&operation(4, Void, 0), &nameless, later()).await;
    assert_eq!(outcome, is_done("pi_1"));
    let what: Vec<_> = stage.heard().into_iter().map(|heard| heard.what).collect();
    let wanted = ["GET /v1/payment_intents/search", "POST /v1/payment_intents/pi_1/cancel"];
    assert_eq!(what, wanted);
    for play in [page(""), Play::Close] {
        let (stage, provider) = staged(vec![play]).await;
        let payment = sending(Capture::Manual);
        let outcome = provider.carry_out(&operation(4, Void, 0), &payment, later()).await;
        assert!(is_unknown(&outcome), "{outcome:?}");
        assert_eq!(stage.heard().len(), 1);
    }
}

#[tokio::test]
async fn while_in_doubt_it_is_asked_again_with_the_same_key() {
    let script = || vec![Play::Close, Play::Json(503, String::new()), ok(refund(9, "succeeded"))];
    let keys = async |stage: &Stage| {
        let config = crate::ProviderConfig { limits: limits(3), ..stage.config() };
        let provider = HttpProvider::new(config).expect("a provider");
        let refund = operation(4, Refund, 9);
        let outcome = provider.carry_out(&refund, &settled(Capture::Automatic), later()).await;
        assert_eq!(outcome, is_done("re_1"));
        stage.heard().into_iter().map(|heard| heard.key).collect::<Vec<_>>()
    };
    let same = Some(operation_key(&operation(4, Refund, 9)));
    assert_eq!(keys(&Stage::open(script()).await).await, [same.clone(), same.clone(), same]);
    faults::plant(Some("refund-with-a-new-key"));
    let planted = keys(&Stage::open(script()).await).await;
    faults::plant(None);
    assert!(planted[0] != planted[1] && planted[1] != planted[2], "{planted:?}");
}
