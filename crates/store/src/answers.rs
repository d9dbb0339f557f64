//! Answers kept by idempotency key, so that the same request gets the same answer, byte for byte,
//! on any node, before and after a crash.
//!
//! An answer is stored in the transaction that makes it true. The first one stays.

use crate::{Db, Row, Rows, Statement, StoreError, Tx, statement};
use domain::Timestamp;
use std::collections::HashMap;
use uuid::Uuid;

static FIND: Statement = statement!("find_answers");
static STORE: Statement = statement!("store_answers");
static STORE_NEW: Statement = statement!("store_new_answers");
static FORGET: Statement = statement!("forget_answers");

/// SHA-256 of what makes two requests the same: method, path and canonical body.
pub type Fingerprint = [u8; 32];

/// What names a request: who asks, and the key they chose.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestKey {
    /// Who asks.
    pub principal_id: Uuid,
    /// The client's idempotency key.
    pub key: String,
}

/// An answer over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Location` header.
    pub location: Option<String>,
    /// `ETag` header.
    pub etag: Option<String>,
    /// The body: JSON.
    pub body: String,
}

/// An answer with the request it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Which request.
    pub key: RequestKey,
    /// What it asked for.
    pub fingerprint: Fingerprint,
    /// What it was told.
    pub answer: Answer,
    /// When.
    pub created_at: Timestamp,
}

/// Keeps answers and tells how many are new. Where a key has one already, that one stays.
///
/// # Errors
/// See [`StoreError`].
pub async fn store(tx: &mut Tx, answers: &[Stored]) -> Result<u64, StoreError> {
    if answers.is_empty() {
        return Ok(0);
    }
    if faults::planted("answer-not-kept") {
        return Ok(answers.len() as u64);
    }
    tx.execute(STORE.query().rows(rows(answers))).await
}

/// Keeps answers to requests of which it is certain that nobody has answered them.
///
/// # Errors
/// See [`StoreError`]; also when one of them has an answer.
pub async fn store_new(tx: &mut Tx, answers: &[Stored]) -> Result<(), StoreError> {
    if answers.is_empty() || faults::planted("answer-not-kept") {
        return Ok(());
    }
    tx.execute(STORE_NEW.query().rows(rows(answers))).await.map(drop)
}

fn rows(answers: &[Stored]) -> Rows {
    Rows::new()
        .uuids(answers.iter().map(|a| a.key.principal_id))
        .texts(answers.iter().map(|a| a.key.key.clone()))
        .bytes(answers.iter().map(|a| a.fingerprint.to_vec()))
        .ints(answers.iter().map(|a| i64::from(a.answer.status)))
        .texts(answers.iter().map(|a| a.answer.location.clone()))
        .texts(answers.iter().map(|a| a.answer.etag.clone()))
        .texts(answers.iter().map(|a| a.answer.body.clone()))
        .times(answers.iter().map(|a| a.created_at))
}

/// Forgets up to `limit` answers given before `before`; how many.
///
/// # Errors
/// See [`StoreError`].
pub async fn forget(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.execute(FORGET.query().bind(before).bind(limit)).await
}

/// The answers that these requests were given, as far as they were.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(db: &Db, keys: &[RequestKey]) -> Result<HashMap<RequestKey, Stored>, StoreError> {
    collect(&db.fetch(FIND.query().rows(key_rows(keys))).await?)
}

/// Like [`find`], inside a transaction.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_in(
    tx: &mut Tx,
    keys: &[RequestKey],
) -> Result<HashMap<RequestKey, Stored>, StoreError> {
    collect(&tx.fetch(FIND.query().rows(key_rows(keys))).await?)
}

fn key_rows(keys: &[RequestKey]) -> Rows {
    Rows::new()
        .uuids(keys.iter().map(|key| key.principal_id))
        .texts(keys.iter().map(|key| key.key.clone()))
}

fn collect(rows: &[Row]) -> Result<HashMap<RequestKey, Stored>, StoreError> {
    rows.iter()
        .map(|row| {
            let key = RequestKey { principal_id: row.uuid("principal_id")?, key: row.text("key")? };
            Ok((key.clone(), stored(row, key)?))
        })
        .collect()
}

fn stored(row: &Row, key: RequestKey) -> Result<Stored, StoreError> {
    Ok(Stored {
        key,
        fingerprint: row
            .bytes("fingerprint")?
            .try_into()
            .map_err(|_| row.wrong("fingerprint", "is not 32 bytes long"))?,
        answer: Answer {
            status: u16::try_from(row.int("status")?)
                .map_err(|_| row.wrong("status", "is no HTTP status"))?,
            location: row.opt_text("location")?,
            etag: row.opt_text("etag")?,
            body: row.text("body")?,
        },
        created_at: row.time("created_at")?,
    })
}
