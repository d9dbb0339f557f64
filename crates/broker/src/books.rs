//! The broker's tables: positions and parked events.

use crate::partitions::{Partitions, Work};
use crate::plan::{NOT_BEFORE_ITS_TURN, Verdict};
use domain::{OrderId, PARTITIONS, Timestamp};
use std::collections::{BTreeSet, HashMap};
use store::outbox::Logged;
use store::{Db, Row, Rows, Statement, StoreError, Tx, statement};

static OPEN_POSITIONS: Statement = statement!("open_positions");
static LOCK_POSITIONS: Statement = statement!("lock_positions");
static CLAIM_EVENTS: Statement = statement!("claim_events");
static ADVANCE_POSITIONS: Statement = statement!("advance_positions");
static BLOCKED_ORDERS: Statement = statement!("blocked_orders");
static PARK_EVENTS: Statement = statement!("park_events");
static DUE_PARKED_EVENT: Statement = statement!("due_parked_event");
static UNPARK_EVENT: Statement = statement!("unpark_event");
static RELEASE_NEXT_PARKED: Statement = statement!("release_next_parked");
static JUDGE_PARKED_EVENT: Statement = statement!("judge_parked_event");
static FIND_DUE: Statement = statement!("find_due");
static LOG_ENDS: Statement = statement!("log_ends");
static EVENTS_AHEAD: Statement = statement!("events_ahead");
static LAG: Statement = statement!("lag");
static DEAD_LETTERS: Statement = statement!("dead_letters");
static REDRIVE: Statement = statement!("redrive");
static REDRIVE_OLDEST: Statement = statement!("redrive_oldest");

/// How far a group is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The group.
    pub consumer: String,
    /// Events after the group's positions.
    pub behind: i64,
    /// When the oldest of them happened.
    pub oldest_at: Option<Timestamp>,
    /// Parked events that are not dead: those to be tried again, and those behind another one of
    /// their order, which may be dead.
    pub parked: i64,
    /// Dead letters.
    pub dead: i64,
}

/// An event that a group could not digest in all its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The group.
    pub consumer: String,
    /// The order. Its later events wait behind this one.
    pub order_id: OrderId,
    /// The event's version; its data are in the order's history.
    pub version: i64,
    /// The event's kind, such as `order.placed`.
    pub kind: String,
    /// Partition of the log.
    pub partition: u8,
    /// Place within the partition.
    pub seq: i64,
    /// Attempts made.
    pub attempts: i64,
    /// When the last attempt failed.
    pub dead_since: Timestamp,
    /// Why it failed.
    pub last_error: String,
}

/// A place in the list of dead letters, which goes from the oldest to the latest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterPlace {
    /// When the last attempt failed.
    pub dead_since: Timestamp,
    /// The group.
    pub consumer: String,
    /// The order.
    pub order_id: OrderId,
}

/// How far a group has come in a partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    pub(crate) partition: u8,
    /// The last event that it has passed.
    pub(crate) seq: i64,
    /// The last event that a process said it would begin with.
    pub(crate) claimed: i64,
    /// How often that one event was begun alone.
    pub(crate) tries: i64,
}

/// The parked event of an order whose turn it is.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) order_id: OrderId,
    pub(crate) version: i64,
    pub(crate) seq: i64,
    pub(crate) attempts: i64,
    pub(crate) last_error: String,
}

/// Makes the rows of a group's positions, at the beginning of the log, where there are none.
pub(crate) async fn open_positions(db: &Db, consumer: &str) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let rows = Rows::new().ints((0..PARTITIONS).map(i64::from));
    tx.execute(OPEN_POSITIONS.query().rows(rows).bind(consumer)).await?;
    tx.commit().await
}

/// Locks the group's positions in `partitions` until the end of the transaction, as far as no
/// other node holds them, and gives them.
pub(crate) async fn lock_positions(
    tx: &mut Tx,
    consumer: &str,
    partitions: Partitions,
) -> Result<Vec<Position>, StoreError> {
    let rows = Rows::new().ints(partitions.iter().map(i64::from));
    tx.fetch(LOCK_POSITIONS.query().rows(rows).bind(consumer))
        .await?
        .iter()
        .map(|row| {
            Ok(Position {
                partition: partition_of(row)?,
                seq: row.int("seq")?,
                claimed: row.int("claimed")?,
                tries: row.int("tries")?,
            })
        })
        .collect()
}

