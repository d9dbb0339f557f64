//! The crate graph is the topology of the shop.

use super::source::{Source, file, files, lines_with, none, rust};
use std::collections::{BTreeMap, BTreeSet};

/// Which crate of ours may name which: the whole graph, and nothing else. `orderly` names all.
pub(crate) const ARROWS: &[(&str, &[&str])] = &[
    // The rules stand on nothing.
    ("domain", &[]),
    // Fault points and planted bugs, empty in the product: wherever something can go wrong.
    ("faults", &[]),
    // Guards and measures know neither orders nor actors.
    ("resilience", &[]),
    ("telemetry", &[]),
    ("topology", &[]),
    // What an order costs, worked out by plain code.
    ("pricing", &["domain"]),
    // Both are given the time and ids through the domain's `Clock` and `IdSource`; the store also
    // writes the domain's events.
    ("actors", &["domain", "faults"]),
    ("store", &["domain", "faults", "topology"]),
    // For tests alone: databases of a test's own, and a log to read.
    ("testbed", &["domain", "store"]),
    // A third party: it speaks HTTP to us and shares no more than money and ids.
    ("bank", &["domain"]),
    // The client side: a shop's files placed through the API; how fast that goes.
    ("replay", &["domain"]),
    ("bench", &["replay"]),
    ("import", &["replay"]),
    // It asks Prometheus and knows nothing of the shop but the names of metrics.
    ("gate", &[]),
    // The log's readers are actors that work on transactions.
    ("broker", &["actors", "domain", "faults", "store", "topology"]),
    ("catalog", &["actors", "domain", "pricing", "store", "topology"]),
    ("customers", &["actors", "domain", "store", "topology"]),
    ("flags", &["actors", "domain", "store", "topology"]),
    ("inventory", &["actors", "domain", "faults", "store", "topology"]),
    // Who pays is the user service's to say; what leaves the process goes through the guards.
    ("payments", &["actors", "customers", "domain", "faults", "resilience", "store", "topology"]),
    // An order needs a price, goods and money; which engine works its price out is a flag's to say.
    (
        "orders",
        &[
            "actors",
            "catalog",
            "domain",
            "faults",
            "flags",
            "inventory",
            "payments",
            "pricing",
            "store",
            "topology",
        ],
    ),
    // Consumers of the log. What is on sale is told to recommendations by a function that
    // `orderly` gives it, so it does not name the catalogue.
    ("recommendations", &["broker", "domain", "store", "topology"]),
    ("shipping", &["broker", "domain", "store"]),
    // HTTP in front of the services' handles; the answers that it makes are kept by the store.
    (
        "gateway",
        &[
            "actors",
            "broker",
            "catalog",
            "customers",
            "domain",
            "flags",
            "inventory",
            "orders",
            "payments",
            "pricing",
            "recommendations",
            "store",
            "topology",
        ],
    ),
];

/// Dependencies that would tie the code to a runtime, a socket or chance.
const NOT_IN_DOMAIN: &[&str] = &[
    "actix",
    "actix-web",
    "async-trait",
    "futures-util",
    "metrics",
    "rand",
    "reqwest",
    "sqlx",
    "tokio",
    "tokio-util",
    "tracing",
];

/// Other people's crates that only some of ours may name.
const RESERVED: &[(&str, &[&str])] = &[
    ("actix-web", &["bank", "gateway"]),
    // Settings come in through the command line of the one program.
    ("clap", &["orderly"]),
    // Who calls out: to the provider, to its caller's webhook, and the commands that speak to a
    // server.
    ("reqwest", &["bank", "gate", "orderly", "payments", "replay", "telemetry"]),
    // The bench makes and drops databases and asks the server what it did.
    ("sqlx", &["bench", "store"]),
    ("tracing-subscriber", &["telemetry"]),
    ("metrics-exporter-prometheus", &["telemetry"]),
];

/// Names in a section of a manifest.
fn section<'a>(manifest: &'a str, name: &str) -> BTreeSet<&'a str> {
    let head = format!("[{name}]");
    let lines = manifest.lines().skip_while(|line| *line != head).skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .collect()
}

fn manifests() -> Vec<Source> {
    let mut manifests = files("crates", "Cargo.toml");
    manifests.retain(|manifest| manifest.path.matches('/').count() == 2);
    manifests
}

