//! The invariants of the house: what `docs/ARCHITECTURE.md` promises about the code itself.
//!
//! These tests read files and start nothing.

mod access;
mod armed;
mod contract;
pub(crate) mod graph;
mod measures;
mod ops;
mod promql;
mod source;
mod sql;

use source::{Source, all_rust, between, file, files, lines_with, none, root, rust};

/// Longest file of Rust, in lines.
const LINES_MAX: usize = 500;

/// The one place that asks the operating system for the time and for ids.
const ENVIRONMENT: &str = "crates/actors/src/environment.rs";

/// Crates that handle money or units of stock, or decide about them.
const MONEY: &[&str] =
    &["bank", "catalog", "customers", "domain", "inventory", "orders", "payments", "shipping"];

#[test]
fn only_the_program_reads_the_environment() {
    let reads = [
        "env::var",
        "env::set_var",
        "env::remove_var",
        "option_env!",
        "from_env",
        "default_env",
        "dotenv",
    ];
    // `faults` asks it in test programs only: its feature `armed` is off in the product. `testbed`
    // is in tests only.
    let found = lines_with(&reads, |s| ["orderly", "faults", "testbed"].contains(&s.krate()));
    none(&found, "Settings are arguments; only crates/orderly reads the environment:");
}

#[test]
fn compile_time_variables_are_those_of_cargo() {
    let mut found = Vec::new();
    for source in rust() {
        let code = source.code();
        let odd = between(&code, "env!(", ")").filter(|name| !name.starts_with("\"CARGO_"));
        found.extend(odd.map(|name| format!("{}: env!({name})", source.path)));
    }
    none(&found, "The environment of the build does not change the product:");
}

#[test]
fn clients_of_http_do_not_take_a_proxy_from_the_environment() {
    let found: Vec<String> = rust()
        .iter()
        .filter(|source| {
            let code = source.code();
            code.contains("Client::new()")
                || (code.contains("Client::builder()") && !code.contains(".no_proxy()"))
        })
        .map(|source| source.path.clone())
        .collect();
    none(&found, "An HTTP client says `.no_proxy()`, because it would read the environment:");
}

#[test]
fn time_and_ids_are_parameters() {
    let sources = ["SystemTime::now", "Uuid::now_v", "Uuid::new_v", "Utc::now"];
    let found = lines_with(&sources, |source| source.path == ENVIRONMENT);
    none(&found, &format!("The time and ids come from {ENVIRONMENT} alone:"));
    // A log line carries the moment at which it is written; nothing decides by it.
    let found = lines_with(&["now_utc", "now_local"], |s| s.path == "crates/telemetry/src/logs.rs");
    none(&found, "Only log lines are stamped with calendar time:");
    assert!(file(ENVIRONMENT).code().contains(sources[0]), "{ENVIRONMENT} was not read");
}

#[test]
fn files_are_short() {
    let all = all_rust();
    let long = all.iter().filter(|source| source.text.lines().count() > LINES_MAX);
    let found: Vec<String> =
        long.map(|source| format!("{}: {}", source.path, source.text.lines().count())).collect();
    none(&found, &format!("A file has at most {LINES_MAX} lines:"));
}

#[test]
fn nothing_is_half_done_or_silenced() {
    // Put together here, so that this file does not find itself.
    let marks: Vec<String> = [
        ("to", "do!("),
        ("unimple", "mented!("),
        ("db", "g!("),
        ("#[ign", "ore"),
        ("#[al", "low("),
        ("#![al", "low("),
        ("FIX", "ME"),
        ("TO", "DO"),
    ]
    .map(|(head, tail)| format!("{head}{tail}"))
    .to_vec();
    let mut all = all_rust();
    all.extend(files("crates", ".sql"));
    all.extend(files("migrations", ".sql"));
    let mut found = Vec::new();
    for source in &all {
        for (number, line) in (1..).zip(source.text.lines()) {
            let marks = marks.iter().filter(|mark| line.contains(mark.as_str()));
            found.extend(marks.map(|mark| format!("{}:{number} has `{mark}`", source.path)));
        }
    }
    none(&found, "Work that is left, tests that do not run, or lints without a reason:");
}

#[test]
fn money_and_stock_are_whole_numbers() {
    let measures = ["gauge!", "histogram!", "counter!", "record(", "set("];
    let mut found = Vec::new();
    for source in rust().iter().filter(|source| MONEY.contains(&source.krate())) {
        for (number, line) in source.code_lines() {
            let is_measure = source.krate() != "domain"
                && line.contains("as f64")
                && measures.iter().any(|measure| line.contains(measure));
            if (line.contains("f64") || line.contains("f32")) && !is_measure {
                found.push(format!("{}:{number} {}", source.path, line.trim()));
            }
        }
    }
    none(&found, "No floating point number comes near money or stock:");
}

/// Folders of the project that documents speak of.
const FOLDERS: &[&str] = &[
    "chaos/",
    "crates/",
    "docs/",
    "deploy/",
    "migrations/",
    "ops/",
    "scripts/",
    "simulation/",
    "tests/",
];

#[test]
fn documents_name_files_that_exist() {
    let mut documents = files("docs", ".md");
    documents.push(file("CONTRIBUTING.md"));
    let mut found = Vec::new();
    for document in &documents {
        for path in between_ticks(document) {
            let is_pattern = path.contains(['<', '{', '*', '…', ' ']);
            let is_path = FOLDERS.iter().any(|folder| path.starts_with(folder));
            if is_path && !is_pattern && !root().join(path).exists() {
                found.push(format!("{}: {path}", document.path));
            }
        }
    }
    none(&found, "Documents speak of files that are not there:");
}

/// Everything between two back-ticks of a line.
fn between_ticks(document: &Source) -> impl Iterator<Item = &str> {
    document.text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn cargo_run_means_the_product() {
    // The workspace has a second binary, the program under test: without this line
    // `cargo run --release -- demo` would not know which one is meant.
    let manifest = file("Cargo.toml").text;
    assert!(
        manifest.contains(r#"default-members = ["crates/orderly"]"#),
        "the root Cargo.toml must say that `cargo run` means crates/orderly"
    );
}
