//! The table `payment_operation`: what is done with a payment after it was made.

use domain::{
    Money, Operation, OperationId, OperationKind, OperationStatus, OrderId, PaymentId, Timestamp,
    parse_currency,
};
use store::{Db, Row, Rows, Statement, StoreError, Tx, statement};
use uuid::Uuid;

static REQUEST: Statement = statement!("request_operations");
static SETTLE: Statement = statement!("settle_operations");
static OF_ORDER: Statement = statement!("operations_of_order");
static NEXT: Statement = statement!("next_operation");
static OPEN: Statement = statement!("open_operations");
static PAGE: Statement = statement!("page_operations");

/// Rows read at once by [`all`].
const PAGE_ROWS: i64 = 5_000;

/// An operation that the provider has not answered for yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOperation {
    /// What is to be done.
    pub operation: Operation,
    /// Since when.
    pub created_at: Timestamp,
}

impl OpenOperation {
    /// Its place in [`crate::Payments::open_operations`]: those after it come next.
    #[must_use]
    pub const fn cursor(&self) -> (Timestamp, OperationId) {
        (self.created_at, self.operation.id)
    }
}

pub(crate) async fn request(
    tx: &mut Tx,
    operations: &[Operation],
    now: Timestamp,
) -> Result<(), StoreError> {
    if operations.is_empty() {
        return Ok(());
    }
    let rows = Rows::new()
        .uuids(operations.iter().map(|o| o.id.0))
        .uuids(operations.iter().map(|o| o.order_id.0))
        .uuids(operations.iter().map(|o| o.payment_id.0))
        .ints(operations.iter().map(|o| o.leg))
        .texts(operations.iter().map(|o| o.kind.as_str().to_owned()))
        .ints(operations.iter().map(|o| o.amount.minor))
        .texts(operations.iter().map(|o| o.amount.currency.code().to_owned()));
    tx.execute(REQUEST.query().rows(rows).bind(now)).await.map(drop)
}

/// Records outcomes; gives the operations that were open until now. One that has no outcome is
/// passed over.
pub(crate) async fn settle(
    tx: &mut Tx,
    operations: &[Operation],
    now: Timestamp,
) -> Result<Vec<OperationId>, StoreError> {
    let known = || operations.iter().filter(|o| o.status != OperationStatus::Open);
    if known().next().is_none() {
        return Ok(Vec::new());
    }
    let rows = Rows::new()
        .uuids(known().map(|o| o.id.0))
        .texts(known().map(|o| o.status.as_str().to_owned()))
        .texts(known().map(|o| o.provider_ref.clone()))
        .texts(known().map(|o| o.refusal_code.clone()));
    let settled = tx.fetch(SETTLE.query().rows(rows).bind(now)).await?;
    settled.iter().map(|row| row.uuid("id").map(OperationId)).collect()
}

pub(crate) async fn of_order(db: &Db, order_id: OrderId) -> Result<Vec<Operation>, StoreError> {
    let rows = db.fetch(OF_ORDER.query().bind(order_id.0)).await?;
    rows.iter().map(operation).collect()
}

pub(crate) async fn next(db: &Db, order_id: OrderId) -> Result<Option<Operation>, StoreError> {
    let row = db.fetch_optional(NEXT.query().bind(order_id.0)).await?;
    row.as_ref().map(operation).transpose()
}

pub(crate) async fn open(
    db: &Db,
    before: Timestamp,
    after: Option<(Timestamp, OperationId)>,
    limit: i64,
) -> Result<Vec<OpenOperation>, StoreError> {
    let first = (Timestamp::from_micros(0), OperationId(Uuid::nil()));
    let (since, id) = after.unwrap_or(first);
    let query = OPEN.query().bind(before).bind(since).bind(id.0).bind(limit);
    let rows = db.fetch(query).await?;
    let opened = |row: &Row| {
        Ok(OpenOperation { operation: operation(row)?, created_at: row.time("created_at")? })
    };
    rows.iter().map(opened).collect()
}

pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<Operation>, StoreError> {
    let mut operations: Vec<Operation> = Vec::new();
    loop {
        let (order, leg) = operations.last().map_or((Uuid::nil(), 0), |o| (o.order_id.0, o.leg));
        let page = tx.fetch(PAGE.query().bind(order).bind(leg).bind(PAGE_ROWS)).await?;
        for row in &page {
            operations.push(operation(row)?);
        }
        if page.is_empty() {
            return Ok(operations);
        }
    }
}

fn operation(row: &Row) -> Result<Operation, StoreError> {
    let currency = row.parsed("currency", "a currency", parse_currency)?;
    Ok(Operation {
        id: OperationId(row.uuid("id")?),
        order_id: OrderId(row.uuid("order_id")?),
        payment_id: PaymentId(row.uuid("payment_id")?),
        leg: row.int("leg")?,
        kind: row.parsed("kind", "a kind of operation", OperationKind::parse)?,
        amount: Money::new(row.int("amount")?, currency),
        status: row.parsed("status", "a status of an operation", OperationStatus::parse)?,
        provider_ref: row.opt_text("provider_ref")?,
        refusal_code: row.opt_text("refusal_code")?,
    })
}
