//! The tables `session` and `refresh_token`.

use crate::account::Role;
use domain::{CustomerId, Timestamp};
use store::{Db, Rows, Statement, StoreError, Tx, statement};
use uuid::Uuid;

static INSERT: Statement = statement!("insert_session");
static FIND: Statement = statement!("find_session");
static ACCOUNT: Statement = statement!("session_account");
static LOCK: Statement = statement!("lock_session");
static END: Statement = statement!("end_session");
static END_ALL: Statement = statement!("end_sessions");
static CROWD_OUT: Statement = statement!("crowd_out_sessions");
static EXPIRED: Statement = statement!("expired_sessions");
static FORGET_TOKENS: Statement = statement!("forget_session_tokens");
static FORGET: Statement = statement!("forget_sessions");
static INSERT_TOKEN: Statement = statement!("insert_refresh_token");
static FIND_TOKEN: Statement = statement!("find_refresh_token");
static USE_TOKEN: Statement = statement!("use_refresh_token");

/// SHA-256 of a refresh token.
pub(crate) type TokenHash = [u8; 32];

/// A session that lasts, and whose it is.
pub(crate) struct Live {
    pub(crate) account_id: Uuid,
    pub(crate) role: Role,
    pub(crate) customer_id: Option<CustomerId>,
    pub(crate) expires_at: Timestamp,
}

/// A session whose row is locked.
pub(crate) struct Locked {
    pub(crate) id: Uuid,
    pub(crate) account_id: Uuid,
    pub(crate) expires_at: Timestamp,
    pub(crate) ended: bool,
}

/// Begins a session of a locked account with its first refresh token, and ends the oldest ones of
/// an account that has more than `most`; gives these.
pub(crate) async fn begin(
    tx: &mut Tx,
    session: &Locked,
    token: &TokenHash,
    most: i64,
    now: Timestamp,
) -> Result<Vec<Uuid>, StoreError> {
    let Locked { id, account_id, expires_at, .. } = *session;
    tx.execute(INSERT.query().bind(id).bind(account_id).bind(now).bind(expires_at)).await?;
    insert_token(tx, id, token, now).await?;
    let ended = tx.fetch(CROWD_OUT.query().bind(account_id).bind(most).bind(now)).await?;
    ended.iter().map(|row| row.uuid("id")).collect()
}

pub(crate) async fn insert_token(
    tx: &mut Tx,
    session: Uuid,
    token: &TokenHash,
    now: Timestamp,
) -> Result<(), StoreError> {
    let insert = INSERT_TOKEN.query().bind(token.to_vec()).bind(session).bind(now);
    tx.execute(insert).await.map(drop)
}

/// Whose session it is, while it lasts.
pub(crate) async fn find(db: &Db, id: Uuid) -> Result<Option<Live>, StoreError> {
    let Some(row) = db.fetch_optional(FIND.query().bind(id)).await? else { return Ok(None) };
    Ok(Some(Live {
        account_id: row.uuid("id")?,
        role: row.parsed("role", "a role", Role::parse)?,
        customer_id: row.opt_uuid("customer_id")?.map(CustomerId),
        expires_at: row.time("expires_at")?,
    }))
}

/// The session of a refresh token, used or not.
pub(crate) async fn of_token(db: &Db, token: &TokenHash) -> Result<Option<Uuid>, StoreError> {
    let row = db.fetch_optional(FIND_TOKEN.query().bind(token.to_vec())).await?;
    row.map(|row| row.uuid("session_id")).transpose()
}

/// Whose session it is or was.
pub(crate) async fn account_of(db: &Db, id: Uuid) -> Result<Option<Uuid>, StoreError> {
    let row = db.fetch_optional(ACCOUNT.query().bind(id)).await?;
    row.map(|row| row.uuid("account_id")).transpose()
}

/// Locks a session until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx, id: Uuid) -> Result<Option<Locked>, StoreError> {
    let Some(row) = tx.fetch_optional(LOCK.query().bind(id)).await? else { return Ok(None) };
    Ok(Some(Locked {
        id: row.uuid("id")?,
        account_id: row.uuid("account_id")?,
        expires_at: row.time("expires_at")?,
        ended: row.opt_text("ended_why")?.is_some(),
    }))
}

/// Uses a refresh token up; `false` if it was used before.
pub(crate) async fn use_token(
    tx: &mut Tx,
    token: &TokenHash,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.execute(USE_TOKEN.query().bind(token.to_vec()).bind(now)).await? == 1)
}

pub(crate) async fn end(
    tx: &mut Tx,
    id: Uuid,
    why: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(END.query().bind(id).bind(now).bind(why)).await.map(drop)
}

/// Ends all sessions of a locked account, and gives those that lasted until now.
pub(crate) async fn end_all(
    tx: &mut Tx,
    account: Uuid,
    why: &str,
    now: Timestamp,
) -> Result<Vec<Uuid>, StoreError> {
    let ended = tx.fetch(END_ALL.query().bind(account).bind(now).bind(why)).await?;
    ended.iter().map(|row| row.uuid("id")).collect()
}

/// Forgets up to `limit` sessions that expired before `before`.
pub(crate) async fn forget_expired(
    db: &Db,
    before: Timestamp,
    limit: i64,
) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let expired = tx.fetch(EXPIRED.query().bind(before).bind(limit)).await?;
    let ids: Vec<Uuid> = expired.iter().map(|row| row.uuid("id")).collect::<Result<_, _>>()?;
    if ids.is_empty() {
        return Ok(());
    }
    let rows = || Rows::new().uuids(ids.iter().copied());
    tx.execute(FORGET_TOKENS.query().rows(rows())).await?;
    tx.execute(FORGET.query().rows(rows())).await?;
    tx.commit().await
}
