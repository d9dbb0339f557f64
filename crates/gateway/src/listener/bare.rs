//! Answers to what never became a request: a head that cannot be read, or that does not arrive.
//! The HTTP parser answers these by a bare status; clients get a problem as everywhere else.

use crate::problem::{Code, PROBLEM_JSON, Problem};
use actix_web::http::StatusCode;
use actix_web::http::header::HttpDate;
use actors::TraceId;
use domain::{Clock, IdSource};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// Longest bare answer: a status line and three headers.
const BARE_BYTES_MAX: usize = 256;

/// Makes the answers.
pub(super) struct Bare {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdSource>,
}

impl Bare {
    /// The whole answer to a request whose head did not arrive in time.
    pub(super) fn too_slow(&self) -> Vec<u8> {
        self.answer(Code::RequestTimeout, "The head of the request did not arrive in time.")
    }

    /// If bytes on their way to the client end in a bare answer of the parser: what to send
    /// instead, and why the connection ends. A bare answer is always the last one.
    pub(super) fn instead_of(&self, bytes: &[u8]) -> Option<(Vec<u8>, &'static str)> {
        // Answers of the gateway end in their body; only streams end like this too.
        if !bytes.ends_with(b"\r\n\r\n") {
            return None;
        }
        let from = bytes.len().saturating_sub(BARE_BYTES_MAX);
        let tail = String::from_utf8_lossy(bytes.get(from..)?);
        let head = tail.rfind("HTTP/1.1 ").and_then(|at| tail.get(at..))?;
        // Every answer of the gateway names its trace.
        let is_bare =
            head.contains("\r\ncontent-length: 0\r\n") && !head.contains("\r\nx-trace-id:");
        let (code, message, reason) = match head.get(9..12) {
            _ if !is_bare => return None,
            Some("400") => (
                Code::BadRequest,
                "The head or the framing of the request is not well-formed.",
                "bad_head",
            ),
            Some("431") => (Code::HeadTooLarge, "Send fewer or shorter headers.", "large_head"),
            _ => return None,
        };
        let before = bytes.len().checked_sub(head.len())?;
        let mut instead = bytes.get(..before)?.to_vec();
        instead.extend(self.answer(code, message));
        Some((instead, reason))
    }

    fn answer(&self, code: Code, message: &'static str) -> Vec<u8> {
        let trace_id = TraceId::new(self.ids.uuid()).to_string();
        let body = Problem::new(code, message).json(&trace_id);
        let reason = StatusCode::from_u16(code.status()).ok();
        let reason = reason.and_then(|status| status.canonical_reason()).unwrap_or("");
        let now = u64::try_from(self.clock.now().micros()).unwrap_or(0);
        let date = HttpDate::from(UNIX_EPOCH + Duration::from_micros(now));
        let (status, length) = (code.status(), body.len());
        format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-length: {length}\r\n\
             content-type: {PROBLEM_JSON}\r\nconnection: close\r\nx-trace-id: {trace_id}\r\n\
             x-content-type-options: nosniff\r\ncache-control: no-store\r\ndate: {date}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actors::{SystemClock, SystemIds};

    fn bare() -> Bare {
        Bare { clock: Arc::new(SystemClock), ids: Arc::new(SystemIds) }
    }

    fn instead_of(bytes: &str) -> Option<(String, &'static str)> {
        let (instead, reason) = bare().instead_of(bytes.as_bytes())?;
        Some((String::from_utf8(instead).expect("text"), reason))
    }

    const DATE: &str = "date: Mon, 01 Jan 2026 00:00:00 GMT\r\n\r\n";

    #[test]
    fn a_bare_status_becomes_a_problem() {
        for (status, code, reason) in [
            ("400 Bad Request", "BAD_REQUEST", "bad_head"),
            ("431 Request Header Fields Too Large", "HEAD_TOO_LARGE", "large_head"),
        ] {
            let bytes =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n{DATE}");
            let (instead, why) = instead_of(&bytes).expect("is bare");
            assert_eq!(why, reason);
            let (head, body) = instead.split_once("\r\n\r\n").expect("head and body");
            assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{head}");
            assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
            assert!(head.contains("connection: close\r\n"), "{head}");
            let body: serde_json::Value = serde_json::from_str(body).expect("json");
            assert_eq!(body["code"], code);
            let trace = body["trace_id"].as_str().expect("a trace");
            assert!(head.contains(&format!("x-trace-id: {trace}\r\n")), "{head}");
        }
    }

    #[test]
    fn what_comes_before_is_sent_as_it_is() {
        let first = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-trace-id: 7\r\n\r\nok";
        let both = format!("{first}HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n{DATE}");
        let (instead, _) = instead_of(&both).expect("is bare");
        assert!(instead.starts_with(&format!("{first}HTTP/1.1 400 Bad Request\r\n")), "{instead}");
    }

    #[test]
    fn answers_of_the_gateway_are_left_alone() {
        for bytes in [
            String::new(),
            "\r\n\r\n".to_owned(),
            "0\r\n\r\n".to_owned(),
            "HTTP/1.1 100 Continue\r\n\r\n".to_owned(),
            format!("HTTP/1.1 304 Not Modified\r\nx-trace-id: 7\r\n{DATE}"),
            format!("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-trace-id: 7\r\n{DATE}"),
            format!("HTTP/1.1 400 Bad Request\r\ncontent-length: 9\r\n{DATE}"),
            format!("HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n{DATE}"),
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n{\"a\":1}".to_owned(),
        ] {
            assert_eq!(instead_of(&bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn the_date_is_that_of_the_clock() {
        struct Then;
        impl Clock for Then {
            fn now(&self) -> domain::Timestamp {
                domain::Timestamp::from_micros(784_111_777_000_000)
            }
        }
        let bare = Bare { clock: Arc::new(Then), ids: Arc::new(SystemIds) };
        let answer = String::from_utf8(bare.too_slow()).expect("text");
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
        assert!(answer.contains("date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), "{answer}");
        assert!(answer.contains("\"REQUEST_TIMEOUT\""), "{answer}");
    }
}
