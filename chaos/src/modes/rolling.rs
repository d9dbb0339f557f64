//! Nodes are stopped and started one after the other under load: no request fails.

use super::{TRIES, aftermath, conclude, look_at_service, shed, storm::open_shop};
use crate::check::Check;
use crate::clients::{CATALOGUE, Record, order, place};
use crate::http::{Api, Request};
use crate::progress::Progress;
use crate::report::Report;
use crate::world::{World, WorldConfig};
use anyhow::Result;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const CLIENTS: usize = 12;

/// Seconds that a node serves on after SIGTERM. The balancer looks ten times a second.
const DRAIN_DELAY_SECS: u64 = 2;

/// What a client did: its orders, and what it read without success.
type Work = (Vec<Record>, u64, Vec<String>);

/// Restarts every node so many times: with `from`, which they are started with, as another version
/// every time.
///
/// # Errors
/// The world does not start or cannot be read.
pub async fn run(
    config: &WorldConfig,
    from: Option<PathBuf>,
    rounds: usize,
    seed: u64,
    progress: &Progress,
) -> Result<(Report, World)> {
    let began = Instant::now();
    progress.say("starting PostgreSQL, the bank and three nodes");
    let versions = [from.unwrap_or_else(|| config.program.clone()), config.program.clone()];
    let config = WorldConfig {
        program: versions[0].clone(),
        drain_delay_secs: DRAIN_DELAY_SECS,
        ..config.clone()
    };
    let world = World::start(&config).await?;
    open_shop(&world).await?;
    let closing = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        // Half of them keep their connections: a node that stops must tell them.
        let api = world.api(Duration::from_secs(30), number % 2 == 0)?;
        clients.push(tokio::spawn(work(number, api, closing.clone())));
    }
    let mut stops = Check::new("G11", "a node that is asked to stop ends well and in time");
    let mut longest = Duration::ZERO;
    for round in 1..=rounds {
        for node in &world.nodes {
            let mut node = node.lock().await;
            progress.say(&format!("round {round}: {} is asked to stop", node.name()));
            let asked = Instant::now();
            let ended = node.drain().await;
            longest = longest.max(asked.elapsed());
            let clean = ended.as_ref().is_ok_and(|status| status.code() == Some(0));
            stops.look(clean, || format!("{} ended with {ended:?}", node.name()));
            node.becomes(versions[round % 2].clone());
            node.bring_up(None).await?;
        }
    }
    closing.store(true, Ordering::Relaxed);
    let (mut records, mut reads, mut failures) = (Vec::new(), 0, Vec::new());
    for client in clients {
        let (placed, read, failed) = client.await?;
        records.extend(placed);
        reads += read;
        failures.extend(failed);
    }
    let mut report = Report::new("rolling", seed);
    report.figure("restarts", stops.checked);
    report.figure("requests", records.len() as u64 + reads);
    report.figure("longest stop, ms", u64::try_from(longest.as_millis()).unwrap_or(0));
    report.figure("tries shed", shed(&records));
    let none = none_failed(&records, reads, failures);
    let is_quiet = aftermath::quiet(&world).await?;
    let facts = aftermath::gather(&world, records).await?;
    conclude(&mut report, &facts, vec![stops, none], is_quiet);
    report.seconds = began.elapsed().as_secs();
    Ok((report, world))
}

/// Places orders and reads them back. Only a request that a node refused to take is sent again.
async fn work(number: usize, api: Api, closing: Arc<AtomicBool>) -> Work {
    let (mut records, mut reads, mut failures) = (Vec::new(), 0, Vec::new());
    while !closing.load(Ordering::Relaxed) {
        let good = CATALOGUE[(number + records.len()) % CATALOGUE.len()].sku;
        let key = format!("rolling-{number}-{}", records.len());
        let record = place(&api, order(&key, &[(good, 1), ("SKU-01", 2)]), TRIES).await;
        let id = record.decided().and_then(crate::http::Answer::order_id);
        records.push(record);
        if let Some(id) = id {
            reads += 1;
            match api.send(&Request::get(format!("/v1/orders/{id}"))).await {
                Ok(answer) if answer.status == 200 => {}
                Ok(answer) => failures.push(format!("read: {} {}", answer.status, answer.body)),
                Err(why) => failures.push(format!("read: {why}")),
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (records, reads, failures)
}

fn none_failed(records: &[Record], reads: u64, failures: Vec<String>) -> Check {
    let mut check = Check::new("G11", "no request fails while nodes are restarted");
    look_at_service(&mut check, records);
    check.checked += usize::try_from(reads).unwrap_or(0) - failures.len();
    for failure in failures {
        check.look(false, || failure);
    }
    check
}
