//! Asking what became of a payment, without asking for the money again.

use super::Inquiry;
use super::answer::{Answer, Intent, Page, fits, read};
use super::http::{Call, HttpProvider};
use domain::{Capture, ChargeOutcome, Payment, PaymentStatus};
use tokio::time::Instant;

/// Intents of one order that are looked at. An order has one, and one more for each hold that
/// lapsed.
const FOUND_MAX: &str = "100";

impl HttpProvider {
    pub(super) async fn look_up(&self, payment: &Payment, deadline: Instant) -> Inquiry {
        match self.what_became_of(payment, deadline).await {
            Ok(Some(outcome)) => Inquiry::judged(payment, outcome),
            Ok(None) => Inquiry::Absent,
            Err(why) => Inquiry::Unknown { why },
        }
    }

    /// By the provider's name of it if that is known, else by the order's id. `None` if there is no
    /// such payment, `Err` says why it is not known.
    async fn what_became_of(
        &self,
        payment: &Payment,
        deadline: Instant,
    ) -> Result<Option<ChargeOutcome>, String> {
        match &payment.provider_ref {
            Some(id) => {
                let intent = self.intent(payment, id, deadline).await?;
                outcome_of(&intent, payment).map(Some)
            }
            None => outcome_among(self.search(payment, deadline).await?, payment),
        }
    }

    /// The provider's name of a payment; it is asked if we do not know it.
    pub(super) async fn name_of(
        &self,
        payment: &Payment,
        deadline: Instant,
    ) -> Result<String, String> {
        if let Some(name) = &payment.provider_ref {
            return Ok(name.clone());
        }
        match self.what_became_of(payment, deadline).await? {
            Some(
                ChargeOutcome::Captured { provider_ref }
                | ChargeOutcome::Authorized { provider_ref }
                | ChargeOutcome::Declined { provider_ref: Some(provider_ref), .. },
            ) => Ok(provider_ref),
            Some(ChargeOutcome::Declined { .. } | ChargeOutcome::Unknown { .. }) | None => {
                Err("the provider knows of no payment of the order".to_owned())
            }
        }
    }

    /// The intent of this name. That it is not found is no answer: it was there once.
    pub(super) async fn intent(
        &self,
        payment: &Payment,
        id: &str,
        deadline: Instant,
    ) -> Result<Intent, String> {
        let call = Call { name: "inquire", order_id: payment.order_id, deadline };
        let request = || self.get(&format!("/v1/payment_intents/{id}"));
        let named = |status, body: &[u8]| {
            let answer = read::<Intent>(status, body)?;
            match &answer {
                Answer::Given(intent) if intent.id != id => {
                    Err("the answer names another payment".to_owned())
                }
                _ => Ok(answer),
            }
        };
        match self.guarded(call, request, named).await? {
            Answer::Given(intent) => Ok(intent),
            Answer::Refused(refusal) => Err(format!("{id} was not found: {}", refusal.code)),
        }
    }

    /// All intents that name the order.
    async fn search(&self, payment: &Payment, deadline: Instant) -> Result<Vec<Intent>, String> {
        let call = Call { name: "search", order_id: payment.order_id, deadline };
        let query = format!("metadata['order_id']:'{}'", payment.order_id);
        let request = || {
            let parameters = [("query", query.as_str()), ("limit", FOUND_MAX)];
            self.get("/v1/payment_intents/search").query(&parameters)
        };
        match self.guarded(call, request, read::<Page>).await? {
            Answer::Given(Page { has_more: true, .. }) => {
                Err("the order has too many payments".to_owned())
            }
            Answer::Given(page) => Ok(page.data),
            Answer::Refused(refusal) => Err(format!("the search was refused: {}", refusal.code)),
        }
    }
}

/// What several intents of one order say about its payment: one that took or holds money wins, and
/// it is declined only if all are. What was charged anew for an operation is not this payment.
fn outcome_among(
    mut intents: Vec<Intent>,
    payment: &Payment,
) -> Result<Option<ChargeOutcome>, String> {
    let order_id = payment.order_id.to_string();
    let is_of_order = |intent: &Intent| {
        let metadata = intent.metadata.as_ref();
        metadata.is_some_and(|m| m.order_id.as_deref() == Some(&order_id) && m.leg.is_none())
    };
    intents.retain(is_of_order);
    // The same of several on every node and at every time.
    intents.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
    let mut outcomes = Vec::with_capacity(intents.len());
    for intent in &intents {
        outcomes.push(outcome_of(intent, payment)?);
    }
    let has_money = |outcome: &ChargeOutcome| !matches!(outcome, ChargeOutcome::Declined { .. });
    if outcomes.iter().filter(|outcome| has_money(outcome)).count() > 1 {
        tracing::error!(
            event = "paid_twice",
            code = "PAID_TWICE",
            order_id,
            "the provider has taken or holds the money of an order more than once"
        );
    }
    let last = outcomes.last().cloned();
    Ok(outcomes.into_iter().find(has_money).or(last))
}

/// What an intent says about the payment that it was made for.
fn outcome_of(intent: &Intent, payment: &Payment) -> Result<ChargeOutcome, String> {
    fits(intent, payment.order_id, payment.amount)?;
    let id = intent.id.clone();
    let declined = |code: String| ChargeOutcome::Declined { code, provider_ref: Some(id.clone()) };
    // Money that was held has been taken since: as a payment it is what it was.
    let was_held =
        payment.capture == Capture::Manual && payment.status == PaymentStatus::Authorized;
    match intent.status.as_str() {
        "succeeded" if was_held => Ok(ChargeOutcome::Authorized { provider_ref: id }),
        "succeeded" => Ok(ChargeOutcome::Captured { provider_ref: id }),
        "requires_capture" => Ok(ChargeOutcome::Authorized { provider_ref: id }),
        "canceled" => {
            let lapsed = intent.cancellation_reason.as_deref() == Some("automatic");
            Ok(declined(if lapsed { "authorization_expired" } else { "canceled" }.to_owned()))
        }
        "requires_payment_method" => {
            let reason = intent.last_payment_error.as_ref().and_then(|error| error.reason());
            reason.map(declined).ok_or_else(|| "the payment was not attempted yet".to_owned())
        }
        other => Err(format!("the payment is {other}")),
    }
}
