//! How many connections there are, for display.

use crate::db::{Db, Pools};
use sqlx::{Database, Pool};

/// The connections of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// What the pool is for: `writers` or `readers`.
    pub pool: &'static str,
    /// Connections that are in use.
    pub busy: u32,
    /// Connections that are open and free.
    pub idle: u32,
    /// The most that may be open.
    pub max: u32,
}

fn usage<D: Database>(name: &'static str, pool: &Pool<D>) -> PoolUse {
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    let max = pool.options().get_max_connections();
    PoolUse { pool: name, busy: pool.size().saturating_sub(idle), idle, max }
}

impl Db {
    /// How many connections are open now, by pool.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolUse> {
        match &*self.pools {
            Pools::Postgres { writers, readers } => {
                vec![usage("writers", writers), usage("readers", readers)]
            }
            Pools::Sqlite { writer, readers, .. } => {
                vec![usage("writers", writer), usage("readers", readers)]
            }
            #[cfg(feature = "simulation")]
            Pools::Simulated(_) => Vec::new(),
        }
    }
}
