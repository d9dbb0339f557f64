//! The attacks of RFC 8725 on access tokens.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const SECRET: &[u8] = b"a secret of the tests, 32 bytes!";
const NOW: i64 = 1_767_323_045;

fn mint() -> Mint {
    let issuer = "orderly".to_owned();
    Mint::new(&TokenSettings { issuer, keys: vec![SECRET.to_vec()], life_seconds: 600 })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn ids() -> (Uuid, Uuid, Uuid) {
    (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3))
}

fn issued() -> String {
    let (account, session, id) = ids();
    mint().issue(account, session, id, at(NOW)).expect("a token")
}

fn good_header() -> Value {
    json!({"typ": "at+jwt", "alg": "HS256", "kid": NamedKey::new(SECRET).id})
}

fn good_claims() -> Value {
    let (account, session, id) = ids();
    json!({"iss": "orderly", "aud": "orderly-api", "sub": account, "sid": session, "iat": NOW,
        "nbf": NOW, "exp": NOW + 600, "jti": id})
}

/// A token of any header and claims, rightly signed.
fn forged(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
    mac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn with(mut value: Value, member: &str, new: Value) -> Value {
    value[member] = new;
    value
}

fn without(mut value: Value, member: &str) -> Value {
    value.as_object_mut().expect("an object").remove(member);
    value
}

#[test]
fn a_token_says_what_was_put_into_it_for_its_time() {
    let token = issued();
    assert!(looks_like_one(&token) && token.len() < 512, "{}", token.len());
    let claims = mint().check(&token, at(NOW)).expect("is good");
    assert_eq!((claims.sub, claims.sid, claims.jti), ids());
    assert!(mint().check(&token, at(NOW + 599)).is_some());
    assert!(mint().check(&token, at(NOW + 600)).is_none(), "expired");
    // The clocks of two nodes may differ.
    assert!(mint().check(&token, at(NOW - 30)).is_some());
    assert!(mint().check(&token, at(NOW - 31)).is_none(), "not yet");
    // What the tests forge is accepted when nothing is wrong with it.
    assert!(mint().check(&forged(&good_header(), &good_claims(), SECRET), at(NOW)).is_some());
}

#[test]
fn a_header_that_says_anything_else_is_refused() {
    let key = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET)});
    for (member, value) in [
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("HS384")),
        ("alg", json!("RS256")),
        ("alg", json!("ES256")),
        ("alg", json!("EdDSA")),
        ("alg", json!(["HS256"])),
        ("alg", Value::Null),
        ("typ", json!("JWT")),
        ("typ", json!("rt+jwt")),
        ("typ", Value::Null),
        ("kid", json!("0000000000000000")),
        ("kid", json!("../../../../dev/null")),
        ("kid", json!("x' UNION SELECT secret FROM signing_key --")),
        ("kid", Value::Null),
        ("jku", json!("https://evil.example/keys")),
        ("jwk", key),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("b64", json!(false)),
    ] {
        let header = with(good_header(), member, value);
        let token = forged(&header, &good_claims(), SECRET);
        assert!(mint().check(&token, at(NOW)).is_none(), "{header}");
    }
}

#[test]
fn claims_that_are_missing_wrong_or_of_another_type_are_refused() {
    for member in ["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"] {
        let claims = without(good_claims(), member);
        let token = forged(&good_header(), &claims, SECRET);
        assert!(mint().check(&token, at(NOW)).is_none(), "without {member}");
    }
    for (member, value) in [
        ("iss", json!("somebody")),
        ("aud", json!("another-api")),
        ("aud", json!([])),
        ("exp", json!((NOW + 600).to_string())),
        ("exp", json!(NOW - 1)),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("exp", json!(NOW + 601)),
        ("exp", json!(i64::MAX)),
        ("nbf", json!(NOW + 31)),
        ("nbf", json!("0")),
        ("iat", json!(NOW + 3600)),
        ("iat", json!(i64::MIN)),
        ("sub", json!("admin")),
        ("sid", json!(7)),
    ] {
        let claims = with(good_claims(), member, value);
        let token = forged(&good_header(), &claims, SECRET);
        assert!(mint().check(&token, at(NOW)).is_none(), "{claims}");
    }
}

#[test]
fn what_is_not_signed_with_our_key_is_refused() {
    let token = issued();
    let other = forged(&good_header(), &good_claims(), b"another secret, also 32 bytes ..");
    let empty = forged(&good_header(), &good_claims(), b"");
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let claims = URL_SAFE_NO_PAD.encode(with(good_claims(), "sub", json!(ids().1)).to_string());
    let header = token.split('.').next().expect("a header");
    for bad in [
        other,
        empty,
        format!("{message}."),
        format!("{message}.{}", &signature[..signature.len() - 2]),
        format!("{message}.{signature}AA"),
        format!("{message}.{signature}="),
        format!("{header}.{claims}.{signature}"),
        message.to_owned(),
        format!("{token}.{signature}"),
        format!(".{token}"),
        "..".to_owned(),
        "eyJ..".to_owned(),
        String::new(),
        token.to_uppercase(),
        format!("{token} "),
        format!("eyJ{}.a.b", "A".repeat(1_000_000)),
    ] {
        assert!(mint().check(&bad, at(NOW)).is_none(), "{}", &bad[..bad.len().min(200)]);
    }
    // Every token that is cut short.
    for length in 0..token.len() {
        assert!(mint().check(&token[..length], at(NOW)).is_none(), "{length}");
    }
}

#[test]
fn keys_follow_one_another() {
    let settings = |keys: &[&[u8]]| TokenSettings {
        issuer: "orderly".to_owned(),
        keys: keys.iter().map(|key| key.to_vec()).collect(),
        life_seconds: 600,
    };
    let fresh: &[u8] = b"the next secret, also 32 bytes..";
    let both = Mint::new(&settings(&[fresh, SECRET]));
    assert!(both.check(&issued(), at(NOW)).is_some());
    let (account, session, id) = ids();
    let token = both.issue(account, session, id, at(NOW)).expect("a token");
    assert!(mint().check(&token, at(NOW)).is_none());
    assert!(Mint::new(&settings(&[fresh])).check(&token, at(NOW)).is_some());
    assert!(Mint::new(&settings(&[fresh])).check(&issued(), at(NOW)).is_none());
}

#[test]
fn keys_and_refresh_tokens_do_not_look_like_tokens() {
    for other in [crate::new_secret([7; 32]), "rt_abc".into(), "eyJ.b".into(), "a.b.c".into()] {
        assert!(!looks_like_one(&other), "{other}");
    }
}
