//! The order service's table: `orders`. Nobody else touches it.

use crate::messages::ListFilter;
use domain::{
    Amounts, Capture, CustomerId, Order, OrderId, OrderStatus, Timestamp, parse_currency,
};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use store::answers::{Fingerprint, RequestKey};
use store::{Db, Row, Rows, Statement, StoreError, Tx, statement};
use uuid::Uuid;

static INSERT: Statement = statement!("insert_orders");
static UPDATE: Statement = statement!("update_orders");
static GET: Statement = statement!("get_order");
static PAGE: Statement = statement!("page_orders");
static PENDING: Statement = statement!("pending_orders");
static LIST: Statement = statement!("list_orders");
static LIST_OF_CUSTOMER: Statement = statement!("list_orders_of_customer");
static LIST_BY_EXTERNAL_REF: Statement = statement!("list_orders_by_external_ref");
static FIND_KEYS: Statement = statement!("find_keys");

/// An order with the request that made it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) key: RequestKey,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) order: Order,
}

/// Writes new orders; the ids of those whose key was free.
pub(crate) async fn insert(tx: &mut Tx, new: &[&Kept]) -> Result<HashSet<OrderId>, StoreError> {
    let orders = || new.iter().map(|kept| &kept.order);
    let rows = Rows::new()
        .uuids(orders().map(|o| o.id.0))
        .uuids(new.iter().map(|kept| kept.key.principal_id))
        .texts(new.iter().map(|kept| kept.key.key.clone()))
        .bytes(new.iter().map(|kept| kept.fingerprint.to_vec()))
        .texts(orders().map(|o| o.external_ref.clone()))
        .uuids(orders().map(|o| o.customer_id.map(|id| id.0)))
        .texts(orders().map(|o| o.currency.code().to_owned()))
        .ints(orders().map(|o| o.amounts.subtotal))
        .ints(orders().map(|o| o.amounts.discount))
        .ints(orders().map(|o| o.amounts.tax))
        .ints(orders().map(|o| o.amounts.total))
        .texts(orders().map(|o| o.capture.as_str().to_owned()))
        .texts(orders().map(|o| json(&o.payment)))
        .texts(orders().map(|o| json(&o.lines)))
        .texts(orders().map(|o| json(&o.metadata)))
        .times(orders().map(|o| o.created_at));
    let rows = tx.fetch(INSERT.query().rows(rows)).await?;
    rows.iter().map(|row| Ok(OrderId(row.uuid("id")?))).collect()
}

/// Moves orders on by one version; the ids of those that nobody else had moved on.
pub(crate) async fn update(tx: &mut Tx, next: &[&Order]) -> Result<HashSet<OrderId>, StoreError> {
    if next.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = Rows::new()
        .uuids(next.iter().map(|o| o.id.0))
        .texts(next.iter().map(|o| o.status.as_str().to_owned()))
        .ints(next.iter().map(|o| o.amounts.authorized))
        .ints(next.iter().map(|o| o.amounts.captured))
        .ints(next.iter().map(|o| o.amounts.refunded))
        .texts(next.iter().map(|o| json(&o.payment)))
        .times(next.iter().map(|o| o.updated_at))
        .ints(next.iter().map(|o| o.version));
    let rows = tx.fetch(UPDATE.query().rows(rows)).await?;
    rows.iter().map(|row| Ok(OrderId(row.uuid("id")?))).collect()
}

pub(crate) async fn get(db: &Db, id: OrderId) -> Result<Option<Order>, StoreError> {
    db.fetch_optional(GET.query().bind(id.0)).await?.as_ref().map(order).transpose()
}

/// The next orders by id, for the audit.
pub(crate) async fn page(tx: &mut Tx, after: Uuid, limit: i64) -> Result<Vec<Order>, StoreError> {
    tx.fetch(PAGE.query().bind(after).bind(limit)).await?.iter().map(order).collect()
}

/// Orders that are still pending although they were placed before `before`, by id, after `after`.
pub(crate) async fn pending(
    db: &Db,
    before: Timestamp,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Kept>, StoreError> {
    let read = |row: &Row| {
        Ok(Kept { key: request_key(row)?, fingerprint: fingerprint(row)?, order: order(row)? })
    };
    db.fetch(PENDING.query().bind(before).bind(limit).bind(after)).await?.iter().map(read).collect()
}

/// Orders, newest first, older than `before`.
pub(crate) async fn list(
    db: &Db,
    filter: &ListFilter,
    before: Option<OrderId>,
    limit: i64,
) -> Result<Vec<Order>, StoreError> {
    let statement = match (filter.customer_id, &filter.external_ref) {
        (Some(_), _) => &LIST_OF_CUSTOMER,
        (None, Some(_)) => &LIST_BY_EXTERNAL_REF,
        (None, None) => &LIST,
    };
    let mut query = statement
        .query()
        .bind(limit)
        .bind(before.map(|id| id.0))
        .bind(filter.status.map(|status| status.as_str().to_owned()))
        .bind(filter.created_after)
        .bind(filter.created_before);
    if let Some(customer) = filter.customer_id {
        query = query.bind(customer.0).bind(filter.external_ref.clone());
    } else if let Some(external_ref) = &filter.external_ref {
        query = query.bind(external_ref.as_str());
    }
    db.fetch(query).await?.iter().map(order).collect()
}

/// What the orders that took these keys asked for.
pub(crate) async fn find_keys(
    db: &Db,
    keys: &[RequestKey],
) -> Result<HashMap<RequestKey, Fingerprint>, StoreError> {
    let rows = Rows::new()
        .uuids(keys.iter().map(|key| key.principal_id))
        .texts(keys.iter().map(|key| key.key.clone()));
    let rows = db.fetch(FIND_KEYS.query().rows(rows)).await?;
    rows.iter().map(|row| Ok((request_key(row)?, fingerprint(row)?))).collect()
}

fn request_key(row: &Row) -> Result<RequestKey, StoreError> {
    Ok(RequestKey { principal_id: row.uuid("principal_id")?, key: row.text("idempotency_key")? })
}

fn fingerprint(row: &Row) -> Result<Fingerprint, StoreError> {
    row.bytes("fingerprint")?.try_into().map_err(|_| row.wrong("fingerprint", "is not 32 bytes"))
}

fn order(row: &Row) -> Result<Order, StoreError> {
    Ok(Order {
        id: OrderId(row.uuid("id")?),
        external_ref: row.opt_text("external_ref")?,
        customer_id: row.opt_uuid("customer_id")?.map(CustomerId),
        status: row.parsed("status", "an order status", OrderStatus::parse)?,
        currency: row.parsed("currency", "a currency", parse_currency)?,
        lines: row.json("lines")?,
        amounts: Amounts {
            subtotal: row.int("amount_subtotal")?,
            discount: row.int("amount_discount")?,
            tax: row.int("amount_tax")?,
            total: row.int("amount_total")?,
            authorized: row.int("amount_authorized")?,
            captured: row.int("amount_captured")?,
            refunded: row.int("amount_refunded")?,
        },
        capture: row.parsed("capture", "a capture mode", Capture::parse)?,
        payment: row.json("payment")?,
        metadata: row.json("metadata")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.int("version")?,
    })
}

fn json(value: &impl Serialize) -> String {
    // These are plain data with text keys, which always serialise.
    serde_json::to_string(value).unwrap_or_default()
}
