//! The order service's table: `orders`. Nobody else touches it.

use crate::messages::ListFilter;
use domain::{
    Amounts, Capture, CustomerId, Goods, Order, OrderId, OrderStatus, Pricing, Timestamp,
    parse_currency,
};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use store::answers::{Fingerprint, RequestKey};
use store::{Db, Row, Rows, Statement, StoreError, Tx, statement};
use uuid::Uuid;

static INSERT: Statement = statement!("insert_orders");
static UPDATE: Statement = statement!("update_orders");
static LOCK: Statement = statement!("lock_orders");
static ADVANCE: Statement = statement!("advance_orders");
static BY_IDS: Statement = statement!("orders_by_ids");
static GET: Statement = statement!("get_order");
static PAGE: Statement = statement!("page_orders");
static PENDING: Statement = statement!("pending_orders");
static GIVEN_UP: Statement = statement!("given_up_orders");
static COUNT_STUCK: Statement = statement!("count_stuck");
static STUCK: Statement = statement!("stuck_orders");
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
        .times(orders().map(|o| o.created_at))
        .texts(orders().map(|o| o.pricing.as_ref().map(json)));
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
        .ints(next.iter().map(|o| o.version))
        .texts(next.iter().map(|o| o.goods.as_str().to_owned()));
    let rows = tx.fetch(UPDATE.query().rows(rows)).await?;
    rows.iter().map(|row| Ok(OrderId(row.uuid("id")?))).collect()
}

/// Orders as they are, with the requests that made them, held until the transaction ends.
pub(crate) async fn lock(
    tx: &mut Tx,
    ids: &[OrderId],
) -> Result<HashMap<OrderId, Kept>, StoreError> {
    let rows = Rows::new().uuids(ids.iter().map(|id| id.0));
    let rows = tx.fetch(LOCK.query().rows(rows)).await?;
    rows.iter().map(|row| kept(row).map(|kept| (kept.order.id, kept))).collect()
}

/// Moves orders that this transaction has locked on by one version, with all that belongs to them.
/// The number of those that moved.
pub(crate) async fn advance(tx: &mut Tx, next: &[&Order]) -> Result<u64, StoreError> {
    if next.is_empty() {
        return Ok(0);
    }
    let rows = Rows::new()
        .uuids(next.iter().map(|o| o.id.0))
        .texts(next.iter().map(|o| o.status.as_str().to_owned()))
        .ints(next.iter().map(|o| o.amounts.authorized))
        .ints(next.iter().map(|o| o.amounts.captured))
        .ints(next.iter().map(|o| o.amounts.refunded))
        .texts(next.iter().map(|o| json(&o.payment)))
        .texts(next.iter().map(|o| json(&o.lines)))
        .texts(next.iter().map(|o| o.cancel_requested.clone()))
        .texts(next.iter().map(|o| o.goods.as_str().to_owned()))
        .times(next.iter().map(|o| o.updated_at))
        .ints(next.iter().map(|o| o.version));
    tx.execute(ADVANCE.query().rows(rows)).await
}

/// These orders, newest first, with the requests that made them.
pub(crate) async fn by_ids(db: &Db, ids: &[OrderId]) -> Result<Vec<Kept>, StoreError> {
    let rows = Rows::new().uuids(ids.iter().map(|id| id.0));
    db.fetch(BY_IDS.query().rows(rows)).await?.iter().map(kept).collect()
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
    db.fetch(PENDING.query().bind(before).bind(limit).bind(after)).await?.iter().map(kept).collect()
}

