//! The first admin key: given, or made at the first start and kept in a file.

use anyhow::{Context, Result, ensure};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// An admin key, and whether it was made just now.
pub(crate) struct AdminKey {
    pub(crate) secret: String,
    pub(crate) is_new: bool,
}

/// Name of the file under the data directory.
pub(crate) const ADMIN_KEY_FILE: &str = "admin.key";

/// The key that was given, or that of the file, or a new one that is put into the file.
pub(crate) fn admin_key(given: Option<&str>, data_dir: &Path) -> Result<AdminKey> {
    if let Some(secret) = given {
        ensure!(
            secret.len() >= 16 && secret.bytes().all(|byte| byte.is_ascii_graphic()),
            "the admin key must have at least 16 visible ASCII characters"
        );
        return Ok(AdminKey { secret: secret.to_owned(), is_new: false });
    }
    let path = data_dir.join(ADMIN_KEY_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let secret = text.trim().to_owned();
            ensure!(secret.len() >= 16, "{} does not hold a key", path.display());
            Ok(AdminKey { secret, is_new: false })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let secret = customers::new_secret(rand::random());
            write_private(&path, &secret).with_context(|| path.display().to_string())?;
            Ok(AdminKey { secret, is_new: true })
        }
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// Writes a file that its owner alone may read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}
