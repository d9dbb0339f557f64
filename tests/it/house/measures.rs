//! The table of metrics, the document made from it, and the code say the same.

use super::source::{Source, between, none, root, rust};
use std::collections::BTreeSet;
use std::fs;
use telemetry::{METRICS, metrics_markdown};

const DOCUMENT: &str = "docs/METRICS.md";
const INTRO: &str = "# Metrics\n\n\
    What `GET /metrics` on the private listener shows, in the text format of Prometheus. This page\n\
    is made from the table in `crates/telemetry/src/metrics_table.rs` by\n\
    `UPDATE_DOCS=1 cargo test -p orderly-tests house`; a test keeps both equal to the code.\n\n\
    Histograms have buckets and can be added up over nodes. A metric appears when it is first\n\
    measured.\n\n";

/// Names that the macros of `metrics` are given in this code; `None` for one that is not written
/// there.
fn measured(code: &str) -> Vec<Option<&str>> {
    let macros = ["counter!(", "gauge!(", "histogram!("];
    let mut found = Vec::new();
    for name in macros {
        for rest in code.split(name).skip(1) {
            let first = rest.trim_start().strip_prefix('"');
            found.push(first.and_then(|text| text.split_once('"')).map(|(name, _)| name));
        }
    }
    found
}

/// The crates that measure: all but the one that keeps the table.
fn measuring() -> Vec<(Source, String)> {
    // Of the crate that has the table, the exporter of traces measures.
    let measures = |source: &Source| {
        source.krate() != "telemetry" || source.path.starts_with("crates/telemetry/src/traces/")
    };
    let others = rust().into_iter().filter(measures);
    others
        .map(|source| {
            let code = source.code();
            (source, code)
        })
        .collect()
}

#[test]
fn the_document_of_the_metrics_is_up_to_date() {
    let wanted = format!("{INTRO}{}", metrics_markdown());
    let path = root().join(DOCUMENT);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &wanted).unwrap_or_else(|error| panic!("{DOCUMENT}: {error}"));
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == wanted,
        "{DOCUMENT} is not what the table of metrics says; make it anew with \
         `UPDATE_DOCS=1 cargo test -p orderly-tests house`"
    );
}

#[test]
fn every_metric_in_the_code_is_in_the_table() {
    let known: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    let mut found = Vec::new();
    for (source, code) in measuring() {
        for name in measured(&code) {
            match name {
                Some(name) if known.contains(name) => {}
                Some(name) => found.push(format!("{}: {name}", source.path)),
                // Its metrics have names that depend on what happened; the test below finds them.
                None if source.krate() == "resilience" => {}
                None => found.push(format!("{}: a name that is not written there", source.path)),
            }
        }
    }
    none(&found, "Metrics that have no row in crates/telemetry/src/metrics_table.rs:");
}

#[test]
fn every_metric_in_the_table_is_in_the_code() {
    let sources = measuring();
    let is_named =
        |name: &str| sources.iter().any(|(_, code)| code.contains(&format!("\"{name}\"")));
    let found: Vec<String> = METRICS
        .iter()
        .filter(|metric| !is_named(metric.name))
        .map(|metric| metric.name.to_owned())
        .collect();
    none(&found, "Nothing measures these rows of crates/telemetry/src/metrics_table.rs:");
}

#[test]
fn every_label_in_the_table_is_in_the_code() {
    let sources = measuring();
    let mut found = Vec::new();
    for metric in METRICS {
        let name = format!("\"{}\"", metric.name);
        for label in metric.labels {
            let label = format!("\"{label}\"");
            if !sources.iter().any(|(_, code)| code.contains(&name) && code.contains(&label)) {
                found.push(format!("{} with {label}", metric.name));
            }
        }
    }
    none(&found, "No file that measures these metrics names their labels:");
}

#[test]
fn names_of_metrics_are_found() {
    let code =
        "counter!(\"a_total\").increment(1); histogram!(\n    \"b_seconds\", x); gauge!(name);";
    assert_eq!(measured(code), [Some("a_total"), None, Some("b_seconds")]);
    assert_eq!(between(INTRO, "`GET ", "`").next(), Some("/metrics"));
}
