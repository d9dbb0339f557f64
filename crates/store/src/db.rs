//! The database and its transactions.

use crate::instance_lock::InstanceLock;
#[cfg(feature = "simulation")]
use crate::simulated;
use crate::{Query, Row, Statement, StoreConfig, StoreError, statement};
use metrics::{counter, histogram};
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use topology::{Call, Edge, Outcome};

/// Stale connections that [`Db::begin`] passes over before it calls the database away.
const STALE_MAX: usize = 32;

/// Waits for an answer of the database, but not for ever.
async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(patience, answer).await {
        Ok(result) => result,
        Err(late) => Err(sqlx::Error::Io(late.into())),
    }
}

static PING: Statement = statement!("ping");

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

pub(crate) enum Pools {
    Postgres {
        writers: PgPool,
        readers: PgPool,
    },
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
        _lock: InstanceLock,
    },
    #[cfg(feature = "simulation")]
    Simulated(simulated::Client),
}

/// An open database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pub(crate) backend: Backend,
    pub(crate) pools: Arc<Pools>,
    pub(crate) patience: Duration,
    edge: Edge,
}

enum Inner {
    Postgres(Transaction<'static, Postgres>),
    Sqlite(Transaction<'static, Sqlite>),
    #[cfg(feature = "simulation")]
    Simulated(simulated::Session),
}

/// A transaction. It travels from service to service by mailbox: whoever holds it may write its
/// own tables. Dropped without [`Tx::commit`], it rolls back.
pub struct Tx {
    inner: Inner,
    began: Instant,
    patience: Duration,
    /// From its begin to its end.
    call: Call,
}

/// Whether this comes from a connection that had ended before it was used.
fn is_stale(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        // What the server said when it ended the connection, and nobody had read until now.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "57P01"),
        _ => false,
    }
}

/// Begins on the one connection that writes.
///
/// SQLite undoes a transaction by itself when the disk is full or fails. The driver does not see that,
/// and its connection believes for ever that it is in a transaction (sqlx 0.9.0). Such a connection is
/// closed, and the pool opens another.
async fn begin_on_sqlite(writer: &SqlitePool) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
    match writer.begin_with("BEGIN IMMEDIATE").await {
        Err(sqlx::Error::InvalidSavePointStatement) => {
            // What it says about its end is of no interest.
            let _ = writer.acquire().await?.close().await;
            writer.begin_with("BEGIN IMMEDIATE").await
        }
        begun => begun,
    }
}

impl Db {
    pub(crate) fn over(backend: Backend, pools: Pools, config: &StoreConfig) -> Self {
        // How long an answer of the database is waited for. The server gives up a statement before
        // that (Postgres); what stays silent for longer is a connection that has died without a
        // word.
        let patience = config.statement_timeout + Duration::from_secs(5);
        Self { backend, pools: Arc::new(pools), patience, edge: Edge::unseen() }
    }

    /// The same database for a caller: what it asks is counted on `edge`, a transaction as one call
    /// from its begin to its end.
    #[must_use]
    pub fn seen_by(&self, edge: Edge) -> Self {
        Self { edge, ..self.clone() }
    }

