//! The rows that were refused, with their lines and reasons.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

/// A row that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    /// Why, for programs: a code of the API, or `INVALID_ROW`.
    pub code: String,
    /// Why, for people.
    pub reason: String,
    /// The row as it stands in the file.
    pub row: String,
}

/// The file of the bad rows; there is none before the first one.
pub(crate) struct BadRows {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    bytes: u64,
}

impl BadRows {
    /// The file as it was when it had so many bytes: what was written after that is written again.
    pub(crate) fn open(path: PathBuf, bytes: u64) -> anyhow::Result<Self> {
        let mut rows = Self { path, file: None, bytes };
        if rows.path.exists() {
            rows.file()?;
        }
        Ok(rows)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn file(&mut self) -> anyhow::Result<&mut BufWriter<File>> {
        if self.file.is_none() {
            let open = || {
                let mut file =
                    OpenOptions::new().create(true).truncate(false).write(true).open(&self.path)?;
                file.set_len(self.bytes)?;
                file.seek(std::io::SeekFrom::End(0))?;
                Ok::<_, std::io::Error>(file)
            };
            let file = open().with_context(|| self.refused())?;
            self.file = Some(BufWriter::new(file));
        }
        self.file.as_mut().with_context(|| format!("{} is not open", self.path.display()))
    }

    fn refused(&self) -> String {
        format!("cannot write bad rows to {}", self.path.display())
    }

    pub(crate) fn add(&mut self, row: BadRow) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(&row)?;
        line.push(b'\n');
        let written = self.file()?.write_all(&line);
        written.with_context(|| self.refused())?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Writes what waits, and tells how long the file is.
    pub(crate) fn flush(&mut self) -> anyhow::Result<u64> {
        if let Some(file) = &mut self.file {
            let flushed = file.flush();
            flushed.with_context(|| self.refused())?;
        }
        Ok(self.bytes)
    }

    /// Writes what waits, and removes a file without rows.
    pub(crate) fn close(mut self) -> anyhow::Result<()> {
        if self.flush()? == 0 && self.path.exists() {
            std::fs::remove_file(&self.path).with_context(|| self.refused())?;
        }
        Ok(())
    }

    /// The first so many rows of the file.
    pub(crate) fn first(&mut self, most: usize) -> anyhow::Result<Vec<BadRow>> {
        self.flush()?;
        if self.bytes == 0 {
            return Ok(Vec::new());
        }
        let open = File::open(&self.path);
        let file = open.with_context(|| format!("cannot read {}", self.path.display()))?;
        let lines = BufReader::new(file).lines().take(most);
        lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
    }
}
