//! The attacks of RFC 8725 on access tokens, over HTTP.

use crate::client::{Reply, send};
use crate::users::person;
use crate::world::{World, on_both};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

const KEY: &str = "a token key of the tests 0123456789";

/// The header and the claims of a token.
fn parts(token: &str) -> (Value, Value) {
    let part = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()
    };
    let mut texts = token.split('.');
    (part(texts.next().unwrap()), part(texts.next().unwrap()))
}

/// A token of this header and these claims, signed with this key.
fn forged(header: &Value, claims: &Value, key: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn with(value: &Value, member: &str, new: Value) -> Value {
    let mut value = value.clone();
    value[member] = new;
    value
}

async fn me(world: &World, token: &str) -> Reply {
    send(world.api.http.get(format!("{}/v1/me", world.api.base)).bearer_auth(token)).await
}

/// What is wrong with a token, and the token.
fn attacks(good: &str) -> Vec<(String, String)> {
    let (header, claims) = parts(good);
    let (exp, key) = (claims["exp"].as_i64().unwrap(), KEY.as_bytes());
    let mut found = Vec::new();
    for (member, value) in [
        ("alg", json!("none")),
        ("alg", json!("nOnE")),
        ("alg", json!("HS512")),
        ("alg", json!("RS256")),
        ("alg", json!("PS256")),
        ("alg", json!("ES256")),
        ("typ", json!("JWT")),
        ("typ", json!("dpop+jwt")),
        ("kid", json!("unknown")),
        ("kid", json!("../../../etc/passwd")),
        ("kid", json!("' OR '1'='1")),
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("x5u", json!("http://127.0.0.1:1/cert")),
        ("jwk", json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(KEY)})),
        ("crit", json!(["b64"])),
    ] {
        let token = forged(&with(&header, member, value.clone()), &claims, key);
        found.push((format!("header {member} {value}"), token));
    }
    for (member, value) in [
        ("iss", json!("somebody-else")),
        ("iss", Value::Null),
        ("aud", json!("another-api")),
        ("aud", json!(["another-api"])),
        ("aud", Value::Null),
        ("exp", json!(exp - 3_600)),
        ("exp", json!(exp.to_string())),
        ("exp", Value::Null),
        ("exp", json!(exp + 3_600)),
        ("exp", json!(4_102_444_800_i64)),
        ("nbf", json!(exp + 3_600)),
        ("nbf", Value::Null),
        ("jti", Value::Null),
        ("sub", json!("admin")),
        ("sid", json!("0190a000-0000-7000-8000-000000000001")),
    ] {
        let token = forged(&header, &with(&claims, member, value.clone()), key);
        found.push((format!("claim {member} {value}"), token));
    }
    let (message, signature) = good.rsplit_once('.').unwrap();
    let unsigned = forged(&with(&header, "alg", json!("none")), &claims, b"");
    let unsigned = unsigned.rsplit_once('.').unwrap().0;
    for (what, token) in [
        (
            "signed with another key",
            forged(&header, &claims, b"another key of some thirty characters"),
        ),
        ("signed with an empty key", forged(&header, &claims, b"")),
        (
            "signed with the key's id",
            forged(&header, &claims, header["kid"].as_str().unwrap().as_bytes()),
        ),
        ("not signed", format!("{unsigned}.")),
        ("the signature is empty", format!("{message}.")),
        ("the signature is cut", format!("{message}.{}", &signature[..20])),
        ("the claims are cut", good.replacen(&message[message.len() - 4..], "", 1)),
        ("the signature is missing", message.to_owned()),
        ("two signatures", format!("{good}.{signature}")),
        ("nothing but dots", "..".to_owned()),
        ("a header alone", "eyJ..".to_owned()),
    ] {
        found.push((what.to_owned(), token));
    }
    found
}

