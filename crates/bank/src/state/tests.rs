//! Every transition of the books, the arithmetic of refunds and the keeping of answers.

use super::*;
use crate::fact::{Action, CaptureMethod, Fingerprint};
use crate::methods::Decline;
use domain::Currency;
use proptest::prelude::*;

const AT_US: i64 = 1_700_000_000_000_000;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn charge(amount: i64, capture: CaptureMethod, decline: Option<Decline>) -> Command {
    Command::Charge(Charge {
        amount,
        currency: Currency::USD,
        method: "pm_card_visa".to_owned(),
        capture,
        metadata: vec![("order_id".to_owned(), "o-1".to_owned())],
        decline,
    })
}

fn capture(intent: u128, amount: Option<i64>) -> Command {
    Command::Capture { intent: id(intent), amount, keeps_rest: false }
}

fn capture_part(intent: u128, amount: Option<i64>) -> Command {
    Command::Capture { intent: id(intent), amount, keeps_rest: true }
}

fn cancel(intent: u128) -> Command {
    Command::Cancel { intent: id(intent), reason: None }
}

fn refund(intent: u128, amount: Option<i64>) -> Command {
    Command::Refund { intent: id(intent), amount, reason: None, metadata: Vec::new() }
}

fn enter(state: &mut State, fact: Fact, key: Option<KeyUse>) -> Result<Answer, Contradiction> {
    let seq = state.last_seq() + 1;
    state.apply(Entry { seq, at_us: AT_US, key, fact })
}

/// Decides and enters; `fresh` is the id of what is made.
fn run(state: &mut State, fresh: u128, command: Command) -> Result<Answer, Refusal> {
    let fact = state.decide(command, id(fresh))?;
    Ok(enter(state, fact, None).expect("a decided fact fits"))
}

/// Books with one intent, whose id is 1, over 1,000 minor units.
fn books(status: Status) -> State {
    let mut state = State::default();
    let (method, decline) = match status {
        Status::Succeeded => (CaptureMethod::Automatic, None),
        Status::RequiresPaymentMethod => (CaptureMethod::Automatic, Some(Decline::LostCard)),
        Status::RequiresCapture | Status::Canceled => (CaptureMethod::Manual, None),
    };
    run(&mut state, 1, charge(1_000, method, decline)).unwrap();
    if status == Status::Canceled {
        run(&mut state, 2, cancel(1)).unwrap();
    }
    assert_eq!(state.intent(id(1)).unwrap().status, status);
    state
}

fn amounts(state: &State) -> (i64, i64, i64) {
    let intent = state.intent(id(1)).unwrap();
    (intent.amount, intent.captured, intent.refunded)
}

#[test]
fn a_charge_takes_money_only_if_it_is_automatic_and_approved() {
    for (status, captured) in [
        (Status::Succeeded, 1_000),
        (Status::RequiresCapture, 0),
        (Status::RequiresPaymentMethod, 0),
        (Status::Canceled, 0),
    ] {
        assert_eq!(amounts(&books(status)), (1_000, captured, 0), "{status}");
    }
}

#[test]
fn every_status_allows_what_it_should() {
    use Action::{Cancel, Capture, Refund};
    use Status::{Canceled, RequiresCapture, RequiresPaymentMethod, Succeeded};
    for (status, action, after) in [
        (Succeeded, Capture, None),
        (Succeeded, Cancel, None),
        (Succeeded, Refund, Some(Succeeded)),
        (RequiresCapture, Capture, Some(Succeeded)),
        (RequiresCapture, Cancel, Some(Canceled)),
        (RequiresCapture, Refund, None),
        (RequiresPaymentMethod, Capture, None),
        (RequiresPaymentMethod, Cancel, Some(Canceled)),
        (RequiresPaymentMethod, Refund, None),
        (Canceled, Capture, None),
        (Canceled, Cancel, None),
        (Canceled, Refund, None),
    ] {
        let mut state = books(status);
        let command = match action {
            Capture => capture(1, None),
            Cancel => cancel(1),
            Refund => refund(1, None),
        };
        let outcome = run(&mut state, 9, command);
        match after {
            Some(after) => {
                assert!(outcome.is_ok(), "{status} {action:?}: {outcome:?}");
                assert_eq!(state.intent(id(1)).unwrap().status, after, "{status} {action:?}");
            }
            None => assert_eq!(outcome, Err(Refusal::WrongStatus { action, status })),
        }
    }
}

