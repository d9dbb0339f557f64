//! Leases: work that one node at a time is to do.
//!
//! A lease lives in the database and is judged by the database's clock alone, so that the clocks of
//! the nodes do not matter. Each takeover raises the fence. A holder that was stopped for longer
//! than its lease, and wakes up, still thinks that it holds it: therefore whatever is written under
//! a lease asks in its own transaction whether the lease is still held ([`still_held`]), which also
//! keeps it from being taken until the transaction has ended (rule D8).

use crate::{Db, Row, Rows, Statement, StoreError, Tx, statement};
use domain::Timestamp;
use std::time::Duration;
use uuid::Uuid;

static TAKE: Statement = statement!("take_leases");
static LIST: Statement = statement!("list_leases");
static RELEASE: Statement = statement!("release_leases");
static FORGET: Statement = statement!("forget_leases");
static STILL_HELD: Statement = statement!("still_held");

/// A lease that this node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its name.
    pub name: String,
    /// Who holds it: this node.
    pub holder: Uuid,
    /// With which fence.
    pub fence: i64,
}

/// A lease as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its name.
    pub name: String,
    /// Who held it last.
    pub holder: Uuid,
    /// Number of takeovers.
    pub fence: i64,
    /// Whether it is still held.
    pub is_live: bool,
}

/// Renews these leases, and takes those that nobody holds; gives those that are held now.
///
/// `now` is used on SQLite only, where the program and the database are one process.
///
/// # Errors
/// See [`StoreError`].
pub async fn take(
    tx: &mut Tx,
    names: &[String],
    holder: Uuid,
    ttl: Duration,
    now: Timestamp,
) -> Result<Vec<Held>, StoreError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let micros = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
    let rows = Rows::new().texts(names.iter().cloned());
    let query = TAKE.query().rows(rows).bind(holder).bind(micros).bind(now);
    let held = |row: &Row| Ok(Held { name: row.text("name")?, holder, fence: row.int("fence")? });
    tx.fetch(query).await?.iter().map(held).collect()
}

/// Every lease whose name begins with `prefix`.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(db: &Db, prefix: &str, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
    let read = |row: &Row| {
        Ok(Lease {
            name: row.text("name")?,
            holder: row.uuid("holder")?,
            fence: row.int("fence")?,
            is_live: row.int("is_live")? != 0,
        })
    };
    db.fetch(LIST.query().bind(prefix).bind(now)).await?.iter().map(read).collect()
}

/// Gives leases up, so that others need not wait for their end.
///
/// # Errors
/// See [`StoreError`].
pub async fn release(tx: &mut Tx, leases: &[Held], now: Timestamp) -> Result<(), StoreError> {
    for lease in leases {
        let query = RELEASE
            .query()
            .bind(lease.name.as_str())
            .bind(lease.holder)
            .bind(lease.fence)
            .bind(now);
        tx.execute(query).await?;
    }
    Ok(())
}

/// Forgets leases whose name begins with `prefix` and that ended `age` ago or longer.
///
/// # Errors
/// See [`StoreError`].
pub async fn forget(
    tx: &mut Tx,
    prefix: &str,
    age: Duration,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let micros = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    tx.execute(FORGET.query().bind(prefix).bind(micros).bind(now)).await
}

/// Whether the lease is held, by this node and with this fence. It stays so until the transaction
/// ends: a takeover waits.
///
/// # Errors
/// See [`StoreError`].
pub async fn still_held(tx: &mut Tx, lease: &Held, now: Timestamp) -> Result<bool, StoreError> {
    let query =
        STILL_HELD.query().bind(lease.name.as_str()).bind(lease.holder).bind(lease.fence).bind(now);
    Ok(tx.fetch_optional(query).await?.is_some())
}
