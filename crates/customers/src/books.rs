//! The tables `customer` and, in the modules, those around it. Whatever locks several rows takes
//! them in this order: customer, account, session, refresh token.

pub(crate) mod accounts;
pub(crate) mod addresses;
pub(crate) mod keys;
pub(crate) mod sessions;

use crate::{Created, Customer, CustomerChange, CustomersError, NewCustomer, Payer};
use domain::{CustomerId, Timestamp};
use std::collections::HashMap;
use store::{Db, Row, Rows, Statement, StoreError, Tx, statement};

static INSERT: Statement = statement!("insert_customers");
static FIND: Statement = statement!("find_customers");
static FIND_IMPORTED: Statement = statement!("find_imported");
static FIND_PAYERS: Statement = statement!("find_payers");
static LIST: Statement = statement!("list_customers");
static LOCK: Statement = statement!("lock_customer");
static CHANGE: Statement = statement!("change_customer");
static ERASE: Statement = statement!("erase_customer");

/// Writes customers, where their reference is not taken, and answers line by line.
pub(crate) async fn create(
    db: &Db,
    lines: Vec<(CustomerId, NewCustomer)>,
    now: Timestamp,
) -> Result<Vec<Created>, StoreError> {
    let imported = Rows::new().texts(lines.iter().filter_map(|(_, new)| new.external_ref.clone()));
    let mut tx = db.begin().await?;
    tx.execute(INSERT.query().rows(rows(&lines)).bind(now)).await?;
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

/// A customer whose row is locked.
pub(crate) struct Locked {
    pub(crate) customer: Customer,
    pub(crate) erased: bool,
}

/// Locks a customer's row until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx, id: CustomerId) -> Result<Option<Locked>, StoreError> {
    let row = tx.fetch_optional(LOCK.query().bind(id.0)).await?;
    let locked = |row: &Row| Ok(Locked { customer: read(row)?, erased: row.int("erased")? != 0 });
    row.as_ref().map(locked).transpose()
}

/// Changes a customer, unless it has another version than `if_match`. A change that changes
/// nothing writes nothing.
pub(crate) async fn change(
    db: &Db,
    id: CustomerId,
    change: CustomerChange,
    if_match: Option<i64>,
    now: Timestamp,
) -> Result<Customer, CustomersError> {
    let mut tx = db.begin().await?;
    let locked = lock(&mut tx, id).await?.filter(|locked| !locked.erased);
    let before = locked.ok_or(CustomersError::NotFound)?.customer;
    if if_match.is_some_and(|version| version != before.version) {
        return Err(CustomersError::VersionMismatch { current: before.version });
    }
    let mut after = change.apply(before.clone());
    if after == before {
        return Ok(after);
    }
    let update = CHANGE
        .query()
        .bind(id.0)
        .bind(before.version)
        .bind(after.name.as_str())
        .bind(after.email.clone())
        .bind(after.default_payment_method.clone())
        .bind(now);
    if tx.execute(update).await? == 0 {
        return Err(StoreError::Overtaken { statement: CHANGE.name }.into());
    }
    tx.commit().await?;
    (after.version, after.updated_at) = (before.version + 1, now);
    Ok(after)
}

/// Takes everything personal out of the row, which is locked.
pub(crate) async fn erase(tx: &mut Tx, id: CustomerId, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(ERASE.query().bind(id.0).bind(now)).await.map(drop)
}

/// Writes one new customer.
pub(crate) async fn insert(
    tx: &mut Tx,
    id: CustomerId,
    new: NewCustomer,
    now: Timestamp,
) -> Result<Customer, StoreError> {
    let lines = vec![(id, new.clone())];
    tx.execute(INSERT.query().rows(rows(&lines)).bind(now)).await?;
    Ok(new.into_customer(id, now))
}

fn rows(lines: &[(CustomerId, NewCustomer)]) -> Rows {
    Rows::new()
        .uuids(lines.iter().map(|(id, _)| id.0))
        .texts(lines.iter().map(|(_, new)| new.external_ref.clone()))
        .texts(lines.iter().map(|(_, new)| new.name.clone()))
        .texts(lines.iter().map(|(_, new)| new.email.clone()))
        .texts(lines.iter().map(|(_, new)| new.default_payment_method.clone()))
}

fn read(row: &Row) -> Result<Customer, StoreError> {
    Ok(Customer {
        id: CustomerId(row.uuid("id")?),
        external_ref: row.opt_text("external_ref")?,
        name: row.text("name")?,
        email: row.opt_text("email")?,
        default_payment_method: row.opt_text("default_payment_method")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.int("version")?,
    })
}
