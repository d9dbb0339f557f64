//! The provider over HTTP, against a stage on which the test plays it.

mod charging;
mod inquiring;
mod operating;
mod reading;

use super::HttpProvider;
use crate::stage::{Play, Stage};

/// A stage with this script, and the way to it.
async fn staged(script: Vec<Play>) -> (Stage, HttpProvider) {
    let stage = Stage::open(script).await;
    let provider = HttpProvider::new(stage.config()).expect("a provider");
    (stage, provider)
}

/// What is no answer, whatever was asked.
fn no_answers() -> Vec<(&'static str, Play)> {
    let json = |status, body: &str| Play::Json(status, body.to_owned());
    let error = |status, kind: &str, code: &str| {
        let body = format!(r#"{{"error":{{"type":"{kind}","code":"{code}","message":"No."}}}}"#);
        Play::Json(status, body)
    };
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    vec![
        ("nothing at all", Play::Close),
        ("an empty body", json(200, "")),
        ("no JSON", json(200, "<html>")),
        ("JSON of another shape", json(200, "{}")),
        ("a list", json(200, "[]")),
        ("half of the body", Play::Raw(format!("{head}Content-Length: 900\r\n\r\n{{\"id\":"))),
        ("half of the head", Play::Raw("HTTP/1.1 200 OK\r\nContent-Le".to_owned())),
        ("no HTTP", Play::Raw("SSH-2.0-OpenSSH_9.6\r\n".to_owned())),
        ("an endless body", json(200, &format!("{{\"id\":\"{}\"}}", "x".repeat(1 << 20)))),
        (
            "a redirect",
            Play::Raw(
                "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
                    .to_owned(),
            ),
        ),
        ("an idempotency error", error(400, "idempotency_error", "")),
        ("an error of the provider", error(400, "api_error", "")),
        ("a wrong key", error(401, "invalid_request_error", "")),
        ("a refusal that is no JSON", json(402, "No.")),
        ("a key without the right", error(403, "invalid_request_error", "")),
        ("a wrong address", error(404, "invalid_request_error", "")),
        ("a key in use", error(409, "invalid_request_error", "idempotency_key_in_use")),
        ("too many calls", error(429, "invalid_request_error", "rate_limit")),
        ("a failure", error(500, "api_error", "")),
        ("a failure that looks like a refusal", error(500, "card_error", "card_declined")),
        ("a gateway", json(502, "<html>")),
        ("too busy", json(503, "")),
    ]
}
