//! The header `Idempotency-Key` and what makes two requests the same.

use crate::problem::{Code, Problem};
use actix_web::http::header::HeaderMap;
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::answers::Fingerprint;

/// The header's name.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Longest key, in characters.
pub(crate) const KEY_LENGTH_MAX: usize = 255;

/// The request's key, if it has one.
///
/// # Errors
/// `IDEMPOTENCY_KEY_INVALID`: several headers, or a key that [`check_key`] refuses.
pub(crate) fn optional_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(invalid("There is more than one Idempotency-Key."));
    }
    let text = value.to_str().map_err(|_| not_visible_ascii())?.trim();
    let key = if text.starts_with('"') { unquote(text)? } else { text.to_owned() };
    check_key(&key)?;
    Ok(Some(key))
}

/// The request's key.
///
/// # Errors
/// `IDEMPOTENCY_KEY_REQUIRED` without one; else as [`optional_key`].
pub(crate) fn required_key(headers: &HeaderMap) -> Result<String, Problem> {
    optional_key(headers)?.ok_or_else(|| {
        Problem::new(
            Code::IdempotencyKeyRequired,
            "Send an Idempotency-Key header: then the request can be repeated without harm.",
        )
    })
}

/// Checks a bare key.
///
/// # Errors
/// `IDEMPOTENCY_KEY_INVALID`: empty, longer than [`KEY_LENGTH_MAX`], or not visible ASCII.
pub(crate) fn check_key(key: &str) -> Result<(), Problem> {
    if key.is_empty() {
        return Err(invalid("The idempotency key is empty."));
    }
    if key.len() > KEY_LENGTH_MAX {
        return Err(invalid("An idempotency key has at most 255 characters."));
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(not_visible_ascii());
    }
    Ok(())
}

fn invalid(message: &'static str) -> Problem {
    Problem::new(Code::IdempotencyKeyInvalid, message)
}

fn not_visible_ascii() -> Problem {
    invalid("An idempotency key consists of visible ASCII characters.")
}

/// The text of a quoted string of RFC 9651, where only `"` and `\` are escaped.
fn unquote(text: &str) -> Result<String, Problem> {
    let malformed = || invalid("The quoted idempotency key is malformed.");
    let inner =
        text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(malformed)?;
    let mut key = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => return Err(malformed()),
            },
            '"' => return Err(malformed()),
            plain => key.push(plain),
        }
    }
    Ok(key)
}

/// What makes two requests the same: method, path, and the body as we understood it. Spelling
/// (spaces, order of members, defaults left out or not) makes no difference.
pub(crate) fn fingerprint(method: &str, path: &str, body: &impl Serialize) -> Fingerprint {
    let mut hash = Sha256::new();
    for part in [method, path] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    // Bodies are structs of texts, numbers and JSON values: they always serialise.
    hash.update(serde_json::to_vec(body).unwrap_or_default());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn read(values: &[&str]) -> Result<Option<String>, Code> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                HeaderName::from_static(IDEMPOTENCY_KEY),
                HeaderValue::from_bytes(value.as_bytes()).expect("a header value"),
            );
        }
        optional_key(&headers).map_err(|problem| problem.code())
    }

    #[test]
    fn bare_or_quoted() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["abc-1"]), Ok(Some("abc-1".to_owned())));
        assert_eq!(read(&["\"abc-1\""]), Ok(Some("abc-1".to_owned())));
        assert_eq!(read(&[r#""a\"b\\c""#]), Ok(Some(r#"a"b\c"#.to_owned())));
        let longest = "k".repeat(255);
        assert_eq!(read(&[&longest]), Ok(Some(longest)));
    }

    #[test]
    fn malformed_keys_are_refused() {
        let too_long = "k".repeat(256);
        for bad in
            ["", "  ", "\"\"", "a b", "\"a b\"", "\"abc", "\"a\"b\"", "\"a\\n\"", "é", &too_long]
        {
            assert_eq!(read(&[bad]), Err(Code::IdempotencyKeyInvalid), "{bad}");
        }
        assert_eq!(read(&["a", "b"]), Err(Code::IdempotencyKeyInvalid));
    }

    #[test]
    fn a_missing_key_is_told_apart() {
        let problem = required_key(&HeaderMap::new()).expect_err("no key");
        assert_eq!(problem.code(), Code::IdempotencyKeyRequired);
    }

    #[test]
    fn fingerprint_depends_on_method_path_and_body() {
        let base = fingerprint("POST", "/v1/orders", &["a"]);
        assert_eq!(base, fingerprint("POST", "/v1/orders", &["a"]));
        assert_ne!(base, fingerprint("PUT", "/v1/orders", &["a"]));
        assert_ne!(base, fingerprint("POST", "/v1/order", &["a"]));
        assert_ne!(base, fingerprint("POST", "/v1/orders", &["b"]));
    }
}
