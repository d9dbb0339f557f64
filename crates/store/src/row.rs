//! A row of either database, read by column name.

use crate::StoreError;
#[cfg(feature = "simulation")]
use crate::simulated::{Cells, FromCell};
use domain::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Decode, Row as _, Type};
use time::OffsetDateTime;
use uuid::Uuid;

enum Inner {
    Postgres(PgRow),
    Sqlite(SqliteRow),
    #[cfg(feature = "simulation")]
    Simulated(Cells),
}

/// What a column can be read as in every backend.
#[cfg(feature = "simulation")]
pub(crate) trait Cell: FromCell {}
#[cfg(feature = "simulation")]
impl<T: FromCell> Cell for T {}
#[cfg(not(feature = "simulation"))]
pub(crate) trait Cell {}
#[cfg(not(feature = "simulation"))]
impl<T> Cell for T {}

/// A row that a query gave.
pub struct Row {
    statement: &'static str,
    inner: Inner,
}

impl Row {
    pub(crate) const fn postgres(statement: &'static str, row: PgRow) -> Self {
        Self { statement, inner: Inner::Postgres(row) }
    }

    pub(crate) const fn sqlite(statement: &'static str, row: SqliteRow) -> Self {
        Self { statement, inner: Inner::Sqlite(row) }
    }

    #[cfg(feature = "simulation")]
    pub(crate) const fn simulated(statement: &'static str, row: Cells) -> Self {
        Self { statement, inner: Inner::Simulated(row) }
    }

    /// A whole number.
    ///
    /// # Errors
    /// No such column, NULL, or another type. So for all that follow.
    pub fn int(&self, column: &str) -> Result<i64, StoreError> {
        self.opt_int(column)?.ok_or_else(|| self.wrong(column, "is NULL"))
    }

    /// A whole number or NULL.
    ///
    /// # Errors
    /// See [`Self::int`].
    pub fn opt_int(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.read::<i64>(column)
    }

    /// A text.
    ///
    /// # Errors
    /// See [`Self::int`].
    pub fn text(&self, column: &str) -> Result<String, StoreError> {
        self.opt_text(column)?.ok_or_else(|| self.wrong(column, "is NULL"))
    }

    /// A text or NULL.
    ///
    /// # Errors
    /// See [`Self::int`].
    pub fn opt_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.read::<String>(column)
    }

    /// A byte string.
    ///
    /// # Errors
    /// See [`Self::int`].
    pub fn bytes(&self, column: &str) -> Result<Vec<u8>, StoreError> {
        self.read::<Vec<u8>>(column)?.ok_or_else(|| self.wrong(column, "is NULL"))
    }

    /// A UUID.
    ///
    /// # Errors
    /// See [`Self::int`].
    pub fn uuid(&self, column: &str) -> Result<Uuid, StoreError> {
        self.opt_uuid(column)?.ok_or_else(|| self.wrong(column, "is NULL"))
    }

    /// A UUID or NULL.
    ///
    /// # Errors
    /// See [`Self::int`].
    pub fn opt_uuid(&self, column: &str) -> Result<Option<Uuid>, StoreError> {
        self.read::<Uuid>(column)
    }

    /// A moment.
    ///
    /// # Errors
    /// See [`Self::int`].
    pub fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.opt_time(column)?.ok_or_else(|| self.wrong(column, "is NULL"))
    }

    /// A moment, or NULL.
    ///
    /// # Errors
    /// See [`Self::int`].
    pub fn opt_time(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(match &self.inner {
            Inner::Postgres(row) => row
                .try_get::<Option<OffsetDateTime>, _>(column)
                .map_err(|error| self.wrong(column, &error.to_string()))?
                .map(Timestamp::from),
            _ => self.opt_int(column)?.map(Timestamp::from_micros),
        })
    }

    /// A text column parsed by `parse`; `what` names the expected thing.
    ///
    /// # Errors
    /// See [`Self::int`]; also when `parse` gives nothing.
    pub fn parsed<T>(
        &self,
        column: &str,
        what: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let text = self.text(column)?;
        parse(&text).ok_or_else(|| self.wrong(column, &format!("{text:?} is not {what}")))
    }

    /// A JSON column.
    ///
    /// # Errors
    /// See [`Self::int`]; also when the JSON has another shape.
    pub fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        let text = self.text(column)?;
        serde_json::from_str(&text).map_err(|error| self.wrong(column, &error.to_string()))
    }

    /// The error of a column that has not the expected shape.
    #[must_use]
    pub fn wrong(&self, column: &str, detail: &str) -> StoreError {
        StoreError::Inconsistent {
            statement: self.statement,
            column: column.to_owned(),
            detail: detail.to_owned(),
        }
    }

    fn read<T>(&self, column: &str) -> Result<Option<T>, StoreError>
    where
        T: Cell + for<'r> Decode<'r, sqlx::Postgres> + Type<sqlx::Postgres>,
        T: for<'r> Decode<'r, sqlx::Sqlite> + Type<sqlx::Sqlite>,
        for<'c> &'c str: ColumnIndex<PgRow> + ColumnIndex<SqliteRow>,
    {
        match &self.inner {
            Inner::Postgres(row) => row.try_get::<Option<T>, _>(column),
            // Unchecked: an expression's column has no declared type in SQLite.
            Inner::Sqlite(row) => row.try_get_unchecked::<Option<T>, _>(column),
            #[cfg(feature = "simulation")]
            Inner::Simulated(row) => {
                return row.read(column).map_err(|detail| self.wrong(column, &detail));
            }
        }
        .map_err(|error| self.wrong(column, &error.to_string()))
    }
}
