//! The ledger of a client: what it was about to do, synced before it was done.

use super::record::Record;
use serde_json::Value;
use std::path::Path;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

/// A file of one JSON document per line.
#[derive(Debug)]
pub struct Journal(File);

impl Journal {
    /// A new file.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn create(path: &Path) -> std::io::Result<Self> {
        Ok(Self(File::create(path).await?))
    }

    /// Writes an intent. It is on the disk when this returns.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn intend(&mut self, record: &Record) -> std::io::Result<()> {
        self.line(&record.intent()).await?;
        self.0.sync_data().await
    }

    /// Writes how it ended.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn finish(&mut self, record: &Record) -> std::io::Result<()> {
        self.line(&record.end()).await
    }

    async fn line(&mut self, value: &Value) -> std::io::Result<()> {
        let mut line = value.to_string();
        line.push('\n');
        self.0.write_all(line.as_bytes()).await?;
        self.0.flush().await
    }
}