    /// Which database it is.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        self.backend
    }

    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Conflict`]; nothing happened.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        self.begin_with("BEGIN", false).await
    }

    /// Begins a transaction that reads one moment of the whole database and writes nothing.
    ///
    /// # Errors
    /// See [`Self::begin`].
    pub async fn snapshot(&self) -> Result<Tx, StoreError> {
        self.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", true).await
    }

    async fn begin_with(&self, postgres: &'static str, reads: bool) -> Result<Tx, StoreError> {
        let (mut call, asked) = (self.edge.begin(), Instant::now());
        match self.begin_inner(postgres, reads).await {
            Ok(inner) => {
                let began = Instant::now();
                histogram!("db_begin_seconds").record(began - asked);
                Ok(Tx { inner, began, patience: self.patience, call })
            }
            Err(error) => {
                call.end(Outcome::of_error(&error));
                Err(error)
            }
        }
    }

    async fn begin_inner(&self, postgres: &'static str, reads: bool) -> Result<Inner, StoreError> {
        #[cfg(feature = "simulation")]
        if let Pools::Simulated(client) = &*self.pools {
            let inner = self.begin_simulated(client, reads).await;
            return inner.map_err(|source| StoreError::from_driver("begin", source));
        }
        // In a task of its own, because a `begin` dropped half-way gives a connection with an open
        // transaction back to the pool (sqlx 0.8.4–0.9.0, transact-rs/sqlx#4385).
        let db = self.clone();
        let task = tokio::spawn(async move { db.begin_again(postgres, reads).await });
        match task.await {
            Ok(result) => result.map_err(|source| StoreError::from_driver("begin", source)),
            Err(_) => Err(StoreError::Unavailable(sqlx::Error::WorkerCrashed)),
        }
    }

    /// Begins; after a restart of the server each pooled connection fails once, and nothing has
    /// happened yet, so that another one may be taken.
    async fn begin_again(&self, postgres: &'static str, reads: bool) -> Result<Inner, sqlx::Error> {
        let mut stale = 0;
        loop {
            match self.begin_once(postgres, reads).await {
                Err(error) if is_stale(&error) && stale < STALE_MAX => stale += 1,
                result => return result,
            }
        }
    }

    #[cfg(feature = "simulation")]
    async fn begin_simulated(
        &self,
        client: &simulated::Client,
        reads: bool,
    ) -> Result<Inner, sqlx::Error> {
        let begun = if reads {
            within(self.patience, simulated::snapshot(client)).await
        } else {
            within(self.patience, simulated::begin(client, self.patience)).await
        };
        begun.map(Inner::Simulated)
    }

    async fn begin_once(&self, postgres: &'static str, reads: bool) -> Result<Inner, sqlx::Error> {
        match &*self.pools {
            Pools::Postgres { readers, .. } if reads => {
                readers.begin_with(postgres).await.map(Inner::Postgres)
            }
            Pools::Postgres { writers, .. } => {
                writers.begin_with(postgres).await.map(Inner::Postgres)
            }
            Pools::Sqlite { readers, .. } if reads => readers.begin().await.map(Inner::Sqlite),
            Pools::Sqlite { writer, .. } => begin_on_sqlite(writer).await.map(Inner::Sqlite),
            #[cfg(feature = "simulation")]
            Pools::Simulated(client) => self.begin_simulated(client, reads).await,
        }
    }

    /// Runs a query that reads, outside any transaction.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn fetch(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        self.edge.call(self.fetch_inner(query)).await
    }

    async fn fetch_inner(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        let name = query.statement.name;
        let rows = match &*self.pools {
            Pools::Postgres { readers, .. } => {
                within(self.patience, query.for_postgres().fetch_all(readers))
                    .await
                    .map(|rows| rows.into_iter().map(|row| Row::postgres(name, row)).collect())
            }
            Pools::Sqlite { readers, .. } => {
                within(self.patience, query.for_sqlite().fetch_all(readers))
                    .await
                    .map(|rows| rows.into_iter().map(|row| Row::sqlite(name, row)).collect())
            }
            #[cfg(feature = "simulation")]
            Pools::Simulated(client) => {
                within(self.patience, simulated::fetch(client, name, query.prepared()))
                    .await
                    .map(|rows| rows.into_iter().map(|row| Row::simulated(name, row)).collect())
            }
        };
        rows.map_err(|source| StoreError::from_driver(name, source))
    }

    /// Like [`Self::fetch`], for at most one row.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn fetch_optional(&self, query: Query) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch(query).await?.into_iter().next())
    }

    /// Asks the database whether it answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.fetch(PING.query()).await.map(drop)
    }

    /// Closes all connections once they are free.
    pub async fn close(&self) {
        match &*self.pools {
            Pools::Postgres { writers, readers } => {
                readers.close().await;
                writers.close().await;
            }
            Pools::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
            #[cfg(feature = "simulation")]
            Pools::Simulated(_) => {}
        }
    }
}

impl Tx {
    /// The error of a statement; one that ends the transaction's call is counted.
    fn failed(&mut self, statement: &'static str, source: sqlx::Error) -> StoreError {
        let error = StoreError::from_driver(statement, source);
        // Also one that is no failure: the transaction is dropped now, and nobody went away.
        self.call.end(Outcome::of_error(&error));
        error
    }

    /// Runs a query and gives its rows.
    ///
    /// # Errors
    /// See [`StoreError`]; the transaction can then only be dropped.
    pub async fn fetch(&mut self, query: Query) -> Result<Vec<Row>, StoreError> {
        let name = query.statement.name;
        counter!("db_statements_total", "statement" => name).increment(1);
        let rows = match &mut self.inner {
            Inner::Postgres(tx) => within(self.patience, query.for_postgres().fetch_all(&mut **tx))
                .await
                .map(|rows| rows.into_iter().map(|row| Row::postgres(name, row)).collect()),
            Inner::Sqlite(tx) => within(self.patience, query.for_sqlite().fetch_all(&mut **tx))
                .await
                .map(|rows| rows.into_iter().map(|row| Row::sqlite(name, row)).collect()),
            #[cfg(feature = "simulation")]
            Inner::Simulated(session) => within(self.patience, session.run(name, query.prepared()))
                .await
                .map(|d| d.rows.into_iter().map(|row| Row::simulated(name, row)).collect()),
        };
        rows.map_err(|source| self.failed(name, source))
    }

    /// Like [`Self::fetch`], for at most one row.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn fetch_optional(&mut self, query: Query) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch(query).await?.into_iter().next())
    }

    /// Runs a statement and gives the number of rows it touched.
    ///
    /// # Errors
    /// See [`StoreError`]; the transaction can then only be dropped.
    pub async fn execute(&mut self, query: Query) -> Result<u64, StoreError> {
        let name = query.statement.name;
        counter!("db_statements_total", "statement" => name).increment(1);
        let touched = match &mut self.inner {
            Inner::Postgres(tx) => within(self.patience, query.for_postgres().execute(&mut **tx))
                .await
                .map(|done| done.rows_affected()),
            Inner::Sqlite(tx) => within(self.patience, query.for_sqlite().execute(&mut **tx))
                .await
                .map(|done| done.rows_affected()),
            #[cfg(feature = "simulation")]
            Inner::Simulated(session) => within(self.patience, session.run(name, query.prepared()))
                .await
                .map(|done| done.touched),
        };
        touched.map_err(|source| self.failed(name, source))
    }

    /// Makes everything that was written durable and visible.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`] if the connection failed meanwhile; otherwise nothing
    /// happened.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        let result = match self.inner {
            Inner::Postgres(tx) => within(self.patience, tx.commit()).await,
            Inner::Sqlite(tx) => within(self.patience, tx.commit()).await,
            #[cfg(feature = "simulation")]
            Inner::Simulated(session) => within(self.patience, session.commit()).await,
        };
        histogram!("db_transaction_seconds").record(self.began.elapsed());
        let result = result.map_err(|source| match StoreError::from_driver("commit", source) {
            StoreError::Unavailable(source) => StoreError::CommitUnknown(source),
            refused => refused,
        });
        self.call.end(Outcome::of(&result));
        result
    }

    /// Undoes everything that was written. Dropping does the same, later.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn rollback(mut self) -> Result<(), StoreError> {
        let result = match self.inner {
            Inner::Postgres(tx) => within(self.patience, tx.rollback()).await,
            Inner::Sqlite(tx) => within(self.patience, tx.rollback()).await,
            #[cfg(feature = "simulation")]
            Inner::Simulated(session) => {
                drop(session);
                Ok(())
            }
        };
        let result = result.map_err(|source| StoreError::from_driver("rollback", source));
        self.call.end(Outcome::of(&result));
        result
    }
}
