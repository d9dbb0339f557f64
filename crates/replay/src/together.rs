//! Compares what the server says is bought together with the file's own figures.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;

use super::checks::{Check, Evidence};
use super::client::{Api, ApiError, Call};
use super::expected::{Companion, Expected, Pair};
use crate::ReplayOptions;

/// How long the server may take to count the last orders.
const COUNT_FOR: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Companions of a SKU that are compared.
const COMPANIONS: usize = 5;
/// A lift of two digits after the point may be off by half of the second.
const LIFT_OFF_MAX: f64 = 0.005;

/// The answer about one SKU.
#[derive(Debug, Deserialize)]
struct Together {
    data: Vec<Row>,
    degraded: bool,
}

#[derive(Debug, Deserialize)]
struct Row {
    sku: String,
    score: f64,
    orders: u64,
}

/// The figures to compare with: if the file has them, all of its orders were sent, none was made
/// impossible, and the server has no others.
pub(super) fn wanted<'a>(
    options: &'a ReplayOptions,
    evidence: &Evidence<'_>,
) -> Option<&'a Expected> {
    let expected = options.expected.as_ref()?;
    let is_whole = options.stock_scale.is_none()
        && options.limit.is_none_or(|limit| limit as u64 == expected.totals.orders);
    let before = evidence.audit_before.figures().unwrap_or_default();
    let was_empty = before.values().all(|sums| sums.orders_total == 0);
    let has_figures =
        !expected.top_20_pairs.is_empty() || !expected.top_5_companions_of_top_10_skus.is_empty();
    (has_figures && is_whole && (was_empty || evidence.tally.is_repetition())).then_some(expected)
}

/// Compares, and waits for the server, which counts a little later than it sells.
pub(super) async fn checks(
    api: &Api,
    expected: &Expected,
    checks: &mut Vec<Check>,
) -> Result<(), ApiError> {
    let mut waited = Duration::ZERO;
    loop {
        let found = compare(expected, &read(api, expected).await?);
        if waited >= COUNT_FOR || found.iter().all(|check| check.ok) {
            checks.extend(found);
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        waited += LOOK_AGAIN;
    }
}

async fn read(api: &Api, expected: &Expected) -> Result<BTreeMap<String, Together>, ApiError> {
    let of_pairs = expected.top_20_pairs.iter().map(|pair| &pair.a);
    let skus: BTreeSet<&String> =
        expected.top_5_companions_of_top_10_skus.keys().chain(of_pairs).collect();
    let mut found = BTreeMap::new();
    for sku in skus {
        let path = format!("/v1/products/{}/recommendations", path_segment(sku));
        let call = Call { path: &path, query: &[("limit", "100")], ..Call::default() };
        found.insert(sku.clone(), api.read(call).await?);
    }
    Ok(found)
}

/// A SKU in a path: everything but letters, digits and `-_.` in hex.
fn path_segment(sku: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    sku.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect()
}

fn compare(expected: &Expected, found: &BTreeMap<String, Together>) -> Vec<Check> {
    let nothing = Together { data: Vec::new(), degraded: true };
    let of = |sku: &String| found.get(sku).unwrap_or(&nothing);
    let degraded = found.iter().filter(|(_, together)| together.degraded);
    let degraded: Vec<String> = degraded.map(|(sku, _)| sku.clone()).collect();
    let wanted = expected.top_5_companions_of_top_10_skus.iter();
    let companions: Vec<String> =
        wanted.filter_map(|(sku, wanted)| other_companions(sku, wanted, of(sku))).collect();
    let with = |pair: &Pair| of(&pair.a).data.iter().find(|row| row.sku == pair.b);
    let pairs = &expected.top_20_pairs;
    let counts = pairs.iter().filter_map(|pair| {
        let orders = with(pair).map_or(0, |row| row.orders);
        let story = || format!("{} and {}: {orders}, not {}", pair.a, pair.b, pair.orders);
        (orders != pair.orders).then(story)
    });
    let lifts = pairs.iter().filter_map(|pair| {
        let lift = with(pair).map_or(0.0, |row| row.score);
        let story = || format!("{} and {}: {lift}, not {}", pair.a, pair.b, pair.lift);
        ((lift - pair.lift).abs() > LIFT_OFF_MAX).then(story)
    });
    let none = |name: &str, offenders: Vec<String>| {
        let first: Vec<String> = offenders.iter().take(3).cloned().collect();
        Check::none(name, offenders.len(), &first)
    };
    vec![
        none("SKUs whose recommendations are degraded", degraded),
        none("SKUs bought together with other ones than in the file", companions),
        none("pairs of SKUs in another number of orders than in the file", counts.collect()),
        none("pairs of SKUs with another lift than in the file", lifts.collect()),
    ]
}

/// What differs, if anything does. Ties are by SKU, as in the file.
fn other_companions(sku: &str, wanted: &[Companion], together: &Together) -> Option<String> {
    let mut rows: Vec<(&str, u64)> =
        together.data.iter().map(|row| (row.sku.as_str(), row.orders)).collect();
    rows.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    rows.truncate(COMPANIONS);
    let wanted: Vec<(&str, u64)> =
        wanted.iter().map(|companion| (companion.sku.as_str(), companion.orders)).collect();
    (rows != wanted).then(|| format!("{sku}: {rows:?}, not {wanted:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn expected() -> Expected {
        let sums = json!({"orders": 9, "lines": 9, "units": 9, "gross_minor": 9,
            "discount_minor": 0, "total_minor": 9, "customers": 1, "skus": 3});
        let text = json!({"totals": sums,
            "top_20_pairs": [{"a": "TEA", "b": "CUP", "orders": 3, "lift": 1.504}],
            "top_5_companions_of_top_10_skus":
                {"TEA": [{"sku": "CUP", "orders": 3}, {"sku": "POT", "orders": 1}]}});
        Expected::parse("expected.json", text.to_string().as_bytes()).unwrap()
    }

    fn answer(rows: serde_json::Value, degraded: bool) -> BTreeMap<String, Together> {
        let answer = json!({"data": rows, "degraded": degraded});
        BTreeMap::from([("TEA".to_owned(), serde_json::from_value(answer).unwrap())])
    }

    fn failed(found: &BTreeMap<String, Together>) -> Vec<usize> {
        let checks = compare(&expected(), found);
        (0..checks.len()).filter(|index| !checks[*index].ok).collect()
    }

    #[test]
    fn the_same_figures_pass_and_every_difference_is_found() {
        let rows = |cups: u64, lift: f64, other: &str| {
            json!([{"sku": "CUP", "orders": cups, "score": lift},
                {"sku": other, "orders": 1, "score": 1.0}])
        };
        assert_eq!(failed(&answer(rows(3, 1.5, "POT"), false)), [] as [usize; 0]);
        assert_eq!(failed(&answer(rows(3, 1.5, "POT"), true)), [0]);
        assert_eq!(failed(&answer(rows(3, 1.5, "MUG"), false)), [1]);
        assert_eq!(failed(&answer(rows(4, 1.5, "POT"), false)), [1, 2]);
        assert_eq!(failed(&answer(rows(3, 1.51, "POT"), false)), [3]);
        assert_eq!(failed(&answer(json!([]), false)), [1, 2, 3]);
        assert_eq!(failed(&BTreeMap::new()), [1, 2, 3]);
    }

    #[test]
    fn a_sku_is_written_so_that_it_stays_one_segment() {
        assert_eq!(path_segment("a/b ü"), "a%2Fb%20%C3%BC");
        assert_eq!(path_segment("P-1_2.3"), "P-1_2.3");
    }
}
