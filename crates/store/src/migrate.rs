//! The schema, brought up to date at start and by `orderly migrate`.

use crate::db::Pools;
use crate::{Db, StoreError};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Connection, SqlStr};
use std::borrow::Cow;

/// What [`Db::migrate`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Number of migrations the program knows; all are applied now.
    pub known: usize,
}

/// The migrations: the same numbers and names for both databases.
const MIGRATIONS: &[(i64, &str, &str, &str)] = &[
    (
        1,
        "the shop",
        include_str!("../../../migrations/postgres/0001_the_shop.sql"),
        include_str!("../../../migrations/sqlite/0001_the_shop.sql"),
    ),
    (
        2,
        "the life of an order",
        include_str!("../../../migrations/postgres/0002_the_life_of_an_order.sql"),
        include_str!("../../../migrations/sqlite/0002_the_life_of_an_order.sql"),
    ),
    (
        3,
        "claims",
        include_str!("../../../migrations/postgres/0003_claims.sql"),
        include_str!("../../../migrations/sqlite/0003_claims.sql"),
    ),
    (
        4,
        "recommendations from memory",
        include_str!("../../../migrations/postgres/0004_recommendations_from_memory.sql"),
        include_str!("../../../migrations/sqlite/0004_recommendations_from_memory.sql"),
    ),
    (
        5,
        "users",
        include_str!("../../../migrations/postgres/0005_users.sql"),
        include_str!("../../../migrations/sqlite/0005_users.sql"),
    ),
];

fn migrator(pick: impl Fn(&'static str, &'static str) -> &'static str) -> Migrator {
    let migrations = MIGRATIONS
        .iter()
        .map(|(version, name, postgres, sqlite)| {
            Migration::new(
                *version,
                Cow::Borrowed(*name),
                MigrationType::Simple,
                SqlStr::from_static(pick(postgres, sqlite)),
                false,
            )
        })
        .collect();
    Migrator::with_migrations(migrations)
}

impl Db {
    /// Applies the migrations that are missing. Several nodes may do this at once: they take turns.
    ///
    /// # Errors
    /// [`StoreError::Migration`], also when the database is newer than the program.
    pub async fn migrate(&self) -> Result<Migrated, StoreError> {
        match &*self.pools {
            Pools::Postgres { writers, .. } => {
                let migrator = migrator(|postgres, _| postgres);
                // A connection of its own: the statement time-out of the pool is not for this.
                let options = writers.connect_options().as_ref().clone();
                let options = options.options([("statement_timeout", "0")]);
                let mut connection = sqlx::PgConnection::connect_with(&options)
                    .await
                    .map_err(StoreError::Unavailable)?;
                migrator.run(&mut connection).await?;
                // It did its work; how it says good-bye does not matter.
                let _ = connection.close().await;
            }
            Pools::Sqlite { writer, .. } => migrator(|_, sqlite| sqlite).run(writer).await?,
            #[cfg(feature = "simulation")]
            Pools::Simulated(client) => migrate_simulated(client)?,
        }
        Ok(Migrated { known: MIGRATIONS.len() })
    }
}

/// The same files; what was applied is a number in the database's header.
#[cfg(feature = "simulation")]
fn migrate_simulated(client: &crate::simulated::Client) -> Result<(), StoreError> {
    let applied = client.server.with_writer(|connection| {
        let version = connection.query_row("PRAGMA user_version", [], |row| row.get(0));
        let version: i64 = version?;
        for (number, _, _, sqlite) in MIGRATIONS.iter().filter(|known| known.0 > version) {
            connection.execute_batch(sqlite)?;
            connection.pragma_update(None, "user_version", number)?;
        }
        Ok(())
    });
    applied.map_err(|source| StoreError::from_driver("migrate", source))
}
