//! What operators run says the same as the code: rules, dashboards, the run book.

use super::promql::faults;
use super::source::{Source, file, files, none, root};
use domain::PARTITIONS;
use gate::{SIGNALS, Scope};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use telemetry::{SLOS, Speed, slo_rules};

const SLO_RULES: &str = "ops/prometheus/rules/slo.yml";
const RUN_BOOK: &str = "docs/OPERATIONS.md";

fn rules() -> Vec<Source> {
    files("ops/prometheus/rules", ".yml")
}

/// The values of a key in a file of rules; a value that goes on below (`|`) is put together.
fn values(rules: &Source, key: &str) -> Vec<String> {
    let lines: Vec<&str> = rules.text.lines().collect();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let entry = line.trim_start().trim_start_matches("- ");
        let Some(value) = entry.strip_prefix(&format!("{key}: ")) else { continue };
        if value != "|" {
            found.push(value.to_owned());
            continue;
        }
        let below = lines[number + 1..].iter();
        let block = below.take_while(|line| line.len() - line.trim_start().len() > indent);
        found.push(block.map(|line| line.trim()).collect::<Vec<_>>().join(" "));
    }
    found
}

fn all_values(key: &str) -> Vec<String> {
    rules().iter().flat_map(|rules| values(rules, key)).collect()
}

/// Names that the rules record.
fn recorded() -> BTreeSet<String> {
    all_values("record").into_iter().collect()
}

#[test]
fn the_rules_of_the_objectives_are_those_of_the_table() {
    let wanted = slo_rules(Speed(1));
    let path = root().join(SLO_RULES);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &wanted).unwrap_or_else(|error| panic!("{SLO_RULES}: {error}"));
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == wanted,
        "{SLO_RULES} is not what the table of objectives says; make it anew with \
         `UPDATE_DOCS=1 cargo test -p orderly-tests --test it house`"
    );
}

#[test]
fn rules_name_metrics_and_labels_that_are_there() {
    let recorded = recorded();
    let mut found = Vec::new();
    let expressions = all_values("expr");
    assert!(expressions.len() > 50, "the rules were not read: {expressions:?}");
    for expression in &expressions {
        // The budget of an objective is a number.
        if expression.starts_with("vector(") {
            continue;
        }
        let faults = faults(expression, &recorded).into_iter();
        found.extend(faults.map(|fault| format!("{fault}: {expression}")));
    }
    none(&found, "Rules of Prometheus that name what is not there:");
}

#[test]
fn every_alert_has_a_chapter_of_the_run_book_and_every_chapter_an_alert() {
    let book = file(RUN_BOOK);
    let alerts: BTreeSet<String> = all_values("alert").into_iter().collect();
    let chapters: BTreeSet<String> = book
        .text
        .lines()
        .skip_while(|line| *line != "## Alerts")
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("### "))
        .map(str::to_owned)
        .collect();
    assert_eq!(alerts, chapters, "left: alerts of the rules; right: chapters of {RUN_BOOK}");
    let links: BTreeSet<String> = all_values("runbook").into_iter().collect();
    let wanted = alerts.iter().map(|name| format!("{RUN_BOOK}#{}", name.to_lowercase()));
    assert_eq!(links, wanted.collect());
    for severity in all_values("labels").iter().filter(|labels| labels.contains("severity")) {
        assert!(
            ["{severity: page}", "{severity: ticket}"].contains(&severity.as_str()),
            "{severity}"
        );
    }
}

#[test]
fn the_run_book_names_every_objective() {
    let book = file(RUN_BOOK);
    let missing = SLOS.iter().filter(|slo| !book.text.contains(&format!("`{}`", slo.name)));
    let found: Vec<String> = missing.map(|slo| slo.name.to_owned()).collect();
    none(&found, "Objectives that docs/OPERATIONS.md does not speak of:");
}

#[test]
fn the_rules_know_the_number_of_partitions() {
    let alerts = file("ops/prometheus/rules/alerts.yml").text;
    assert!(alerts.contains(&format!("sum(recovery_partitions) < {PARTITIONS}\n")));
}

/// Every query of a dashboard, with the title of its panel.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut left: Vec<&Value> = dashboard["panels"].as_array().into_iter().flatten().collect();
    while let Some(panel) = left.pop() {
        left.extend(panel["panels"].as_array().into_iter().flatten());
        for target in panel["targets"].as_array().into_iter().flatten() {
            let title = panel["title"].as_str().unwrap_or_default().to_owned();
            found.push((title, target["expr"].as_str().unwrap_or_default().to_owned()));
        }
    }
    found
}

#[test]
fn dashboards_ask_for_metrics_and_labels_that_are_there() {
    let recorded = recorded();
    let mut found = Vec::new();
    let mut ids = BTreeSet::new();
    let dashboards = files("ops/grafana/dashboards", ".json");
    let names: Vec<&str> = dashboards.iter().map(Source::stem).collect();
    assert_eq!(names, ["actors", "database", "orders", "overview", "payments", "slo"]);
    for source in &dashboards {
        let dashboard: Value = serde_json::from_str(&source.text)
            .unwrap_or_else(|error| panic!("{}: {error}", source.path));
        let id = dashboard["uid"].as_str().unwrap_or_default().to_owned();
        assert!(!id.is_empty() && ids.insert(id), "{} needs an uid of its own", source.path);
        let queries = queries(&dashboard);
        assert!(queries.len() >= 6, "{} shows little", source.path);
        for (title, query) in queries {
            let faults = faults(&query, &recorded).into_iter();
            found.extend(faults.map(|fault| format!("{} '{title}': {fault}", source.path)));
        }
        let panels = dashboard["panels"].as_array().cloned().unwrap_or_default();
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            let says = panel["description"].as_str().is_some_and(|text| !text.is_empty());
            let title = &panel["title"];
            assert!(says, "{} {title}: a panel says what it shows", source.path);
            assert_eq!(panel["datasource"]["uid"], "prometheus", "{} {title}", source.path);
        }
    }
    none(&found, "Panels that ask for what is not there:");
}

#[test]
fn the_release_gate_asks_for_metrics_and_labels_that_are_there() {
    let scope = Scope { select: String::new(), release: Some("1.0.0".to_owned()) };
    let mut found = Vec::new();
    for signal in SIGNALS {
        let asked = scope.questions(signal, 60);
        for query in [asked.value, asked.samples] {
            let faults = faults(&query, &BTreeSet::new()).into_iter();
            found.extend(faults.map(|fault| format!("{}: {fault}", signal.name)));
        }
    }
    none(&found, "Signals of the release gate that are made of what is not there:");
}
