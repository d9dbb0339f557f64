//! Who may tell us something, and what is taken from it (S8).

use super::*;

const NOW: i64 = 1_700_000_000;
const BODY: &[u8] = br#"{"id":"evt_1"}"#;
/// printf '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test
const GOOD: &str = "c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925";

fn secrets() -> Vec<String> {
    vec!["whsec_other".to_owned(), "whsec_test".to_owned()]
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000 + 999_999)
}

fn checked(header: &str) -> Result<(), WebhookError> {
    verify(&secrets(), Some(header), BODY, at(NOW))
}

fn is_bad(result: &Result<(), WebhookError>) -> bool {
    matches!(result, Err(WebhookError::BadSignature))
}

#[test]
fn the_signature_is_the_one_that_stripe_makes() {
    assert!(checked(&format!("t={NOW},v1={GOOD}")).is_ok());
    assert!(checked(&format!("t={NOW},v1={}", GOOD.to_uppercase())).is_ok());
    // While a secret is being changed there are two signatures, and there are older schemes.
    let other = "ab".repeat(32);
    assert!(checked(&format!("t={NOW}, v0=x,v1={other},v1={GOOD},v2=y")).is_ok());
    // The order of the parts does not matter.
    assert!(checked(&format!("v1={GOOD},t={NOW}")).is_ok());
}

#[test]
fn any_other_signature_is_refused() {
    let other = "ab".repeat(32);
    let flipped = GOOD.replacen('c', "d", 1);
    let truncated = &GOOD[..62];
    for header in [
        String::new(),
        "t,v1".to_owned(),
        format!("v1={GOOD}"),
        format!("t={NOW}"),
        format!("t=,v1={GOOD}"),
        format!("t={NOW},v1="),
        format!("t={NOW},v1={flipped}"),
        format!("t={NOW},v1={truncated}"),
        format!("t={NOW},v1={GOOD}00"),
        format!("t={NOW},v1={GOOD}0"),
        format!("t={NOW},v1={}", GOOD.replacen('c', "é", 1)),
        format!("t={NOW},v1=+{}", &GOOD[1..]),
        format!("t={NOW},v1={other},v1={flipped}"),
        format!("t={NOW},v0={GOOD}"),
        format!("t={},v1={GOOD}", NOW + 1),
        format!("t=+{NOW},v1={GOOD}"),
        format!("t={NOW},t={NOW},v1={GOOD}"),
        format!("t={NOW}.0,v1={GOOD}"),
        format!("t={NOW}00000000000000000000,v1={GOOD}"),
        format!("t={NOW},{},v1={GOOD}", "v0=x,".repeat(2_000)),
        format!("t={NOW},{}v1={GOOD}", format!("v1={other},").repeat(SIGNATURES_MAX)),
    ] {
        assert!(is_bad(&checked(&header)), "{header}");
    }
    assert!(is_bad(&verify(&secrets(), None, BODY, at(NOW))));
    let good = format!("t={NOW},v1={GOOD}");
    let foreign = [String::new(), "whsec_other".to_owned()];
    assert!(is_bad(&verify(&foreign, Some(&good), BODY, at(NOW))));
    let none = verify(&[], Some(&good), BODY, at(NOW));
    assert!(matches!(none, Err(WebhookError::NotConfigured)));
}

#[test]
fn the_bytes_count_and_not_what_they_mean() {
    let good = format!("t={NOW},v1={GOOD}");
    for body in [&br#"{"id": "evt_1"}"#[..], br#"{"id":"evt_1"} "#, br#"{"id":"evt_2"}"#, b""] {
        assert!(is_bad(&verify(&secrets(), Some(&good), body, at(NOW))));
    }
}

#[test]
fn a_signature_is_good_for_five_minutes_either_way() {
    let good = format!("t={NOW},v1={GOOD}");
    for (shift, is_good) in [(-301, false), (-300, true), (300, true), (301, false)] {
        let result = verify(&secrets(), Some(&good), BODY, at(NOW + shift));
        assert_eq!(result.is_ok(), is_good, "{shift}");
        assert!(is_good || matches!(result, Err(WebhookError::Stale)), "{shift}");
    }
    // A time that nobody signed is not looked at.
    assert!(is_bad(&checked(&format!("t={},v1={GOOD}", NOW - 600))));
}

#[test]
fn anybody_is_believed_only_if_that_bug_is_planted() {
    assert!(checked("t=1,v1=00").is_err());
    faults::plant(Some("webhook-signature-unchecked"));
    let believed = checked("t=1,v1=00");
    faults::plant(None);
    assert!(believed.is_ok());
}

const ORDER: &str = "00000000-0000-0000-0000-000000000007";

fn event(object: &str) -> String {
    format!(r#"{{"id":"evt_1","type":"refund.created","created":1,"data":{{"object":{object}}}}}"#)
}

#[test]
fn an_order_is_named_by_the_metadata_or_not_at_all() {
    let metadata = |order: &str| format!(r#"{{"id":"re_1","metadata":{{"order_id":{order}}}}}"#);
    for (object, named) in [
        (metadata(&format!(r#""{ORDER}""#)), true),
        (metadata(r#""42""#), false),
        (metadata("null"), false),
        (r#"{"metadata":{}}"#.to_owned(), false),
        (r#"{"metadata":null}"#.to_owned(), false),
        ("{}".to_owned(), false),
    ] {
        let told = parse(event(&object).as_bytes()).expect("an event");
        assert_eq!((told.id.as_str(), told.kind.as_str()), ("evt_1", "refund.created"));
        assert_eq!(told.order_id.map(|id| id.to_string()), named.then(|| ORDER.to_owned()));
    }
}

#[test]
fn what_is_no_event_is_refused() {
    let good = event("{}");
    for body in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        good[..good.len() - 1].to_owned(),
        good.replace(r#""id":"evt_1","#, ""),
        good.replace(r#""evt_1""#, "1"),
        good.replace("evt_1", ""),
        good.replace("evt_1", "evt 1"),
        good.replace("evt_1", "evt\\u0000"),
        good.replace("evt_1", &"x".repeat(256)),
        good.replace("refund.created", "\\n"),
        good.replace(r#""object":{}"#, r#""object":1"#),
        good.replace(r#""object":{}"#, r#""thing":{}"#),
        event(r#"{"metadata":{"order_id":1}}"#),
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
    ] {
        let refused = parse(body.as_bytes());
        assert!(matches!(refused, Err(WebhookError::Malformed(_))), "{refused:?}");
    }
    assert!(parse(b"\xff\xfe").is_err());
}
