//! What can go wrong in the catalogue.

use crate::{Invalid, PUT_MAX};
use actors::AskError;
use pricing::Flaw;
use store::StoreError;
use topology::Failure;

/// A failure of the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A change cannot be taken as it is; nothing happened.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A rule cannot be as it is; nothing happened.
    #[error("the rule cannot be so")]
    Flawed(Vec<Flaw>),
    /// More changes at once than [`PUT_MAX`]; nothing happened.
    #[error("{0} products at once are more than {PUT_MAX}")]
    TooMany(usize),
    /// The database failed.
    #[error("the catalogue's books could not be read or written")]
    Store(#[from] StoreError),
    /// The catalogue gave no answer.
    #[error("the catalogue gave no answer")]
    Ask(#[from] AskError),
}

impl Failure for CatalogError {
    fn is_failure(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Flawed(_) | Self::TooMany(_) => false,
            Self::Store(error) => error.is_failure(),
            Self::Ask(error) => error.is_failure(),
        }
    }
}

impl CatalogError {
    /// `true` when certainly nothing was written, so that doing it again cannot do it twice.
    #[must_use]
    pub const fn is_certainly_aborted(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Flawed(_) | Self::TooMany(_) => true,
            Self::Store(error) => error.is_certainly_aborted(),
            Self::Ask(error) => error.nothing_happened(),
        }
    }

    /// `true` when the same request may well succeed if tried again at once.
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        match self {
            Self::Store(error) => error.is_conflict(),
            Self::Invalid(_) | Self::Flawed(_) | Self::TooMany(_) | Self::Ask(_) => false,
        }
    }

    /// `true` when one line of a batch may be to blame, so that the others deserve a try without
    /// it.
    #[must_use]
    pub const fn may_be_one_rows_fault(&self) -> bool {
        match self {
            Self::Invalid(_) => true,
            Self::Store(error) => error.may_be_one_rows_fault(),
            Self::Flawed(_) | Self::TooMany(_) | Self::Ask(_) => false,
        }
    }
}
