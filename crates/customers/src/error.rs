//! What can go wrong with customers and keys.

use crate::{ADDRESSES_MAX, CREATE_MAX};
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
    /// There is no such customer, address or account, or there is none any more; nothing happened.
    #[error("there is no such thing")]
    NotFound,
    /// The customer has another version than the client insists on; nothing happened.
    #[error("the customer has the version {current}")]
    VersionMismatch {
        /// The version it has.
        current: i64,
    },
    /// The customer has [`ADDRESSES_MAX`] addresses; nothing happened.
    #[error("a customer has at most {ADDRESSES_MAX} addresses")]
    TooManyAddresses,
    /// An account has this e-mail address, or the customer has an account; nothing happened.
    #[error("there is such an account already")]
    AccountExists,
    /// The e-mail address, the password or the refresh token is not right. Which, is not told.
    #[error("the credentials are not right")]
    Refused,
    /// Too many passwords wait to be checked; nothing happened.
    #[error("too many passwords wait to be checked")]
    Busy,
    /// A password could not be hashed, or a token not be made.
    #[error("a password could not be hashed or a token not be made: {0}")]
    Hashing(String),
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
            Self::Invalid { .. }
            | Self::TooMany(_)
            | Self::WeakKey
            | Self::NotFound
            | Self::VersionMismatch { .. }
            | Self::TooManyAddresses
            | Self::AccountExists
            | Self::Refused => false,
            Self::Busy | Self::Hashing(_) => true,
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
            Self::Invalid { .. }
            | Self::TooMany(_)
            | Self::WeakKey
            | Self::NotFound
            | Self::VersionMismatch { .. }
            | Self::TooManyAddresses
            | Self::AccountExists
            | Self::Refused
            | Self::Busy
            | Self::Hashing(_) => true,
            Self::Store(error) => error.is_certainly_aborted(),
            Self::Ask(error) => error.nothing_happened(),
        }
    }

    /// `true` when the same request may well succeed if tried again at once.
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        match self {
            Self::Store(error) => error.is_conflict(),
            _ => false,
        }
    }

    /// `true` when one line of a batch may be to blame, so that the others deserve a try without
    /// it.
    #[must_use]
    pub const fn may_be_one_rows_fault(&self) -> bool {
        match self {
            Self::Invalid { .. } => true,
            Self::Store(error) => error.may_be_one_rows_fault(),
            _ => false,
        }
    }
}
