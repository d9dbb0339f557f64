//! A database of the bench's own on somebody's Postgres server.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::cpu;

/// A database that is there until this is dropped.
pub(crate) struct Database {
    server: String,
    name: String,
    /// First process of the server, if it runs on this machine.
    pub(crate) postmaster: Option<u32>,
}

impl Database {
    /// Creates it on the server of this `postgres://` URL, whose role must be allowed to.
    pub(crate) async fn create(server: &str) -> anyhow::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("orderly_bench_{}_{number}", std::process::id());
        let mut connection = connect(server).await?;
        // A bench that was killed may have left one of this name.
        run(&mut connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        run(&mut connection, format!("CREATE DATABASE {name}"))
            .await
            .context("the role must be allowed to create databases")?;
        let backend: i32 =
            sqlx::query("SELECT pg_backend_pid()").fetch_one(&mut connection).await?.get(0);
        let here = server_is_here(server);
        let backend = u32::try_from(backend).ok().filter(|_| here);
        let postmaster = backend.and_then(cpu::postmaster);
        connection.close().await?;
        Ok(Self { server: server.to_owned(), name, postmaster })
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let server = self.server.clone();
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // On a thread of its own, as a runtime cannot wait while it drops a value.
        let remove = move || -> anyhow::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = connect(&server).await?;
                run(&mut connection, statement).await?;
                connection.close().await?;
                Ok(())
            })
        };
        let removed = std::thread::spawn(remove).join();
        if !matches!(removed, Ok(Ok(()))) {
            eprintln!("orderly bench: the database {} could not be dropped", self.name);
        }
    }
}

/// Deadlocks that the server has broken in this database.
pub(crate) async fn deadlocks(database: &Database) -> anyhow::Result<i64> {
    let mut connection = connect(&database.url()).await?;
    let counted = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let row = sqlx::query(counted).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(row.get(0))
}

/// Connects.
pub(crate) async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    // The URL is not repeated: it may hold a password.
    PgConnection::connect(url).await.context("the Postgres server cannot be reached")
}

/// Runs statements that the bench itself has put together.
pub(crate) async fn run(connection: &mut PgConnection, sql: String) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// The URL of another database on the same server.
fn with_database(url: &str, name: &str) -> String {
    let (address, parameters) = url.split_once('?').map_or((url, None), |(a, p)| (a, Some(p)));
    let host = address.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = address.split_at(host);
    let host = rest.split('/').next().unwrap_or_default();
    let parameters = parameters.map(|text| format!("?{text}")).unwrap_or_default();
    format!("{scheme}{host}/{name}{parameters}")
}

/// Whether a `postgres://` URL names this machine: only then do process numbers mean anything.
fn server_is_here(url: &str) -> bool {
    let address = url.split_once("://").map_or(url, |(_, rest)| rest);
    let address = address.split(['/', '?']).next().unwrap_or_default();
    let host = address.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    matches!(host, "" | "localhost" | "127.0.0.1" | "::1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_on_the_same_server() {
        for (url, expected) in [
            ("postgres://u@h:1/postgres", "postgres://u@h:1/x"),
            ("postgres://u:p@h", "postgres://u:p@h/x"),
            ("postgres://h/a?sslmode=disable", "postgres://h/x?sslmode=disable"),
        ] {
            assert_eq!(with_database(url, "x"), expected);
        }
    }

    #[test]
    fn a_server_elsewhere_is_known_by_its_host() {
        for here in
            ["postgres://u:p@127.0.0.1:5/x", "postgres://localhost", "postgres:///x?host=/s"]
        {
            assert!(server_is_here(here), "{here}");
        }
        assert!(server_is_here("postgres://u@[::1]:5/x"));
        for away in
            ["postgres://u:p@db.example:5/x", "postgres://10.0.0.7/x", "postgres://[fe::1]/x"]
        {
            assert!(!server_is_here(away), "{away}");
        }
    }
}
