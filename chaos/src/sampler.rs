//! Looks at the levels of all goods while the run is on, past the program and all faults.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(2);

/// Findings that are kept.
const FOUND_MAX: usize = 50;

/// Levels that cannot be: one statement, hence one snapshot.
const BAD_LEVELS: &str = "SELECT row_to_json(level)::text FROM (
        SELECT sku, on_hand, reserved, shipped, coalesce((to_jsonb(stock) ->> 'returned')::bigint, 0)
            AS returned, coalesce((SELECT sum(delta) FROM stock_adjustment AS a
            WHERE a.sku = stock.sku), 0) AS adjusted
        FROM stock) AS level
    WHERE on_hand < 0 OR reserved < 0 OR shipped < 0 OR reserved > on_hand
        OR adjusted + returned <> on_hand + shipped";

/// Promises that nobody holds, or the other way round: also one snapshot.
const BAD_PROMISES: &str = "SELECT row_to_json(level)::text FROM (
        SELECT sku, reserved, coalesce(held, 0) AS held
        FROM stock LEFT JOIN (
            SELECT line ->> 0 AS sku, sum((line ->> 1)::bigint) AS held
            FROM reservation, json_array_elements(units) AS line
            WHERE released_at IS NULL GROUP BY 1) AS held USING (sku)) AS level
    WHERE reserved <> held";

/// Promises are added up in every so-many-th look only: there is one row per order.
const PROMISES_EVERY: usize = 10;

/// What was seen.
#[derive(Debug, Default)]
pub struct Samples {
    /// How often it was looked.
    pub taken: usize,
    /// Levels that cannot be.
    pub bad: Vec<String>,
}

/// Somebody who looks ten times a second.
#[derive(Debug)]
pub struct Sampler {
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<Samples>,
}

impl Sampler {
    /// Begins to look.
    #[must_use]
    pub fn start(url: String) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(look(url, stopped)) }
    }

    /// Ends, and tells what was seen.
    pub async fn finish(self) -> Samples {
        self.stop.send_replace(true);
        self.task.await.unwrap_or_default()
    }
}

async fn look(url: String, stopped: watch::Receiver<bool>) -> Samples {
    let mut samples = Samples::default();
    let mut connection: Option<PgConnection> = None;
    while !*stopped.borrow() {
        tokio::time::sleep(EVERY).await;
        if connection.is_none() {
            // PostgreSQL is killed now and then; nothing can be wrong while it is away.
            let connecting = tokio::time::timeout(PATIENCE, PgConnection::connect(&url)).await;
            connection = connecting.ok().and_then(Result::ok);
        }
        let Some(open) = &mut connection else { continue };
        let sums = samples.taken % PROMISES_EVERY == PROMISES_EVERY - 1;
        let question = if sums { BAD_PROMISES } else { BAD_LEVELS };
        let looking = sqlx::query(question).fetch_all(open);
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(Ok(rows)) => {
                samples.taken += 1;
                let room = FOUND_MAX.saturating_sub(samples.bad.len());
                samples.bad.extend(rows.iter().take(room).map(|row| row.get::<String, _>(0)));
            }
            _ => connection = None,
        }
    }
    samples
}
