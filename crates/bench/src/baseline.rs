//! The rival: the same orders written by SQL alone, one at a time, on the same server in the same
//! bench. No HTTP, no payment, no authentication, no kept answers: what a careful program without our
//! batches could reach at most.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use sqlx::{Connection as _, Row as _};

use crate::database::{Database, connect, run};
use crate::options::Scenario;
use crate::pgbench::Pgbench;
use crate::report::Spread;

const SCHEMA: &str = include_str!("../baseline/schema.sql");
/// SKUs in that schema.
pub(crate) const SKUS: usize = 5_000;
/// Numbers of clients of which the best is taken.
const CLIENTS: [usize; 4] = [4, 8, 16, 32];
/// How long each number of clients is tried, if a run is not shorter.
const TRIAL: Duration = Duration::from_secs(3);

/// A way to write an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Design {
    name: &'static str,
    uniform: &'static str,
    hot: &'static str,
}

/// In the order in which they are told.
const DESIGNS: [Design; 2] = [
    Design {
        name: "two transactions",
        uniform: include_str!("../baseline/uniform_two.sql"),
        hot: include_str!("../baseline/hot_two.sql"),
    },
    Design {
        name: "one statement",
        uniform: include_str!("../baseline/uniform_one.sql"),
        hot: include_str!("../baseline/hot_one.sql"),
    },
];

/// What one design reached.
#[derive(Debug, Clone, Serialize)]
pub struct Rival {
    /// Name of the design.
    pub design: &'static str,
    /// The number of clients with which it was fastest.
    pub clients: usize,
    /// Orders per second in the short trial, by number of clients.
    pub tried: BTreeMap<usize, f64>,
    /// Orders per second in each run.
    pub runs: Vec<f64>,
    /// Over all runs.
    pub orders_per_second: Spread,
    /// Ours by theirs, each of the same run.
    pub ratio: Spread,
}

/// The rivals, ready to run.
pub(crate) struct Baseline {
    pgbench: Pgbench,
    database: Database,
    rivals: Vec<(Rival, Script)>,
}

/// A script as a file, which is gone when this is dropped.
struct Script(PathBuf);

impl Script {
    fn write(text: &str) -> anyhow::Result<Self> {
        let name = format!("orderly-bench-{:016x}.sql", rand::random::<u64>());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // A file that cannot be removed is left to the system's own tidying.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Baseline {
    /// Finds pgbench, makes a database on the server, and tries which numbers of clients are best
    /// for runs of this length.
    pub(crate) async fn prepare(
        server: &str,
        scenario: Scenario,
        time: Duration,
    ) -> anyhow::Result<Self> {
        let pgbench = Pgbench::find()?;
        let database = Database::create(server).await?;
        let mut baseline = Self { pgbench, database, rivals: Vec::new() };
        for design in DESIGNS {
            let text = if scenario == Scenario::Hot { design.hot } else { design.uniform };
            let script = Script::write(text)?;
            let mut tried = BTreeMap::new();
            for clients in CLIENTS {
                tried.insert(clients, baseline.measure(&script, clients, time.min(TRIAL)).await?);
            }
            let rival = Rival {
                design: design.name,
                clients: best(&tried).unwrap_or(CLIENTS[0]),
                tried,
                runs: Vec::new(),
                orders_per_second: Spread::default(),
                ratio: Spread::default(),
            };
            baseline.rivals.push((rival, script));
        }
        Ok(baseline)
    }

    /// One run of each rival.
    pub(crate) async fn run(&mut self, time: Duration) -> anyhow::Result<()> {
        for place in 0..self.rivals.len() {
            let Some((rival, script)) = self.rivals.get(place) else { continue };
            let reached = self.measure(script, rival.clients, time).await?;
            if let Some((rival, _)) = self.rivals.get_mut(place) {
                rival.runs.push(reached);
            }
        }
        Ok(())
    }

    /// What they reached, beside what we did in the same runs.
    pub(crate) fn finish(self, ours: &[f64]) -> Vec<Rival> {
        let sum_up = |(mut rival, _): (Rival, Script)| {
            rival.orders_per_second = Spread::of(rival.runs.iter().copied());
            rival.ratio = ratios(ours, &rival.runs);
            rival
        };
        self.rivals.into_iter().map(sum_up).collect()
    }

    /// Orders per second of a script on empty tables. The rival's books are checked too.
    async fn measure(
        &self,
        script: &Script,
        clients: usize,
        time: Duration,
    ) -> anyhow::Result<f64> {
        let url = self.database.url();
        let mut connection = connect(&url).await?;
        run(&mut connection, SCHEMA.to_owned()).await?;
        run(&mut connection, "ANALYZE".to_owned()).await?;
        let skus = [("skus", SKUS)];
        let measured = self.pgbench.run(&url, &script.0, clients, time, &skus).await?;
        anyhow::ensure!(measured.failed == 0, "{} orders of the rival failed", measured.failed);
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM orders WHERE status = 'confirmed'), \
             (SELECT coalesce(sum(reserved), 0)::bigint FROM stock), \
             (SELECT count(*) FROM order_line), (SELECT count(*) FROM outbox)",
        )
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        let (orders, units, lines, events): (i64, i64, i64, i64) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        anyhow::ensure!(
            u64::try_from(orders).ok() == Some(measured.done)
                && units == 3 * orders
                && lines == 3 * orders
                && events == 2 * orders,
            "the rival's books do not balance: {} done, {orders} orders, {units} units, \
             {lines} lines, {events} events",
            measured.done
        );
        Ok(measured.per_second)
    }
}

/// The number of clients with which most was done.
fn best(tried: &BTreeMap<usize, f64>) -> Option<usize> {
    let fastest = tried.iter().max_by(|a, b| a.1.total_cmp(b.1));
    fastest.map(|(clients, _)| *clients)
}

/// Ours by theirs, run by run.
fn ratios(ours: &[f64], theirs: &[f64]) -> Spread {
    let both = ours.iter().zip(theirs).filter(|(_, theirs)| **theirs > 0.0);
    Spread::of(both.map(|(ours, theirs)| ours / theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_number_of_clients_is_taken() {
        let tried = BTreeMap::from([(4, 2_900.0), (8, 3_100.0), (16, 3_000.0)]);
        assert_eq!(best(&tried), Some(8));
        assert_eq!(best(&BTreeMap::new()), None);
    }

    #[test]
    fn ratios_are_of_the_same_run() {
        let spread = ratios(&[10.0, 30.0, 8.0], &[5.0, 10.0, 8.0]);
        assert_eq!(spread, Spread { min: 1.0, median: 2.0, max: 3.0 });
        assert_eq!(ratios(&[1.0], &[0.0]), Spread::default());
    }
}
