//! Fault points, planted bugs and the state graph: lists that must be what the code does.

use super::source::{between, file, none, root, rust};
use std::collections::BTreeSet;

/// The names that the code gives to `call`, such as `faults::point(`.
fn names_in_code(call: &str) -> BTreeSet<String> {
    let sources = rust();
    let mut names = BTreeSet::new();
    for source in sources.iter().filter(|source| source.krate() != "faults") {
        let code = source.text.replace(char::is_whitespace, "");
        names.extend(between(&code, &format!("{call}(\""), "\"").map(str::to_owned));
    }
    names
}

fn differences(code: &BTreeSet<String>, list: &BTreeSet<String>) -> Vec<String> {
    let unlisted = code.difference(list).map(|name| format!("{name} is not in the list"));
    unlisted.chain(list.difference(code).map(|name| format!("{name} is nowhere"))).collect()
}

#[test]
fn every_fault_point_is_in_the_list_and_in_the_code() {
    let list = faults::POINTS.iter().map(|name| (*name).to_owned()).collect();
    none(&differences(&names_in_code("faults::point"), &list), "crates/faults/src/list.rs:");
}

#[test]
fn every_planted_bug_is_in_the_list_and_in_the_code() {
    let list: BTreeSet<String> = faults::BUGS.iter().map(|bug| bug.name.to_owned()).collect();
    assert_eq!(list.len(), faults::BUGS.len(), "a bug is listed twice");
    none(&differences(&names_in_code("faults::planted"), &list), "crates/faults/src/list.rs:");
}

/// A released program has neither: nothing but test packages switches the feature on.
#[test]
fn only_tests_are_armed() {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(root().join("crates")).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        let manifest = file(&format!("crates/{name}/Cargo.toml"));
        let product = manifest.text.split("[dev-dependencies]").next().unwrap_or_default();
        if name != "faults" && product.contains("armed") {
            found.push(manifest.path);
        }
    }
    none(&found, "The product is never armed:");
}

#[test]
fn the_state_graph_in_the_documents_is_that_of_the_code() {
    let path = "docs/ORDERS.md";
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    let (before, rest) = text.split_once("```mermaid\n").expect("a diagram");
    let (drawn, after) = rest.split_once("```").expect("the end of the diagram");
    let graph = domain::state_graph_mermaid();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let text = format!("{before}```mermaid\n{graph}```{after}");
        std::fs::write(root().join(path), text).unwrap();
    } else {
        assert_eq!(drawn, graph, "{path}: run with UPDATE_DOCS=1 to draw it again");
    }
}
