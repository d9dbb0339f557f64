//! What the books allow.

use super::Intent;
use crate::fact::{Action, Refusal, Status};

/// The order that `metadata` names.
pub(super) fn order_id(metadata: &[(String, String)]) -> Option<&str> {
    metadata.iter().find(|(name, _)| name == "order_id").map(|(_, value)| value.as_str())
}

/// The amount that a capture takes. Once a part has been captured, nothing is an amount too: it
/// only releases the rest.
pub(super) fn capturable(
    intent: &Intent,
    amount: Option<i64>,
    keeps_rest: bool,
) -> Result<i64, Refusal> {
    if intent.status != Status::RequiresCapture {
        return Err(Refusal::WrongStatus { action: Action::Capture, status: intent.status });
    }
    let left = intent.amount - intent.captured;
    let amount = amount.unwrap_or(left);
    let least = i64::from(keeps_rest || intent.captured == 0);
    if (least..=left).contains(&amount) {
        Ok(amount)
    } else {
        Err(Refusal::CaptureOutOfRange { amount, authorised: left })
    }
}

/// Whether it can be cancelled.
pub(super) fn cancellable(intent: &Intent) -> Result<(), Refusal> {
    match intent.status {
        Status::RequiresCapture if intent.captured > 0 => {
            Err(Refusal::PartlyCaptured { captured: intent.captured })
        }
        Status::RequiresCapture | Status::RequiresPaymentMethod => Ok(()),
        status @ (Status::Succeeded | Status::Canceled) => {
            Err(Refusal::WrongStatus { action: Action::Cancel, status })
        }
    }
}

/// The amount that a refund gives back.
pub(super) fn refundable(intent: &Intent, amount: Option<i64>) -> Result<i64, Refusal> {
    // A status that has captured nothing has nothing to give back either.
    if intent.captured == 0 {
        return Err(Refusal::WrongStatus { action: Action::Refund, status: intent.status });
    }
    let left = intent.captured - intent.refunded;
    if left == 0 {
        return Err(Refusal::AlreadyRefunded);
    }
    let amount = amount.unwrap_or(left);
    if (1..=left).contains(&amount) {
        Ok(amount)
    } else {
        Err(Refusal::RefundOutOfRange { amount, left })
    }
}
