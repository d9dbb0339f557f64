//! The tables `customer` and `api_key`.

use crate::keys::KeyHash;
use crate::{ApiKey, Created, Customer, NewCustomer, Payer, Scopes};
use domain::{CustomerId, Timestamp};
use std::collections::HashMap;
use store::{Db, Row, Rows, Statement, StoreError, statement};
use uuid::Uuid;

static INSERT: Statement = statement!("insert_customers");
static FIND: Statement = statement!("find_customers");
static FIND_IMPORTED: Statement = statement!("find_imported");
static FIND_PAYERS: Statement = statement!("find_payers");
static LIST: Statement = statement!("list_customers");
static INSERT_KEY: Statement = statement!("insert_key");
static FIND_KEY: Statement = statement!("find_key");
static LIST_KEYS: Statement = statement!("list_keys");
static REVOKE_KEY: Statement = statement!("revoke_key");

/// Writes customers, where their reference is not taken, and answers line by line.
pub(crate) async fn create(
    db: &Db,
    lines: Vec<(CustomerId, NewCustomer)>,
    now: Timestamp,
) -> Result<Vec<Created>, StoreError> {
    let rows = Rows::new()
        .uuids(lines.iter().map(|(id, _)| id.0))
        .texts(lines.iter().map(|(_, new)| new.external_ref.clone()))
        .texts(lines.iter().map(|(_, new)| new.name.clone()))
        .texts(lines.iter().map(|(_, new)| new.email.clone()))
        .texts(lines.iter().map(|(_, new)| new.default_payment_method.clone()));
    let imported = Rows::new().texts(lines.iter().filter_map(|(_, new)| new.external_ref.clone()));
    let mut tx = db.begin().await?;
    tx.execute(INSERT.query().rows(rows).bind(now)).await?;
    let imported = tx.fetch(FIND_IMPORTED.query().rows(imported)).await?;
    tx.commit().await?;
    let mut by_ref = HashMap::with_capacity(imported.len());
    for row in &imported {
        by_ref.insert(row.text("external_ref")?, read(row)?);
    }
    lines.into_iter().map(|(id, new)| created(id, new, now, &by_ref)).collect()
}

fn created(
    id: CustomerId,
    new: NewCustomer,
    now: Timestamp,
    by_ref: &HashMap<String, Customer>,
) -> Result<Created, StoreError> {
    let Some(external_ref) = &new.external_ref else {
        return Ok(Created { customer: new.into_customer(id, now), is_new: true });
    };
    let Some(customer) = by_ref.get(external_ref) else {
        return Err(StoreError::Inconsistent {
            statement: FIND_IMPORTED.name,
            column: "external_ref".to_owned(),
            detail: format!("{external_ref:?} was written and is not there"),
        });
    };
    Ok(Created { customer: customer.clone(), is_new: customer.id == id })
}

pub(crate) async fn get(db: &Db, id: CustomerId) -> Result<Option<Customer>, StoreError> {
    let wanted = Rows::new().uuids([id.0]);
    db.fetch_optional(FIND.query().rows(wanted)).await?.as_ref().map(read).transpose()
}

pub(crate) async fn list(
    db: &Db,
    after: Option<CustomerId>,
    limit: i64,
) -> Result<Vec<Customer>, StoreError> {
    let query = LIST.query().bind(after.map(|id| id.0)).bind(limit.max(0));
    db.fetch(query).await?.iter().map(read).collect()
}

/// How those of these customers pay who exist.
pub(crate) async fn payers(
    db: &Db,
    ids: &[CustomerId],
) -> Result<HashMap<CustomerId, Payer>, StoreError> {
    let wanted = Rows::new().uuids(ids.iter().map(|id| id.0));
    let read = |row: &Row| {
        let default_payment_method = row.opt_text("default_payment_method")?;
        Ok((CustomerId(row.uuid("id")?), Payer { default_payment_method }))
    };
    db.fetch(FIND_PAYERS.query().rows(wanted)).await?.iter().map(read).collect()
}

/// Writes the key if no key has its hash, and gives the one that has.
pub(crate) async fn ensure_key(
    db: &Db,
    hash: &KeyHash,
    key: &ApiKey,
) -> Result<ApiKey, StoreError> {
    let insert = INSERT_KEY
        .query()
        .bind(key.id)
        .bind(key.name.as_str())
        .bind(hash.to_vec())
        .bind(key.scopes.to_string())
        .bind(key.created_at);
    let mut tx = db.begin().await?;
    tx.execute(insert).await?;
    let row = tx.fetch_optional(FIND_KEY.query().bind(hash.to_vec())).await?;
    tx.commit().await?;
    match row {
        Some(row) => read_key(&row),
        None => Err(StoreError::Inconsistent {
            statement: FIND_KEY.name,
            column: "secret_hash".to_owned(),
            detail: "a key was written and is not there".to_owned(),
        }),
    }
}

pub(crate) async fn find_key(db: &Db, hash: &KeyHash) -> Result<Option<ApiKey>, StoreError> {
    let query = FIND_KEY.query().bind(hash.to_vec());
    db.fetch_optional(query).await?.as_ref().map(read_key).transpose()
}

pub(crate) async fn list_keys(
    db: &Db,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<ApiKey>, StoreError> {
    let query = LIST_KEYS.query().bind(after).bind(limit.max(0));
    db.fetch(query).await?.iter().map(read_key).collect()
}

/// Revokes a key and gives its hash; `None` if there is no such key that still opens something.
pub(crate) async fn revoke_key(
    db: &Db,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<KeyHash>, StoreError> {
    let mut tx = db.begin().await?;
    let row = tx.fetch_optional(REVOKE_KEY.query().bind(id).bind(now)).await?;
    tx.commit().await?;
    row.map(|row| {
        let hash = row.bytes("secret_hash")?;
        hash.try_into().map_err(|_| row.wrong("secret_hash", "is not 32 bytes long"))
    })
    .transpose()
}

fn read(row: &Row) -> Result<Customer, StoreError> {
    Ok(Customer {
        id: CustomerId(row.uuid("id")?),
        external_ref: row.opt_text("external_ref")?,
        name: row.text("name")?,
        email: row.opt_text("email")?,
        default_payment_method: row.opt_text("default_payment_method")?,
        created_at: row.time("created_at")?,
    })
}

fn read_key(row: &Row) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: row.uuid("id")?,
        name: row.text("name")?,
        scopes: Scopes::parse(&row.text("scopes")?),
        created_at: row.time("created_at")?,
        revoked: row.int("revoked")? != 0,
    })
}
