//! Captures, voids and refunds of a payment that was made.

use super::answer::{Answer, Intent, Refund, Refusal, Shown, fits, is_amount, read};
use super::config::AuthorizationExpiry;
use super::http::{Call, HttpProvider};
use super::operation_key;
use domain::{Operation, OperationKind, OperationOutcome, Payment};
use tokio::time::Instant;

/// The refusal of something that the status of an intent does not allow.
const UNEXPECTED_STATE: &str = "payment_intent_unexpected_state";

/// The refusal of a capture whose hold has lapsed, by Stripe's older name.
const EXPIRED: &str = "charge_expired_for_capture";

/// One operation on one intent.
struct Work<'a> {
    operation: &'a Operation,
    payment: &'a Payment,
    /// The provider's name of the payment.
    intent: String,
    /// What was captured of it before, in minor units.
    taken: i64,
    deadline: Instant,
}

impl Work<'_> {
    const fn call(&self, name: &'static str) -> Call {
        Call { name, order_id: self.operation.order_id, deadline: self.deadline }
    }

    /// Reads an answer that shows the intent, and checks that it is this one.
    fn read_intent(&self, status: u16, body: &[u8]) -> Result<Answer<Intent>, String> {
        known(status)?;
        let answer = read::<Intent>(status, body)?;
        if let Answer::Given(intent) = &answer {
            if intent.id != self.intent {
                return Err("the answer names another payment".to_owned());
            }
            fits(intent, self.payment.order_id, self.payment.amount)?;
        }
        Ok(answer)
    }
}

/// The payment was there when it was made. If the provider does not know it now, then because it
/// is asked in the name of somebody else: that is no answer.
fn known(status: u16) -> Result<(), String> {
    if status == 404 { Err("the provider does not know the payment".to_owned()) } else { Ok(()) }
}

impl HttpProvider {
    /// `Err` says why the outcome is not known.
    pub(super) async fn operate(
        &self,
        operation: &Operation,
        payment: &Payment,
        taken: i64,
        deadline: Instant,
    ) -> Result<OperationOutcome, String> {
        let intent = self.name_of(payment, deadline).await?;
        let work = Work { operation, payment, intent, taken, deadline };
        match operation.kind {
            OperationKind::Capture | OperationKind::FinalCapture => self.capture(&work).await,
            OperationKind::Void => self.void(&work).await,
            OperationKind::Refund => self.refund(&work).await,
        }
    }

    async fn capture(&self, work: &Work<'_>) -> Result<OperationOutcome, String> {
        let Work { operation, intent, taken, .. } = work;
        let amount = operation.amount.minor.to_string();
        let is_final = operation.kind == OperationKind::FinalCapture;
        let form = [
            ("amount_to_capture", amount.as_str()),
            ("final_capture", if is_final { "true" } else { "false" }),
        ];
        let path = format!("/v1/payment_intents/{intent}/capture");
        let key = operation_key(operation);
        let captured = taken.saturating_add(operation.amount.minor);
        let read = |status, body: &[u8]| {
            let answer = work.read_intent(status, body)?;
            match &answer {
                Answer::Given(intent) => has_captured(intent, captured, work)?,
                Answer::Refused(_) => {}
            }
            Ok(answer)
        };
        let request = || self.post(&path, &key, &form);
        match self.guarded(work.call("capture"), request, read).await? {
            Answer::Given(intent) => Ok(OperationOutcome::Done { provider_ref: intent.id }),
            Answer::Refused(refusal) => self.capture_refused(work, refusal).await,
        }
    }

    /// A capture that is refused for the status of the intent may have been done before, or the
    /// hold may have lapsed; then the money is asked for anew, if that is the policy.
    async fn capture_refused(
        &self,
        work: &Work<'_>,
        refusal: Refusal,
    ) -> Result<OperationOutcome, String> {
        let refused = |code: String| Ok(OperationOutcome::Refused { code });
        if !matches!(refusal.code.as_str(), UNEXPECTED_STATE | EXPIRED) {
            return refused(refusal.code);
        }
        let code = refusal.code.clone();
        let now = self.now(work, refusal).await?;
        let by_itself = now.cancellation_reason.as_deref() == Some("automatic") || code == EXPIRED;
        let lapsed = match now.status.as_deref() {
            Some("canceled") => by_itself,
            Some("succeeded") => {
                let captured = work.taken.saturating_add(work.operation.amount.minor);
                if now.amount_received == captured {
                    // Done, and the provider has forgotten the key since.
                    return Ok(OperationOutcome::Done { provider_ref: now.id });
                }
                // Some was captured, and then the rest was let go.
                work.taken > 0 && now.amount_received == work.taken
            }
            _ => code == EXPIRED,
        };
        match self.config.authorization_expiry {
            AuthorizationExpiry::Reauthorize if lapsed => {
                self.recharge(work.operation, work.payment, work.deadline).await
            }
            _ => refused(code),
        }
    }

