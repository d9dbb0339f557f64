//! What a client keeps of one operation.

use super::judge::Finding;
use crate::http::{Answer, Request};
use serde::Serialize;
use serde_json::{Value, json};

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was decided, in a way that it may be.
    Ok,
    /// It was decided in a way that it may not be.
    Fail,
    /// It may have happened or not: the client gave up.
    Info,
}

/// One try of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// When the try ended, in milliseconds since the clients began.
    pub at_ms: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The status; 0 if there was no answer.
    pub status: u16,
    /// The code of a problem, or what became of the connection.
    pub note: String,
    /// Hash of the body.
    pub digest: String,
    /// Whether a refusal said when to come back.
    pub said_when: bool,
}

impl Attempt {
    /// Whether the node had more to do than it can, and said when to come back: right behaviour.
    #[must_use]
    pub fn is_shed(&self) -> bool {
        self.status == 503 && self.said_when && self.note == "OVERLOADED"
    }

    /// Whether the client had no answer, or was told of a failure.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.status == 0 || (self.status >= 500 && !self.is_shed())
    }
}

/// One operation of one client, from the intent to the outcome.
#[derive(Clone, Debug)]
pub struct Record {
    /// The row of the table of operations.
    pub operation: &'static str,
    /// What was sent.
    pub request: Request,
    /// The order that it is about, if the client knew it before.
    pub about: Option<String>,
    /// Whether the key is this operation's own, so that the same request gives the same answer.
    pub owns_key: bool,
    /// Every try.
    pub attempts: Vec<Attempt>,
    /// How it ended.
    pub outcome: Outcome,
    /// The answer that decided it.
    pub answer: Option<Answer>,
    /// What is wrong with the answer.
    pub findings: Vec<Finding>,
}

impl Record {
    /// The idempotency key; empty for reads.
    #[must_use]
    pub fn key(&self) -> &str {
        self.request.key.as_deref().unwrap_or_default()
    }

    /// Whether it is an order that was placed, or may have been.
    #[must_use]
    pub fn places_order(&self) -> bool {
        self.owns_key && self.request.path == "/v1/orders"
    }

    /// The answer that decided it, if it was decided as it may be.
    #[must_use]
    pub fn decided(&self) -> Option<&Answer> {
        self.answer.as_ref().filter(|_| self.outcome == Outcome::Ok)
    }

    /// Whether the same request must give the same answer on every node.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        let kept = |answer: &Answer| matches!(answer.status, 200..=299 | 402 | 409);
        self.owns_key && self.decided().is_some_and(kept)
    }

    /// The intent, as it is written before the request is sent.
    #[must_use]
    pub fn intent(&self) -> Value {
        json!({"intent": self.operation, "method": self.request.method.as_str(),
            "path": self.request.path, "key": self.request.key, "body": self.request.body})
    }

    /// The end, as it is written when it is known.
    #[must_use]
    pub fn end(&self) -> Value {
        let order_id = self.answer.as_ref().and_then(Answer::order_id);
        json!({"outcome": self.outcome, "key": self.request.key, "attempts": self.attempts,
            "status": self.answer.as_ref().map(|answer| answer.status),
            "digest": self.answer.as_ref().map(Answer::digest), "order_id": order_id,
            "body": self.answer.as_ref().map(|answer| &answer.body), "findings": self.findings})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_to_take_work_is_no_failure_if_it_says_when_to_come_back() {
        let attempt = |status, note: &str, said_when| Attempt {
            status,
            note: note.to_owned(),
            said_when,
            ..Attempt::default()
        };
        assert!(attempt(503, "OVERLOADED", true).is_shed());
        assert!(!attempt(503, "OVERLOADED", true).is_failure());
        for bad in [
            attempt(503, "OVERLOADED", false),
            // So a deadlock would show.
            attempt(503, "UNAVAILABLE", true),
            attempt(500, "INTERNAL", false),
            attempt(504, "DEADLINE_EXCEEDED", false),
            attempt(0, "connection reset", false),
        ] {
            assert!(bad.is_failure() && !bad.is_shed(), "{bad:?}");
        }
        assert!(!attempt(409, "OUT_OF_STOCK", false).is_failure());
    }
}
