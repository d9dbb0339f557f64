//! One request of a special run: asked until it is told.

use super::judge::{Expected, judge};
use super::patience::wait;
use super::record::{Attempt, Outcome, Record};
use crate::http::{Answer, Api, Request};
use std::time::Instant;

/// An order of these units.
#[must_use]
pub fn order(key: &str, lines: &[(&str, i64)]) -> Request {
    let lines: Vec<_> = lines
        .iter()
        .map(|(sku, quantity)| serde_json::json!({"sku": sku, "quantity": quantity}))
        .collect();
    let body = serde_json::json!({"external_ref": key, "currency": "USD", "lines": lines,
        "payment": {"method": "pm_card_visa", "capture": "automatic"}});
    Request::post("/v1/orders", key, body)
}

/// Sends an order again and again with the same key, at most so many times, until it is decided.
pub async fn place(api: &Api, request: Request, tries: usize) -> Record {
    let mut record = Record {
        operation: "place",
        request,
        about: None,
        owns_key: true,
        attempts: Vec::new(),
        outcome: Outcome::Info,
        answer: None,
        findings: Vec::new(),
    };
    for _ in 0..tries {
        let began = Instant::now();
        let told = api.send(&record.request).await;
        record.attempts.push(attempt(&told, began));
        let mut retry_after = None;
        if let Ok(answer) = told {
            if answer.is_decided() {
                (record.outcome, record.findings) = judge(&Expected::Placed, &answer);
                record.answer = Some(answer);
                return record;
            }
            retry_after = answer.retry_after;
        }
        let wait = wait(&mut rand::rng(), record.attempts.len(), retry_after);
        tokio::time::sleep(wait).await;
    }
    record
}

fn attempt(told: &Result<Answer, String>, began: Instant) -> Attempt {
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match told {
        Ok(answer) => Attempt {
            took_ms,
            status: answer.status,
            note: answer.code(),
            digest: answer.digest(),
            said_when: answer.retry_after.is_some(),
            ..Attempt::default()
        },
        Err(why) => Attempt { took_ms, note: why.clone(), ..Attempt::default() },
    }
}
