//! Tests of the table of codes and of the form of problems.

use super::*;
use std::collections::HashSet;

#[test]
fn table_of_codes_is_consistent() {
    let mut seen = HashSet::new();
    for code in Code::ALL {
        let name = code.as_str();
        assert!(seen.insert(name), "{name} stands twice");
        assert!(
            name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'),
            "{name} is not SCREAMING_SNAKE"
        );
        let kebab = name.to_ascii_lowercase().replace('_', "-");
        assert_eq!(code.type_urn(), format!("urn:orderly:problem:{kebab}"));
        assert!((400..600).contains(&code.status()), "{name}");
        assert!(StatusCode::from_u16(code.status()).is_ok(), "{name}");
        assert!(!code.title().is_empty());
        // What went wrong on the client's side does not get better by itself.
        if code.is_retryable() {
            assert!(matches!(code.status(), 408 | 409 | 429 | 503 | 504), "{name}");
        }
        assert!(!code.tells_when_to_retry() || code.is_retryable(), "{name}");
    }
}

#[test]
fn statuses_of_the_server_itself_have_codes_of_the_same_status() {
    for status in [401, 403, 404, 405, 408, 413, 415, 429, 431, 503, 504, 400, 500] {
        let status = StatusCode::from_u16(status).expect("a status");
        assert_eq!(Code::of_status(status).status(), status.as_u16());
    }
    assert_eq!(Code::of_status(StatusCode::URI_TOO_LONG), Code::BadRequest);
    assert_eq!(Code::of_status(StatusCode::BAD_GATEWAY), Code::Internal);
}

#[test]
fn problem_has_all_members() {
    let problem = Problem::invalid(vec![Fault::at("/lines", "is required")]);
    assert_eq!(
        problem.json("0af7"),
        r#"{"type":"urn:orderly:problem:validation-failed","title":"The request is not valid","status":422,"code":"VALIDATION_FAILED","message":"/lines: is required","details":{},"trace_id":"0af7","retryable":false,"errors":[{"pointer":"/lines","detail":"is required"}]}"#
    );
    let other = Problem::not_found("order").with("id", "7");
    assert_eq!(
        other.json("0af7"),
        r#"{"type":"urn:orderly:problem:not-found","title":"Not found","status":404,"code":"NOT_FOUND","message":"There is no such order.","details":{"id":"7"},"trace_id":"0af7","retryable":false}"#
    );
}

#[test]
fn tells_at_most_a_hundred_faults() {
    let faults = (0..5_000).map(|n| Fault::at(format!("/lines/{n}"), "bad")).collect();
    let problem = Problem::invalid(faults);
    assert_eq!(problem.0.errors.len(), FAULTS_MAX);
    assert_eq!(problem.0.message, "5000 values are not valid");
}

#[test]
fn responses_carry_the_headers_of_their_code() {
    let header = |problem: &Problem, name: header::HeaderName| {
        problem.response("00").headers().get(name).and_then(|v| v.to_str().ok().map(String::from))
    };
    let unauthenticated = Problem::new(Code::Unauthenticated, "no");
    assert_eq!(header(&unauthenticated, header::WWW_AUTHENTICATE).as_deref(), Some("Bearer"));
    let method = Problem::method_not_allowed("GET, PUT".to_owned());
    assert_eq!(header(&method, header::ALLOW).as_deref(), Some("GET, PUT"));
    let busy = Problem::overloaded();
    assert_eq!(header(&busy, header::RETRY_AFTER).as_deref(), Some("1"));
    assert_eq!(header(&busy, header::CONTENT_TYPE).as_deref(), Some(PROBLEM_JSON));
    assert_eq!(header(&Problem::internal(), header::RETRY_AFTER), None);
}

#[test]
fn doubt_is_told_as_doubt() {
    let told = |error: AskError| Problem::from(error).code();
    assert_eq!(told(AskError::Full), Code::Overloaded);
    assert_eq!(told(AskError::Expired), Code::DeadlineExceeded);
    assert_eq!(told(AskError::TimedOut), Code::Unavailable);
    assert_eq!(Problem::from(AskError::Crashed).0.message, OUTCOME_UNKNOWN);
    assert_eq!(Problem::from(AskError::Stopped).code(), Code::Unavailable);
    let refused = StoreError::Configuration("x".to_owned());
    assert_eq!(Problem::from(refused).code(), Code::Internal);
}
