//! Stripe's API, as far as the shop uses it, over the simulated way.

use super::books::{Intent, Refund, Said, Standing, Wish};
use super::{Bank, Happening, lock};
use async_trait::async_trait;
use payments::{Wire, WireRequest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A node's way to the bank.
pub(crate) struct Line(pub(crate) Arc<Bank>);

#[async_trait]
impl Wire for Line {
    async fn exchange(&self, request: WireRequest) -> Result<(u16, Vec<u8>), String> {
        let (reply, answer) = oneshot::channel();
        let reset = || "the connection was reset".to_owned();
        self.0.letterbox.send((request, reply)).map_err(|_| reset())?;
        answer.await.ok().flatten().ok_or_else(reset)
    }
}

/// The members of a form, or of a query.
fn form(text: &str) -> BTreeMap<String, String> {
    let plain = |text: &str| {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits: Vec<u8> = rest.by_ref().take(2).collect();
                    let digits = std::str::from_utf8(&digits).unwrap_or_default();
                    u8::from_str_radix(digits, 16).unwrap_or(b'?')
                }
                other => other,
            });
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (plain(name), plain(value))).collect()
}

/// The same answer with every amount one higher.
pub(super) fn one_more(body: &str) -> String {
    let mut json: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    fn raise(json: &mut Value) {
        match json {
            Value::Object(members) => {
                for (name, value) in members.iter_mut() {
                    match value.as_i64() {
                        Some(amount) if name.starts_with("amount") => *value = json!(amount + 1),
                        _ => raise(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(raise),
            _ => {}
        }
    }
    raise(&mut json);
    json.to_string()
}

impl Bank {
    /// Does what a request asks for: status and body.
    pub(super) fn serve(&self, request: &WireRequest, decline: bool) -> (u16, String) {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let path: Vec<&str> = path.trim_matches('/').split('/').collect();
        let form = form(&request.body);
        match (request.method.as_str(), path.as_slice()) {
            ("GET", ["ledger"]) => (200, self.ledger()),
            ("GET", ["v1", "payment_intents", "search"]) => (200, self.search(query)),
            ("GET", ["v1", "payment_intents", id]) => {
                let books = lock(&self.books);
                books.intent(id).map_or_else(missing, |found| (200, intent(found).to_string()))
            }
            ("POST", path) => match wish(path, &form) {
                Some(wish) => self.perform(request, &wish, decline),
                None => missing(),
            },
            _ => missing(),
        }
    }

    fn perform(&self, request: &WireRequest, wish: &Wish, decline: bool) -> (u16, String) {
        let Some(key) = &request.key else { return missing() };
        let mut books = lock(&self.books);
        let is_new = !books.knows(key);
        let said = books.perform(key, wish, decline);
        let now = |id: &str| books.intent(id).map(intent);
        if is_new {
            if matches!(said, Said::Declined { .. }) {
                self.trace.count("bank.decline");
            }
            self.trace.count(match wish {
                Wish::Charge { .. } => "bank.charge",
                Wish::Capture { .. } => "bank.capture",
                Wish::Void { .. } => "bank.void",
                Wish::Refund { .. } => "bank.refund",
            });
            let happening = match (wish, &said) {
                (Wish::Refund { .. }, Said::Refund(refund)) => {
                    Some(("refund.created", refund_json(refund)))
                }
                (_, Said::Intent(after)) => Some((kind_of(after.standing), intent(after))),
                (_, Said::Declined { intent: id, .. }) => {
                    now(id).map(|object| ("payment_intent.payment_failed", object))
                }
                _ => None,
            };
            if let Some((kind, object)) = happening {
                // Told after the run, or to nobody: then the shop has to find out by itself.
                let _ = self.happenings.send(Happening { kind, object });
            }
        }
        render(&said, &now)
    }

    fn search(&self, query: &str) -> String {
        let query = form(query).remove("query").unwrap_or_default();
        let order = query.split('\'').nth(3).unwrap_or_default();
        let calm = self.calm.is();
        let lag = if calm { 0 } else { self.profile.search_lag_millis.unsigned_abs() };
        let books = lock(&self.books);
        let found = books.of_order(order, Duration::from_millis(lag));
        if found.len() < books.of_order(order, Duration::ZERO).len() {
            self.trace.count("bank.search_lagged");
        }
        let data: Vec<Value> = found.iter().map(intent).collect();
        json!({"object": "search_result", "data": data, "has_more": false}).to_string()
    }

    fn ledger(&self) -> String {
        let line = |i: &Intent| {
            json!({"payment_intent": i.id, "idempotency_key": i.key, "order_id": i.order_id,
                "amount": i.amount, "currency": i.currency.to_uppercase(),
                "captured": i.captured, "refunded": i.refunded, "status": i.standing.as_str()})
            .to_string()
        };
        lock(&self.books).all().iter().map(|intent| line(intent) + "\n").collect()
    }
}

fn missing() -> (u16, String) {
    refused(404, "resource_missing")
}

fn refused(status: u16, code: &str) -> (u16, String) {
    let error = json!({"error": {"type": "invalid_request_error", "code": code}});
    (status, error.to_string())
}

/// What a call wishes for; `None` if there is no such call.
fn wish(path: &[&str], form: &BTreeMap<String, String>) -> Option<Wish> {
    let text = |name: &str| form.get(name).cloned().unwrap_or_default();
    let number = |name: &str| text(name).parse().unwrap_or(0);
    Some(match path {
        ["v1", "payment_intents"] => Wish::Charge {
            amount: number("amount"),
            currency: text("currency"),
            manual: text("capture_method") == "manual",
            method: text("payment_method"),
            order_id: text("metadata[order_id]"),
            leg: form.get("metadata[leg]").cloned(),
        },
        ["v1", "payment_intents", intent, "capture"] => Wish::Capture {
            intent: (*intent).to_owned(),
            amount: number("amount_to_capture"),
            last: text("final_capture") != "false",
        },
        ["v1", "payment_intents", intent, "cancel"] => Wish::Void { intent: (*intent).to_owned() },
        ["v1", "refunds"] => {
            Wish::Refund { intent: text("payment_intent"), amount: number("amount") }
        }
        _ => return None,
    })
}

const fn kind_of(standing: Standing) -> &'static str {
    match standing {
        Standing::Succeeded => "payment_intent.succeeded",
        Standing::RequiresCapture => "payment_intent.amount_capturable_updated",
        Standing::Canceled => "payment_intent.canceled",
        Standing::RequiresPaymentMethod => "payment_intent.payment_failed",
    }
}

fn intent(intent: &Intent) -> Value {
    let mut json = json!({
        "id": intent.id, "object": "payment_intent", "status": intent.standing.as_str(),
        "amount": intent.amount, "amount_received": intent.captured,
        "amount_capturable": intent.capturable, "currency": intent.currency,
        "created": intent.number, "metadata": {"order_id": intent.order_id},
    });
    if let Some(leg) = &intent.leg {
        json["metadata"]["leg"] = json!(leg);
    }
    if intent.standing == Standing::RequiresPaymentMethod {
        json["last_payment_error"] = json!({"type": "card_error", "code": "card_declined"});
    }
    json
}

fn refund_json(refund: &Refund) -> Value {
    json!({"id": refund.id, "object": "refund", "status": "succeeded", "amount": refund.amount,
        "currency": refund.currency, "payment_intent": refund.intent,
        "metadata": {"order_id": refund.order_id}})
}

fn render(said: &Said, now: &dyn Fn(&str) -> Option<Value>) -> (u16, String) {
    match said {
        Said::Intent(after) => (200, intent(after).to_string()),
        Said::Refund(refund) => (200, refund_json(refund).to_string()),
        Said::Declined { code, intent } => {
            let error = json!({"error": {"type": "card_error", "code": code,
                "payment_intent": now(intent)}});
            (402, error.to_string())
        }
        Said::Refused { code } => refused(400, code),
        Said::KeyReused => (400, json!({"error": {"type": "idempotency_error"}}).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_as_they_are_written() {
        let read = form("a=1&metadata%5Border_id%5D=x%20y+z&empty=");
        assert_eq!(read.get("metadata[order_id]").map(String::as_str), Some("x y z"));
        assert_eq!(read.get("empty").map(String::as_str), Some(""));
    }

    #[test]
    fn a_wrong_answer_is_wrong_in_its_amounts_alone() {
        let wrong = one_more(r#"{"amount":5,"created":7,"data":[{"amount_received":1}]}"#);
        let wrong: Value = serde_json::from_str(&wrong).unwrap();
        assert_eq!(wrong, json!({"amount": 6, "created": 7, "data": [{"amount_received": 2}]}));
    }
}