#[test]
fn an_absent_intent_is_refused() {
    let state = State::default();
    for command in [capture(1, None), cancel(1), refund(1, None)] {
        assert_eq!(state.decide(command, id(9)), Err(Refusal::NoSuchIntent));
    }
}

#[test]
fn a_capture_takes_at_most_what_is_authorised_and_releases_the_rest() {
    for (asked, taken) in [
        (None, Some(1_000)),
        (Some(1), Some(1)),
        (Some(1_000), Some(1_000)),
        (Some(1_001), None),
        (Some(0), None),
    ] {
        let mut state = books(Status::RequiresCapture);
        let outcome = run(&mut state, 9, capture(1, asked));
        match taken {
            Some(taken) => {
                assert_eq!(outcome, Ok(Answer::Capture(0)), "{asked:?}");
                assert_eq!(amounts(&state), (1_000, taken, 0), "{asked:?}");
                let again = run(&mut state, 10, capture(1, Some(1)));
                assert!(matches!(again, Err(Refusal::WrongStatus { .. })), "{asked:?}");
            }
            None => {
                let amount = asked.unwrap_or_default();
                let refused = Refusal::CaptureOutOfRange { amount, authorised: 1_000 };
                assert_eq!(outcome, Err(refused));
                assert_eq!(amounts(&state), (1_000, 0, 0));
            }
        }
    }
}

#[test]
fn an_authorised_amount_is_captured_in_parts_until_the_final_one() {
    let mut state = books(Status::RequiresCapture);
    let out_of = |amount, authorised| Err(Refusal::CaptureOutOfRange { amount, authorised });
    assert_eq!(run(&mut state, 9, capture(1, Some(0))), out_of(0, 1_000));
    assert_eq!(run(&mut state, 9, capture_part(1, Some(300))), Ok(Answer::Capture(0)));
    assert_eq!(run(&mut state, 9, capture_part(1, Some(0))), out_of(0, 700));
    assert_eq!(run(&mut state, 9, capture_part(1, Some(701))), out_of(701, 700));
    assert_eq!(run(&mut state, 9, capture_part(1, Some(500))), Ok(Answer::Capture(1)));
    assert_eq!(amounts(&state), (1_000, 800, 0));
    assert_eq!(state.intent(id(1)).unwrap().status, Status::RequiresCapture);
    assert_eq!(run(&mut state, 9, cancel(1)), Err(Refusal::PartlyCaptured { captured: 800 }));
    // What is captured can go back while the rest is still held.
    assert_eq!(run(&mut state, 9, refund(1, Some(200))), Ok(Answer::Refund(0)));
    // The final capture takes what is asked for and releases the rest.
    assert_eq!(run(&mut state, 9, capture(1, Some(150))), Ok(Answer::Capture(2)));
    assert_eq!(amounts(&state), (1_000, 950, 200));
    assert_eq!(state.intent(id(1)).unwrap().status, Status::Succeeded);
    let refused = run(&mut state, 9, capture_part(1, Some(1)));
    assert!(matches!(refused, Err(Refusal::WrongStatus { .. })));
    let steps: Vec<i64> = (0..3).map(|at| state.capture_at(at).unwrap().captured).collect();
    assert_eq!(steps, [300, 800, 950]);
}

#[test]
fn a_final_capture_of_nothing_releases_the_rest() {
    let mut state = books(Status::RequiresCapture);
    run(&mut state, 9, capture_part(1, Some(400))).unwrap();
    run(&mut state, 9, capture(1, Some(0))).unwrap();
    assert_eq!(amounts(&state), (1_000, 400, 0));
    assert_eq!(state.intent(id(1)).unwrap().status, Status::Succeeded);
}

