//! The file of flags: flagd's own format, read again when it changes.

use crate::definition::{Definition, Known};
use crate::error::FlagsError;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Largest file.
const BYTES_MAX: usize = 1024 * 1024;

/// What a file has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "$schema")]
    _schema: Option<String>,
    #[serde(default, rename = "metadata")]
    _metadata: Option<Value>,
    flags: BTreeMap<String, Definition>,
}

/// A file, and what it had when it was last read.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    path: PathBuf,
    last: Option<String>,
}

impl Reader {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path, last: None }
    }

    /// The flags of the file, if it has changed since [`Self::took`]; with its text.
    pub(crate) async fn read(
        &self,
        known: &[Known],
    ) -> Result<Option<(String, BTreeMap<String, Definition>)>, FlagsError> {
        let wrong = |why: String| FlagsError::File { path: self.path.clone(), why };
        let text = tokio::fs::read_to_string(&self.path).await;
        let text = text.map_err(|error| wrong(error.to_string()))?;
        if self.last.as_ref() == Some(&text) {
            return Ok(None);
        }
        if text.len() > BYTES_MAX {
            return Err(wrong("it is larger than 1 MiB".to_owned()));
        }
        let file: File = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        for (key, definition) in &file.flags {
            if let Some(flaw) = definition.flaws(key, known).first() {
                return Err(wrong(format!("{key}{}: {}", flaw.pointer, flaw.detail)));
            }
        }
        Ok(Some((text, file.flags)))
    }

    /// Remembers what was read.
    pub(crate) fn took(&mut self, text: String) {
        self.last = Some(text);
    }
}
