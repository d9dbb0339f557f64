//! The database and its transactions.

use crate::instance_lock::InstanceLock;
use crate::{Query, Row, Statement, StoreError, statement};
use metrics::{counter, histogram};
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};
use std::sync::Arc;
use std::time::Instant;

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
    Postgres(PgPool),
    Sqlite { writer: SqlitePool, readers: SqlitePool, _lock: InstanceLock },
}

/// An open database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pub(crate) backend: Backend,
    pub(crate) pools: Arc<Pools>,
}

enum Inner {
    Postgres(Transaction<'static, Postgres>),
    Sqlite(Transaction<'static, Sqlite>),
}

/// A transaction. It travels from service to service by mailbox: whoever holds it may write its
/// own tables. Dropped without [`Tx::commit`], it rolls back.
pub struct Tx {
    inner: Inner,
    began: Instant,
}

impl Db {
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
        let pools = self.pools.clone();
        // In a task of its own, because a `begin` dropped half-way gives a connection with an open
        // transaction back to the pool (sqlx 0.8.4–0.9.0, transact-rs/sqlx#4385).
        let task = tokio::spawn(async move {
            match &*pools {
                Pools::Postgres(pool) => pool.begin_with(postgres).await.map(Inner::Postgres),
                Pools::Sqlite { readers, .. } if reads => readers.begin().await.map(Inner::Sqlite),
                Pools::Sqlite { writer, .. } => {
                    writer.begin_with("BEGIN IMMEDIATE").await.map(Inner::Sqlite)
                }
            }
        });
        let inner = match task.await {
            Ok(result) => result.map_err(|source| StoreError::from_driver("begin", source))?,
            Err(_) => return Err(StoreError::Unavailable(sqlx::Error::WorkerCrashed)),
        };
        Ok(Tx { inner, began: Instant::now() })
    }

    /// Runs a query that reads, outside any transaction.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn fetch(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        let name = query.statement.name;
        let rows = match &*self.pools {
            Pools::Postgres(pool) => query
                .for_postgres()
                .fetch_all(pool)
                .await
                .map(|rows| rows.into_iter().map(|row| Row::postgres(name, row)).collect()),
            Pools::Sqlite { readers, .. } => query
                .for_sqlite()
                .fetch_all(readers)
                .await
                .map(|rows| rows.into_iter().map(|row| Row::sqlite(name, row)).collect()),
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
            Pools::Postgres(pool) => pool.close().await,
            Pools::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

impl Tx {
    /// Runs a query and gives its rows.
    ///
    /// # Errors
    /// See [`StoreError`]; the transaction can then only be dropped.
    pub async fn fetch(&mut self, query: Query) -> Result<Vec<Row>, StoreError> {
        let name = query.statement.name;
        counter!("db_statements_total", "statement" => name).increment(1);
        let rows = match &mut self.inner {
            Inner::Postgres(tx) => query
                .for_postgres()
                .fetch_all(&mut **tx)
                .await
                .map(|rows| rows.into_iter().map(|row| Row::postgres(name, row)).collect()),
            Inner::Sqlite(tx) => query
                .for_sqlite()
                .fetch_all(&mut **tx)
                .await
                .map(|rows| rows.into_iter().map(|row| Row::sqlite(name, row)).collect()),
        };
        rows.map_err(|source| StoreError::from_driver(name, source))
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
            Inner::Postgres(tx) => {
                query.for_postgres().execute(&mut **tx).await.map(|done| done.rows_affected())
            }
            Inner::Sqlite(tx) => {
                query.for_sqlite().execute(&mut **tx).await.map(|done| done.rows_affected())
            }
        };
        touched.map_err(|source| StoreError::from_driver(name, source))
    }

    /// Makes everything that was written durable and visible.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`] if the connection failed meanwhile; otherwise nothing
    /// happened.
    pub async fn commit(self) -> Result<(), StoreError> {
        let result = match self.inner {
            Inner::Postgres(tx) => tx.commit().await,
            Inner::Sqlite(tx) => tx.commit().await,
        };
        histogram!("db_transaction_seconds").record(self.began.elapsed());
        result.map_err(|source| match StoreError::from_driver("commit", source) {
            StoreError::Unavailable(source) => StoreError::CommitUnknown(source),
            refused => refused,
        })
    }

    /// Undoes everything that was written. Dropping does the same, later.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn rollback(self) -> Result<(), StoreError> {
        let result = match self.inner {
            Inner::Postgres(tx) => tx.rollback().await,
            Inner::Sqlite(tx) => tx.rollback().await,
        };
        result.map_err(|source| StoreError::from_driver("rollback", source))
    }
}
