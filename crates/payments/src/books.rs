//! The payment service's tables: `payment` and those of the modules. Nobody else touches them.

pub(crate) mod events;
pub(crate) mod operations;

use domain::{
    Capture, Money, OrderId, Payment, PaymentId, PaymentStatus, Timestamp, parse_currency,
};
use store::{Db, Row, Rows, Statement, StoreError, Tx, statement};
use uuid::Uuid;

static OPEN: Statement = statement!("open");
static RECORD: Statement = statement!("record");
static GET: Statement = statement!("get");
static OF_ORDER: Statement = statement!("payment_of_order");
static PAGE: Statement = statement!("page");

/// Rows read at once by [`all`].
const PAGE_ROWS: i64 = 5_000;

pub(crate) async fn open(
    tx: &mut Tx,
    payments: &[Payment],
    now: Timestamp,
) -> Result<(), StoreError> {
    if payments.is_empty() {
        return Ok(());
    }
    let rows = Rows::new()
        .uuids(payments.iter().map(|p| p.id.0))
        .uuids(payments.iter().map(|p| p.order_id.0))
        .ints(payments.iter().map(|p| p.amount.minor))
        .texts(payments.iter().map(|p| p.amount.currency.code().to_owned()))
        .texts(payments.iter().map(|p| p.capture.as_str().to_owned()))
        .texts(payments.iter().map(|p| p.method.clone()));
    tx.execute(OPEN.query().rows(rows).bind(now)).await.map(drop)
}

pub(crate) async fn record(
    tx: &mut Tx,
    payments: &[Payment],
    now: Timestamp,
) -> Result<(), StoreError> {
    if payments.is_empty() {
        return Ok(());
    }
    let rows = Rows::new()
        .uuids(payments.iter().map(|p| p.id.0))
        .texts(payments.iter().map(|p| p.status.as_str().to_owned()))
        .texts(payments.iter().map(|p| p.provider_ref.clone()))
        .texts(payments.iter().map(|p| p.decline_code.clone()));
    tx.execute(RECORD.query().rows(rows).bind(now)).await.map(drop)
}

pub(crate) async fn get(db: &Db, id: PaymentId) -> Result<Option<Payment>, StoreError> {
    db.fetch_optional(GET.query().bind(id.0)).await?.as_ref().map(payment).transpose()
}

pub(crate) async fn of_order(db: &Db, order_id: OrderId) -> Result<Option<Payment>, StoreError> {
    let row = db.fetch_optional(OF_ORDER.query().bind(order_id.0)).await?;
    row.as_ref().map(payment).transpose()
}

pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<Payment>, StoreError> {
    let mut payments: Vec<Payment> = Vec::new();
    loop {
        let after = payments.last().map_or(Uuid::nil(), |last| last.order_id.0);
        let page = tx.fetch(PAGE.query().bind(after).bind(PAGE_ROWS)).await?;
        for row in &page {
            payments.push(payment(row)?);
        }
        if page.is_empty() {
            return Ok(payments);
        }
    }
}

fn payment(row: &Row) -> Result<Payment, StoreError> {
    let currency = row.parsed("currency", "a currency", parse_currency)?;
    Ok(Payment {
        id: PaymentId(row.uuid("id")?),
        order_id: OrderId(row.uuid("order_id")?),
        amount: Money::new(row.int("amount")?, currency),
        capture: row.parsed("capture", "a capture mode", Capture::parse)?,
        method: row.text("method")?,
        status: row.parsed("status", "a payment status", PaymentStatus::parse)?,
        provider_ref: row.opt_text("provider_ref")?,
        decline_code: row.opt_text("decline_code")?,
    })
}
