//! What the provider's answer to a charge means. Only a parsed answer that fits the question is
//! an answer; everything else is doubt, and doubt is not failure (rule D3).

use domain::{ChargeOutcome, Payment};
use serde::Deserialize;

/// An answer, as far as it can be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Known(ChargeOutcome),
    Unknown(String),
}

#[derive(Deserialize)]
struct Intent {
    id: String,
    status: String,
    amount: i64,
    currency: String,
}

#[derive(Deserialize)]
struct Failure {
    error: ErrorBody,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "type")]
    kind: String,
    code: Option<String>,
    decline_code: Option<String>,
    payment_intent: Option<IntentRef>,
}

#[derive(Deserialize)]
struct IntentRef {
    id: String,
}

/// Reads the answer to a charge of `payment`.
pub(super) fn read_charge(status: u16, body: &[u8], payment: &Payment) -> Reading {
    match status {
        200 => read_intent(body, payment),
        400 | 402 => read_refusal(status, body),
        _ => Reading::Unknown(format!("the provider answered {status}")),
    }
}

fn read_intent(body: &[u8], payment: &Payment) -> Reading {
    let intent: Intent = match serde_json::from_slice(body) {
        Ok(intent) => intent,
        Err(error) => return Reading::Unknown(format!("the answer cannot be read: {error}")),
    };
    let fits = intent.amount == payment.amount.minor
        && intent.currency.eq_ignore_ascii_case(payment.amount.currency.code());
    if !fits {
        return Reading::Unknown("the answer names another amount".to_owned());
    }
    let provider_ref = intent.id;
    match intent.status.as_str() {
        "succeeded" => Reading::Known(ChargeOutcome::Captured { provider_ref }),
        "requires_capture" => Reading::Known(ChargeOutcome::Authorized { provider_ref }),
        other => Reading::Unknown(format!("the payment is {other}")),
    }
}

fn read_refusal(status: u16, body: &[u8]) -> Reading {
    let failure: Failure = match serde_json::from_slice(body) {
        Ok(failure) => failure,
        Err(error) => return Reading::Unknown(format!("the refusal cannot be read: {error}")),
    };
    let error = failure.error;
    // A card was refused, or the request was not acceptable (an unknown means of payment, an
    // amount below the provider's least): nothing was charged. An idempotency error, in contrast,
    // says nothing about the payment.
    let definite = matches!(
        (status, error.kind.as_str()),
        (402, "card_error") | (400, "invalid_request_error")
    );
    if !definite {
        let code = error.code.unwrap_or_default();
        return Reading::Unknown(format!("the provider answered {status} {} {code}", error.kind));
    }
    let code = error.decline_code.or(error.code).unwrap_or_else(|| "card_declined".to_owned());
    let provider_ref = error.payment_intent.map(|intent| intent.id);
    Reading::Known(ChargeOutcome::Declined { code, provider_ref })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Capture, Currency, Money, OrderId, PaymentId, PaymentStatus};
    use uuid::Uuid;

    fn payment() -> Payment {
        Payment {
            id: PaymentId(Uuid::from_u128(1)),
            order_id: OrderId(Uuid::from_u128(2)),
            amount: Money::new(500, Currency::USD),
            capture: Capture::Automatic,
            method: "pm_card_visa".to_owned(),
            status: PaymentStatus::Sending,
            provider_ref: None,
            decline_code: None,
        }
    }

    fn read(status: u16, body: &str) -> Reading {
        read_charge(status, body.as_bytes(), &payment())
    }

    #[test]
    fn only_a_fitting_answer_is_an_answer() {
        let paid = r#"{"id":"pi_1","status":"succeeded","amount":500,"currency":"usd","x":[]}"#;
        let provider_ref = "pi_1".to_owned();
        assert_eq!(read(200, paid), Reading::Known(ChargeOutcome::Captured { provider_ref }));
        let held = r#"{"id":"pi_1","status":"requires_capture","amount":500,"currency":"usd"}"#;
        let provider_ref = "pi_1".to_owned();
        assert_eq!(read(200, held), Reading::Known(ChargeOutcome::Authorized { provider_ref }));
    }

    #[test]
    fn a_refused_card_and_an_unacceptable_request_are_definite() {
        let declined = r#"{"error":{"type":"card_error","code":"card_declined",
            "decline_code":"insufficient_funds","payment_intent":{"id":"pi_2"}}}"#;
        let outcome = ChargeOutcome::Declined {
            code: "insufficient_funds".to_owned(),
            provider_ref: Some("pi_2".to_owned()),
        };
        assert_eq!(read(402, declined), Reading::Known(outcome));
        let missing = r#"{"error":{"type":"invalid_request_error","code":"resource_missing",
            "param":"payment_method"}}"#;
        let declined =
            |code: &str| ChargeOutcome::Declined { code: code.to_owned(), provider_ref: None };
        assert_eq!(read(400, missing), Reading::Known(declined("resource_missing")));
        let small = r#"{"error":{"type":"invalid_request_error","code":"amount_too_small"}}"#;
        assert_eq!(read(400, small), Reading::Known(declined("amount_too_small")));
    }

    #[test]
    fn everything_else_is_doubt() {
        for (status, body) in [
            (200, ""),
            (200, "{}"),
            (200, r#"{"id":"pi_1","status":"succeeded","amount":501,"currency":"usd"}"#),
            (200, r#"{"id":"pi_1","status":"succeeded","amount":500,"currency":"eur"}"#),
            (200, r#"{"id":"pi_1","status":"processing","amount":500,"currency":"usd"}"#),
            (400, r#"{"error":{"type":"idempotency_error"}}"#),
            (401, r#"{"error":{"type":"invalid_request_error"}}"#),
            (402, "not json"),
            (409, r#"{"error":{"type":"invalid_request_error"}}"#),
            (429, ""),
            (500, ""),
            (302, ""),
        ] {
            assert!(matches!(read(status, body), Reading::Unknown(_)), "{status} {body}");
        }
    }
}
