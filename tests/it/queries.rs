//! Every query is understood by the database it was written for.

use crate::database::{Folder, PostgresDatabase};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqlSafeStr};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use store::{DatabaseUrl, Db, StoreConfig};

/// The query files of one dialect: text by crate and name.
pub(crate) fn queries(dialect: &str) -> BTreeMap<String, String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut found = BTreeMap::new();
    for member in entries(&crates) {
        let folder = member.join("queries").join(dialect);
        if !folder.is_dir() {
            continue;
        }
        let owner = member.file_name().unwrap().to_string_lossy().into_owned();
        for file in entries(&folder) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            assert!(name.ends_with(".sql"), "{} is no query", file.display());
            found.insert(format!("{owner}/{name}"), std::fs::read_to_string(&file).unwrap());
        }
    }
    assert!(found.len() >= 50, "only {} queries of {dialect} were found", found.len());
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_query_stands_in_both_dialects() {
    let names = |dialect| queries(dialect).into_keys().collect::<Vec<_>>();
    assert_eq!(names("postgres"), names("sqlite"));
}

/// A database with the schema of this program.
pub(crate) async fn migrated(url: DatabaseUrl) {
    let db = Db::open(&StoreConfig::new(url)).await.unwrap();
    db.migrate().await.unwrap();
    db.close().await;
}

#[tokio::test]
async fn postgres_understands_every_query() {
    let database = PostgresDatabase::create().await;
    migrated(DatabaseUrl::Postgres(database.url())).await;
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    let mut refused = Vec::new();
    for (name, text) in queries("postgres") {
        if let Err(error) = (&mut connection).prepare(AssertSqlSafe(text).into_sql_str()).await {
            refused.push(format!("{name}: {error}"));
        }
    }
    connection.close().await.unwrap();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[tokio::test]
async fn sqlite_understands_every_query() {
    let folder = Folder::new();
    let path = folder.path().join("shop.db");
    migrated(DatabaseUrl::Sqlite(path.clone())).await;
    let mut connection: SqliteConnection =
        SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let mut refused = Vec::new();
    for (name, text) in queries("sqlite") {
        // Tables and columns are looked up when the statement is prepared.
        if let Err(error) = (&mut connection).prepare(AssertSqlSafe(text).into_sql_str()).await {
            refused.push(format!("{name}: {error}"));
        }
    }
    connection.close().await.unwrap();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
