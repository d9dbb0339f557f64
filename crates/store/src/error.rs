//! What can go wrong with a database, by what the caller can do about it.

use topology::Failure;

/// A failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or gave no connection in time; nothing happened.
    #[error("the database cannot be reached")]
    Unavailable(#[source] sqlx::Error),
    /// Another transaction was in the way (deadlock, serialization failure, lock time-out);
    /// nothing happened and the same work may be tried again.
    #[error("another transaction was in the way")]
    Conflict(#[source] sqlx::Error),
    /// Somebody else used the same key or version a moment ago; nothing happened, and the same work
    /// tried again sees what they did.
    #[error("somebody else was faster, as {statement} shows")]
    Overtaken {
        /// Name of the statement.
        statement: &'static str,
    },
    /// A constraint refused a row; nothing happened. One row of a batch is at fault.
    #[error("the constraint {name} refused a row")]
    Constraint {
        /// The constraint's name, as far as the database tells it.
        name: String,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// The connection failed during COMMIT: it may or may not have happened (rule D4).
    #[error("the connection failed during COMMIT, so its outcome is unknown")]
    CommitUnknown(#[source] sqlx::Error),
    /// The database refused a statement for another reason; the transaction did not happen.
    #[error("the database refused the statement {statement}")]
    Refused {
        /// Name of the statement.
        statement: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// A row has not the shape that the code expects.
    #[error("the column {column} of {statement} has not the expected shape: {detail}")]
    Inconsistent {
        /// Name of the statement.
        statement: &'static str,
        /// Name of the column.
        column: String,
        /// What is wrong.
        detail: String,
    },
    /// The database is not set up in a way that keeps its promises, or another process uses it.
    #[error("{0}")]
    Configuration(String),
    /// A migration failed.
    #[error("the database could not be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

impl StoreError {
    /// `true` when the transaction certainly did not happen, so that doing the work again cannot
    /// do it twice.
    #[must_use]
    pub const fn is_certainly_aborted(&self) -> bool {
        !matches!(self, Self::CommitUnknown(_))
    }

    /// `true` when the same work may well succeed if tried again at once.
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::Overtaken { .. })
    }

    /// `true` when one row of a batch may be to blame, so that the others deserve a try without it.
    #[must_use]
    pub const fn may_be_one_rows_fault(&self) -> bool {
        match self {
            Self::Constraint { .. } | Self::Refused { .. } | Self::Inconsistent { .. } => true,
            Self::Unavailable(_)
            | Self::Conflict(_)
            | Self::Overtaken { .. }
            | Self::CommitUnknown(_)
            | Self::Configuration(_)
            | Self::Migration(_) => false,
        }
    }

    /// Sorts a driver's error that came from running `statement`.
    pub(crate) fn from_driver(statement: &'static str, source: sqlx::Error) -> Self {
        let Some(database) = source.as_database_error() else {
            return match source {
                sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::Encode(_) => Self::Refused { statement, source },
                _ => Self::Unavailable(source),
            };
        };
        let code = database.code().map(|code| code.into_owned()).unwrap_or_default();
        let is_constraint = database.is_unique_violation()
            || database.is_check_violation()
            || database.is_foreign_key_violation();
        match code.as_str() {
            // Postgres: serialization failure, deadlock, lock not available. SQLite: busy, locked.
            "40001" | "40P01" | "55P03" | "5" | "6" | "261" | "517" => Self::Conflict(source),
            // SQLite: I/O error, full, corrupt, cannot open, no database; in COMMIT they leave open
            // what became durable.
            "10" | "11" | "13" | "14" | "26" => Self::Unavailable(source),
            // Postgres: a database that takes no connections. No statement of ours has this error.
            "55000" => Self::Unavailable(source),
            _ if is_extended_io_error(&code) => Self::Unavailable(source),
            _ if DATABASE_WIDE.contains(&code.get(..2).unwrap_or_default()) && code.len() == 5 => {
                Self::Unavailable(source)
            }
            _ if is_constraint => {
                let name = database.constraint().unwrap_or(database.message()).to_owned();
                Self::Constraint { name, source }
            }
            _ => Self::Refused { statement, source },
        }
    }
}

impl Failure for StoreError {
    /// A constraint that refuses a row, and a transaction that others were in the way of, are answers
    /// of a database that works.
    fn is_failure(&self) -> bool {
        match self {
            Self::Conflict(_) | Self::Overtaken { .. } | Self::Constraint { .. } => false,
            Self::Unavailable(_)
            | Self::CommitUnknown(_)
            | Self::Refused { .. }
            | Self::Inconsistent { .. }
            | Self::Configuration(_)
            | Self::Migration(_) => true,
        }
    }
}

/// Postgres classes of errors that no row causes: connection, transaction state (such as a server
/// that only reads), log-in and name of the database (a new connection is refused), resources (disk
/// full), operator (shutting down, statement time-out), system, internal.
const DATABASE_WIDE: [&str; 8] = ["08", "25", "28", "3D", "53", "57", "58", "XX"];

/// SQLite's extended codes of I/O errors: 10 in the low byte.
fn is_extended_io_error(code: &str) -> bool {
    code.len() != 5 && code.parse::<u32>().is_ok_and(|code| code > 255 && code & 0xff == 10)
}
