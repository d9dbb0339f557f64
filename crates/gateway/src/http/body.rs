//! JSON bodies: bounded in size and time, read strictly, and refused with the place of the fault.

use crate::problem::{Code, Fault, Problem};
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer};
use serde_path_to_error::{Path, Segment};
use std::fmt;
use std::marker::PhantomData;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Largest JSON body, and largest line of an NDJSON body, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How long a body may take to arrive if nothing else is said, and the line of a stream.
pub(crate) const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// A body that is slower than this is given up before its time is over: bytes per second. A modem
/// of 1990 was faster.
const BYTES_PER_SECOND_MIN: u64 = 256;

/// How long a body may take, as application data. What arrives slowly has less time than what
/// arrives well: a part of it, and as long as it keeps [`BYTES_PER_SECOND_MIN`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyTime {
    whole: Duration,
    /// For the first byte, and for pauses.
    grace: Duration,
}

impl BodyTime {
    pub(crate) fn new(whole: Duration) -> Self {
        Self { whole, grace: whole / 2 }
    }

    fn of(request: &HttpRequest) -> Self {
        let given = request.app_data::<web::Data<Self>>();
        given.map_or(Self::new(BODY_TIME_MAX), |given| *given.as_ref())
    }

    /// How long a body may go on of which so many bytes are there.
    fn for_bytes(self, arrived: usize) -> Duration {
        let arrived = u64::try_from(arrived).unwrap_or(u64::MAX);
        let earned = Duration::from_secs(arrived / BYTES_PER_SECOND_MIN);
        self.grace.saturating_add(earned).min(self.whole)
    }
}

const JSON: &[&str] = &["application/json"];
const NDJSON: &[&str] = &[
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/json",
];

/// Reads the whole body as JSON.
///
/// # Errors
/// `UNSUPPORTED_MEDIA_TYPE`, `PAYLOAD_TOO_LARGE`, `REQUEST_TIMEOUT`, `INVALID_BODY`.
pub(crate) async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: impl Stream<Item = Result<Bytes, PayloadError>>,
) -> Result<T, Problem> {
    check_media_type(request.headers(), JSON)?;
    parse(&raw(request, payload).await?)
}

/// Like [`json`], where no body at all stands for `T::default()`.
///
/// # Errors
/// As [`json`].
pub(crate) async fn json_or_nothing<T: DeserializeOwned + Default>(
    request: &HttpRequest,
    payload: impl Stream<Item = Result<Bytes, PayloadError>>,
) -> Result<T, Problem> {
    check_media_type(request.headers(), JSON)?;
    let body = raw(request, payload).await?;
    if body.is_empty() { Ok(T::default()) } else { parse(&body) }
}

/// Reads the whole body as it is.
///
/// # Errors
/// `PAYLOAD_TOO_LARGE`, `REQUEST_TIMEOUT`, `INVALID_BODY`.
pub(crate) async fn raw(
    request: &HttpRequest,
    payload: impl Stream<Item = Result<Bytes, PayloadError>>,
) -> Result<Bytes, Problem> {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    collect(payload, BodyTime::of(request)).await
}

/// Refuses a body that is not newline-delimited JSON.
///
/// # Errors
/// `UNSUPPORTED_MEDIA_TYPE`.
pub(crate) fn check_ndjson(request: &HttpRequest) -> Result<(), Problem> {
    check_media_type(request.headers(), NDJSON)
}

