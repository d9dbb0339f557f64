//! Asking for the money: at first, and anew when a hold has lapsed.

use super::answer::read_charge;
use super::charge_key;
use super::http::{Call, HttpProvider};
use domain::{Capture, ChargeOutcome, Operation, OperationOutcome, Payment};
use reqwest::RequestBuilder;
use tokio::time::Instant;

impl HttpProvider {
    pub(super) async fn ask_for_money(
        &self,
        payment: &Payment,
        deadline: Instant,
    ) -> ChargeOutcome {
        let call = Call { name: "charge", order_id: payment.order_id, deadline };
        // The key is made for each attempt, and is the same each time.
        let request = || self.charge_request(payment, &charge_key(payment), None);
        let read =
            |status, body: &[u8]| read_charge(status, body, payment.order_id, payment.amount);
        let outcome = self.guarded(call, request, read).await;
        outcome.unwrap_or_else(|why| ChargeOutcome::Unknown { why })
    }

    /// Takes the amount of a capture whose hold has lapsed from the same means of payment.
    pub(super) async fn recharge(
        &self,
        capture: &Operation,
        payment: &Payment,
        deadline: Instant,
    ) -> Result<OperationOutcome, String> {
        let leg = capture.leg;
        let key = format!("orderly-{}-{leg}-recharge", capture.order_id);
        let anew =
            Payment { amount: capture.amount, capture: Capture::Automatic, ..payment.clone() };
        let call = Call { name: "recharge", order_id: capture.order_id, deadline };
        let request = || self.charge_request(&anew, &key, Some(leg));
        let read = |status, body: &[u8]| read_charge(status, body, anew.order_id, anew.amount);
        tracing::info!(event = "payment_recharged", order_id = %capture.order_id, leg,
            "a hold has lapsed: the same means of payment is charged anew");
        match self.guarded(call, request, read).await? {
            ChargeOutcome::Captured { provider_ref } => Ok(OperationOutcome::Done { provider_ref }),
            ChargeOutcome::Declined { code, .. } => Ok(OperationOutcome::Refused { code }),
            ChargeOutcome::Authorized { .. } => {
                Err("the money was held and not taken, although it was to be taken".to_owned())
            }
            ChargeOutcome::Unknown { why } => Err(why),
        }
    }

    fn charge_request(&self, payment: &Payment, key: &str, leg: Option<i64>) -> RequestBuilder {
        let order_id = payment.order_id.to_string();
        let amount = payment.amount.minor.to_string();
        let currency = payment.amount.currency.code().to_lowercase();
        let leg = leg.map(|leg| leg.to_string());
        let mut form = vec![
            ("amount", amount.as_str()),
            ("currency", currency.as_str()),
            ("payment_method", payment.method.as_str()),
            ("capture_method", payment.capture.as_str()),
            ("confirm", "true"),
            // A card that wants its holder to confirm is refused: nobody is there to do it.
            ("error_on_requires_action", "true"),
            // Only means of payment that settle without sending the customer somewhere.
            ("automatic_payment_methods[enabled]", "true"),
            ("automatic_payment_methods[allow_redirects]", "never"),
            ("metadata[order_id]", order_id.as_str()),
        ];
        if payment.capture == Capture::Manual {
            // An order may leave in several parts, and each is paid when it leaves.
            form.push(("payment_method_options[card][request_multicapture]", "if_available"));
        }
        if let Some(leg) = &leg {
            form.push(("metadata[leg]", leg));
        }
        self.post_to(self.charges.clone(), key, &form)
    }
}
