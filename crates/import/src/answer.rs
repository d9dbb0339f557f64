//! What the server says of rows. Pure.

use anyhow::Context as _;
use serde::Deserialize;

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server has it, now or before.
    Accepted,
    /// It is not taken; sending it again would be answered the same.
    Refused {
        /// For programs.
        code: String,
        /// For people.
        reason: String,
    },
}

impl Outcome {
    /// Of a row that was not sent, for this reason.
    pub(crate) fn refused_here(reason: &str) -> Self {
        Self::Refused { code: "INVALID_ROW".to_owned(), reason: reason.to_owned() }
    }
}

#[derive(Deserialize)]
struct Line {
    line: u64,
    status: u16,
    #[serde(default)]
    error: Option<Problem>,
}

#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    pointer: String,
    #[serde(default)]
    detail: String,
}

/// The lines of an answer that say something for good, by the number of their row. Rows that the
/// server could not take just now, or did not get to, are not among them.
pub(crate) fn outcomes(body: &[u8]) -> anyhow::Result<Vec<(u64, Outcome)>> {
    let mut found = Vec::new();
    let whole = body.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    for line in whole.filter(|line| !line.trim_ascii().is_empty()) {
        let line: Line =
            serde_json::from_slice(line).context("an answer to a row cannot be read")?;
        let outcome = match line.status {
            200..300 => Outcome::Accepted,
            // Overloaded, away, out of time, or broken: nothing is known about the row.
            408 | 429 | 500.. => continue,
            _ => {
                let problem = line.error.unwrap_or_default();
                Outcome::Refused { reason: problem.reason(), code: problem.code }
            }
        };
        found.push((line.line, outcome));
    }
    Ok(found)
}

impl Problem {
    fn reason(&self) -> String {
        if self.errors.is_empty() {
            return self.message.clone();
        }
        let faults = self.errors.iter().map(|fault| {
            let member = fault.pointer.trim_start_matches('/');
            format!("`{member}`: {}", fault.detail)
        });
        faults.collect::<Vec<_>>().join("; ")
    }
}

/// What an answer of another status says, for people.
pub(crate) fn told(body: &[u8]) -> String {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => problem.message,
        Err(_) => "the answer cannot be read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_accepted_refused_or_sent_again() {
        let body = concat!(
            r#"{"line":1,"status":201,"customer":{}}"#,
            "\n\n",
            r#"{"line":3,"status":422,"error":{"code":"VALIDATION_FAILED","message":"Wrong.","errors":[{"pointer":"/name","detail":"is missing"},{"pointer":"/email","detail":"must be an e-mail address"}]}}"#,
            "\n",
            r#"{"line":4,"status":503,"error":{"code":"OVERLOADED","message":"Later."}}"#,
            "\n",
            r#"{"line":5,"status":409,"error":{"code":"INSUFFICIENT_STOCK","message":"Too few."}}"#,
            "\n",
            r#"{"line":6,"sta"#,
        );
        let refused = |code: &str, reason: &str| Outcome::Refused {
            code: code.into(),
            reason: reason.into(),
        };
        let reason = "`name`: is missing; `email`: must be an e-mail address";
        assert_eq!(
            outcomes(body.as_bytes()).expect("is read"),
            [
                (1, Outcome::Accepted),
                (3, refused("VALIDATION_FAILED", reason)),
                (5, refused("INSUFFICIENT_STOCK", "Too few.")),
            ]
        );
        assert!(outcomes(b"<html>\n").is_err());
        assert_eq!(told(br#"{"message": "Who are you?"}"#), "Who are you?");
    }
}