fn check_media_type(headers: &HeaderMap, accepted: &[&str]) -> Result<(), Problem> {
    let unsupported = |what: String| Problem::new(Code::UnsupportedMediaType, what);
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(unsupported("The body may not be compressed.".to_owned()));
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let text = value.to_str().unwrap_or("").to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or("");
    let is_json = accepted.contains(&essence)
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    let is_utf8 = parts
        .filter_map(|parameter| parameter.strip_prefix("charset="))
        .all(|charset| matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii"));
    if is_json && is_utf8 {
        return Ok(());
    }
    let expected = accepted.first().copied().unwrap_or_default();
    Err(unsupported(format!("Send the body as {expected} in UTF-8.")))
}

async fn collect(
    payload: impl Stream<Item = Result<Bytes, PayloadError>>,
    time: BodyTime,
) -> Result<Bytes, Problem> {
    let began = Instant::now();
    let mut payload = pin!(payload);
    let mut body = BytesMut::new();
    loop {
        let deadline = began + time.for_bytes(body.len());
        let next = timeout_at(deadline, payload.next()).await.map_err(|_| too_slow())?;
        let Some(chunk) = next else { break };
        let chunk = chunk.map_err(broken_off)?;
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

pub(crate) fn too_large() -> Problem {
    Problem::new(Code::PayloadTooLarge, "At most 1 MiB is accepted here.")
        .with("bytes_max", BODY_BYTES_MAX)
}

pub(crate) fn too_slow() -> Problem {
    Problem::new(Code::RequestTimeout, "The body did not arrive in time.")
}

pub(crate) fn broken_off(error: PayloadError) -> Problem {
    match error {
        PayloadError::Overflow => too_large(),
        other => Problem::new(Code::InvalidBody, "The body broke off.").because(other),
    }
}

/// A struct that is read from a JSON object only. By itself serde takes an array as well, as the
/// members in order without their names.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(members))
            }
        }

        from.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// Reads `bytes` as JSON of the shape `T`.
///
/// # Errors
/// `INVALID_BODY` with the place of the fault, as far as it is known.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    match serde_json::from_slice(bytes) {
        Ok(Object(value)) => Ok(value),
        Err(error) => Err(fault::<T>(bytes).unwrap_or_else(|| invalid(&error))),
    }
}

/// Reads once more what is no `T`, to find the place of the fault. To keep track of the place costs
/// an allocation per member, which a good body need not pay.
fn fault<T: DeserializeOwned>(bytes: &[u8]) -> Option<Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let error = serde_path_to_error::deserialize::<_, Object<T>>(&mut deserializer).err()?;
    let pointer = pointer(error.path());
    Some(invalid(error.inner()).at(pointer))
}

fn invalid(error: &serde_json::Error) -> Problem {
    Problem::new(Code::InvalidBody, error.to_string())
        .with("line", error.line())
        .with("column", error.column())
}

/// `INVALID_BODY` for a member that is not known here.
pub(crate) fn unknown_member(name: &str) -> Problem {
    let problem = Problem::new(Code::InvalidBody, format!("unknown field `{name}`"));
    problem.at(format!("/{}", escape(name)))
}

