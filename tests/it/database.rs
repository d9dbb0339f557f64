//! Databases of a test's own.

use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of a test's own, removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(unique_name("orderly-it-"));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own tidying.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A name that no other test of this machine uses.
pub fn unique_name(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A database on the Postgres server of `TEST_DATABASE_URL`, dropped at the end.
pub struct PostgresDatabase {
    server_url: String,
    name: String,
}

impl PostgresDatabase {
    pub async fn create() -> Self {
        let Ok(server_url) = std::env::var("TEST_DATABASE_URL") else {
            panic!(
                "this test needs a Postgres server: run scripts/test, which starts one, or set \
                 TEST_DATABASE_URL to a server where databases may be created"
            );
        };
        let database = Self { server_url, name: unique_name("orderly_it_") };
        // A run that was killed may have left one of this name.
        on_server(&database.server_url, &database.drop_statement()).await;
        on_server(&database.server_url, &format!("CREATE DATABASE {}", database.name)).await;
        database
    }

    pub fn url(&self) -> String {
        with_database(&self.server_url, &self.name)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Ends all connections and lets no new one in, as if the server were away.
    pub async fn shut(&self) {
        let name = &self.name;
        on_server(&self.server_url, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
            .await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname";
        on_server(&self.server_url, &format!("{end} = '{name}'")).await;
    }

    /// Another database with what is in this one, which nobody may use meanwhile.
    pub async fn copy(&self) -> Self {
        let copy = Self { server_url: self.server_url.clone(), name: unique_name("orderly_it_") };
        on_server(&self.server_url, &copy.drop_statement()).await;
        copy.becomes(self).await;
        copy
    }

    /// From now on this is as the other one is, which nobody may use meanwhile.
    pub async fn becomes(&self, other: &Self) {
        // A program that was killed may leave connections that the server has not missed yet.
        let ended = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            other.name
        );
        on_server(&self.server_url, &ended).await;
        on_server(&self.server_url, &self.drop_statement()).await;
        let create = format!("CREATE DATABASE {} TEMPLATE {}", self.name, other.name);
        on_server(&self.server_url, &create).await;
    }

    /// Lets connections in again.
    pub async fn reopen(&self) {
        let statement = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name);
        on_server(&self.server_url, &statement).await;
    }

    fn drop_statement(&self) -> String {
        format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let (url, statement) = (self.server_url.clone(), self.drop_statement());
        // On a thread of its own: the test's runtime cannot wait while it is torn down.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(on_server(&url, &statement));
        });
        if dropped.join().is_err() && !std::thread::panicking() {
            panic!("the database {} could not be dropped", self.name);
        }
    }
}

async fn on_server(url: &str, statement: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// The URL of another database on the same server.
fn with_database(url: &str, name: &str) -> String {
    let (address, parameters) = url.split_once('?').map_or((url, None), |(a, p)| (a, Some(p)));
    let host = address.find("://").map_or(0, |at| at + 3);
    let end = address[host..].find('/').map_or(address.len(), |at| host + at);
    let parameters = parameters.map(|text| format!("?{text}")).unwrap_or_default();
    format!("{}/{name}{parameters}", &address[..end])
}

/// Where a world keeps its data.
pub enum Database {
    Sqlite(PathBuf),
    Postgres(PostgresDatabase),
}

impl Database {
    /// As the program is told.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(database) => database.url(),
        }
    }

    /// The single number that a query gives, past the program, also while it runs.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Postgres(database) => {
                let mut connection = PgConnection::connect(&database.url()).await.unwrap();
                sqlx::query(sql).fetch_one(&mut connection).await.unwrap().get(0)
            }
            Self::Sqlite(path) => {
                let mut connection = open_sqlite(path, true).await;
                sqlx::query(sql).fetch_one(&mut connection).await.unwrap().get(0)
            }
        }
    }

    /// Changes rows behind the program's back and gives their number. On SQLite the program must
    /// be stopped.
    pub async fn change(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Postgres(database) => {
                let mut connection = PgConnection::connect(&database.url()).await.unwrap();
                sqlx::query(sql).execute(&mut connection).await.unwrap().rows_affected()
            }
            Self::Sqlite(path) => {
                let mut connection = open_sqlite(path, false).await;
                let done = sqlx::query(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                done.rows_affected()
            }
        }
    }

    /// Takes a backup; the program must be stopped.
    pub async fn backup(&self) -> Self {
        match self {
            Self::Postgres(database) => Self::Postgres(database.copy().await),
            Self::Sqlite(path) => {
                let copy = path.with_extension("backup");
                // What the log of the file holds belongs to it, too.
                for end in ["", "-wal"] {
                    let _ = std::fs::remove_file(with_end(&copy, end));
                    let from = with_end(path, end);
                    if from.exists() {
                        std::fs::copy(from, with_end(&copy, end)).unwrap();
                    }
                }
                Self::Sqlite(copy)
            }
        }
    }

    /// Puts a backup in the place of what is there; the program must be stopped.
    pub async fn restore(&self, backup: Self) {
        match (self, &backup) {
            (Self::Postgres(database), Self::Postgres(backup)) => database.becomes(backup).await,
            (Self::Sqlite(path), Self::Sqlite(backup)) => {
                for end in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(with_end(path, end));
                    if with_end(backup, end).exists() {
                        std::fs::copy(with_end(backup, end), with_end(path, end)).unwrap();
                    }
                }
            }
            _ => panic!("a backup of another kind"),
        }
    }
}

/// The path of a file that stands beside another one.
fn with_end(path: &Path, end: &str) -> PathBuf {
    PathBuf::from(format!("{}{end}", path.display()))
}

async fn open_sqlite(path: &Path, read_only: bool) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).read_only(read_only).connect().await.unwrap()
}

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
