//! What can go wrong with customers and keys.

use crate::CREATE_MAX;
use actors::AskError;
use store::StoreError;
use topology::Failure;

/// A failure of the customers' service.
#[derive(Debug, thiserror::Error)]
pub enum CustomersError {
    /// Line `line` (from 0) contains the character U+0000, which Postgres cannot keep; nothing
    /// happened.
    #[error("line {line} contains a null character")]
    Invalid {
        /// Which line of the batch.
        line: usize,
    },
    /// More customers at once than [`CREATE_MAX`]; nothing happened.
    #[error("{0} customers at once are more than {CREATE_MAX}")]
    TooMany(usize),
    /// The text of a key is not 16 to 512 visible ASCII characters; nothing happened.
    #[error("a key has 16 to 512 visible ASCII characters")]
    WeakKey,
    /// The database failed.
    #[error("the customers' books could not be read or written")]
    Store(#[from] StoreError),
    /// The service gave no answer.
    #[error("the customers' service gave no answer")]
    Ask(#[from] AskError),
}

impl Failure for CustomersError {
    fn is_failure(&self) -> bool {
        match self {
            Self::Invalid { .. } | Self::TooMany(_) | Self::WeakKey => false,
            Self::Store(error) => error.is_failure(),
            Self::Ask(error) => error.is_failure(),
        }
    }
}

impl CustomersError {
    /// `true` when certainly nothing was written, so that doing it again cannot do it twice.
    #[must_use]
    pub const fn is_certainly_aborted(&self) -> bool {
        match self {
            Self::Invalid { .. } | Self::TooMany(_) | Self::WeakKey => true,
            Self::Store(error) => error.is_certainly_aborted(),
            Self::Ask(error) => error.nothing_happened(),
        }
    }

    /// `true` when the same request may well succeed if tried again at once.
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        match self {
            Self::Store(error) => error.is_conflict(),
            Self::Invalid { .. } | Self::TooMany(_) | Self::WeakKey | Self::Ask(_) => false,
        }
    }

    /// `true` when one line of a batch may be to blame, so that the others deserve a try without
    /// it.
    #[must_use]
    pub const fn may_be_one_rows_fault(&self) -> bool {
        match self {
            Self::Invalid { .. } => true,
            Self::Store(error) => error.may_be_one_rows_fault(),
            Self::TooMany(_) | Self::WeakKey | Self::Ask(_) => false,
        }
    }
}