/// The JSON pointer of a path; empty (the whole document) where the path is not known.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape(key))),
            Segment::Enum { .. } | Segment::Unknown => break,
        }
    }
    pointer
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Collects everything that is wrong with a body, so that it is told at once.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Notes that `pointer` is wrong.
    pub(crate) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Fault::at(pointer, detail));
    }

    /// The value, or a note of its fault.
    pub(crate) fn take<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|fault| self.0.push(fault)).ok()
    }

    /// The value, or a note that it is missing.
    pub(crate) fn require<T>(&mut self, value: Option<T>, pointer: &str) -> Option<T> {
        self.require_valid(value, pointer, "is required")
    }

    /// The value, or a note that what was there is none.
    pub(crate) fn require_valid<T>(
        &mut self,
        value: Option<T>,
        pointer: &str,
        expected: &str,
    ) -> Option<T> {
        if value.is_none() {
            self.add(pointer, expected);
        }
        value
    }

    /// Notes that a value is missing.
    pub(crate) fn missing<T>(&mut self, pointer: String) -> Option<T> {
        self.add(pointer, "is required");
        None
    }

    /// Notes a text that is empty, too long (in characters) or not printable.
    pub(crate) fn check_text(&mut self, text: Option<&str>, length_max: usize, pointer: &str) {
        let Some(text) = text else { return };
        if text.is_empty() {
            self.add(pointer, "may not be empty");
        } else if text.chars().count() > length_max {
            self.add(pointer, format!("has at most {length_max} characters"));
        } else if text.chars().any(char::is_control) {
            self.add(pointer, "may not contain control characters");
        }
    }

    /// `VALIDATION_FAILED` if anything is wrong.
    ///
    /// # Errors
    /// All that was noted.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};
    use futures_util::stream;
    use serde::Deserialize;
    use serde_json::{Map, Value};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[serde(rename = "a/b")]
        _units: i64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[serde(default)]
        _lines: Vec<Object<Line>>,
        #[serde(default)]
        _metadata: Map<String, Value>,
    }

    fn fault(json: &[u8]) -> (Code, String) {
        let problem = parse::<Body>(json).expect_err("a fault");
        let body: Value = serde_json::from_str(&problem.json("00")).expect("json");
        let pointer = body["errors"][0]["pointer"].as_str().unwrap_or("none").to_owned();
        (problem.code(), pointer)
    }

    #[test]
    fn the_place_of_a_fault_is_told() {
        let invalid = |pointer: &str| (Code::InvalidBody, pointer.to_owned());
        assert!(parse::<Body>(b"{\"_lines\":[{\"a/b\":1}],\"_metadata\":{\"x\":[1.5]}}").is_ok());
        assert_eq!(fault(b"{\"_lines\":[{\"a/b\":\"1\"}]}"), invalid("/_lines/0/a~1b"));
        assert_eq!(fault(b"{\"_lines\":7}"), invalid("/_lines"));
        assert_eq!(fault(b"{\"status\":7}"), invalid("/status"));
        assert_eq!(fault(b""), invalid(""));
        assert_eq!(fault(b"[1,"), invalid(""));
        assert_eq!(fault(b"[[],{}]"), invalid(""));
        assert_eq!(fault(b"{\"_lines\":[[1]]}"), invalid("/_lines/0"));
        assert_eq!(fault(b"{} {}"), invalid("none"));
        assert_eq!(fault(b"{\"_metadata\":{\"a\":\"\xff\"}}"), invalid("/_metadata/a"));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{{\"_metadata\":{{\"a\":{}", "[".repeat(100_000));
        assert_eq!(fault(deep.as_bytes()).0, Code::InvalidBody);
    }

    #[test]
    fn media_types() {
        let check = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).expect("a header value"),
            );
            check_media_type(&headers, JSON).is_ok()
        };
        assert!(check_media_type(&HeaderMap::new(), JSON).is_ok());
        for good in ["application/json", "Application/JSON; charset=UTF-8", "application/a+json"] {
            assert!(check("content-type", good), "{good}");
        }
        for bad in
            ["text/plain", "application/xml", "application/json; charset=latin1", "", "+json"]
        {
            assert!(!check("content-type", bad), "{bad}");
        }
        assert!(check("content-encoding", "identity"));
        assert!(!check("content-encoding", "gzip"));
    }

    const TIME: BodyTime =
        BodyTime { whole: Duration::from_secs(10), grace: Duration::from_secs(5) };

    #[actix_web::test]
    async fn size_is_bounded_without_a_declared_length() {
        let chunk = Bytes::from(vec![b' '; BODY_BYTES_MAX / 2]);
        let two = stream::iter(vec![Ok(chunk.clone()), Ok(chunk.clone())]);
        assert_eq!(collect(two, TIME).await.expect("fits").len(), BODY_BYTES_MAX);
        let three = stream::iter(vec![Ok(chunk.clone()), Ok(chunk), Ok(Bytes::from_static(b" "))]);
        assert_eq!(collect(three, TIME).await.expect_err("large").code(), Code::PayloadTooLarge);
    }

    #[actix_web::test]
    async fn a_body_that_never_ends_is_given_up() {
        let first = stream::iter(vec![Ok(Bytes::from_static(b"{"))]);
        let never = first.chain(stream::pending());
        tokio::time::pause();
        let began = Instant::now();
        let problem = collect(never, TIME).await.expect_err("too slow");
        assert_eq!(began.elapsed().as_secs(), 5);
        assert_eq!(problem.code(), Code::RequestTimeout);
        let broken = stream::iter(vec![Err(PayloadError::Incomplete(None))]);
        let problem = collect(broken, TIME).await.expect_err("broken");
        assert_eq!(problem.code(), Code::InvalidBody);
    }

    #[actix_web::test]
    async fn a_body_that_comes_too_slowly_is_given_up() {
        tokio::time::pause();
        let by_the_second = |bytes: usize| {
            stream::iter(0..).then(move |_| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(Bytes::from(vec![b' '; bytes]))
            })
        };
        for (bytes, seconds) in [(1, 5), (100, 6), (256, 10), (100_000, 10)] {
            let began = Instant::now();
            let problem = collect(by_the_second(bytes), TIME).await.expect_err("too slow");
            assert_eq!(problem.code(), Code::RequestTimeout, "{bytes}");
            assert_eq!(began.elapsed().as_secs(), seconds, "{bytes}");
        }
        // Ten parts of a hundred thousand bytes are there in time.
        let parts = by_the_second(100_000).take(9);
        assert_eq!(collect(parts, TIME).await.expect("in time").len(), 900_000);
    }
}
