//! The table `provider_event`: what the provider told of its own accord.

use crate::webhook::Told;
use domain::{OrderId, Timestamp};
use store::{Db, Row, Rows, Statement, StoreError, Tx, statement};

static RECEIVE: Statement = statement!("receive_event");
static UNHANDLED: Statement = statement!("unhandled_events");
static HANDLE: Statement = statement!("handle_events");

/// An event of the provider. It is a hint to look, and no more (rule D12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEvent {
    /// The provider's name of it.
    pub id: String,
    /// Its kind, such as `payment_intent.succeeded`.
    pub kind: String,
    /// The order it speaks of, if it names one. Nobody has looked whether there is such an order.
    pub order_id: Option<OrderId>,
    /// When it came.
    pub received_at: Timestamp,
}

/// Keeps an event; `false` if it was there already.
pub(crate) async fn receive(tx: &mut Tx, told: &Told, now: Timestamp) -> Result<bool, StoreError> {
    let query = RECEIVE
        .query()
        .bind(told.id.as_str())
        .bind(told.kind.as_str())
        .bind(told.order_id.map(|id| id.0))
        .bind(now);
    Ok(tx.execute(query).await? == 1)
}

pub(crate) async fn unhandled(db: &Db, limit: i64) -> Result<Vec<ProviderEvent>, StoreError> {
    let rows = db.fetch(UNHANDLED.query().bind(limit)).await?;
    rows.iter().map(event).collect()
}

pub(crate) async fn handled(
    tx: &mut Tx,
    ids: Vec<String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = Rows::new().texts(ids);
    tx.execute(HANDLE.query().rows(rows).bind(now)).await.map(drop)
}

fn event(row: &Row) -> Result<ProviderEvent, StoreError> {
    Ok(ProviderEvent {
        id: row.text("id")?,
        kind: row.text("type")?,
        order_id: row.opt_uuid("order_id")?.map(OrderId),
        received_at: row.time("received_at")?,
    })
}
