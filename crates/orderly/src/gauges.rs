//! Metrics that are looked up now and then, because nothing that happens tells them.

use broker::Broker;
use domain::{Clock, Timestamp};
use metrics::gauge;
use resilience::RetryBudget;
use std::sync::Arc;
use std::time::Duration;
use store::{Backend, Db};
use telemetry::MetricsHandle;
use tokio::time::{Instant, sleep};

/// How often they are looked up, and metrics are tidied.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Asking how far the broker is behind may use a fiftieth of the time: it counts the events that
/// are still to come.
const REST: u32 = 50;

/// What is looked at.
pub(crate) struct Gauges {
    pub(crate) db: Db,
    pub(crate) broker: Broker,
    pub(crate) retry_budget: RetryBudget,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: MetricsHandle,
}

impl Gauges {
    /// Looks from now on, for as long as the process lives.
    pub(crate) fn watch(self) {
        let database = match self.db.backend() {
            Backend::Postgres => "postgres",
            Backend::Sqlite => "sqlite",
        };
        gauge!("build_info", "version" => env!("CARGO_PKG_VERSION"), "database" => database)
            .set(1.0);
        actix::spawn(async move {
            let mut rests_until = Instant::now();
            loop {
                self.memory();
                let began = Instant::now();
                if began >= rests_until {
                    self.lag().await;
                    rests_until = Instant::now() + began.elapsed() * REST;
                }
                self.metrics.upkeep();
                sleep(LOOK_EVERY).await;
            }
        });
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    fn memory(&self) {
        for pool in self.db.pools() {
            for (state, connections) in [("busy", pool.busy), ("idle", pool.idle)] {
                gauge!("db_pool_connections", "pool" => pool.pool, "state" => state)
                    .set(f64::from(connections));
            }
            gauge!("db_pool_connections_max", "pool" => pool.pool).set(f64::from(pool.max));
        }
        if let Some(seconds) = cpu_seconds() {
            gauge!("process_cpu_seconds").set(seconds);
        }
        gauge!("retry_budget_left", "dependency" => "bank").set(self.retry_budget.left() as f64);
    }

    /// How far the consumers are behind. While the database is away nothing is known of that, and
    /// the last values stay; that it is away is told elsewhere.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    async fn lag(&self) {
        let Ok(groups) = self.broker.lag().await else { return };
        let now = self.clock.now();
        for group in groups {
            let consumer = group.consumer.clone();
            gauge!("broker_lag_events", "consumer" => consumer.clone()).set(group.behind as f64);
            gauge!("broker_lag_seconds", "consumer" => consumer.clone())
                .set(group.oldest_at.map_or(0.0, |at| seconds_since(at, now)));
            gauge!("broker_parked_events", "consumer" => consumer.clone()).set(group.parked as f64);
            gauge!("broker_dead_letters", "consumer" => consumer).set(group.dead as f64);
        }
    }
}

/// Processor time of this process since its start; `None` where the system does not tell (it is no
/// Linux).
fn cpu_seconds() -> Option<f64> {
    cpu_seconds_in(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// User and system time, fields 14 and 15 of proc(5)'s `stat`. The second field is the name of the
/// program in parentheses, and may hold anything.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn cpu_seconds_in(stat: &str) -> Option<f64> {
    /// Ticks of these fields in a second: USER_HZ is the same on every Linux that runs Rust.
    const TICKS: f64 = 100.0;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS)
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn seconds_since(at: Timestamp, now: Timestamp) -> f64 {
    (now.micros().saturating_sub(at.micros()).max(0)) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_past_any_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 1091 0 0 0 250 125 0 0 20 0 9 0 1 2 3";
        assert_eq!(cpu_seconds_in(stat), Some(3.75));
        assert_eq!(cpu_seconds_in("7 (a) S 1"), None);
    }
}
