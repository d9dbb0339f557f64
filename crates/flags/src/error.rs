//! What can go wrong with flags.

use crate::Flaw;
use actors::AskError;
use std::path::PathBuf;
use store::StoreError;
use topology::Failure;

/// A failure of the flags.
#[derive(Debug, thiserror::Error)]
pub enum FlagsError {
    /// A flag cannot be so; nothing happened.
    #[error("the flag cannot be so")]
    Flawed(Vec<Flaw>),
    /// These flags cannot be changed at all; nothing happened.
    #[error("these flags cannot be changed")]
    Fixed,
    /// The file of flags cannot be used.
    #[error("the file of flags {path} cannot be used: {why}")]
    File {
        /// Where it lies.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The database failed.
    #[error("the flags' books could not be read or written")]
    Store(#[from] StoreError),
    /// The flags gave no answer.
    #[error("the flags gave no answer")]
    Ask(#[from] AskError),
}

impl Failure for FlagsError {
    fn is_failure(&self) -> bool {
        match self {
            Self::Flawed(_) | Self::Fixed | Self::File { .. } => false,
            Self::Store(error) => error.is_failure(),
            Self::Ask(error) => error.is_failure(),
        }
    }
}