/// Orders that ended although nobody knew of their payment, placed since `since`, by id, after
/// `after`.
pub(crate) async fn given_up(
    db: &Db,
    since: Timestamp,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Kept>, StoreError> {
    db.fetch(GIVEN_UP.query().bind(since).bind(limit).bind(after)).await?.iter().map(kept).collect()
}

/// Number of orders that are pending although they were placed before `before`.
pub(crate) async fn count_stuck(db: &Db, before: Timestamp) -> Result<i64, StoreError> {
    match db.fetch_optional(COUNT_STUCK.query().bind(before)).await? {
        Some(row) => row.int("orders"),
        None => Ok(0),
    }
}

/// Pending orders placed before `placed_before`, newest first, with ids below `before`.
pub(crate) async fn stuck(
    db: &Db,
    placed_before: Timestamp,
    before: Option<OrderId>,
    limit: i64,
) -> Result<Vec<Kept>, StoreError> {
    let query = STUCK.query().bind(placed_before).bind(limit).bind(before.map(|id| id.0));
    db.fetch(query).await?.iter().map(kept).collect()
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
    let (oldest, before) = id_bounds(filter, before);
    let mut query = statement
        .query()
        .bind(limit)
        .bind(before.map(|id| id.0))
        .bind(filter.status.map(|status| status.as_str().to_owned()))
        .bind(filter.created_after)
        .bind(filter.created_before)
        .bind(oldest);
    if let Some(customer) = filter.customer_id {
        query = query.bind(customer.0).bind(filter.external_ref.clone());
    } else if let Some(external_ref) = &filter.external_ref {
        query = query.bind(external_ref.as_str());
    }
    db.fetch(query).await?.iter().map(order).collect()
}

/// Longest time between the making of an order's id and its moment of creation, which is that of
/// its batch: more than any deadline, and than clocks of nodes may differ.
const ID_LEAD: Duration = Duration::from_secs(120);

/// The bounds of time as bounds of ids, which begin with the moment they were made: so that a list
/// between two moments reads no more of the table than it shows. The moments themselves are compared
/// too.
fn id_bounds(filter: &ListFilter, before: Option<OrderId>) -> (Option<Uuid>, Option<OrderId>) {
    let oldest = filter.created_after.map(|time| first_id(time, -1));
    let newest = filter.created_before.map(|time| OrderId(first_id(time, 1)));
    let before = match (before, newest) {
        (Some(before), Some(newest)) => Some(before.min(newest)),
        (before, newest) => before.or(newest),
    };
    (oldest, before)
}

/// An id before those of all orders placed since `time`.
pub(crate) fn first_id_since(time: Timestamp) -> Uuid {
    first_id(time, -1)
}

/// The smallest UUIDv7 of a moment, moved by [`ID_LEAD`] in the direction of `sign`.
fn first_id(time: Timestamp, sign: i64) -> Uuid {
    let lead = i64::try_from(ID_LEAD.as_millis()).unwrap_or(0);
    let millis = (time.micros() / 1_000).saturating_add(sign * lead);
    let millis = u64::try_from(millis).unwrap_or(0) & 0xffff_ffff_ffff;
    Uuid::from_u128(u128::from(millis) << 80)
}

/// The orders that took these keys.
pub(crate) async fn find_keys(
    db: &Db,
    keys: &[RequestKey],
) -> Result<HashMap<RequestKey, Kept>, StoreError> {
    let rows = Rows::new()
        .uuids(keys.iter().map(|key| key.principal_id))
        .texts(keys.iter().map(|key| key.key.clone()));
    let rows = db.fetch(FIND_KEYS.query().rows(rows)).await?;
    rows.iter().map(|row| kept(row).map(|kept| (kept.key.clone(), kept))).collect()
}

fn request_key(row: &Row) -> Result<RequestKey, StoreError> {
    Ok(RequestKey { principal_id: row.uuid("principal_id")?, key: row.text("idempotency_key")? })
}

fn fingerprint(row: &Row) -> Result<Fingerprint, StoreError> {
    row.bytes("fingerprint")?.try_into().map_err(|_| row.wrong("fingerprint", "is not 32 bytes"))
}

fn kept(row: &Row) -> Result<Kept, StoreError> {
    Ok(Kept { key: request_key(row)?, fingerprint: fingerprint(row)?, order: order(row)? })
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
        pricing: pricing(row)?,
        cancel_requested: row.opt_text("cancel_requested")?,
        goods: row.parsed("goods", "a state of goods", Goods::parse)?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.int("version")?,
    })
}

fn pricing(row: &Row) -> Result<Option<Box<Pricing>>, StoreError> {
    let Some(json) = row.opt_text("pricing")? else { return Ok(None) };
    let read = serde_json::from_str(&json);
    read.map(Some).map_err(|error| row.wrong("pricing", &error.to_string()))
}

fn json(value: &impl Serialize) -> String {
    // These are plain data with text keys, which always serialise.
    serde_json::to_string(value).unwrap_or_default()
}
