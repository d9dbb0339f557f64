//! The log of committed events: the timeline of every order and the outbox of the shop in one.
//!
//! An event is written in the transaction of the change it tells of. Its place in the log
//! (`partition`, `seq`) is drawn under the partition's lock, which is held until commit: so a
//! reader that has seen `seq = n` can ask for `seq > n` and will never miss an event that was
//! written earlier but committed later. No event is touched again after it was written.

use crate::{Db, Query, Row, Rows, Statement, StoreError, Tx, statement};
use domain::{EventId, OrderEvent, OrderId, Recorded, Timestamp};
use uuid::Uuid;

static APPEND: Statement = statement!("append_events");
static READ: Statement = statement!("read_events");
static READ_WANTED: Statement = statement!("read_wanted_events");
static READ_EARLIER: Statement = statement!("read_earlier_events");
static HISTORY: Statement = statement!("order_history");
static HISTORY_AFTER: Statement = statement!("order_history_after");
static ENDS: Statement = statement!("event_ends");

/// An event as read from the log. Its data stays text until somebody needs it, so that a reader
/// can pass over events of a kind that it does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Partition of the log.
    pub partition: u8,
    /// Place within the partition.
    pub seq: i64,
    /// The event's own name.
    pub id: EventId,
    /// The order it belongs to.
    pub order_id: OrderId,
    /// The order's version after it.
    pub version: i64,
    /// Name of its kind, such as `order.placed`.
    pub kind: String,
    /// When it happened.
    pub at: Timestamp,
    /// Who caused it.
    pub actor: String,
    /// What caused it.
    pub cause: String,
    /// The trace of the request that caused it.
    pub trace_id: String,
    /// Its data as JSON text; empty if it was read for somebody who does not want its kind.
    pub data: String,
}

impl Logged {
    /// The event itself.
    ///
    /// # Errors
    /// The kind is unknown, or the data have another shape.
    pub fn event(&self) -> serde_json::Result<OrderEvent> {
        OrderEvent::from_parts(&self.kind, &self.data)
    }

    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let partition = row.int("partition")?;
        Ok(Self {
            partition: u8::try_from(partition)
                .map_err(|_| row.wrong("partition", "is no partition"))?,
            seq: row.int("seq")?,
            id: EventId(row.uuid("id")?),
            order_id: OrderId(row.uuid("order_id")?),
            version: row.int("version")?,
            kind: row.text("type")?,
            at: row.time("at")?,
            actor: row.text("actor")?,
            cause: row.text("cause")?,
            trace_id: row.text("trace_id")?,
            data: row.opt_text("data")?.unwrap_or_default(),
        })
    }
}

/// Writes events, in the given order. It must be the last thing before commit: from here on the
/// transaction holds the turn of its partitions.
///
/// # Errors
/// [`StoreError::Constraint`] if another writer was faster with one of the versions.
pub async fn append(tx: &mut Tx, events: &[Recorded]) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let left_out = usize::from(events.len() > 1 && faults::planted("event-left-out"));
    let events = &events[..events.len() - left_out];
    let mut data = Vec::with_capacity(events.len());
    for recorded in events {
        let json = recorded.event.data_json().map_err(|error| StoreError::Inconsistent {
            statement: APPEND.name,
            column: "data".to_owned(),
            detail: error.to_string(),
        })?;
        data.push(json);
    }
    let rows = Rows::new()
        .ints(events.iter().map(|e| i64::from(e.order_id.partition())))
        .uuids(events.iter().map(|e| e.id.0))
        .uuids(events.iter().map(|e| e.order_id.0))
        .ints(events.iter().map(|e| e.version))
        .texts(events.iter().map(|e| e.event.name().to_owned()))
        .times(events.iter().map(|e| e.at))
        .texts(events.iter().map(|e| e.actor.clone()))
        .texts(events.iter().map(|e| e.cause.clone()))
        .texts(events.iter().map(|e| e.trace_id.clone()))
        .texts(data);
    tx.execute(APPEND.query().rows(rows)).await.map(drop)
}

/// Kinds of events, such as `order.placed`: those whose data somebody wants to have.
pub type Kinds = &'static [&'static str];