    async fn void(&self, work: &Work<'_>) -> Result<OperationOutcome, String> {
        let path = format!("/v1/payment_intents/{}/cancel", work.intent);
        let key = operation_key(work.operation);
        let read = |status, body: &[u8]| {
            let answer = work.read_intent(status, body)?;
            match &answer {
                Answer::Given(intent) if intent.status != "canceled" => {
                    Err(format!("the payment was cancelled and is {}", intent.status))
                }
                _ => Ok(answer),
            }
        };
        let request = || self.post(&path, &key, &[]);
        let refusal = match self.guarded(work.call("void"), request, read).await? {
            Answer::Given(intent) => {
                return Ok(OperationOutcome::Done { provider_ref: intent.id });
            }
            Answer::Refused(refusal) => refusal,
        };
        if refusal.code != UNEXPECTED_STATE {
            return Ok(OperationOutcome::Refused { code: refusal.code });
        }
        let code = refusal.code.clone();
        let now = self.now(work, refusal).await?;
        match now.status.as_deref() {
            // The hold lapsed before.
            Some("canceled") => Ok(OperationOutcome::Done { provider_ref: now.id }),
            // Some was captured, and nothing is held any more.
            Some("succeeded") if work.taken > 0 && now.amount_received == work.taken => {
                Ok(OperationOutcome::Done { provider_ref: now.id })
            }
            Some("requires_capture") if now.amount_received > 0 => self.release(work).await,
            _ => Ok(OperationOutcome::Refused { code }),
        }
    }

    /// Lets go of what is left of a hold of which some was captured: it cannot be cancelled, but a
    /// last capture of nothing ends it.
    async fn release(&self, work: &Work<'_>) -> Result<OperationOutcome, String> {
        let path = format!("/v1/payment_intents/{}/capture", work.intent);
        let key = format!("{}-release", operation_key(work.operation));
        let form = [("amount_to_capture", "0"), ("final_capture", "true")];
        let read = |status, body: &[u8]| {
            let answer = work.read_intent(status, body)?;
            match &answer {
                Answer::Given(intent) if intent.status != "succeeded" => {
                    Err(format!("the rest was let go and the payment is {}", intent.status))
                }
                _ => Ok(answer),
            }
        };
        let request = || self.post(&path, &key, &form);
        match self.guarded(work.call("release"), request, read).await? {
            Answer::Given(intent) => Ok(OperationOutcome::Done { provider_ref: intent.id }),
            // It lapsed a moment ago: then it is let go too, and the next look shows it.
            Answer::Refused(refusal) if refusal.code == UNEXPECTED_STATE => {
                let now = self.now(work, refusal).await?;
                match now.status.as_deref() {
                    Some("succeeded" | "canceled") => {
                        Ok(OperationOutcome::Done { provider_ref: now.id })
                    }
                    other => Err(format!("the rest cannot be let go: it is {other:?}")),
                }
            }
            Answer::Refused(refusal) => Ok(OperationOutcome::Refused { code: refusal.code }),
        }
    }

    async fn refund(&self, work: &Work<'_>) -> Result<OperationOutcome, String> {
        let Work { operation, intent, .. } = work;
        let amount = operation.amount.minor.to_string();
        let (order_id, leg) = (operation.order_id.to_string(), operation.leg.to_string());
        let form = [
            ("payment_intent", intent.as_str()),
            ("amount", amount.as_str()),
            // So that an event about the refund can be told from whose order it comes.
            ("metadata[order_id]", order_id.as_str()),
            ("metadata[leg]", leg.as_str()),
        ];
        let read = |status, body: &[u8]| {
            known(status)?;
            let answer = read::<Refund>(status, body)?;
            if let Answer::Given(refund) = &answer {
                if refund.payment_intent != *intent {
                    return Err("the answer names another payment".to_owned());
                }
                if !is_amount(refund.amount, &refund.currency, operation.amount) {
                    return Err("the answer names another amount".to_owned());
                }
                if !matches!(
                    refund.status.as_str(),
                    "succeeded" | "pending" | "failed" | "canceled"
                ) {
                    return Err(format!("the refund is {}", refund.status));
                }
            }
            Ok(answer)
        };
        // Here and not outside of the attempts: a key that changes is a bug that tests plant.
        let request = || self.post("/v1/refunds", &operation_key(operation), &form);
        match self.guarded(work.call("refund"), request, read).await? {
            Answer::Given(Refund { status, failure_reason, .. })
                if matches!(status.as_str(), "failed" | "canceled") =>
            {
                let code = failure_reason.unwrap_or_else(|| format!("refund_{status}"));
                Ok(OperationOutcome::Refused { code })
            }
            // The provider has taken it on; some banks take days to pay it out.
            Answer::Given(refund) => Ok(OperationOutcome::Done { provider_ref: refund.id }),
            Answer::Refused(refusal) => Ok(OperationOutcome::Refused { code: refusal.code }),
        }
    }

    /// The intent as it is now: as the refusal shows it, or as the provider tells when asked.
    async fn now(&self, work: &Work<'_>, refusal: Refusal) -> Result<Shown, String> {
        match refusal.intent {
            Some(shown) if shown.id == work.intent && shown.status.is_some() => Ok(shown),
            _ => {
                let intent = self.intent(work.payment, &work.intent, work.deadline).await?;
                fits(&intent, work.payment.order_id, work.payment.amount)?;
                Ok(Shown::from(intent))
            }
        }
    }
}

/// Checks that a capture left the intent as it should.
fn has_captured(intent: &Intent, captured: i64, work: &Work<'_>) -> Result<(), String> {
    let is_final = work.operation.kind == OperationKind::FinalCapture;
    let is_status = match intent.status.as_str() {
        "succeeded" => true,
        "requires_capture" => !is_final,
        _ => false,
    };
    if !is_status {
        return Err(format!("the payment was captured and is {}", intent.status));
    }
    if is_amount(
        intent.amount_received,
        &intent.currency,
        domain::Money { minor: captured, ..work.operation.amount },
    ) {
        Ok(())
    } else {
        Err("the answer names another amount".to_owned())
    }
}
