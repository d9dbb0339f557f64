//! Whether an answer is one that may come.

use super::record::Outcome;
use crate::http::Answer;
use serde::Serialize;
use serde_json::Value;

/// Something that must not be, found by a client or by the checker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The invariant, such as `I3`.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

impl Finding {
    /// A finding.
    pub fn new(invariant: &'static str, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

/// What may come back.
#[derive(Clone, Debug)]
pub enum Expected {
    /// An order, or a refusal that names one.
    Placed,
    /// The very answer of before.
    Same(Box<Answer>),
    /// A refusal, because the key belongs to another request.
    KeyReused,
    /// The order, not older than the client has seen it.
    Order {
        /// The order.
        id: String,
        /// The version that the client has seen.
        version: i64,
    },
    /// The order's timeline, without a gap and not shorter than the client has seen it.
    Events {
        /// The version that the client has seen.
        version: i64,
    },
    /// A level that can be.
    Stock,
    /// Any good answer.
    Read,
    /// An adjustment that is done.
    Adjusted,
    /// Done, or refused because the order is not in a state for it.
    Operated,
}

/// Judges an answer that decided an operation.
#[must_use]
pub fn judge(expected: &Expected, answer: &Answer) -> (Outcome, Vec<Finding>) {
    let mut findings = Vec::new();
    let allowed = match expected {
        Expected::Placed => is_outcome_of_order(answer),
        Expected::Same(before) => {
            findings.extend(differences(before, answer));
            true
        }
        Expected::KeyReused => {
            if answer.status != 422 || answer.code() != "IDEMPOTENCY_KEY_REUSED" {
                let what = format!("another body under the same key: {}", told(answer));
                findings.push(Finding::new("I4", what));
            }
            true
        }
        Expected::Order { id, version } => {
            findings.extend(read_back(answer, id, *version));
            true
        }
        Expected::Events { version } => {
            findings.extend(timeline(answer, *version));
            true
        }
        Expected::Stock => {
            findings.extend(level(answer));
            answer.status == 200
        }
        Expected::Read => answer.status == 200,
        Expected::Adjusted => matches!(answer.status, 200 | 201),
        Expected::Operated => matches!(answer.status, 200..=202 | 409 | 422),
    };
    if !allowed {
        findings.push(Finding::new("I19", format!("an answer that may not be: {}", told(answer))));
    }
    let outcome = if findings.is_empty() { Outcome::Ok } else { Outcome::Fail };
    (outcome, findings)
}

fn is_outcome_of_order(answer: &Answer) -> bool {
    match answer.status {
        201 | 202 => answer.order_id().is_some(),
        402 => answer.code() == "PAYMENT_DECLINED" && answer.order_id().is_some(),
        409 => answer.code() == "OUT_OF_STOCK" && answer.order_id().is_some(),
        _ => false,
    }
}

/// What differs between two answers that must be one (I3).
#[must_use]
pub fn differences(before: &Answer, now: &Answer) -> Option<Finding> {
    let same = before.status == now.status
        && before.body == now.body
        && before.location == now.location
        && before.etag == now.etag;
    (!same).then(|| {
        let what = format!("the same request was told {} and then {}", told(before), told(now));
        Finding::new("I3", what)
    })
}

fn read_back(answer: &Answer, id: &str, version: i64) -> Option<Finding> {
    if answer.status != 200 {
        let what = format!("order {id} was told and is not found: {}", told(answer));
        return Some(Finding::new("I15", what));
    }
    let order = answer.json();
    let seen = order["version"].as_i64().unwrap_or(0);
    if order["id"] != id || seen < version {
        let what = format!("order {id} was seen with version {version}, then: {}", told(answer));
        return Some(Finding::new("I15", what));
    }
    None
}

fn timeline(answer: &Answer, version: i64) -> Option<Finding> {
    let events = answer.json();
    let versions: Option<Vec<i64>> =
        events["data"].as_array().map(|all| all.iter().filter_map(version_of).collect());
    let whole = |versions: &Vec<i64>| {
        versions.iter().copied().eq(1..=i64::try_from(versions.len()).unwrap_or(0))
            && versions.last().copied().unwrap_or(0) >= version
    };
    if versions.as_ref().is_some_and(whole) {
        return None;
    }
    let what =
        format!("a timeline after version {version} was seen: {versions:?} in {}", told(answer));
    Some(Finding::new("I10", what))
}

fn version_of(event: &Value) -> Option<i64> {
    event["version"].as_i64()
}

fn level(answer: &Answer) -> Option<Finding> {
    let level = answer.json();
    let number = |name: &str| level[name].as_i64().unwrap_or(-1);
    let (on_hand, reserved, available) =
        (number("on_hand"), number("reserved"), number("available"));
    let sane = reserved >= 0 && available >= 0 && available == on_hand - reserved;
    (answer.status == 200 && !sane)
        .then(|| Finding::new("I8", format!("a level that cannot be: {}", told(answer))))
}

/// An answer in a line.
fn told(answer: &Answer) -> String {
    let mut body: String = answer.body.chars().take(300).collect();
    if body.len() < answer.body.len() {
        body.push('…');
    }
    format!("{} {body}", answer.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.to_owned(), ..Answer::default() }
    }

    fn found(expected: &Expected, answer: &Answer) -> Vec<&'static str> {
        judge(expected, answer).1.iter().map(|finding| finding.invariant).collect()
    }

