//! The table `pricing_mismatch`.

use domain::{Currency, OrderId, Timestamp, parse_currency};
use store::{Db, Row, Rows, Statement, StoreError, statement};

static INSERT: Statement = statement!("insert_mismatches");
static LIST: Statement = statement!("list_mismatches");

/// What stands for a total that there is none of.
const NONE: i64 = -1;

/// An order of which the other engine would have wanted another total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Which order.
    pub order_id: OrderId,
    /// When it was compared.
    pub at: Timestamp,
    /// Currency of both totals.
    pub currency: Currency,
    /// The engine that decided.
    pub engine: String,
    /// What the order costs, in minor units.
    pub total: i64,
    /// The other engine.
    pub other_engine: String,
    /// What it would have cost, in minor units; `None` if the other engine refuses the order.
    pub other_total: Option<i64>,
    /// Why the other engine refuses it.
    pub why: Option<String>,
    /// The trace of the request.
    pub trace_id: String,
}

pub(crate) async fn insert(db: &Db, found: &[Mismatch]) -> Result<(), StoreError> {
    if found.is_empty() {
        return Ok(());
    }
    let rows = Rows::new()
        .uuids(found.iter().map(|one| one.order_id.0))
        .times(found.iter().map(|one| one.at))
        .texts(found.iter().map(|one| one.currency.code().to_owned()))
        .texts(found.iter().map(|one| one.engine.clone()))
        .ints(found.iter().map(|one| one.total))
        .texts(found.iter().map(|one| one.other_engine.clone()))
        .ints(found.iter().map(|one| one.other_total.unwrap_or(NONE)))
        .texts(found.iter().map(|one| one.why.clone()))
        .texts(found.iter().map(|one| one.trace_id.clone()));
    let mut tx = db.begin().await?;
    tx.execute(INSERT.query().rows(rows)).await?;
    tx.commit().await
}

/// Up to `limit` mismatches, those of the newest orders first, of orders before `before`.
pub(crate) async fn list(
    db: &Db,
    before: Option<OrderId>,
    limit: i64,
) -> Result<Vec<Mismatch>, StoreError> {
    let query = LIST.query().bind(before.map(|id| id.0)).bind(limit.max(0));
    let mismatch = |row: &Row| {
        Ok(Mismatch {
            order_id: OrderId(row.uuid("order_id")?),
            at: row.time("at")?,
            currency: row.parsed("currency", "a currency", parse_currency)?,
            engine: row.text("engine")?,
            total: row.int("total")?,
            other_engine: row.text("other_engine")?,
            other_total: row.opt_int("other_total")?,
            why: row.opt_text("why")?,
            trace_id: row.text("trace_id")?,
        })
    };
    db.fetch(query).await?.iter().map(mismatch).collect()
}
