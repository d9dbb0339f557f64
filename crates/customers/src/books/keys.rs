//! The table `api_key`, and the one secret that signs tokens.

use crate::keys::KeyHash;
use crate::{ApiKey, Scopes};
use domain::Timestamp;
use std::collections::HashMap;
use store::{Db, Row, Rows, Statement, StoreError, statement};
use uuid::Uuid;

static INSERT: Statement = statement!("insert_key");
static FIND: Statement = statement!("find_key");
static GET: Statement = statement!("get_key");
static LIST: Statement = statement!("list_keys");
static REVOKE: Statement = statement!("revoke_key");
static NOTE_USES: Statement = statement!("note_key_uses");
static INSERT_SIGNING: Statement = statement!("insert_signing_key");
static FIND_SIGNING: Statement = statement!("find_signing_key");

/// Writes the key if no key has its hash, and gives the one that has.
pub(crate) async fn ensure(db: &Db, hash: &KeyHash, key: &ApiKey) -> Result<ApiKey, StoreError> {
    let insert = INSERT
        .query()
        .bind(key.id)
        .bind(key.name.as_str())
        .bind(hash.to_vec())
        .bind(key.scopes.to_string())
        .bind(key.created_at)
        .bind(key.prefix.clone())
        .bind(key.expires_at);
    let mut tx = db.begin().await?;
    tx.execute(insert).await?;
    let row = tx.fetch_optional(FIND.query().bind(hash.to_vec())).await?;
    tx.commit().await?;
    row.map_or_else(|| Err(missing(&FIND, "secret_hash")), |row| read(&row))
}

pub(crate) async fn find(db: &Db, hash: &KeyHash) -> Result<Option<ApiKey>, StoreError> {
    let query = FIND.query().bind(hash.to_vec());
    db.fetch_optional(query).await?.as_ref().map(read).transpose()
}

pub(crate) async fn get(db: &Db, id: Uuid) -> Result<Option<ApiKey>, StoreError> {
    db.fetch_optional(GET.query().bind(id)).await?.as_ref().map(read).transpose()
}

pub(crate) async fn list(
    db: &Db,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<ApiKey>, StoreError> {
    let query = LIST.query().bind(after).bind(limit.max(0));
    db.fetch(query).await?.iter().map(read).collect()
}

/// Revokes a key and gives its hash; `None` if there is no such key that still opens something.
pub(crate) async fn revoke(
    db: &Db,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<KeyHash>, StoreError> {
    let mut tx = db.begin().await?;
    let row = tx.fetch_optional(REVOKE.query().bind(id).bind(now)).await?;
    tx.commit().await?;
    row.map(|row| {
        let hash = row.bytes("secret_hash")?;
        hash.try_into().map_err(|_| row.wrong("secret_hash", "is not 32 bytes long"))
    })
    .transpose()
}

/// Notes when these keys were used, where that is news.
pub(crate) async fn note_uses(db: &Db, uses: HashMap<Uuid, Timestamp>) -> Result<(), StoreError> {
    let (ids, times): (Vec<Uuid>, Vec<Timestamp>) = uses.into_iter().unzip();
    let mut tx = db.begin().await?;
    tx.execute(NOTE_USES.query().rows(Rows::new().uuids(ids).times(times))).await?;
    tx.commit().await
}

/// The secret that signs tokens: the one that is there, or else this one.
pub(crate) async fn signing_secret(
    db: &Db,
    fresh: [u8; 32],
    now: Timestamp,
) -> Result<Vec<u8>, StoreError> {
    let mut tx = db.begin().await?;
    tx.execute(INSERT_SIGNING.query().bind(fresh.to_vec()).bind(now)).await?;
    let row = tx.fetch_optional(FIND_SIGNING.query()).await?;
    tx.commit().await?;
    row.map_or_else(|| Err(missing(&FIND_SIGNING, "secret")), |row| row.bytes("secret"))
}

fn missing(statement: &Statement, column: &str) -> StoreError {
    StoreError::Inconsistent {
        statement: statement.name,
        column: column.to_owned(),
        detail: "it was written and is not there".to_owned(),
    }
}

fn read(row: &Row) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: row.uuid("id")?,
        name: row.text("name")?,
        scopes: Scopes::parse(&row.text("scopes")?),
        created_at: row.time("created_at")?,
        revoked: row.int("revoked")? != 0,
        prefix: row.opt_text("prefix")?,
        expires_at: row.opt_time("expires_at")?,
        last_used_at: row.opt_time("last_used_at")?,
    })
}
