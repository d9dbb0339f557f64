//! The steps before the first order: catalogue, stock, customers. Each can be repeated.

use std::collections::HashMap;

use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::Value;

use super::books::Level;
use super::client::{Answer, Api, ApiError, Body, Call};
use super::dataset::{Opening, Product};
use super::wire;

/// Lines sent in one batch call.
const CHUNK: usize = 1_000;

/// A batch call that did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The call failed as a whole.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A body could not be written.
    #[error("cannot write a request body")]
    Body(#[source] serde_json::Error),
    /// Single lines were refused.
    #[error("{call}: {count} of {lines} lines were refused, the first with {first}")]
    Lines {
        /// Method and path.
        call: String,
        /// Lines refused.
        count: usize,
        /// Lines sent.
        lines: usize,
        /// Outcome of the first refused line.
        first: String,
    },
    /// The answer has not one outcome per line.
    #[error("{call}: {outcomes} outcomes for {lines} lines")]
    Outcomes {
        /// Method and path.
        call: String,
        /// Outcomes in the answer.
        outcomes: usize,
        /// Lines sent.
        lines: usize,
    },
    /// No customer came back for a reference.
    #[error("POST /v1/customers:batch: the answer has no customer for `{0}`")]
    Customer(String),
}

/// One line of a batch answer.
#[derive(Debug, Deserialize)]
pub(super) struct LineOutcome {
    pub(super) status: u16,
    #[serde(default)]
    pub(super) customer: Option<Customer>,
    #[serde(default)]
    stock: Option<Booked>,
    #[serde(default)]
    pub(super) order: Option<Value>,
    #[serde(default)]
    pub(super) error: Option<Value>,
}

/// The stock of a SKU as the answer to its booking tells it.
#[derive(Debug, Deserialize)]
struct Booked {
    sku: String,
    version: i64,
}

/// A customer of a batch answer.
#[derive(Debug, Deserialize)]
pub(super) struct Customer {
    id: String,
    external_ref: Option<String>,
}

/// Reads a batch answer: one outcome per line.
pub(super) fn outcomes(call: &Call<'_>, answer: &Answer) -> Result<Vec<LineOutcome>, ApiError> {
    if !(200..300).contains(&answer.status) {
        return Err(call.refused(answer));
    }
    let lines = answer.body.split(|byte| *byte == b'\n').filter(|l| !l.trim_ascii().is_empty());
    lines
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()
        .map_err(|source| ApiError::Malformed { call: call.name(), source })
}

/// Reads a batch answer in which every one of `lines` lines must have succeeded.
fn all_good(call: &Call<'_>, answer: &Answer, lines: usize) -> Result<Vec<LineOutcome>, LoadError> {
    let outcomes = outcomes(call, answer)?;
    let mut bad = outcomes.iter().filter(|o| !(200..300).contains(&o.status));
    if let Some(first) = bad.next() {
        let error = first.error.as_ref().map(Value::to_string).unwrap_or_default();
        return Err(LoadError::Lines {
            call: call.name(),
            count: 1 + bad.count(),
            lines,
            first: format!("{} {}", first.status, wire::excerpt(error.as_bytes())),
        });
    }
    if outcomes.len() != lines {
        return Err(LoadError::Outcomes { call: call.name(), outcomes: outcomes.len(), lines });
    }
    Ok(outcomes)
}

/// Puts the catalogue on the server.
///
/// # Errors
/// [`LoadError`]: the call failed, or lines were refused.
pub async fn products(api: &Api, products: &[Product], bar: &ProgressBar) -> Result<(), LoadError> {
    for chunk in products.chunks(CHUNK) {
        let body = wire::products(chunk).map_err(LoadError::Body)?;
        let call =
            Call { path: "/v1/products:batch", body: Some(Body::Ndjson(&body)), ..Call::default() };
        all_good(&call, &api.call(call).await?, chunk.len())?;
        bar.inc(chunk.len() as u64);
    }
    Ok(())
}

