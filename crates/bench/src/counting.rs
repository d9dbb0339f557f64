//! Reads counters: of the server from its metrics, of Postgres from its statistics.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, Row as _};

use crate::database::connect;
use crate::http::Connection;
use crate::shop::{address_of, host_of};

/// Statements that are not on the way of an order: of workers, of recovery, of leases, of audits and
/// of reads. How often they run depends on the time.
const ELSEWHERE: &[&str] = &[
    // broker and consumers
    "advance_positions",
    "blocked_orders",
    "dead_letters",
    "due_parked_event",
    "fail_parked_event",
    "find_due",
    "lag",
    "lock_positions",
    "open_positions",
    "read_events",
    "change_shipments",
    "count_shipments",
    "prepare_shipments",
    "keep_baskets",
    "keep_items",
    // leases, recovery, audit, upkeep
    "take_leases",
    "list_leases",
    "release_leases",
    "forget_leases",
    "still_held",
    "forget_answers",
    "stuck_orders",
    "pending_orders",
    "given_up_orders",
    "count_stuck",
    "open_operations",
    "unhandled_events",
    "page_orders",
    "page",
    "page_operations",
    "audit_stock",
    "event_ends",
    "ping",
];

/// Counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Statements on the way of orders.
    pub(crate) statements: u64,
    /// Allocations on the heap, if the program counts them.
    pub(crate) heap: Option<u64>,
    /// Where the write-ahead log stands, in bytes.
    pub(crate) wal: Option<u64>,
    /// Where the last checkpoint of Postgres began.
    pub(crate) checkpoint: Option<i64>,
}

/// Reads all counters: of the server with this private listener, and of the database, if that is
/// Postgres.
pub(crate) async fn sample(private: &str, database: Option<&str>) -> anyhow::Result<Sample> {
    let mut sample = of_metrics(&metrics(private).await?);
    if let Some(first) = sample.heap {
        sample.heap = Some(next_heap(private, first).await?);
    }
    if let Some(url) = database {
        let mut connection = connect(url).await?;
        let row = sqlx::query(
            "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, \
             (SELECT (redo_lsn - '0/0')::bigint FROM pg_control_checkpoint())",
        )
        .fetch_one(&mut connection)
        .await?;
        sample.wal = u64::try_from(row.get::<i64, _>(0)).ok();
        sample.checkpoint = Some(row.get(1));
        connection.close().await?;
    }
    Ok(sample)
}

/// Rows inserted, changed or deleted so far, but for the positions of workers, whose number depends
/// on the time. The program must be stopped: a session tells its counts when it ends, and otherwise
/// late.
pub(crate) async fn rows(url: &str) -> anyhow::Result<u64> {
    let mut connection = connect(url).await?;
    let deadline = Instant::now() + Duration::from_secs(60);
    let others = "SELECT count(*) FROM pg_stat_activity \
                  WHERE datname = current_database() AND pid <> pg_backend_pid() \
                  AND backend_type = 'client backend'";
    while sqlx::query(others).fetch_one(&mut connection).await?.get::<i64, _>(0) > 0 {
        anyhow::ensure!(Instant::now() < deadline, "sessions of the server do not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let row = sqlx::query(
        "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint \
         FROM pg_stat_user_tables WHERE relname <> 'consumer_position'",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    Ok(u64::try_from(row.get::<i64, _>(0))?)
}

/// Waits until every worker has passed every event.
pub(crate) async fn caught_up(url: &str) -> anyhow::Result<()> {
    let mut connection = connect(url).await?;
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let row = sqlx::query(
            "SELECT count(*) FROM consumer_position AS position \
             JOIN (SELECT partition, max(seq) AS seq FROM event GROUP BY partition) AS ends \
             USING (partition) WHERE position.seq < ends.seq",
        )
        .fetch_one(&mut connection)
        .await?;
        if row.get::<i64, _>(0) == 0 {
            break;
        }
        anyhow::ensure!(Instant::now() < deadline, "the workers do not catch up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    connection.close().await?;
    Ok(())
}

async fn metrics(private: &str) -> anyhow::Result<String> {
    let host = host_of(private)?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut connection = Connection::new(address_of(host)?);
    let answer = connection.exchange(request.as_bytes()).await?;
    anyhow::ensure!(answer.status == 200, "/metrics answered {}", answer.status);
    Ok(String::from_utf8_lossy(connection.body(&answer)).into_owned())
}

/// The counter of allocations is brought up to date every now and then: the value after the next
/// time.
async fn next_heap(private: &str, first: u64) -> anyhow::Result<u64> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = of_metrics(&metrics(private).await?).heap.unwrap_or(first);
        if found != first {
            return Ok(found);
        }
        anyhow::ensure!(Instant::now() < deadline, "the counter of allocations stands still");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the metrics tell. Pure.
fn of_metrics(text: &str) -> Sample {
    let mut sample = Sample::default();
    for line in text.lines() {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let value = || value.parse().ok();
        if name == "heap_allocations_total" {
            sample.heap = value();
        } else if let Some(label) = name.strip_prefix("db_statements_total{statement=\"") {
            let statement = label.trim_end_matches("\"}");
            if !ELSEWHERE.contains(&statement) {
                sample.statements += value().unwrap_or_default();
            }
        }
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_orders_are_counted_and_those_of_workers_are_not() {
        let text = "# TYPE db_statements_total counter\n\
            db_statements_total{statement=\"insert_orders\"} 7\n\
            db_statements_total{statement=\"reserve\"} 5\n\
            db_statements_total{statement=\"keep_baskets\"} 100\n\n\
            other_total 3\n";
        assert_eq!(of_metrics(text), Sample { statements: 12, ..Sample::default() });
        let counted = format!("{text}heap_allocations_total 4711\n");
        assert_eq!(of_metrics(&counted).heap, Some(4_711));
    }
}
