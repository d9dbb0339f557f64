//! What was released is kept: clients of the last release go on working.
//!
//! `contract/` holds the last released OpenAPI document. Whatever a client of it relies on is there
//! in the document of now, or a line of `contract/accepted.txt` says why not.

#[path = "contract/compare.rs"]
mod compare;
#[path = "contract/compare_tests.rs"]
mod compare_tests;
#[path = "contract/schema.rs"]
mod schema;

use super::source::{file, none, root};
use compare::breaks;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

const RELEASED: &str = "contract/openapi.json";
const ACCEPTED: &str = "contract/accepted.txt";

/// The document of this program.
fn current() -> Value {
    serde_json::to_value(gateway::openapi()).unwrap()
}

/// Breaking changes that were decided on: the line of a finding, then ` # ` and why.
fn accepted() -> BTreeSet<String> {
    let text = file(ACCEPTED).text;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let reasons = lines.map(|line| {
        let (finding, reason) = line.split_once(" # ").unwrap_or((line, ""));
        assert!(!reason.trim().is_empty(), "{ACCEPTED}: why is this accepted? {line}");
        finding.trim().to_owned()
    });
    reasons.collect()
}

#[test]
fn clients_of_the_last_release_go_on_working() {
    let current = current();
    if std::env::var_os("RELEASE_CONTRACT").is_some() {
        let text = serde_json::to_string_pretty(&current).unwrap() + "\n";
        fs::write(root().join(RELEASED), text).unwrap();
    }
    let released: Value = serde_json::from_str(&file(RELEASED).text).unwrap();
    let operations = released["paths"].as_object().map_or(0, serde_json::Map::len);
    assert!(operations > 20, "{RELEASED} was not read: {operations} paths");
    let found = breaks(&released, &current);
    let accepted = accepted();
    let new: Vec<String> = found.difference(&accepted).cloned().collect();
    none(
        &new,
        "Clients of the last release break. Keep what they rely on, or accept it with its reason in \
         contract/accepted.txt (docs/RELEASING.md):",
    );
    let gone: Vec<String> = accepted.difference(&found).cloned().collect();
    none(&gone, "Lines of contract/accepted.txt that break nothing (any more):");
}
