//! Whose table is it, and is everything there in both dialects?

use super::source::{Source, between, file, files, none, rust};
use std::collections::{BTreeMap, BTreeSet};

/// Who owns each table.
const OWNERS: &[(&str, &str)] = &[
    ("answer", "store"),
    ("event", "store"),
    ("lease", "store"),
    ("consumer_position", "broker"),
    ("parked_event", "broker"),
    ("coupon_count", "catalog"),
    ("coupon_use", "catalog"),
    ("flag", "flags"),
    ("flag_change", "flags"),
    ("list_price", "catalog"),
    ("price_rule", "catalog"),
    ("product", "catalog"),
    ("account", "customers"),
    ("api_key", "customers"),
    ("customer", "customers"),
    ("customer_address", "customers"),
    ("refresh_token", "customers"),
    ("session", "customers"),
    ("signing_key", "customers"),
    ("reservation", "inventory"),
    ("stock", "inventory"),
    ("stock_adjustment", "inventory"),
    ("stock_at", "inventory"),
    ("stock_location", "inventory"),
    ("stock_movement", "inventory"),
    ("payment", "payments"),
    ("payment_operation", "payments"),
    ("provider_event", "payments"),
    ("orders", "orders"),
    ("pricing_mismatch", "orders"),
    ("shipment", "shipping"),
];

/// Tables that no query names any more. They stay until no program runs that does; a later migration
/// drops them.
const RETIRED: &[&str] = &["basket", "basket_item"];

/// Who may read a table without owning it. The broker looks into the log for what its groups have
/// not passed yet; it takes the events themselves from the store.
const READERS: &[(&str, &str)] = &[("event", "broker")];

