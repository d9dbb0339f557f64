//! Headers that say who asks, how long they wait, and what they have already.

use crate::problem::{Code, Problem};
use actix_web::http::header::{self, HeaderMap};
use std::time::Duration;

/// How long a request is worked on when the client does not say.
pub(crate) const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// The longest that a client may ask for.
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_secs(60);

const TIMEOUT: &str = "x-request-timeout-ms";

/// The API key or token of `Authorization: Bearer …`.
///
/// # Errors
/// `UNAUTHENTICATED`: none, another scheme, or several.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || {
        let how = "Send an API key or token: Authorization: Bearer <key or token>.";
        Problem::new(Code::Unauthenticated, how)
    };
    let mut values = headers.get_all(header::AUTHORIZATION);
    let value = values.next().and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    let (scheme, key) = value.trim().split_once(' ').ok_or_else(missing)?;
    let key = key.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || key.is_empty() || values.next().is_some() {
        return Err(missing());
    }
    Ok(key)
}

/// How long the client waits, by `X-Request-Timeout-Ms`: more than [`TIMEOUT_MAX`] means that.
///
/// # Errors
/// `INVALID_HEADER`: not a whole number from 1, or several.
pub(crate) fn timeout(headers: &HeaderMap) -> Result<Duration, Problem> {
    let mut values = headers.get_all(TIMEOUT);
    let Some(value) = values.next() else {
        return Ok(TIMEOUT_DEFAULT);
    };
    let digits = value
        .to_str()
        .ok()
        .map(str::trim)
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|_| values.next().is_none());
    // A number beyond the range of the type is beyond the maximum as well.
    let millis = digits.map(|text| text.parse::<u64>().unwrap_or(u64::MAX));
    match millis {
        None | Some(0) => Err(Problem::new(
            Code::InvalidHeader,
            "X-Request-Timeout-Ms is a whole number of milliseconds from 1.",
        )
        .with("header", "X-Request-Timeout-Ms")),
        Some(millis) => Ok(Duration::from_millis(millis).min(TIMEOUT_MAX)),
    }
}

/// What `Prefer` (RFC 7240) says about waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Preference {
    /// Answer as soon as the request is durable.
    pub(crate) respond_async: bool,
    /// Answer after this time at the latest.
    pub(crate) wait: Option<Duration>,
}

/// Reads `Prefer`. What is unknown or malformed is ignored, as the RFC asks; the first of several
/// equal preferences counts.
pub(crate) fn preference(headers: &HeaderMap) -> Preference {
    let mut preference = Preference::default();
    let values = headers.get_all(header::HeaderName::from_static("prefer"));
    for token in values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')) {
        let token = token.split(';').next().unwrap_or("").trim();
        let (name, value) = token.split_once('=').unwrap_or((token, ""));
        if name.trim().eq_ignore_ascii_case("respond-async") {
            preference.respond_async = true;
        } else if name.trim().eq_ignore_ascii_case("wait") && preference.wait.is_none() {
            let seconds = value.trim().trim_matches('"').parse::<u32>().ok();
            preference.wait = seconds.map(|seconds| Duration::from_secs(u64::from(seconds)));
        }
    }
    preference
}

/// Whether `If-None-Match` names `etag` (with its quotes).
pub(crate) fn none_match_names(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(str::trim)
        // The comparison is the weak one (RFC 9110 §13.1.2).
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).expect("a header value"),
            );
        }
        headers
    }

    #[test]
    fn bearer_keys() {
        assert_eq!(bearer(&headers(&[("authorization", "Bearer ok_1")])).ok(), Some("ok_1"));
        assert_eq!(bearer(&headers(&[("authorization", "bearer  ok_1 ")])).ok(), Some("ok_1"));
        for bad in ["", "Bearer", "Bearer ", "Basic ok_1", "ok_1"] {
            let problem = bearer(&headers(&[("authorization", bad)])).expect_err("no key");
            assert_eq!(problem.code(), Code::Unauthenticated, "{bad}");
        }
        assert!(bearer(&headers(&[])).is_err());
        let twice = headers(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]);
        assert!(bearer(&twice).is_err());
    }

    #[test]
    fn timeouts() {
        let read = |value: &str| timeout(&headers(&[("x-request-timeout-ms", value)]));
        assert_eq!(timeout(&headers(&[])).ok(), Some(TIMEOUT_DEFAULT));
        assert_eq!(read("1").ok(), Some(Duration::from_millis(1)));
        assert_eq!(read("60001").ok(), Some(TIMEOUT_MAX));
        assert_eq!(read("99999999999999999999999").ok(), Some(TIMEOUT_MAX));
        for bad in ["0", "", "-1", "1.5", "+5", "10s", "1e3"] {
            let problem = read(bad).expect_err("not a timeout");
            assert_eq!(problem.code(), Code::InvalidHeader, "{bad}");
        }
    }

    #[test]
    fn preferences() {
        let read = |values: &[&str]| {
            let pairs: Vec<_> = values.iter().map(|value| ("prefer", *value)).collect();
            preference(&headers(&pairs))
        };
        let wait = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(read(&[]), Preference::default());
        assert!(read(&["respond-async"]).respond_async);
        assert!(read(&["foo; bar", "Respond-Async; x=1"]).respond_async);
        assert_eq!(read(&["wait=5"]).wait, wait(5));
        assert_eq!(read(&["wait = 0"]).wait, wait(0));
        let both = Preference { respond_async: true, wait: wait(2) };
        assert_eq!(read(&["respond-async, wait=2, wait=9"]), both);
        assert_eq!(read(&["wait=soon"]), Preference::default());
        assert_eq!(read(&["respond-asynchronously"]), Preference::default());
    }

    #[test]
    fn entity_tags() {
        let names = |value: &str| none_match_names(&headers(&[("if-none-match", value)]), "\"v3\"");
        assert!(names("\"v3\""));
        assert!(names("\"v2\", W/\"v3\""));
        assert!(names("*"));
        assert!(!names("\"v2\""));
        assert!(!names("v3"));
        assert!(!none_match_names(&headers(&[]), "\"v3\""));
    }
}
