//! Reads expressions of Prometheus as far as needed to know which metrics and labels they name.

use std::collections::BTreeSet;
use telemetry::{Kind, METRICS};

/// Labels that Prometheus adds, or that the rules give.
const COMMON: &[&str] = &["instance", "job", "le"];
/// Words of the language that stand where a metric may stand.
const WORDS: &[&str] = &["and", "or", "unless", "bool", "offset", "inf", "nan"];
/// Words that are followed by labels in parentheses.
const BEFORE_LABELS: &[&str] = &["by", "without", "on", "ignoring", "group_left", "group_right"];
/// What Prometheus itself tells, with its labels.
const ITS_OWN: &[(&str, &[&str])] =
    &[("up", &[]), ("ALERTS", &["alertname", "alertstate", "severity", "slo"])];

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Metrics, with the labels that are asked for.
    pub(super) metrics: BTreeSet<(String, Vec<String>)>,
    /// Labels by which is grouped or joined.
    pub(super) labels: BTreeSet<String>,
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// What `expression` names. Variables of Grafana (`$x`) count as nothing.
pub(super) fn named(expression: &str) -> Named {
    let mut named = Named::default();
    let mut rest = without_texts(expression);
    let mut before_labels = false;
    while let Some(c) = rest.chars().next() {
        if c == '[' {
            rest = rest[rest.find(']').map_or(rest.len(), |at| at + 1)..].to_owned();
        } else if c == '(' && before_labels {
            let end = rest.find(')').unwrap_or(rest.len());
            let labels = rest[1..end].split(',').map(str::trim).filter(|label| !label.is_empty());
            named.labels.extend(labels.map(str::to_owned));
            rest = rest[end..].to_owned();
            before_labels = false;
        } else if is_word(c) || c == '$' {
            let end = rest[1..].find(|c| !is_word(c)).map_or(rest.len(), |at| at + 1);
            let word = rest[..end].to_owned();
            rest = rest[end..].trim_start().to_owned();
            before_labels = BEFORE_LABELS.contains(&word.as_str());
            let is_name = !before_labels
                && !WORDS.contains(&word.to_lowercase().as_str())
                && !word.starts_with(|c: char| c.is_ascii_digit() || c == '$')
                && !rest.starts_with('(');
            let follows = rest.starts_with("by ") || rest.starts_with("by(");
            if is_name && !follows {
                let labels = matchers(&mut rest);
                named.metrics.insert((word, labels));
            }
        } else {
            rest = rest[c.len_utf8()..].to_owned();
        }
    }
    named
}

/// The labels of `{…}`, if `rest` begins with it.
fn matchers(rest: &mut String) -> Vec<String> {
    let Some(inside) = rest.strip_prefix('{') else { return Vec::new() };
    let end = inside.find('}').unwrap_or(inside.len());
    let labels = inside[..end].split(',').filter_map(|one| one.split(['=', '!']).next());
    let labels = labels.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty());
    let found = labels.collect();
    *rest = inside.get(end + 1..).unwrap_or("").to_owned();
    found
}

/// The expression with every text in quotes emptied.
fn without_texts(expression: &str) -> String {
    expression
        .split('"')
        .enumerate()
        .map(|(number, part)| if number % 2 == 0 { part } else { "" })
        .collect::<Vec<_>>()
        .join("\"\"")
}

/// What is wrong with an expression: metrics that nothing measures, labels that they do not have.
/// `recorded` are the names that rules record, with the label `slo`.
pub(super) fn faults(expression: &str, recorded: &BTreeSet<String>) -> Vec<String> {
    let named = named(expression);
    let mut faults = Vec::new();
    let mut known: BTreeSet<&str> = COMMON.iter().copied().collect();
    if named.metrics.is_empty() {
        faults.push("names no metric".to_owned());
    }
    for (metric, labels) in &named.metrics {
        let allowed: Vec<&str> = if recorded.contains(metric) {
            vec!["slo"]
        } else if let Some((_, labels)) = ITS_OWN.iter().find(|(name, _)| name == metric) {
            labels.to_vec()
        } else if let Some(labels) = labels_of(metric) {
            labels
        } else {
            faults.push(format!("nothing measures {metric}"));
            continue;
        };
        known.extend(&allowed);
        let odd = labels.iter().filter(|label| {
            !allowed.contains(&label.as_str()) && !COMMON.contains(&label.as_str())
        });
        faults.extend(odd.map(|label| format!("{metric} has no label {label}")));
    }
    let odd = named.labels.iter().filter(|label| !known.contains(label.as_str()));
    faults.extend(odd.map(|label| format!("no metric of it has the label {label}")));
    faults
}

/// The labels of a metric as Prometheus names it: a histogram is three of them.
fn labels_of(name: &str) -> Option<Vec<&'static str>> {
    METRICS
        .iter()
        .find(|metric| match metric.kind {
            Kind::Histogram => ["_bucket", "_count", "_sum"]
                .iter()
                .any(|ending| name.strip_suffix(ending) == Some(metric.name)),
            Kind::Counter | Kind::Gauge => metric.name == name,
        })
        .map(|metric| metric.labels.to_vec())
}

#[test]
fn metrics_and_labels_of_an_expression_are_found() {
    let found = named(
        "histogram_quantile(0.99, sum by (actor, le) (rate(actor_handling_seconds_bucket{actor=~\"a.b\", \
         job!=\"x\"}[$__rate_interval]))) > 1 and on (slo) up offset 5m",
    );
    let labels = vec!["actor".to_owned(), "job".to_owned()];
    let metrics = [("actor_handling_seconds_bucket".to_owned(), labels), ("up".to_owned(), vec![])];
    assert_eq!(found.metrics, BTreeSet::from(metrics));
    let labels = ["actor", "le", "slo"].map(str::to_owned);
    assert_eq!(found.labels, BTreeSet::from(labels));
    let sums = named("sum(rate(orders_total[5m])) by (outcome)");
    assert_eq!(sums.metrics, BTreeSet::from([("orders_total".to_owned(), vec![])]));
    assert_eq!(sums.labels, BTreeSet::from(["outcome".to_owned()]));
}

#[test]
fn what_an_expression_may_not_name_is_found() {
    let recorded = BTreeSet::from(["slo:error_budget".to_owned()]);
    let good = "sum by (outcome) (rate(orders_total{outcome=\"x\",instance=\"y\"}[5m])) > 0";
    assert_eq!(faults(good, &recorded), Vec::<String>::new());
    assert_eq!(faults("slo:error_budget{slo=\"x\"} > 1", &recorded), Vec::<String>::new());
    assert_eq!(faults("rate(order_total[5m])", &recorded), ["nothing measures order_total"]);
    // A histogram is not read by its bare name.
    assert_eq!(faults("rate(audit_seconds[5m])", &recorded), ["nothing measures audit_seconds"]);
    assert_eq!(
        faults("sum by (actor) (orders_total{colour=\"red\"})", &recorded),
        ["orders_total has no label colour", "no metric of it has the label actor"]
    );
    assert_eq!(faults("1 + 1", &recorded), ["names no metric"]);
}