/// Says that the group begins with the events of a partition up to `claimed`, the one of a single
/// event for the time number `tries`. The position must be locked.
pub(crate) async fn claim_events(
    tx: &mut Tx,
    consumer: &str,
    partition: u8,
    claimed: i64,
    tries: i64,
) -> Result<(), StoreError> {
    let query =
        CLAIM_EVENTS.query().bind(consumer).bind(i64::from(partition)).bind(claimed).bind(tries);
    tx.execute(query).await.map(drop)
}

/// Moves positions that are locked.
pub(crate) async fn advance_positions(
    tx: &mut Tx,
    consumer: &str,
    moves: &[(u8, i64)],
) -> Result<(), StoreError> {
    let rows = Rows::new()
        .ints(moves.iter().map(|(partition, _)| i64::from(*partition)))
        .ints(moves.iter().map(|(_, seq)| *seq));
    tx.execute(ADVANCE_POSITIONS.query().rows(rows).bind(consumer)).await.map(drop)
}

/// Which of the events' orders have an event parked. The positions must be locked.
pub(crate) async fn blocked_orders(
    tx: &mut Tx,
    consumer: &str,
    events: &[Logged],
) -> Result<BTreeSet<OrderId>, StoreError> {
    let orders: BTreeSet<OrderId> = events.iter().map(|event| event.order_id).collect();
    let rows = Rows::new().uuids(orders.into_iter().map(|order| order.0));
    tx.fetch(BLOCKED_ORDERS.query().rows(rows).bind(consumer))
        .await?
        .iter()
        .map(|row| row.uuid("order_id").map(OrderId))
        .collect()
}

/// Parks an event that failed for the first time.
pub(crate) async fn park_failed(
    tx: &mut Tx,
    consumer: &str,
    event: &Logged,
    verdict: Verdict,
    cause: &str,
) -> Result<(), StoreError> {
    park(tx, consumer, std::slice::from_ref(event), verdict, cause).await
}

/// Parks events behind another one of their order.
pub(crate) async fn park_behind(
    tx: &mut Tx,
    consumer: &str,
    events: &[Logged],
) -> Result<(), StoreError> {
    let verdict = Verdict { attempts: 0, next_attempt_at: NOT_BEFORE_ITS_TURN, dead_since: None };
    park(tx, consumer, events, verdict, "an earlier event of the order is parked").await
}

async fn park(
    tx: &mut Tx,
    consumer: &str,
    events: &[Logged],
    verdict: Verdict,
    cause: &str,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let rows = Rows::new()
        .uuids(events.iter().map(|e| e.order_id.0))
        .ints(events.iter().map(|e| e.version))
        .ints(events.iter().map(|e| i64::from(e.partition)))
        .ints(events.iter().map(|e| e.seq))
        .ints(events.iter().map(|_| verdict.attempts))
        .times(events.iter().map(|_| verdict.next_attempt_at))
        .times(events.iter().map(|_| verdict.dead_since))
        .texts(events.iter().map(|_| cause.to_owned()));
    tx.execute(PARK_EVENTS.query().rows(rows).bind(consumer)).await.map(drop)
}

/// A parked event of the partition whose time has come, if there is one.
pub(crate) async fn due_parked_event(
    tx: &mut Tx,
    consumer: &str,
    partition: u8,
    now: Timestamp,
) -> Result<Option<Head>, StoreError> {
    let query = DUE_PARKED_EVENT.query().bind(consumer).bind(i64::from(partition)).bind(now);
    let Some(row) = tx.fetch_optional(query).await? else {
        return Ok(None);
    };
    Ok(Some(Head {
        order_id: OrderId(row.uuid("order_id")?),
        version: row.int("version")?,
        seq: row.int("seq")?,
        attempts: row.int("attempts")?,
        last_error: row.text("last_error")?,
    }))
}

/// Takes a parked event out, since it is applied now, and makes the next one of its order due.
/// `false`: another node was faster.
pub(crate) async fn unpark(
    tx: &mut Tx,
    consumer: &str,
    head: &Head,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let order = head.order_id.0;
    let query =
        UNPARK_EVENT.query().bind(consumer).bind(order).bind(head.version).bind(head.attempts);
    if tx.execute(query).await? == 0 {
        return Ok(false);
    }
    let query = RELEASE_NEXT_PARKED.query().bind(consumer).bind(order).bind(now);
    tx.execute(query).await.map(|_| true)
}

