//! The table `account`.

use crate::account::{Account, Email, Role};
use domain::{CustomerId, Timestamp};
use store::{Db, Row, Statement, StoreError, Tx, statement};
use uuid::Uuid;

static INSERT: Statement = statement!("insert_account");
static FIND: Statement = statement!("find_account");
static FIND_BY_EMAIL: Statement = statement!("find_account_by_email");
static FIND_OF_CUSTOMER: Statement = statement!("find_account_of_customer");
static LIST: Statement = statement!("list_accounts");
static LOCK: Statement = statement!("lock_account");
static CHANGE_PASSWORD: Statement = statement!("change_password");
static DELETE: Statement = statement!("delete_account");
static DELETE_TOKENS: Statement = statement!("delete_refresh_tokens");
static DELETE_SESSIONS: Statement = statement!("delete_sessions");

/// An account with the hash of its password, which leaves this service nowhere.
pub(crate) struct Kept {
    pub(crate) account: Account,
    pub(crate) password_hash: String,
}

/// Writes an account, unless its e-mail address has one: then `false`.
pub(crate) async fn insert(
    tx: &mut Tx,
    account: &Account,
    password_hash: &str,
) -> Result<bool, StoreError> {
    let insert = INSERT
        .query()
        .bind(account.id)
        .bind(account.email.as_str())
        .bind(password_hash)
        .bind(account.role.as_str())
        .bind(account.customer_id.map(|id| id.0))
        .bind(account.created_at);
    Ok(tx.execute(insert).await? == 1)
}

pub(crate) async fn find(db: &Db, id: Uuid) -> Result<Option<Kept>, StoreError> {
    db.fetch_optional(FIND.query().bind(id)).await?.as_ref().map(read).transpose()
}

pub(crate) async fn find_by_email(db: &Db, email: &Email) -> Result<Option<Kept>, StoreError> {
    let query = FIND_BY_EMAIL.query().bind(email.as_str());
    db.fetch_optional(query).await?.as_ref().map(read).transpose()
}

/// Whether this customer has an account.
pub(crate) async fn has_one(tx: &mut Tx, id: CustomerId) -> Result<bool, StoreError> {
    Ok(tx.fetch_optional(FIND_OF_CUSTOMER.query().bind(id.0)).await?.is_some())
}

pub(crate) async fn list(
    db: &Db,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Account>, StoreError> {
    let rows = db.fetch(LIST.query().bind(after).bind(limit.max(0))).await?;
    rows.iter().map(|row| Ok(read(row)?.account)).collect()
}

/// Locks an account until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx, id: Uuid) -> Result<Option<Kept>, StoreError> {
    tx.fetch_optional(LOCK.query().bind(id)).await?.as_ref().map(read).transpose()
}

/// Puts a new hash in place of `old`; `false` if that is not the account's any more.
pub(crate) async fn change_password(
    tx: &mut Tx,
    id: Uuid,
    old: &str,
    new: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let change = CHANGE_PASSWORD.query().bind(id).bind(old).bind(new).bind(now);
    Ok(tx.execute(change).await? == 1)
}

/// Deletes a locked account with its sessions, and gives these.
pub(crate) async fn delete(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<Vec<Uuid>, StoreError> {
    // Whoever refreshes a token holds its session: this waits for them.
    super::sessions::end_all(tx, id, "deleted", now).await?;
    tx.execute(DELETE_TOKENS.query().bind(id)).await?;
    let ended = tx.fetch(DELETE_SESSIONS.query().bind(id)).await?;
    tx.execute(DELETE.query().bind(id)).await?;
    ended.iter().map(|row| row.uuid("id")).collect()
}

/// Deletes the account of a customer, whose row is locked, if there is one.
pub(crate) async fn delete_of_customer(
    tx: &mut Tx,
    id: CustomerId,
    now: Timestamp,
) -> Result<Vec<Uuid>, StoreError> {
    let Some(row) = tx.fetch_optional(FIND_OF_CUSTOMER.query().bind(id.0)).await? else {
        return Ok(Vec::new());
    };
    match lock(tx, row.uuid("id")?).await? {
        Some(kept) => delete(tx, kept.account.id, now).await,
        None => Ok(Vec::new()),
    }
}

fn read(row: &Row) -> Result<Kept, StoreError> {
    Ok(Kept {
        account: Account {
            id: row.uuid("id")?,
            email: row.parsed("email", "an e-mail address", Email::parse)?,
            role: row.parsed("role", "a role", Role::parse)?,
            customer_id: row.opt_uuid("customer_id")?.map(CustomerId),
            created_at: row.time("created_at")?,
        },
        password_hash: row.text("password_hash")?,
    })
}