    #[test]
    fn what_may_come_is_no_finding() {
        let order = r#"{"id":"a","version":2}"#;
        let refused = r#"{"code":"OUT_OF_STOCK","details":{"order_id":"a"}}"#;
        let reused = r#"{"code":"IDEMPOTENCY_KEY_REUSED"}"#;
        let events = r#"{"data":[{"version":1},{"version":2}]}"#;
        let level = r#"{"on_hand":5,"reserved":2,"available":3}"#;
        let id = "a".to_owned();
        for (expected, answer) in [
            (Expected::Placed, answer(201, order)),
            (Expected::Placed, answer(409, refused)),
            (Expected::Same(Box::new(answer(201, order))), answer(201, order)),
            (Expected::KeyReused, answer(422, reused)),
            (Expected::Order { id, version: 2 }, answer(200, order)),
            (Expected::Events { version: 2 }, answer(200, events)),
            (Expected::Stock, answer(200, level)),
            (Expected::Operated, answer(409, "{}")),
        ] {
            assert_eq!(judge(&expected, &answer), (Outcome::Ok, Vec::new()), "{expected:?}");
        }
    }

    #[test]
    fn a_wrong_answer_is_found() {
        let order = r#"{"id":"a","version":2}"#;
        let same = Expected::Same(Box::new(answer(201, order)));
        assert_eq!(found(&same, &answer(201, r#"{"id":"b","version":2}"#)), ["I3"]);
        assert_eq!(found(&same, &answer(202, order)), ["I3"]);
        assert_eq!(found(&Expected::KeyReused, &answer(201, order)), ["I4"]);
        let read = Expected::Order { id: "a".to_owned(), version: 3 };
        assert_eq!(found(&read, &answer(200, order)), ["I15"]);
        assert_eq!(found(&read, &answer(404, "{}")), ["I15"]);
        let events = Expected::Events { version: 2 };
        assert_eq!(found(&events, &answer(200, r#"{"data":[{"version":1}]}"#)), ["I10"]);
        let gap = r#"{"data":[{"version":1},{"version":3}]}"#;
        assert_eq!(found(&events, &answer(200, gap)), ["I10"]);
        let level = r#"{"on_hand":1,"reserved":2,"available":-1}"#;
        assert_eq!(found(&Expected::Stock, &answer(200, level)), ["I8"]);
        assert_eq!(found(&Expected::Placed, &answer(404, "{}")), ["I19"]);
    }
}
