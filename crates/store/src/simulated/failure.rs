//! Errors of the simulated database, in the driver's own form, so that one table sorts them all.

use sqlx::error::{DatabaseError, ErrorKind};
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;

/// What the server answers instead of rows.
#[derive(Debug)]
pub(super) struct Failure {
    code: String,
    message: String,
}

impl Failure {
    /// Serialization failure, as Postgres names it.
    pub(super) fn conflict() -> sqlx::Error {
        Self::says("40001", "another transaction is in the way")
    }

    /// As Postgres says after an error: nothing more is done in this transaction.
    pub(super) fn aborted() -> sqlx::Error {
        Self::says("25P02", "the transaction is aborted")
    }

    fn says(code: &str, message: &str) -> sqlx::Error {
        let failure = Self { code: code.to_owned(), message: message.to_owned() };
        sqlx::Error::Database(Box::new(failure))
    }

    /// The connection is gone.
    pub(super) fn connection() -> sqlx::Error {
        sqlx::Error::Io(io::ErrorKind::ConnectionReset.into())
    }

    /// What SQLite said, as sqlx tells it.
    pub(super) fn of_sqlite(error: rusqlite::Error) -> sqlx::Error {
        let message = match &error {
            rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
            other => other.to_string(),
        };
        match error.sqlite_error() {
            Some(failure) => Self::says(&failure.extended_code.to_string(), &message),
            None => sqlx::Error::Decode(error.into()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(code: {}) {}", self.code, self.message)
    }
}

impl Error for Failure {}

impl DatabaseError for Failure {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.code))
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }

    /// By SQLite's extended codes: unique and primary key, foreign key, not null, check.
    fn kind(&self) -> ErrorKind {
        match self.code.as_str() {
            "2067" | "1555" => ErrorKind::UniqueViolation,
            "787" => ErrorKind::ForeignKeyViolation,
            "1299" => ErrorKind::NotNullViolation,
            "275" => ErrorKind::CheckViolation,
            _ => ErrorKind::Other,
        }
    }
}
