//! One process per SQLite file (rule D22).

use crate::StoreError;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

/// Held as long as the database is open; the operating system frees it when the process ends,
/// however it ends.
#[derive(Debug)]
pub(crate) struct InstanceLock {
    _file: File,
}

impl InstanceLock {
    /// Takes the lock that stands beside the database file.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] if another process holds it or the file cannot be made.
    pub(crate) fn take(database: &Path) -> Result<Self, StoreError> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let shown = Path::new(&path).display().to_string();
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| StoreError::Configuration(format!("{shown}: {error}")))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Configuration(format!(
                "another process uses the database {}: a SQLite file serves one process; \
                 use Postgres for several",
                database.display()
            ))),
            Err(TryLockError::Error(error)) => {
                Err(StoreError::Configuration(format!("{shown}: {error}")))
            }
        }
    }
}