/// Books the opening stock. The chunks of a run have keys of their own, so a repeated run adds
/// nothing. Returns, per SKU, whether an earlier run had booked it already; `before` is the stock
/// before this call.
///
/// # Errors
/// [`LoadError`]: the call failed, or lines were refused.
pub async fn stock(
    api: &Api,
    run_id: &str,
    stock: &[Opening],
    before: &HashMap<String, Level>,
    bar: &ProgressBar,
) -> Result<HashMap<String, bool>, LoadError> {
    let mut booked_before = HashMap::with_capacity(stock.len());
    // A movement of nothing is no movement; a scaled-down stock is full of them.
    let moving: Vec<Opening> = stock.iter().filter(|o| o.units > 0).cloned().collect();
    bar.inc((stock.len() - moving.len()) as u64);
    for (number, chunk) in moving.chunks(CHUNK).enumerate() {
        let body = wire::stock(chunk).map_err(LoadError::Body)?;
        let key = format!("{run_id}-stock-{number}");
        let call = Call {
            path: "/v1/stock:batch",
            body: Some(Body::Ndjson(&body)),
            key: Some(&key),
            ..Call::default()
        };
        let answer = api.call(call).await?;
        let outcomes = all_good(&call, &answer, chunk.len())?;
        booked_before.extend(outcomes.into_iter().filter_map(|o| o.stock).map(|booked| {
            let earlier = is_earlier(&booked, before);
            (booked.sku, earlier)
        }));
        bar.inc(chunk.len() as u64);
    }
    Ok(booked_before)
}

/// Whether a booking had been made when `before` was read: then its answer is a kept one, and tells
/// of a version that the SKU had reached by then.
fn is_earlier(booked: &Booked, before: &HashMap<String, Level>) -> bool {
    before.get(&booked.sku).is_some_and(|level| booked.version <= level.version)
}

/// Creates the customers, or finds them. Returns their ids by reference.
///
/// # Errors
/// [`LoadError`]: the call failed, or lines were refused.
pub async fn customers(
    api: &Api,
    refs: &[String],
    bar: &ProgressBar,
) -> Result<HashMap<String, String>, LoadError> {
    let mut ids = HashMap::with_capacity(refs.len());
    for chunk in refs.chunks(CHUNK) {
        let body = wire::customers(chunk).map_err(LoadError::Body)?;
        let call = Call {
            path: "/v1/customers:batch",
            body: Some(Body::Ndjson(&body)),
            ..Call::default()
        };
        let answer = api.call(call).await?;
        for outcome in all_good(&call, &answer, chunk.len())? {
            if let Some(Customer { id, external_ref: Some(external_ref) }) = outcome.customer {
                ids.insert(external_ref, id);
            }
        }
        bar.inc(chunk.len() as u64);
    }
    match refs.iter().find(|external_ref| !ids.contains_key(*external_ref)) {
        Some(missing) => Err(LoadError::Customer(missing.clone())),
        None => Ok(ids),
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::Retries;
    use super::*;

    const CALL: Call<'static> = Call {
        path: "/v1/x:batch",
        query: &[],
        body: Some(Body::Ndjson(b"")),
        key: None,
        patience: None,
    };

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, replayed: false, body: body.into(), retries: Retries::default() }
    }

    fn error(status: u16, body: &str, lines: usize) -> String {
        all_good(&CALL, &answer(status, body), lines).unwrap_err().to_string()
    }

    #[test]
    fn every_line_must_have_succeeded() {
        let good = "{\"line\":1,\"status\":200}\n{\"line\":2,\"status\":201,\"customer\":{\"id\":\"i\",\"external_ref\":\"r\",\"name\":\"n\"}}\n";
        let outcomes = all_good(&CALL, &answer(200, good), 2).unwrap();
        assert_eq!(outcomes[1].customer.as_ref().unwrap().external_ref.as_deref(), Some("r"));
        let bad = "{\"status\":200}\n{\"status\":422,\"error\":{\"code\":\"X\"}}\n{\"status\":500}";
        assert_eq!(
            error(200, bad, 3),
            r#"POST /v1/x:batch: 2 of 3 lines were refused, the first with 422 {"code":"X"}"#
        );
        assert_eq!(error(200, good, 3), "POST /v1/x:batch: 2 outcomes for 3 lines");
    }

    #[test]
    fn a_booking_that_was_made_before_is_told_from_a_new_one() {
        let answer = |version| Booked { sku: "A".into(), version };
        let level = |version| Level { on_hand: 5, available: 2, version };
        let before = |version| HashMap::from([("A".to_owned(), level(version))]);
        assert!(!is_earlier(&answer(1), &HashMap::new()), "there was no stock");
        assert!(!is_earlier(&answer(8), &before(7)));
        assert!(is_earlier(&answer(7), &before(7)));
        assert!(is_earlier(&answer(1), &before(7)));
    }

    #[test]
    fn a_refused_or_unreadable_answer_is_an_error_of_the_call() {
        assert_eq!(
            error(403, "{\"code\":\"N\"}", 1),
            "POST /v1/x:batch: answered 403: {\"code\":\"N\"}"
        );
        assert_eq!(error(200, "hello", 1), "POST /v1/x:batch: the answer cannot be read");
    }
}
