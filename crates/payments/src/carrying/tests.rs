//! Which of the provider's payments an operation is about.

use super::*;
use crate::provider::{Inquiry, LedgerEntry, ProviderError};
use crate::stage::{done, later, operation, settled};
use async_trait::async_trait;
use domain::OperationKind::{FinalCapture, Refund, Void};
use domain::{Capture, ChargeOutcome};
use std::collections::VecDeque;
use std::sync::Mutex;

const CAPTURE: OperationKind = OperationKind::Capture;

/// What a provider was asked: key, payment, amount, and what was captured before.
type Asked = (String, Option<String>, i64, i64);

/// A provider that gives these outcomes, and then none.
#[derive(Default)]
struct Scripted {
    outcomes: Mutex<VecDeque<OperationOutcome>>,
    asked: Mutex<Vec<Asked>>,
}

#[async_trait]
impl PaymentProvider for Scripted {
    async fn charge(&self, _: &Payment, _: Instant) -> ChargeOutcome {
        unreachable!("nobody charges")
    }

    async fn inquire(&self, _: &Payment, _: Instant) -> Inquiry {
        unreachable!("nobody asks")
    }

    async fn carry_out(&self, _: &Operation, _: &Payment, _: Instant) -> OperationOutcome {
        unreachable!("what was captured before is known")
    }

    async fn carry_out_after(
        &self,
        operation: &Operation,
        payment: &Payment,
        taken: i64,
        _: Instant,
    ) -> OperationOutcome {
        let name = payment.provider_ref.clone();
        let asked = (operation.provider_key(), name, operation.amount.minor, taken);
        self.asked.lock().unwrap().push(asked);
        let next = self.outcomes.lock().unwrap().pop_front();
        next.unwrap_or(OperationOutcome::Unknown { why: "the script is over".to_owned() })
    }

    async fn ledger(&self) -> Result<Option<Vec<LedgerEntry>>, ProviderError> {
        Ok(None)
    }
}

fn is_done(name: &str) -> OperationOutcome {
    OperationOutcome::Done { provider_ref: name.to_owned() }
}

fn refused() -> OperationOutcome {
    OperationOutcome::Refused { code: "amount_too_large".to_owned() }
}

/// The outcome of the first open operation of `history`, and what the provider was asked.
async fn carried(
    history: &[Operation],
    outcomes: Vec<OperationOutcome>,
) -> (OperationOutcome, Vec<Asked>) {
    let provider = Scripted { outcomes: Mutex::new(outcomes.into()), ..Scripted::default() };
    let open = history.iter().find(|o| o.status == OperationStatus::Open).expect("one is open");
    let payment = settled(Capture::Manual);
    let outcome = carry_out(&provider, open, &payment, history, later()).await;
    (outcome, provider.asked.into_inner().unwrap())
}

fn asked(leg: i64, kind: OperationKind, name: &str, minor: i64, taken: i64) -> Asked {
    (operation(leg, kind, minor).provider_key(), Some(name.to_owned()), minor, taken)
}

#[tokio::test]
async fn what_was_captured_before_is_told() {
    let mut history = vec![
        done(operation(2, CAPTURE, 100), "pi_1"),
        Operation { status: OperationStatus::Refused, ..operation(3, CAPTURE, 50) },
        done(operation(4, CAPTURE, 70), "pi_2"),
        operation(5, FinalCapture, 200),
        operation(6, Refund, 10),
    ];
    let (outcome, calls) = carried(&history, vec![is_done("pi_1")]).await;
    assert_eq!(outcome, is_done("pi_1"));
    assert_eq!(calls, [asked(5, FinalCapture, "pi_1", 200, 100)]);
    history[3] = operation(5, Void, 0);
    assert_eq!(carried(&history, Vec::new()).await.1, [asked(5, Void, "pi_1", 0, 100)]);
}

#[tokio::test]
async fn an_operation_waits_for_those_before_it() {
    let history = [operation(2, CAPTURE, 100), operation(3, Refund, 10)];
    let provider = Scripted::default();
    let payment = settled(Capture::Manual);
    let outcome = carry_out(&provider, &history[1], &payment, &history, later()).await;
    assert!(matches!(outcome, OperationOutcome::Unknown { .. }), "{outcome:?}");
    assert!(provider.asked.into_inner().unwrap().is_empty());
}

#[tokio::test]
async fn money_is_given_back_from_where_it_was_taken() {
    let captures = [
        done(operation(2, CAPTURE, 100), "pi_1"),
        done(operation(3, CAPTURE, 50), "pi_1"),
        done(operation(4, CAPTURE, 70), "pi_2"),
        done(operation(5, FinalCapture, 80), "pi_3"),
    ];
    let second = 7 + PART_LEGS;
    for (before, minor, calls) in [
        (0, 150, vec![asked(7, Refund, "pi_1", 150, 0)]),
        (40, 20, vec![asked(7, Refund, "pi_1", 20, 0)]),
        (150, 70, vec![asked(7, Refund, "pi_2", 70, 0)]),
        (290, 10, vec![asked(7, Refund, "pi_3", 10, 0)]),
        (140, 30, vec![asked(7, Refund, "pi_1", 10, 0), asked(second, Refund, "pi_2", 20, 0)]),
        (
            0,
            300,
            vec![
                asked(7, Refund, "pi_1", 150, 0),
                asked(second, Refund, "pi_2", 70, 0),
                asked(second + PART_LEGS, Refund, "pi_3", 80, 0),
            ],
        ),
        // More than there is: the provider is to refuse it.
        (290, 50, vec![asked(7, Refund, "pi_3", 50, 0)]),
        (300, 50, vec![asked(7, Refund, "pi_1", 50, 0)]),
    ] {
        let mut history = captures.to_vec();
        history.push(done(operation(6, Refund, before), "re_1"));
        history.push(operation(7, Refund, minor));
        let (outcome, got) =
            carried(&history, vec![is_done("a"), is_done("b"), is_done("c")]).await;
        assert_eq!(got, calls, "{minor} after {before}");
        let names = ["a", "a,b", "a,b,c"][calls.len() - 1];
        assert_eq!(outcome, is_done(names));
    }
}

#[tokio::test]
async fn without_a_capture_the_payment_itself_is_asked() {
    let failed = Operation { status: OperationStatus::Refused, ..operation(2, CAPTURE, 100) };
    let history = [failed, operation(3, Refund, 10)];
    let (outcome, calls) = carried(&history, vec![refused()]).await;
    assert_eq!((outcome, calls), (refused(), vec![asked(3, Refund, "pi_1", 10, 0)]));
}

#[tokio::test]
async fn what_was_done_by_half_is_for_a_person_to_see() {
    let history = [
        done(operation(2, CAPTURE, 100), "pi_1"),
        done(operation(3, FinalCapture, 70), "pi_2"),
        operation(4, Refund, 170),
    ];
    let (outcome, calls) = carried(&history, vec![is_done("re_1"), refused()]).await;
    assert!(matches!(outcome, OperationOutcome::Unknown { .. }), "{outcome:?}");
    assert_eq!(calls.len(), 2);
    // Nothing was done: a refusal is one, and doubt ends it too.
    assert_eq!(carried(&history, vec![refused()]).await, (refused(), calls[..1].to_vec()));
    assert_eq!(carried(&history, Vec::new()).await.1.len(), 1);
}
