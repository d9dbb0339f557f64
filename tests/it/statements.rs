//! The last released version goes on working on the schema of this one.
//!
//! During a deployment nodes of both versions work on one database, so each statement that the last
//! release has (`contract/statements/`) must be understood by the schema of now, and what its inserts
//! leave out must have a default. What that proves and what not is told in docs/RELEASING.md.

use crate::database::{Folder, PostgresDatabase};
use crate::queries::{migrated, queries};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row, SqlSafeStr};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use store::DatabaseUrl;

/// Stands before each statement of a file, followed by its name.
const HEAD: &str = "---- ";

fn contract(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../contract").join(name)
}

/// The migrations of a dialect by number, as text.
fn migrations(dialect: &str) -> BTreeMap<u32, String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(dialect);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let numbered = files.map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name[..4].parse().unwrap(), fs::read_to_string(&path).unwrap())
    });
    numbered.collect()
}

/// The statements of the last release by crate and name. `RELEASE_CONTRACT=1` makes those of now the
/// last released ones.
fn released(dialect: &str) -> BTreeMap<String, String> {
    let path = contract("statements").join(format!("{dialect}.sql"));
    if std::env::var_os("RELEASE_CONTRACT").is_some() {
        let all = queries(dialect);
        let text: String =
            all.iter().map(|(name, text)| format!("{HEAD}{name}\n{}\n", text.trim_end())).collect();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let last = migrations(dialect).into_keys().next_back().unwrap();
        fs::write(contract("migrations"), format!("{last}\n")).unwrap();
    }
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let statements: BTreeMap<String, String> = text
        .split(&format!("\n{HEAD}"))
        .map(|part| part.trim_start_matches(HEAD).split_once('\n').unwrap())
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    assert!(statements.len() >= 50, "only {} statements in {path:?}", statements.len());
    statements
}

/// The migrations of the last release, and those that came since.
fn then_and_since(dialect: &str) -> (String, String) {
    let last = fs::read_to_string(contract("migrations")).unwrap();
    let last: u32 = last.trim().parse().unwrap();
    let (mut then, mut since) = (String::new(), String::new());
    for (number, text) in migrations(dialect) {
        if number <= last { &mut then } else { &mut since }.push_str(&(text + ";\n"));
    }
    (then, since)
}

/// What a table asks of an insert: its columns; true for those that must be given.
type Columns = BTreeMap<(String, String), bool>;

/// What came that an insert of the last release does not know, and what went that it names.
fn refused(then: &Columns, now: &Columns) -> Vec<String> {
    let tables: BTreeSet<&String> = then.keys().map(|(table, _)| table).collect();
    let mut found = Vec::new();
    for ((table, column), needed) in now {
        let before = then.get(&(table.clone(), column.clone()));
        if *needed && tables.contains(table) && before != Some(&true) {
            found.push(format!("{table}.{column} must be given now"));
        }
    }
    let gone = then.keys().filter(|column| !now.contains_key(*column));
    found.extend(gone.map(|(table, column)| format!("{table}.{column} is gone")));
    found
}

async fn postgres_columns(connection: &mut PgConnection) -> Columns {
    let sql = "SELECT table_name::text, column_name::text, \
               is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' \
               AND is_generated = 'NEVER' \
               FROM information_schema.columns WHERE table_schema = 'public' \
               AND table_name <> '_sqlx_migrations'";
    let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect()
}

async fn sqlite_columns(connection: &mut SqliteConnection) -> Columns {
    let sql = "SELECT m.name, c.name, c.\"notnull\" = 1 AND c.dflt_value IS NULL AND c.pk = 0 \
               FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
               WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name <> '_sqlx_migrations'";
    let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect()
}

#[tokio::test]
async fn postgres_serves_the_last_release_too() {
    let (before, after) = (PostgresDatabase::create().await, PostgresDatabase::create().await);
    migrated(DatabaseUrl::Postgres(after.url())).await;
    let mut old = PgConnection::connect(&before.url()).await.unwrap();
    let mut new = PgConnection::connect(&after.url()).await.unwrap();
    let statements = released("postgres");
    let (then, since) = then_and_since("postgres");
    sqlx::raw_sql(AssertSqlSafe(then)).execute(&mut old).await.unwrap();
    let mut found = Vec::new();
    for (name, text) in statements {
        if let Err(error) = (&mut new).prepare(AssertSqlSafe(text).into_sql_str()).await {
            found.push(format!("{name}: {error}"));
        }
    }
    let columns = postgres_columns(&mut old).await;
    assert!(columns.len() > 50, "{columns:?}");
    found.extend(refused(&columns, &postgres_columns(&mut new).await));
    // The migration of a release is made on the database of the one before.
    sqlx::raw_sql(AssertSqlSafe(since)).execute(&mut old).await.unwrap();
    old.close().await.unwrap();
    new.close().await.unwrap();
    assert!(found.is_empty(), "nodes of the last release fail:\n{}", found.join("\n"));
}

#[tokio::test]
async fn sqlite_serves_the_last_release_too() {
    let folder = Folder::new();
    let (before, after) = (folder.path().join("then.db"), folder.path().join("now.db"));
    migrated(DatabaseUrl::Sqlite(after.clone())).await;
    let open = |path: PathBuf| SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut old: SqliteConnection = open(before).connect().await.unwrap();
    let mut new: SqliteConnection = open(after).connect().await.unwrap();
    let statements = released("sqlite");
    let (then, since) = then_and_since("sqlite");
    sqlx::raw_sql(AssertSqlSafe(then)).execute(&mut old).await.unwrap();
    let mut found = Vec::new();
    for (name, text) in statements {
        if let Err(error) = (&mut new).prepare(AssertSqlSafe(text).into_sql_str()).await {
            found.push(format!("{name}: {error}"));
        }
    }
    let columns = sqlite_columns(&mut old).await;
    assert!(columns.len() > 50, "{columns:?}");
    found.extend(refused(&columns, &sqlite_columns(&mut new).await));
    sqlx::raw_sql(AssertSqlSafe(since)).execute(&mut old).await.unwrap();
    old.close().await.unwrap();
    new.close().await.unwrap();
    assert!(found.is_empty(), "nodes of the last release fail:\n{}", found.join("\n"));
}

#[test]
fn columns_that_came_or_went_are_found() {
    let of = |columns: &[(&str, &str, bool)]| -> Columns {
        let entry = |(t, c, needed): &(&str, &str, bool)| ((t.to_string(), c.to_string()), *needed);
        columns.iter().map(entry).collect()
    };
    let then = of(&[("a", "id", true), ("a", "x", false), ("a", "gone", false)]);
    let now = of(&[
        ("a", "id", true),
        ("a", "x", true),
        ("a", "new", true),
        ("a", "calm", false),
        ("b", "id", true),
    ]);
    let found = refused(&then, &now);
    assert_eq!(found, ["a.new must be given now", "a.x must be given now", "a.gone is gone"]);
    assert_eq!(refused(&then, &then), Vec::<String>::new());
}
