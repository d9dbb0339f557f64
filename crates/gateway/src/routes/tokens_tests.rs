//! Bodies of signing up and in.

use super::*;
use crate::http::body::parse;
use serde_json::{Value, json};

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

#[test]
fn sign_ups_are_checked() {
    let check = |body: &Value| {
        let body = parse::<SignUpBody>(body.to_string().as_bytes());
        body.and_then(SignUpBody::check).map_err(|problem| problem.code())
    };
    let good = json!({"email": " Ada@Example.com", "password": "correct horse battery",
        "name": "Ada"});
    let (customer, email, _) = check(&good).expect("is good");
    assert_eq!(customer.email.as_deref(), Some("ada@example.com"));
    assert_eq!(email.as_str(), "ada@example.com");
    for (member, value) in [
        ("email", json!("ada")),
        ("email", Value::Null),
        ("password", json!("short")),
        ("password", json!("x".repeat(129))),
        ("password", Value::Null),
        ("name", json!("")),
        ("name", Value::Null),
    ] {
        let bad = with(good.clone(), member, value);
        assert_eq!(check(&bad).err(), Some(Code::ValidationFailed), "{bad}");
    }
    // Nobody gives themselves a role, or somebody else's orders.
    for member in ["role", "customer_id", "scopes", "id", "password_hash"] {
        let bad = with(good.clone(), member, json!("admin"));
        assert_eq!(check(&bad).err(), Some(Code::InvalidBody), "{bad}");
    }
}

#[test]
fn each_way_of_getting_tokens_has_its_own_members() {
    let check = |body: &Value| {
        let body = parse::<TokenBody>(body.to_string().as_bytes());
        body.and_then(TokenBody::check).map_err(|problem| problem.code())
    };
    let sign_in = json!({"grant_type": "password", "email": "a@b", "password": "x"});
    let go_on = json!({"grant_type": "refresh_token", "refresh_token": "rt_1"});
    assert!(matches!(check(&sign_in), Ok(Shown::Password { .. })));
    assert!(matches!(check(&go_on), Ok(Shown::Refresh(_))));
    for bad in [
        json!({}),
        json!({"grant_type": "client_credentials"}),
        json!({"grant_type": "password", "email": "a@b"}),
        json!({"grant_type": "password", "password": "x"}),
        json!({"grant_type": "refresh_token"}),
        with(sign_in.clone(), "refresh_token", json!("rt_1")),
        with(sign_in.clone(), "password", json!("x".repeat(513))),
        with(sign_in, "email", json!("x".repeat(255))),
        with(go_on.clone(), "email", json!("a@b")),
        with(go_on, "password", json!("x")),
    ] {
        assert_eq!(check(&bad).err(), Some(Code::ValidationFailed), "{bad}");
    }
}

#[test]
fn what_is_shown_is_shown_in_no_log() {
    let body = json!({"grant_type": "password", "email": "a@b", "password": "hunter22"});
    let body = parse::<TokenBody>(body.to_string().as_bytes()).expect("is read");
    assert!(!format!("{body:?}").contains("hunter"));
    assert!(!format!("{:?}", body.check()).contains("hunter"));
}
