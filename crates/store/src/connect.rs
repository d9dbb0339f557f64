//! Opening a database, and refusing one that does not keep what it is given.

use crate::db::{Backend, Db, Pools};
use crate::instance_lock::InstanceLock;
use crate::{StoreError, error};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, Row as _};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Which database to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A Postgres server, by its URL.
    Postgres(String),
    /// A SQLite file, by its path.
    Sqlite(PathBuf),
}

impl FromStr for DatabaseUrl {
    type Err = String;

    /// Chooses by scheme: `postgres://…`, `postgresql://…`, or `sqlite://path`.
    fn from_str(url: &str) -> Result<Self, Self::Err> {
        match url.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(url.to_owned())),
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            // The URL may hold a password: it is not repeated.
            _ => Err("the database URL must begin with postgres:// or sqlite://".to_owned()),
        }
    }
}

/// How to open a database.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Which one.
    pub url: DatabaseUrl,
    /// Most connections at once (Postgres), or reading connections (SQLite, which always has one
    /// more that writes).
    pub connections_max: u32,
    /// Longest wait for a connection.
    pub acquire_timeout: Duration,
    /// Longest run of one statement, enforced by the server (Postgres).
    pub statement_timeout: Duration,
}

impl StoreConfig {
    /// The limits that the product runs with.
    #[must_use]
    pub const fn new(url: DatabaseUrl) -> Self {
        Self {
            url,
            connections_max: 16,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(30),
        }
    }
}

impl Db {
    /// Opens the database. Postgres is asked whether it is durable; SQLite is made so.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be reached; [`StoreError::Configuration`] if it is
    /// not durable, or is a SQLite file that another process uses.
    pub async fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        match &config.url {
            DatabaseUrl::Postgres(url) => open_postgres(url, config).await,
            DatabaseUrl::Sqlite(path) => open_sqlite(path, config).await,
        }
    }
}

/// How statements that write are planned: once, and always from the batch to the rows by their keys.
///
/// What a batch names is the outer side, in the order in which it names it, so that rows are locked
/// in that order without a statement that does nothing else. Left to statistics, a table that has
/// just been filled is read from end to end for every batch: 54 µs instead of 8 for the row of a
/// payment, measured with 40,000 of them.
const WRITERS_PLANS: [(&str, &str); 3] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];

async fn open_postgres(url: &str, config: &StoreConfig) -> Result<Db, StoreError> {
    let statement_timeout = config.statement_timeout.as_millis().to_string();
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::Configuration("the Postgres URL cannot be read".to_owned()))?
        .application_name("orderly")
        .options([
            ("statement_timeout", statement_timeout.as_str()),
            // A node that stops in the middle of a transaction may not hold its locks for long.
            ("idle_in_transaction_session_timeout", "5000"),
            // Compiling a plan costs more than these statements ever run.
            ("jit", "off"),
            // Every statement finds its rows by an index. Statistics of a table that has just been
            // filled say that it is empty, and then the broker's look for news read all of it.
            ("enable_seqscan", "off"),
        ]);
    let pool = || {
        PgPoolOptions::new()
            .max_connections(config.connections_max)
            .acquire_timeout(config.acquire_timeout)
            .test_before_acquire(false)
    };
    let writers = options.clone().options(WRITERS_PLANS);
    let writers = pool().connect_with(writers).await.map_err(StoreError::Unavailable)?;
    refuse_unless_durable(&writers).await?;
    // Reads have connections of their own: however many and slow they are, orders go on.
    let readers = pool().connect_lazy_with(options);
    let pools = Pools::Postgres { writers, readers };
    Ok(Db::over(Backend::Postgres, pools, config))
}

/// An answer that was given must survive a crash of the server and of its machine.
async fn refuse_unless_durable(pool: &PgPool) -> Result<(), StoreError> {
    for (setting, must_not_be) in
        [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")]
    {
        let row = sqlx::query("SELECT current_setting($1)")
            .bind(setting)
            .fetch_one(pool)
            .await
            .map_err(|source| error::StoreError::from_driver("current_setting", source))?;
        let value: String = row
            .try_get(0)
            .map_err(|source| error::StoreError::from_driver("current_setting", source))?;
        if value == must_not_be {
            return Err(StoreError::Configuration(format!(
                "the Postgres server runs with {setting}={value}: it would lose orders that were \
                 confirmed; set {setting} to on"
            )));
        }
    }
    Ok(())
}

async fn open_sqlite(path: &PathBuf, config: &StoreConfig) -> Result<Db, StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|source| {
            StoreError::Configuration(format!("{}: {source}", folder.display()))
        })?;
    }
    let lock = InstanceLock::take(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5));
    // One connection writes; the lanes take turns at it, so SQLITE_BUSY cannot come from inside.
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(config.statement_timeout)
        .test_before_acquire(false)
        .connect_with(options.clone())
        .await
        .map_err(StoreError::Unavailable)?;
    let readers = SqlitePoolOptions::new()
        .max_connections(config.connections_max)
        .acquire_timeout(config.acquire_timeout)
        .test_before_acquire(false)
        .connect_lazy_with(options.read_only(true).create_if_missing(false));
    let pools = Pools::Sqlite { writer, readers, _lock: lock };
    Ok(Db::over(Backend::Sqlite, pools, config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_chooses_the_database() {
        let postgres = "postgres://u@h/db".parse();
        assert_eq!(postgres, Ok(DatabaseUrl::Postgres("postgres://u@h/db".to_owned())));
        let sqlite = "sqlite:///var/lib/orderly.db".parse();
        assert_eq!(sqlite, Ok(DatabaseUrl::Sqlite(PathBuf::from("/var/lib/orderly.db"))));
        for bad in ["mysql://h/db", "sqlite://", "orderly.db", ""] {
            assert!(bad.parse::<DatabaseUrl>().is_err(), "{bad}");
        }
    }
}