/// The lower-case words of a statement without its comments and texts.
fn words(sql: &str) -> Vec<String> {
    let code: Vec<&str> = sql.lines().filter_map(|line| line.split("--").next()).collect();
    let code = code.join("\n");
    let unquoted: Vec<&str> = code.split('\'').step_by(2).collect();
    unquoted
        .join(" ")
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Names after the words that are followed by a table, each with that word.
fn tables_in(sql: &str) -> Vec<(String, String)> {
    let words = words(sql);
    let fillers = ["if", "not", "exists", "only", "lateral"];
    let mut found = Vec::new();
    for (place, word) in words.iter().enumerate() {
        if ["from", "join", "into", "update", "table", "using"].contains(&word.as_str()) {
            let next = words[place + 1..].iter().find(|word| !fillers.contains(&word.as_str()));
            found.extend(next.map(|name| (word.clone(), name.clone())));
        }
    }
    found
}

/// What the product asks its database. The scripts of the bench's rival are no part of it: they have
/// tables of their own in a database of their own, on Postgres alone.
fn queries() -> Vec<Source> {
    let mut queries = files("crates", ".sql");
    queries.retain(|source| source.krate() != "bench");
    queries
}

fn dialect(source: &Source) -> &str {
    let mut parts = source.path.rsplit('/');
    parts.next();
    parts.next().unwrap_or("")
}

fn migrations(dialect: &str) -> Vec<Source> {
    files(&format!("migrations/{dialect}"), ".sql")
}

fn created(migrations: &[Source]) -> BTreeSet<String> {
    let text: Vec<&str> = migrations.iter().map(|source| source.text.as_str()).collect();
    let tables = tables_in(&text.join("\n")).into_iter();
    tables.filter(|(word, _)| word == "table").map(|(_, name)| name).collect()
}

#[test]
fn only_the_owner_of_a_table_names_it() {
    let owners: BTreeMap<&str, &str> = OWNERS.iter().copied().collect();
    let mut found = Vec::new();
    let mut named = BTreeSet::new();
    for source in queries() {
        for (word, table) in tables_in(&source.text) {
            if RETIRED.contains(&table.as_str()) {
                found.push(format!("{} names {table}, which is retired", source.path));
            }
            let Some(owner) = owners.get(table.as_str()) else { continue };
            let reads = READERS.contains(&(table.as_str(), source.krate()))
                && ["from", "join"].contains(&word.as_str());
            if *owner != source.krate() && !reads {
                found.push(format!("{} names {table}, which is {owner}'s", source.path));
            }
            named.insert(table);
        }
    }
    none(&found, "A table is named in SQL by the service that owns it alone:");
    let unused: Vec<String> =
        owners.keys().filter(|table| !named.contains(**table)).map(|t| (*t).to_owned()).collect();
    none(&unused, "No query names these tables:");
}

#[test]
fn every_table_has_an_owner_and_is_in_both_dialects() {
    let owned = OWNERS.iter().map(|(table, _)| *table).chain(RETIRED.iter().copied());
    let owned: BTreeSet<String> = owned.map(str::to_owned).collect();
    for dialect in ["postgres", "sqlite"] {
        let made = created(&migrations(dialect));
        let odd: Vec<String> = made.symmetric_difference(&owned).cloned().collect();
        none(&odd, &format!("The {dialect} migrations and the table of owners differ in:"));
    }
}

#[test]
fn migrations_are_the_same_in_both_dialects_and_in_the_program() {
    let names = |dialect| -> Vec<String> {
        migrations(dialect).iter().map(|source| source.stem().to_owned()).collect()
    };
    let postgres = names("postgres");
    assert_eq!(postgres, names("sqlite"), "Migrations have the same numbers and names.");
    let program = file("crates/store/src/migrate.rs").code();
    for (number, name) in (1..).zip(&postgres) {
        assert!(name.starts_with(&format!("{number:04}_")), "{name}: the next is {number:04}");
        for dialect in ["postgres", "sqlite"] {
            let path = format!("migrations/{dialect}/{name}.sql");
            assert!(program.contains(&path), "the program does not know {path}");
        }
    }
}

#[test]
fn no_column_holds_a_broken_number() {
    let mut found = Vec::new();
    for dialect in ["postgres", "sqlite"] {
        for source in migrations(dialect) {
            let broken = ["real", "double", "float", "float4", "float8", "numeric", "decimal"];
            let odd = words(&source.text).into_iter().filter(|w| broken.contains(&w.as_str()));
            found.extend(odd.map(|word| format!("{}: {word}", source.path)));
        }
    }
    none(&found, "Money and units are whole numbers:");
}

#[test]
fn every_query_is_in_both_dialects_and_in_use() {
    let mut files: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for source in queries() {
        let key = (source.krate().to_owned(), source.stem().to_owned());
        files.entry(key).or_default().insert(dialect(&source).to_owned());
    }
    let mut used = BTreeSet::new();
    for source in rust() {
        for name in between(&source.code(), "statement!(\"", "\"") {
            used.insert((source.krate().to_owned(), name.to_owned()));
        }
    }
    let mut found = Vec::new();
    for (key, dialects) in &files {
        if dialects.len() != 2 {
            found.push(format!("{}: {} is for {dialects:?} only", key.0, key.1));
        }
        if !used.contains(key) {
            found.push(format!("{}: nothing uses {}.sql", key.0, key.1));
        }
    }
    let missing = used.iter().filter(|key| !files.contains_key(*key));
    found.extend(missing.map(|(krate, name)| format!("{krate}: there is no {name}.sql")));
    none(&found, "A query is a pair of files that a `statement!` of its crate names:");
}

#[test]
fn tables_are_found_where_a_statement_names_them() {
    let sql = "-- from nobody\nWITH a AS (SELECT 'from text' FROM stock)\nINSERT INTO \"orders\" (x)\n\
               SELECT 1 from a join lateral event ON true; CREATE TABLE IF NOT EXISTS t (x int)";
    let names: Vec<String> = tables_in(sql).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["stock", "orders", "a", "event", "t"]);
}
