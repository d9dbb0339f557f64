//! Reads the facts from the database, past the program.

use super::facts::Facts;
use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};

// Whole rows: what a later migration adds is read if the checker has a field of that name.
const ORDERS: &str = "SELECT * FROM orders";

const EVENTS: &str = "SELECT order_id, version, type AS kind, seq, data FROM event";

const PAYMENTS: &str = "SELECT * FROM payment";

const STOCK: &str = "SELECT stock.*, coalesce(
        (SELECT sum(delta) FROM stock_adjustment AS a WHERE a.sku = stock.sku), 0) AS adjusted
    FROM stock";

const RESERVATIONS: &str = "SELECT order_id, units, released_at IS NULL AS live FROM reservation";

const ADJUSTMENTS: &str = "SELECT reason, sku, delta FROM stock_adjustment";

const SHIPMENTS: &str = "SELECT * FROM shipment";

const PARKED: &str = "SELECT * FROM parked_event";

/// Sessions that hold a transaction open and do nothing. Those of the harness have a name.
const IDLE: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE state LIKE 'idle in transaction%' AND now() - state_change > interval '5 seconds'";

/// What the database holds.
///
/// # Errors
/// It cannot be read.
pub async fn gather_database(url: &str, facts: &mut Facts) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    // One snapshot of everything.
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .execute(&mut connection)
        .await?;
    facts.orders = rows(&mut connection, ORDERS).await?;
    facts.events = rows(&mut connection, EVENTS).await?;
    facts.payments = rows(&mut connection, PAYMENTS).await?;
    facts.stock = rows(&mut connection, STOCK).await?;
    facts.reservations = rows(&mut connection, RESERVATIONS).await?;
    facts.adjustments = rows(&mut connection, ADJUSTMENTS).await?;
    facts.shipments = rows(&mut connection, SHIPMENTS).await?;
    facts.parked = rows(&mut connection, PARKED).await?;
    sqlx::raw_sql("COMMIT").execute(&mut connection).await?;
    let idle: i64 = sqlx::query(IDLE).fetch_one(&mut connection).await?.get(0);
    facts.looks += 1;
    if idle > 0 {
        facts.complaints.push(format!("{idle} sessions are idle in transaction"));
    }
    connection.close().await?;
    facts.events.sort_by_key(|event| event.seq);
    Ok(())
}

/// What has not come to its end yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsettled {
    /// Orders under way, money that is to be moved, and events that a group has not seen.
    pub under_way: i64,
    /// Orders that are to be cancelled and wait on purpose: their payment is not known at the bank,
    /// and a request may still be on its way there.
    pub waiting: i64,
    /// Orders that were given up because the bank knew of no payment. Should it know of one now,
    /// the money is to go back.
    pub given_up: Vec<String>,
}

/// What has not come to its end yet.
///
/// # Errors
/// The database cannot be read.
pub async fn unsettled(url: &str) -> Result<Unsettled> {
    const WAITING: &str = "SELECT count(*) FROM orders
        WHERE status = 'pending' AND to_jsonb(orders) ->> 'cancel_requested' IS NOT NULL";
    const UNDER_WAY: &str = "SELECT (SELECT count(*) FROM orders WHERE status = 'pending')
        + (SELECT count(*) FROM consumer_position AS p, event AS e
            WHERE e.partition = p.partition AND e.seq > p.seq)
        + (SELECT count(*) FROM parked_event)";
    const GIVEN_UP: &str = "SELECT payment.order_id::text FROM payment
        JOIN orders ON orders.id = payment.order_id
        WHERE payment.status = 'sending' AND orders.status <> 'pending'";
    const HAS_OPERATIONS: &str = "SELECT to_regclass('payment_operation') IS NOT NULL";
    const OPERATIONS: &str = "SELECT count(*) FROM payment_operation WHERE status = 'open'";
    let mut connection = PgConnection::connect(url).await?;
    let waiting: i64 = sqlx::query(WAITING).fetch_one(&mut connection).await?.get(0);
    let mut under_way: i64 = sqlx::query(UNDER_WAY).fetch_one(&mut connection).await?.get(0);
    under_way -= waiting;
    if sqlx::query(HAS_OPERATIONS).fetch_one(&mut connection).await?.get(0) {
        under_way += sqlx::query(OPERATIONS).fetch_one(&mut connection).await?.get::<i64, _>(0);
    }
    let given_up = sqlx::query(GIVEN_UP).fetch_all(&mut connection).await?;
    let given_up = given_up.iter().map(|row| row.get(0)).collect();
    connection.close().await?;
    Ok(Unsettled { under_way, waiting, given_up })
}

/// Rows by way of JSON: the names of the columns are those of the fields.
async fn rows<T: DeserializeOwned>(connection: &mut PgConnection, sql: &str) -> Result<Vec<T>> {
    let sql = format!("SELECT row_to_json(facts)::text FROM ({sql}) AS facts");
    let found = sqlx::query(AssertSqlSafe(sql.clone())).fetch_all(connection).await;
    let found = found.with_context(|| sql.clone())?;
    let parse = |text: String| serde_json::from_str(&text).with_context(|| text.clone());
    found.iter().map(|row| parse(row.get(0))).collect()
}
