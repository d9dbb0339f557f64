//! `If-Match`: a step is to be taken only if the order is still the one that the client has seen.
//! `Cache-Control`: how old an answer may be.

use crate::problem::{Code, Problem};
use actix_web::http::header::{self, HeaderMap};
use std::time::Duration;

/// A version that no order has: orders begin with 1. What names no version of ours matches nothing.
const NEVER: i64 = 0;

/// The version that the client insists on; `None` if any will do.
///
/// A weak tag matches nothing (RFC 9110, section 13.1.1), nor does one that is none of ours.
///
/// # Errors
/// `INVALID_HEADER`: no entity tag, or several.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let mut values = headers.get_all(header::IF_MATCH);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| malformed())?.trim();
    if values.next().is_some() {
        return Err(malformed());
    }
    if text == "*" {
        return Ok(None);
    }
    let (is_weak, tag) = match text.strip_prefix("W/") {
        Some(tag) => (true, tag),
        None => (false, text),
    };
    let opaque = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let opaque = opaque.filter(|text| text.bytes().all(is_tag_byte)).ok_or_else(malformed)?;
    Ok(Some(if is_weak { NEVER } else { version(opaque).unwrap_or(NEVER) }))
}

/// How old an answer may be, as `Cache-Control: max-age` says (RFC 9111, section 5.2.1.1). Zero where
/// it does not say so in a way that can be read: nobody is told something old who did not ask for it.
pub(crate) fn max_age(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(header::CACHE_CONTROL).filter_map(|value| value.to_str().ok());
    let mut seconds = None;
    for directive in values.flat_map(|text| text.split(',')) {
        let directive = directive.trim().to_ascii_lowercase();
        match directive.strip_prefix("max-age=") {
            Some(text) if seconds.is_none() => seconds = text.parse::<u32>().ok(),
            None if !matches!(&*directive, "no-cache" | "no-store") => {}
            _ => return Duration::ZERO,
        }
    }
    Duration::from_secs(seconds.unwrap_or(0).into())
}

/// The version in a tag of ours, `v` and a number as [`i64`] writes it.
fn version(opaque: &str) -> Option<i64> {
    let digits = opaque.strip_prefix('v')?;
    let version: i64 = digits.parse().ok()?;
    (version > NEVER && version.to_string() == digits).then_some(version)
}

/// Whether a byte may stand in an entity tag (RFC 9110, section 8.8.3).
const fn is_tag_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x7e)
}

fn malformed() -> Problem {
    Problem::new(Code::InvalidHeader, "If-Match names one entity tag, such as \"v2\".")
        .with("header", "If-Match")
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn an_answer_may_be_as_old_as_was_said() {
        for (values, seconds) in [
            (vec![], 0),
            (vec!["max-age=1"], 1),
            (vec!["Max-Age=60, max-stale"], 60),
            (vec!["max-age=1, no-cache"], 0),
            (vec!["no-store", "max-age=1"], 0),
            (vec!["max-age=1", "max-age=2"], 0),
            (vec!["max-age=-1"], 0),
            (vec!["max-age=\"1\""], 0),
            (vec!["max-age"], 0),
        ] {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append(header::CACHE_CONTROL, HeaderValue::from_static(value));
            }
            assert_eq!(max_age(&headers), Duration::from_secs(seconds), "{values:?}");
        }
    }

    fn read(values: &[&str]) -> Result<Option<i64>, Code> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
            headers.append(header::IF_MATCH, value);
        }
        if_match(&headers).map_err(|problem| problem.code())
    }

    #[test]
    fn a_strong_tag_names_a_version() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["*"]), Ok(None));
        assert_eq!(read(&["\"v2\""]), Ok(Some(2)));
        assert_eq!(read(&["  \"v9223372036854775807\" "]), Ok(Some(i64::MAX)));
    }

    #[test]
    fn what_is_no_version_of_ours_matches_nothing() {
        for tag in [
            "W/\"v2\"",
            "\"\"",
            "\"2\"",
            "\"v\"",
            "\"v0\"",
            "\"v02\"",
            "\"v-2\"",
            "\"v+2\"",
            "\"v9223372036854775808\"",
            "\"abc\"",
        ] {
            assert_eq!(read(&[tag]), Ok(Some(NEVER)), "{tag}");
        }
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for bad in ["", "v2", "\"v2", "v2\"", "\"", "\"v 2\"", "\"v2\", \"v3\"", "w/\"v2\"", "é"] {
            assert_eq!(read(&[bad]), Err(Code::InvalidHeader), "{bad}");
        }
        assert_eq!(read(&["\"v1\"", "\"v2\""]), Err(Code::InvalidHeader));
    }
}