#[test]
fn an_expired_authorisation_is_cancelled_or_keeps_what_was_captured() {
    let mut state = books(Status::RequiresCapture);
    assert_eq!(state.authorised().collect::<Vec<_>>(), [id(1)]);
    enter(&mut state, Fact::Expired { intent: id(1) }, None).unwrap();
    let intent = state.intent(id(1)).unwrap();
    assert_eq!((intent.status, intent.captured), (Status::Canceled, 0));
    assert_eq!(intent.canceled.and_then(|(_, reason)| reason), Some(CancelReason::Automatic));
    assert_eq!(state.authorised().count(), 0);
    let refused = Refusal::WrongStatus { action: Action::Capture, status: Status::Canceled };
    assert_eq!(run(&mut state, 9, capture(1, None)), Err(refused));

    let mut state = books(Status::RequiresCapture);
    run(&mut state, 9, capture_part(1, Some(400))).unwrap();
    enter(&mut state, Fact::Expired { intent: id(1) }, None).unwrap();
    let intent = state.intent(id(1)).unwrap();
    assert_eq!((intent.status, intent.captured, intent.canceled), (Status::Succeeded, 400, None));
}

#[test]
fn a_caller_cannot_give_the_banks_own_reason() {
    assert!(serde_json::from_str::<CancelReason>(r#""abandoned""#).is_ok());
    assert!(serde_json::from_str::<CancelReason>(r#""automatic""#).is_err());
    assert_eq!(serde_json::to_string(&CancelReason::Automatic).unwrap(), r#""automatic""#);
}

#[test]
fn a_capture_of_an_older_ledger_is_final() {
    let line = format!(r#"{{"captured":{{"intent":"{}","amount":5}}}}"#, id(1));
    let fact: Fact = serde_json::from_str(&line).unwrap();
    assert_eq!(fact, Fact::Captured { intent: id(1), amount: 5, keeps_rest: false });
    assert_eq!(serde_json::to_string(&fact).unwrap(), line);
}

#[test]
fn refunds_add_up_to_what_was_captured_and_not_more() {
    let mut state = books(Status::RequiresCapture);
    run(&mut state, 2, capture(1, Some(700))).unwrap();
    assert_eq!(
        run(&mut state, 3, refund(1, Some(701))),
        Err(Refusal::RefundOutOfRange { amount: 701, left: 700 })
    );
    assert_eq!(run(&mut state, 3, refund(1, Some(300))), Ok(Answer::Refund(0)));
    assert_eq!(
        run(&mut state, 4, refund(1, Some(401))),
        Err(Refusal::RefundOutOfRange { amount: 401, left: 400 })
    );
    assert_eq!(run(&mut state, 4, refund(1, None)), Ok(Answer::Refund(1)));
    assert_eq!(amounts(&state), (1_000, 700, 700));
    assert_eq!(state.refund_at(1).map(|refund| refund.amount), Some(400));
    assert_eq!(state.refund_position(id(4)), Some(1));
    for amount in [None, Some(1)] {
        assert_eq!(run(&mut state, 5, refund(1, amount)), Err(Refusal::AlreadyRefunded));
    }
}

#[test]
fn an_answer_is_kept_under_its_key() {
    let mut state = State::default();
    let request = Fingerprint::of("POST", "/v1/payment_intents", &[]);
    let key = || Some(KeyUse { key: "k-1".to_owned(), request });
    let fact = state.decide(charge(5, CaptureMethod::Automatic, None), id(1)).unwrap();
    assert_eq!(state.kept("k-1"), None);
    enter(&mut state, fact, key()).unwrap();
    let kept = Kept { seq: 1, request, answer: Answer::Charge(0) };
    assert_eq!(state.kept("k-1"), Some(kept));

    // A second fact under the same key would be a second effect.
    let fact = state.decide(charge(5, CaptureMethod::Automatic, None), id(2)).unwrap();
    let error = enter(&mut state, fact, key()).unwrap_err();
    assert!(error.why.contains("k-1"), "{error}");
    assert_eq!((state.intents().len(), state.last_seq()), (1, 1));
}

#[test]
fn a_refusal_keeps_its_answer_and_has_no_effect() {
    let mut state = books(Status::Canceled);
    let refusal = state.decide(refund(1, None), id(9)).unwrap_err();
    let before = state.intent(id(1)).cloned();
    let request = Fingerprint::of("POST", "/v1/refunds", &[]);
    let key = Some(KeyUse { key: "k".to_owned(), request });
    let answer = enter(&mut state, Fact::Refused { intent: id(1), refusal }, key).unwrap();
    assert_eq!(answer, Answer::Refused(0, refusal));
    assert_eq!(state.intent(id(1)).cloned(), before);
    assert_eq!(state.kept("k").map(|kept| kept.answer), Some(answer));
}

#[test]
fn intents_are_found_by_order() {
    let mut state = books(Status::Succeeded);
    run(&mut state, 7, charge(3, CaptureMethod::Manual, None)).unwrap();
    let found: Vec<Uuid> = state.intents_of("o-1").map(|intent| intent.id).collect();
    assert_eq!(found, [id(1), id(7)]);
    assert_eq!(state.intents_of("o-2").count(), 0);
}

#[test]
fn impossible_facts_are_not_entered() {
    let charged = |intent, amount| {
        Fact::Charged(Charged {
            intent: id(intent),
            amount,
            currency: Currency::EUR,
            method: "pm_card_visa".to_owned(),
            capture: CaptureMethod::Automatic,
            metadata: Vec::new(),
            decline: None,
        })
    };
    let refunded = |intent, amount| {
        Fact::Refunded(Refunded {
            refund: id(50),
            intent: id(intent),
            amount,
            reason: None,
            metadata: Vec::new(),
        })
    };
    for fact in [
        charged(1, 100),
        charged(2, 0),
        refunded(1, 1_001),
        refunded(1, 0),
        refunded(2, 1),
        Fact::Captured { intent: id(1), amount: 1, keeps_rest: false },
        Fact::Canceled { intent: id(1), reason: None },
        Fact::Expired { intent: id(1) },
        Fact::Expired { intent: id(2) },
    ] {
        let mut state = books(Status::Succeeded);
        let told = format!("{fact:?}");
        assert!(enter(&mut state, fact, None).is_err(), "{told}");
        assert_eq!(state, books(Status::Succeeded), "{told}");
    }
    let mut state = books(Status::Succeeded);
    let gap = Entry { seq: 3, at_us: AT_US, key: None, fact: charged(3, 1) };
    assert!(state.apply(gap).unwrap_err().why.contains("fact 2"));
}

fn any_command() -> impl Strategy<Value = Command> {
    let intent = 0..6_u128;
    let amount = proptest::option::of(-1..60_i64);
    prop_oneof![
        (1..50_i64, any::<bool>(), any::<bool>()).prop_map(|(amount, manual, declined)| {
            let method = if manual { CaptureMethod::Manual } else { CaptureMethod::Automatic };
            charge(amount, method, declined.then_some(Decline::Generic))
        }),
        (intent.clone(), amount.clone()).prop_map(|(intent, amount)| capture(intent, amount)),
        (intent.clone(), amount.clone()).prop_map(|(intent, amount)| capture_part(intent, amount)),
        intent.clone().prop_map(cancel),
        (intent, amount).prop_map(|(intent, amount)| refund(intent, amount)),
    ]
}

proptest! {
    #[test]
    fn whatever_is_asked_the_books_stay_right(
        commands in proptest::collection::vec(any_command(), 1..60),
    ) {
        let mut state = State::default();
        let mut ledger = Vec::new();
        for (fresh, command) in (0_u128..).zip(commands) {
            let expires = command.intent().filter(|about| {
                fresh % 7 == 0 && state.is_authorised(*about)
            });
            let fact = match (expires, state.decide(command, id(fresh))) {
                (Some(intent), _) => Fact::Expired { intent },
                (None, Ok(fact)) => fact,
                (None, Err(_)) => continue,
            };
            let seq = state.last_seq() + 1;
            let entry = Entry { seq, at_us: AT_US, key: None, fact };
            ledger.push(serde_json::to_string(&entry).unwrap());
            state.apply(entry).unwrap();
        }
        for (position, intent) in state.intents().iter().enumerate() {
            prop_assert!(0 <= intent.refunded);
            prop_assert!(intent.refunded <= intent.captured);
            prop_assert!(intent.captured <= intent.amount);
            match intent.status {
                Status::Succeeded => prop_assert!(intent.captured > 0),
                Status::RequiresCapture => {}
                Status::RequiresPaymentMethod | Status::Canceled => {
                    prop_assert_eq!(intent.captured, 0);
                }
            }
            let refunds = (0..).map_while(|refund| state.refund_at(refund));
            let given_back: i64 = refunds
                .filter(|refund| refund.intent == position)
                .map(|refund| refund.amount)
                .sum();
            prop_assert_eq!(given_back, intent.refunded);
        }
        let mut replayed = State::default();
        for line in ledger {
            replayed.apply(serde_json::from_str(&line).unwrap()).unwrap();
        }
        prop_assert_eq!(replayed, state);
    }
}
