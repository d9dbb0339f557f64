//! How far an import has come, kept in a small file.

use crate::Kind;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// How far an import has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    run_id: String,
    kind: Kind,
    target: String,
    /// Rows that were dealt with, from the first one on.
    pub(crate) rows: u64,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    /// How long the file of the bad rows is.
    pub(crate) bad_bytes: u64,
}

impl Note {
    /// An import that has not begun.
    pub(crate) fn new(run_id: &str, kind: Kind, target: &str) -> Self {
        let (run_id, target) = (run_id.to_owned(), target.to_owned());
        Self { run_id, kind, target, rows: 0, accepted: 0, refused: 0, bad_bytes: 0 }
    }

    /// Whether it is about the same import.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        let import = |note: &Self| (note.run_id.clone(), note.kind, note.target.clone());
        import(self) == import(other)
    }

    /// The run id of this note, if it is about another import to the same place.
    pub(crate) fn of_another_file(&self, other: &Self) -> Option<&str> {
        let same_place = self.kind == other.kind && self.target == other.target;
        (same_place && self.run_id != other.run_id).then_some(&self.run_id)
    }

    /// The note at this place, if there is one that can be read.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        match fs::read(path) {
            // One that cannot be read is of no use: the import begins anew, which does no harm.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes the note in place of the one before, as a whole.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let write = || {
            fs::write(&new, serde_json::to_vec(self)?)?;
            fs::rename(&new, path)
        };
        write().with_context(|| {
            format!("cannot note in {} how far the import has come", path.display())
        })
    }

    /// Removes the note.
    pub(crate) fn remove(path: &Path) -> anyhow::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }
}
