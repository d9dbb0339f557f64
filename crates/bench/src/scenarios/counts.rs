//! What an order costs in things that can be counted: statements, rows, bytes of the write-ahead
//! log, allocations. They do not depend on how busy the machine is, so that a test can guard them.
//!
//! Counted are orders one after the other (`alone`), of which each is a batch, and many at a time
//! (`crowd`), where batches are as large as they happen to become.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Shape;
use crate::counting::{Sample, caught_up, rows, sample};
use crate::database::Database;
use crate::drive::Load;
use crate::options::Options;
use crate::report::{Cores, Run};
use crate::scene::{Besides, Phase, Scene};

/// Orders before anything is counted: connections, caches and pages are then what they will be.
const FIRST: u64 = 600;
/// How often a shape is counted at most, where a checkpoint of Postgres came in between: after one
/// each page is logged as a whole.
const ATTEMPTS: usize = 4;

/// Reads one counter of a sample, if it was counted.
type Counter = fn(&Sample) -> Option<u64>;

/// A way to send orders.
struct Sending {
    name: &'static str,
    orders: u64,
    connections: usize,
    figures: [&'static str; 3],
}

const SENDINGS: [Sending; 2] = [
    Sending {
        name: "alone",
        orders: 200,
        connections: 1,
        figures: [
            "alone: statements per order",
            "alone: WAL bytes per order",
            "alone: heap allocations per order",
        ],
    },
    Sending {
        name: "crowd",
        orders: 3_000,
        connections: 50,
        figures: [
            "crowd: statements per order",
            "crowd: WAL bytes per order",
            "crowd: heap allocations per order",
        ],
    },
];

pub(super) async fn run(options: &Options) -> anyhow::Result<(Run, Shape)> {
    let mut scene = Scene::open(options, 1, "").await?;
    let window = scene.window(false, Instant::now(), Duration::from_secs(24 * 3600))?;
    let mut besides = Besides::default();
    let before = stopped_rows(&mut scene).await?;
    for sending in SENDINGS {
        let mut attempt = 1;
        let (before, after) = loop {
            scene.say(&format!("counting orders ({})", sending.name));
            let (before, after) = count(&mut scene, &sending).await?;
            if before.checkpoint == after.checkpoint {
                break (before, after);
            }
            anyhow::ensure!(attempt < ATTEMPTS, "there is a checkpoint each time");
            attempt += 1;
        };
        let per_order = |of: Counter| {
            let used = of(&after)?.checked_sub(of(&before)?)?;
            Some(used as f64 / sending.orders as f64)
        };
        let [statements, wal, heap] = sending.figures;
        // What matters of the statements is how many an order needs by itself; in a crowd it
        // depends on the size of the batches.
        let counted: [(_, Counter); 3] = [
            (statements, |sample| Some(sample.statements)),
            (wal, |sample| sample.wal),
            (heap, |sample| sample.heap),
        ];
        for (name, of) in counted {
            besides.figures.extend(per_order(of).map(|value| (name, value)));
        }
    }
    if let Some((before, after)) = before.zip(stopped_rows(&mut scene).await?) {
        let orders = scene.drive.tally.borrow().accepted;
        let each = after.saturating_sub(before) as f64 / orders.max(1) as f64;
        besides.figures.insert("rows written per order", each);
    }
    let mut phase = Phase { measured: scene.measured()?, cores: Cores::default() };
    phase.measured.window.until = Instant::now().max(window.from);
    let run = scene.finish(&phase, besides).await?;
    Ok((run, Shape::of(&scene)))
}

/// Rows written so far, for which the server is stopped and started again; `None` on SQLite.
async fn stopped_rows(scene: &mut Scene<'_>) -> anyhow::Result<Option<u64>> {
    let stack = scene.shop.own()?;
    let Some(url) = stack.database.as_ref().map(Database::url) else { return Ok(None) };
    caught_up(&url).await?;
    stack.stop_server(0)?;
    let rows = rows(&url).await?;
    stack.start_again(0).await?;
    Ok(Some(rows))
}

/// Sends orders, and counts before and after.
async fn count(scene: &mut Scene<'_>, sending: &Sending) -> anyhow::Result<(Sample, Sample)> {
    place(scene, FIRST, 50).await?;
    let before = quiet_sample(scene).await?;
    place(scene, sending.orders, sending.connections).await?;
    let after = quiet_sample(scene).await?;
    Ok((before, after))
}

async fn place(scene: &Scene<'_>, orders: u64, connections: usize) -> anyhow::Result<()> {
    let sent = scene.drive.tally.borrow().accepted;
    scene.drive.limit(orders);
    let now = Instant::now();
    let far = now + Duration::from_secs(24 * 3600);
    scene.drive.run(Load::Closed { connections }, now, far).await?;
    scene.drive.limit(u64::MAX);
    let accepted = scene.drive.tally.borrow().accepted - sent;
    anyhow::ensure!(accepted == orders, "{accepted} of {orders} orders were accepted");
    Ok(())
}

/// A sample when the workers have nothing left to do.
async fn quiet_sample(scene: &mut Scene<'_>) -> anyhow::Result<Sample> {
    let stack = scene.shop.own()?;
    let url = stack.database.as_ref().map(Database::url);
    if let Some(url) = &url {
        caught_up(url).await?;
    }
    let private = &stack.servers.first().context("no server runs")?.private;
    sample(private, url.as_deref()).await
}
