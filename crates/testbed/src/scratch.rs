//! Folders and databases of a test's own.

use actix::System;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use store::{DatabaseUrl, Db, Statement, StoreConfig};

/// A folder that is removed at the end with everything in it.
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it does something: it makes a folder")]
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(unique_name());
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own tidying.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A name that no other test of this machine uses.
fn unique_name() -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    format!("orderly_test_{}_{number}", std::process::id())
}

/// An empty database of a test's own.
pub struct Scratch {
    url: DatabaseUrl,
    _folder: Option<Folder>,
}

impl Scratch {
    /// A SQLite file in a folder of its own.
    #[must_use]
    pub fn sqlite() -> Self {
        let folder = Folder::new();
        let url = DatabaseUrl::Sqlite(folder.path().join("orderly.db"));
        Self { url, _folder: Some(folder) }
    }

    /// Opens the database, as a start of the program does.
    ///
    /// # Panics
    /// It cannot be opened.
    pub async fn open(&self) -> Db {
        let db = Db::open(&StoreConfig::new(self.url.clone())).await.expect("opens");
        db.migrate().await.expect("migrates");
        db
    }
}

/// Runs a test on an actix system, with a SQLite file.
pub fn on_sqlite(test: impl AsyncFnOnce(&Scratch)) {
    let scratch = Scratch::sqlite();
    System::new().block_on(test(&scratch));
}

/// Runs a test on an actix system, with a database on the server of `TEST_DATABASE_URL`.
///
/// # Panics
/// Without `TEST_DATABASE_URL`: a test that is passed over in silence proves nothing.
pub fn on_postgres(test: impl AsyncFnOnce(&Scratch)) {
    let server = std::env::var("TEST_DATABASE_URL").expect(
        "this test needs a Postgres server: run scripts/test, which starts one, or set \
         TEST_DATABASE_URL to a server where databases may be created",
    );
    let name = unique_name();
    System::new().block_on(async {
        on_server(&server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        on_server(&server, format!("CREATE DATABASE {name}")).await;
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        let url = DatabaseUrl::Postgres(format!("{base}/{name}"));
        test(&Scratch { url, _folder: None }).await;
        on_server(&server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
    });
}

async fn on_server(server: &str, sql: String) {
    // Statements are texts of the program; those of a test live as long as the test.
    let sql: &'static str = sql.leak();
    let statement: &'static Statement =
        Box::leak(Box::new(Statement { name: "on_server", postgres: sql, sqlite: "" }));
    let url = DatabaseUrl::Postgres(server.to_owned());
    let db = Db::open(&StoreConfig::new(url)).await.expect("the server answers");
    db.fetch(statement.query()).await.expect("the server obeys");
    db.close().await;
}

/// Runs each test on both databases; it is given a [`Scratch`].
#[macro_export]
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($scratch:ident) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn scenario($scratch: &$crate::Scratch) $body

            #[test]
            fn sqlite() {
                $crate::on_sqlite(async |scratch| scenario(scratch).await);
            }

            #[test]
            fn postgres() {
                $crate::on_postgres(async |scratch| scenario(scratch).await);
            }
        }
    )+};
}