/// Notes how it stands with a parked event. `false`: another node was faster.
pub(crate) async fn judge_parked_event(
    tx: &mut Tx,
    consumer: &str,
    head: &Head,
    verdict: Verdict,
    cause: &str,
) -> Result<bool, StoreError> {
    let query = JUDGE_PARKED_EVENT
        .query()
        .bind(consumer)
        .bind(head.order_id.0)
        .bind(head.version)
        .bind(head.attempts)
        .bind(verdict.attempts)
        .bind(verdict.next_attempt_at)
        .bind(verdict.dead_since)
        .bind(cause);
    Ok(tx.execute(query).await? == 1)
}

/// Where there is something to do, by group.
pub(crate) async fn find_due(db: &Db, now: Timestamp) -> Result<HashMap<String, Work>, StoreError> {
    let mut due: HashMap<String, Work> = HashMap::new();
    for row in db.fetch(FIND_DUE.query().bind(now)).await? {
        let partition = Partitions::one(partition_of(&row)?);
        let work = due.entry(row.text("consumer")?).or_default();
        if row.int("events")? == 1 {
            work.events = work.events.or(partition);
        }
        if row.int("parked")? == 1 {
            work.parked = work.parked.or(partition);
        }
    }
    Ok(due)
}

/// How far each group that ever ran on this database is behind.
pub(crate) async fn lag(db: &Db) -> Result<Vec<Lag>, StoreError> {
    let read = |row: &Row| {
        Ok(Lag {
            consumer: row.text("consumer")?,
            behind: row.int("behind")?,
            oldest_at: row.opt_time("oldest_at")?,
            parked: row.int("parked")?,
            dead: row.int("dead")?,
        })
    };
    db.fetch(LAG.query()).await?.iter().map(read).collect()
}

/// The oldest dead letters after `after`.
pub(crate) async fn dead_letters(
    db: &Db,
    after: Option<&DeadLetterPlace>,
    limit: i64,
) -> Result<Vec<DeadLetter>, StoreError> {
    let read = |row: &Row| {
        Ok(DeadLetter {
            consumer: row.text("consumer")?,
            order_id: OrderId(row.uuid("order_id")?),
            version: row.int("version")?,
            kind: row.text("type")?,
            partition: partition_of(row)?,
            seq: row.int("seq")?,
            attempts: row.int("attempts")?,
            dead_since: row.time("dead_since")?,
            last_error: row.text("last_error")?,
        })
    };
    let query = DEAD_LETTERS
        .query()
        .bind(after.map(|place| place.dead_since))
        .bind(after.map(|place| place.consumer.clone()))
        .bind(after.map(|place| place.order_id.0))
        .bind(limit);
    db.fetch(query).await?.iter().map(read).collect()
}

/// Gives the dead letter of an order a new life; `false` if it has none.
pub(crate) async fn redrive(
    db: &Db,
    consumer: &str,
    order: OrderId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    let query = REDRIVE.query().bind(consumer).bind(order.0).bind(now);
    let revived = tx.execute(query).await? > 0;
    tx.commit().await?;
    Ok(revived)
}

/// Gives the oldest dead letters a new life, those of one group or of all; how many.
pub(crate) async fn redrive_oldest(
    db: &Db,
    consumer: Option<&str>,
    limit: i64,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let query = REDRIVE_OLDEST.query().bind(consumer.map(str::to_owned)).bind(limit).bind(now);
    let revived = tx.execute(query).await?;
    tx.commit().await?;
    Ok(revived)
}

/// The last place of each partition of the log; 0 where there is none.
pub(crate) async fn log_ends(db: &Db) -> Result<Vec<(u8, i64)>, StoreError> {
    let rows = Rows::new().ints((0..PARTITIONS).map(i64::from));
    let rows = db.fetch(LOG_ENDS.query().rows(rows)).await?;
    rows.iter().map(|row| Ok((partition_of(row)?, row.int("seq")?))).collect()
}

/// How many events come after these places, by partition; of each at most `counted_max`.
pub(crate) async fn events_ahead(
    db: &Db,
    places: &[(u8, i64)],
    counted_max: i64,
) -> Result<Vec<(u8, i64)>, StoreError> {
    let rows = Rows::new()
        .ints(places.iter().map(|(partition, _)| i64::from(*partition)))
        .ints(places.iter().map(|(_, seq)| *seq));
    let rows = db.fetch(EVENTS_AHEAD.query().rows(rows).bind(counted_max)).await?;
    rows.iter().map(|row| Ok((partition_of(row)?, row.int("events")?))).collect()
}

fn partition_of(row: &Row) -> Result<u8, StoreError> {
    u8::try_from(row.int("partition")?)
        .ok()
        .filter(|partition| *partition < PARTITIONS)
        .ok_or_else(|| row.wrong("partition", "is no partition"))
}
