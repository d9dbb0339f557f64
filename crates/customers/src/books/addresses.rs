//! The table `customer_address`.

use crate::{Address, CustomersError, NamedAddress};
use domain::{CustomerId, Timestamp};
use store::{Db, Row, Statement, StoreError, Tx, statement};

static LIST: Statement = statement!("list_addresses");
static COUNT_OTHERS: Statement = statement!("count_addresses");
static PUT: Statement = statement!("put_address");
static REMOVE: Statement = statement!("delete_address");
static REMOVE_ALL: Statement = statement!("delete_addresses");

pub(crate) async fn list(db: &Db, id: CustomerId) -> Result<Vec<NamedAddress>, StoreError> {
    db.fetch(LIST.query().bind(id.0)).await?.iter().map(read).collect()
}

/// Writes an address in place of the one that has its name.
pub(crate) async fn put(
    db: &Db,
    id: CustomerId,
    name: String,
    address: Address,
    now: Timestamp,
) -> Result<NamedAddress, CustomersError> {
    let mut tx = db.begin().await?;
    let locked = super::lock(&mut tx, id).await?.filter(|locked| !locked.erased);
    locked.ok_or(CustomersError::NotFound)?;
    let others = tx.fetch(COUNT_OTHERS.query().bind(id.0).bind(name.as_str())).await?;
    let others = others.first().map(|row| row.int("others")).transpose()?.unwrap_or(0);
    if others >= crate::ADDRESSES_MAX {
        return Err(CustomersError::TooManyAddresses);
    }
    let put = PUT
        .query()
        .bind(id.0)
        .bind(name.as_str())
        .bind(address.recipient.as_str())
        .bind(address.line1.as_str())
        .bind(address.line2.clone())
        .bind(address.city.as_str())
        .bind(address.region.clone())
        .bind(address.postal_code.clone())
        .bind(address.country.as_str())
        .bind(now);
    tx.execute(put).await?;
    tx.commit().await?;
    Ok(NamedAddress { name, address, updated_at: now })
}

pub(crate) async fn remove(db: &Db, id: CustomerId, name: &str) -> Result<(), CustomersError> {
    let mut tx = db.begin().await?;
    let removed = tx.execute(REMOVE.query().bind(id.0).bind(name)).await?;
    tx.commit().await?;
    if removed == 0 { Err(CustomersError::NotFound) } else { Ok(()) }
}

/// Removes all of a customer whose row is locked.
pub(crate) async fn remove_all(tx: &mut Tx, id: CustomerId) -> Result<(), StoreError> {
    tx.execute(REMOVE_ALL.query().bind(id.0)).await.map(drop)
}

fn read(row: &Row) -> Result<NamedAddress, StoreError> {
    Ok(NamedAddress {
        name: row.text("name")?,
        address: Address {
            recipient: row.text("recipient")?,
            line1: row.text("line1")?,
            line2: row.opt_text("line2")?,
            city: row.text("city")?,
            region: row.opt_text("region")?,
            postal_code: row.opt_text("postal_code")?,
            country: row.text("country")?,
        },
        updated_at: row.time("updated_at")?,
    })
}