on_both! {
    async fn forged_and_misused_tokens_open_nothing(mut world in World) {
        world.terminate().await;
        world.restart_with("ORDERLY_TOKEN_KEY", KEY).await;
        let ada = person(&world, "ada").await;
        let good = ada.api.key.clone();
        let (header, claims) = parts(&good);
        assert_eq!((&header["alg"], &header["typ"]), (&json!("HS256"), &json!("at+jwt")));
        // What the test forges is taken when nothing is wrong with it: else it would prove nothing.
        me(&world, &forged(&header, &claims, KEY.as_bytes())).await.expect(200);
        let unknown = me(&world, "ok_a-key-that-was-never-made-0123456789").await;
        let told = |reply: &Reply| {
            let mut body = reply.problem(401, "UNAUTHENTICATED");
            body["trace_id"].take();
            body
        };
        for (what, token) in attacks(&good) {
            let reply = me(&world, &token).await;
            assert_eq!(reply.status, 401, "{what}: {}", reply.text);
            assert_eq!(told(&reply), told(&unknown), "{what}");
        }
        // Tokens of other kinds in the wrong place.
        assert_eq!(told(&me(&world, &ada.refresh_token).await), told(&unknown));
        for wrong in [&good, &world.api.key] {
            let body = json!({"grant_type": "refresh_token", "refresh_token": wrong});
            let reply = world.api.with_key("").post("/v1/tokens", &body).await;
            assert!(matches!(reply.status, 401 | 422), "{}", reply.text);
        }
        let large = format!("eyJ{}.a.b", "A".repeat(1_000_000));
        let reply = me(&world, &large).await;
        assert!(matches!(reply.status, 400 | 401 | 431), "{}", reply.status);
        // None of this has ended the session, and the right token goes on.
        me(&world, &good).await.expect(200);
    }

    async fn a_token_that_has_expired_is_no_guess(mut world in World) {
        world.terminate().await;
        world.set("ORDERLY_TOKEN_KEY", KEY);
        world.restart_with("ORDERLY_FAILED_AUTH_LIMIT", "5").await;
        let ada = person(&world, "ada").await;
        let (header, mut claims) = parts(&ada.api.key);
        for member in ["iat", "nbf", "exp"] {
            claims[member] = json!(claims[member].as_i64().unwrap() - 86_400);
        }
        let expired = forged(&header, &claims, KEY.as_bytes());
        for _ in 0..20 {
            me(&world, &expired).await.problem(401, "UNAUTHENTICATED");
        }
        // Whoever comes with it may go on, and so may the others at that address.
        let body = json!({"grant_type": "refresh_token", "refresh_token": ada.refresh_token});
        world.api.with_key("").post("/v1/tokens", &body).await.expect(200);
        // What we did not sign is a guess.
        let guess = forged(&header, &claims, b"another key of some thirty characters");
        for _ in 0..5 {
            let reply = me(&world, &guess).await;
            assert!(matches!(reply.status, 401 | 429), "{}", reply.text);
        }
        me(&world, &guess).await.problem(429, "RATE_LIMITED");
    }

    async fn tokens_outlive_a_restart_and_not_their_key(mut world in World) {
        let ada = person(&world, "ada").await;
        world.terminate().await;
        world.restart().await;
        me(&world, &ada.api.key).await.expect(200);
        world.terminate().await;
        world.restart_with("ORDERLY_TOKEN_KEY", KEY).await;
        me(&world, &ada.api.key).await.problem(401, "UNAUTHENTICATED");
        // The session goes on: its refresh token is good for one under the new key.
        let body = json!({"grant_type": "refresh_token", "refresh_token": ada.refresh_token});
        let grant = world.api.with_key("").post("/v1/tokens", &body).await.expect(200);
        let token = grant["access_token"].as_str().unwrap().to_owned();
        me(&world, &token).await.expect(200);
        // A new key takes the place of the old one without anybody noticing.
        let both = format!("the next token key 0123456789012345,{KEY}");
        world.terminate().await;
        world.restart_with("ORDERLY_TOKEN_KEY", &both).await;
        me(&world, &token).await.expect(200);
    }
}