/// Where to read on in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The partition.
    pub partition: u8,
    /// The place that was read last.
    pub from: i64,
    /// Most events.
    pub limit: i64,
}

impl Page {
    fn of(self, statement: &'static Statement, kinds: Kinds) -> Query {
        let kinds = Rows::new().texts(kinds.iter().map(|kind| (*kind).to_owned()));
        let query = statement.query().rows(kinds).bind(i64::from(self.partition));
        query.bind(self.from).bind(self.limit)
    }
}

/// What came of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Events of the kinds that are wanted, and the last event of the page whatever it is, so that
    /// everybody knows how far the page went. That one comes without data if it is not wanted.
    pub events: Vec<Logged>,
    /// How many events the page has, with those that nobody wanted.
    pub passed: i64,
}

impl Found {
    fn from_rows(rows: Vec<Row>) -> Result<Self, StoreError> {
        let passed = rows.first().map_or(Ok(0), |row| row.int("passed"))?;
        Ok(Self { events: logged(rows)?, passed })
    }
}

/// Like [`read`], for somebody who wants `kinds` alone: most of the others are only counted.
///
/// # Errors
/// See [`StoreError`].
pub async fn read_wanted(tx: &mut Tx, page: Page, kinds: Kinds) -> Result<Found, StoreError> {
    Found::from_rows(tx.fetch(page.of(&READ_WANTED, kinds)).await?)
}

/// Like [`read_wanted`], outside any transaction.
///
/// # Errors
/// See [`StoreError`].
pub async fn follow(db: &Db, page: Page, kinds: Kinds) -> Result<Found, StoreError> {
    Found::from_rows(db.fetch(page.of(&READ_WANTED, kinds)).await?)
}

/// Like [`follow`], backwards: the events before [`Page::from`], the latest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn look_back(db: &Db, page: Page, kinds: Kinds) -> Result<Vec<Logged>, StoreError> {
    db.fetch(page.of(&READ_EARLIER, kinds)).await?.iter().map(Logged::from_row).collect()
}

/// The next events of a partition after place `after`, at most `limit`, in order.
///
/// # Errors
/// See [`StoreError`].
pub async fn read(
    tx: &mut Tx,
    partition: u8,
    after: i64,
    limit: i64,
) -> Result<Vec<Logged>, StoreError> {
    let query = READ.query().bind(i64::from(partition)).bind(after).bind(limit);
    logged(tx.fetch(query).await?)
}

fn logged(mut rows: Vec<Row>) -> Result<Vec<Logged>, StoreError> {
    if rows.len() > 1 && faults::planted("log-reader-skips-an-event") {
        rows.remove(0);
    }
    rows.iter().map(Logged::from_row).collect()
}

/// All events of an order, by version.
///
/// # Errors
/// See [`StoreError`].
pub async fn history(db: &Db, order: OrderId) -> Result<Vec<Logged>, StoreError> {
    db.fetch(HISTORY.query().bind(order.0)).await?.iter().map(Logged::from_row).collect()
}

/// Events of an order after `version`, at most `limit`, by version.
///
/// # Errors
/// See [`StoreError`].
pub async fn history_after(
    db: &Db,
    order: OrderId,
    version: i64,
    limit: i64,
) -> Result<Vec<Logged>, StoreError> {
    let query = HISTORY_AFTER.query().bind(order.0).bind(version).bind(limit);
    db.fetch(query).await?.iter().map(Logged::from_row).collect()
}

/// How an order's events end, for the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The order.
    pub order_id: OrderId,
    /// Number of its events.
    pub events: i64,
    /// Its last version; equal to `events` when the versions have no gap.
    pub last_version: i64,
}

/// The ends of up to `limit` orders after `after`, by id.
///
/// # Errors
/// See [`StoreError`].
pub async fn ends(tx: &mut Tx, after: Uuid, limit: i64) -> Result<Vec<End>, StoreError> {
    let read = |row: &Row| {
        Ok(End {
            order_id: OrderId(row.uuid("order_id")?),
            events: row.int("events")?,
            last_version: row.int("last_version")?,
        })
    };
    tx.fetch(ENDS.query().bind(after).bind(limit)).await?.iter().map(read).collect()
}