#[test]
fn the_crates_name_each_other_along_the_arrows_only() {
    let manifests = manifests();
    let ours: BTreeSet<&str> = manifests.iter().map(Source::krate).collect();
    let arrows: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    let mut found = Vec::new();
    for manifest in &manifests {
        let name = manifest.krate();
        let has: BTreeSet<&str> =
            section(&manifest.text, "dependencies").intersection(&ours).copied().collect();
        if name == "orderly" {
            // Nothing is started in these.
            let rest = ours.difference(&has);
            let rest = rest.filter(|to| ![name, "faults", "pricing", "testbed"].contains(to));
            found.extend(rest.map(|to| format!("{name} does not start {to}")));
            continue;
        }
        let Some(may) = arrows.get(name) else {
            found.push(format!("{name} has no row in the table of arrows"));
            continue;
        };
        found.extend(has.difference(may).map(|to| format!("{name} names {to}")));
        found.extend(may.difference(&has).map(|to| format!("{name} does not name {to} any more")));
    }
    found.extend(
        arrows.keys().filter(|from| !ours.contains(*from)).map(|n| format!("no crate {n}")),
    );
    none(&found, "The crate graph is not the one of this test and of docs/ARCHITECTURE.md:");
}

#[test]
fn a_dependency_on_a_crate_of_ours_is_used() {
    let ours: Vec<String> = manifests().iter().map(|m| m.krate().to_owned()).collect();
    let sources = rust();
    let mut found = Vec::new();
    for manifest in manifests() {
        let name = manifest.krate();
        let own = || sources.iter().filter(|source| source.krate() == name);
        for to in section(&manifest.text, "dependencies") {
            let named = format!("{to}::");
            if ours.iter().any(|crate_name| crate_name == to)
                && !own().any(|source| source.code().contains(&named))
            {
                found.push(format!("{name} depends on {to} without naming it"));
            }
        }
    }
    none(&found, "An arrow of the crate graph that no code goes along:");
}

#[test]
fn services_see_no_service_against_the_arrows_in_their_tests_either() {
    let services =
        ["catalog", "customers", "inventory", "payments", "orders", "gateway", "orderly"];
    let mut found = Vec::new();
    for manifest in manifests() {
        let has = section(&manifest.text, "dev-dependencies");
        let wrong = services.iter().filter(|service| has.contains(**service));
        found.extend(wrong.map(|to| format!("{} is tested with {to}", manifest.krate())));
    }
    none(&found, "A crate is tested with a service that it may not know:");
}

#[test]
fn the_domain_is_plain_code() {
    let manifest = file("crates/domain/Cargo.toml");
    let has = section(&manifest.text, "dependencies");
    assert!(has.contains("serde"), "the dependencies of the domain were not read");
    let found: Vec<String> =
        NOT_IN_DOMAIN.iter().filter(|name| has.contains(**name)).map(|n| (*n).to_owned()).collect();
    none(&found, "The domain has neither async nor I/O nor chance, but it depends on:");
    let elsewhere = |source: &Source| source.krate() != "domain";
    let found = lines_with(&["async fn", "async move", ".await", "std::fs", "std::net"], elsewhere);
    none(&found, "The domain has neither async nor I/O:");
}

#[test]
fn some_crates_of_others_are_for_few_of_ours() {
    let mut found = Vec::new();
    for manifest in manifests() {
        let has = section(&manifest.text, "dependencies");
        for (dependency, may) in RESERVED {
            if has.contains(dependency) && !may.contains(&manifest.krate()) {
                found.push(format!("{} depends on {dependency}", manifest.krate()));
            }
        }
    }
    none(&found, "A dependency that is reserved for other crates (see the table in this test):");
}

#[test]
fn actix_actors_are_made_safe_in_one_crate() {
    let found = lines_with(
        &["do_send", "actix::Supervisor", "actix::prelude", "impl Actor for", "Actor for "],
        |source| source.krate() == "actors",
    );
    none(&found, "Actors are started and written to through the crate `actors` only:");
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let mut all = manifests();
    all.extend(["chaos", "simulation", "tests"].map(|name| file(&format!("{name}/Cargo.toml"))));
    let found: Vec<String> = all
        .iter()
        .filter(|manifest| !manifest.text.contains("[lints]\nworkspace = true"))
        .map(|manifest| manifest.path.clone())
        .collect();
    none(&found, "`[lints] workspace = true` is missing in:");
}

#[test]
fn a_manifest_is_read_by_section() {
    let text = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\n\
                b = { path = \"b\" }\n\n# c\n[dev-dependencies]\nd.workspace = true\n";
    assert_eq!(section(text, "dependencies"), BTreeSet::from(["a", "b"]));
    assert_eq!(section(text, "dev-dependencies"), BTreeSet::from(["d"]));
    assert!(section(text, "build-dependencies").is_empty());
}
