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
    (
        6,
        "catalogue",
        include_str!("../../../migrations/postgres/0006_catalogue.sql"),
        include_str!("../../../migrations/sqlite/0006_catalogue.sql"),
    ),
    (
        7,
        "pricing",
        include_str!("../../../migrations/postgres/0007_pricing.sql"),
        include_str!("../../../migrations/sqlite/0007_pricing.sql"),
    ),
    (
        8,
        "room for updates",
        include_str!("../../../migrations/postgres/0008_room_for_updates.sql"),
        include_str!("../../../migrations/sqlite/0008_room_for_updates.sql"),
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
    let mut migrator = Migrator::with_migrations(migrations);
    // What a newer program did is judged by `fits`.
    migrator.set_ignore_missing(true);
    migrator
}

/// What newer programs did to the database.
const NEWER: &str =
    "SELECT version, description FROM _sqlx_migrations WHERE version > $1 ORDER BY version";

/// Whether this program, whose last migration is `known`, may work on a database that a newer one
/// has migrated since.
///
/// During a deployment, and when one is taken back, programs of two versions work on one database.
/// A migration keeps what the version before needs (expand) unless its name begins with
/// `contract N:`. It then serves programs alone whose last migration is `N` or later.
fn fits(known: i64, newer: &[(i64, String)]) -> Result<(), StoreError> {
    for (version, name) in newer {
        let needs = name.strip_prefix("contract ").and_then(|rest| rest.split_once(':'));
        // A contract that cannot be read serves its own program and later ones.
        let needs = needs.map(|(needs, _)| needs.trim().parse().unwrap_or(*version));
        if let Some(needs) = needs.filter(|needs| *needs > known) {
            return Err(StoreError::Configuration(format!(
                "this program is too old for the database: it knows migrations up to {known}, and \
                 migration {version} took away what programs before migration {needs} need; start \
                 a newer program"
            )));
        }
    }
    Ok(())
}

/// The number of this program's last migration.
fn last_known() -> i64 {
    MIGRATIONS.last().map_or(0, |last| last.0)
}

impl Db {
    /// Applies the migrations that are missing. Several nodes may do this at once: they take turns.
    ///
    /// # Errors
    /// [`StoreError::Migration`]; [`StoreError::Configuration`] when a newer program has taken away what this
    /// one needs.
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
                let newer = sqlx::query_as(NEWER).bind(last_known()).fetch_all(&mut connection);
                let newer =
                    newer.await.map_err(|source| StoreError::from_driver("migrate", source))?;
                fits(last_known(), &newer)?;
                // It did its work; how it says good-bye does not matter.
                let _ = connection.close().await;
            }
            Pools::Sqlite { writer, .. } => {
                migrator(|_, sqlite| sqlite).run(writer).await?;
                let newer = sqlx::query_as(NEWER).bind(last_known()).fetch_all(writer).await;
                let newer = newer.map_err(|source| StoreError::from_driver("migrate", source))?;
                fits(last_known(), &newer)?;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn newer(names: &[(i64, &str)]) -> Vec<(i64, String)> {
        names.iter().map(|(version, name)| (*version, (*name).to_owned())).collect()
    }

    #[test]
    fn an_older_program_works_on_what_was_expanded() {
        assert!(fits(4, &[]).is_ok());
        assert!(fits(4, &newer(&[(5, "more"), (6, "contracts are a word")])).is_ok());
        assert!(fits(4, &newer(&[(5, "more"), (6, "contract 4: what nobody reads")])).is_ok());
    }

    #[test]
    fn an_older_program_is_kept_from_what_was_contracted() {
        for name in ["contract 5: drop basket", "contract six: drop basket"] {
            let refused = fits(4, &newer(&[(5, "more"), (6, name)]));
            let error = refused.expect_err(name).to_string();
            assert!(error.contains("migration 6 took away"), "{error}");
        }
    }
}
