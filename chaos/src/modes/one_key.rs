//! One key, many requests at once over all nodes: one order, one answer.

use super::{TRIES, aftermath, conclude, look_at_service, shed, storm::open_shop};
use crate::check::Check;
use crate::clients::{Record, order, place};
use crate::progress::Progress;
use crate::report::Report;
use crate::world::{NODES, World, WorldConfig};
use anyhow::Result;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Sends so many requests with one key at once, several times.
///
/// # Errors
/// The world does not start or cannot be read.
pub async fn run(
    config: &WorldConfig,
    requests: usize,
    rounds: usize,
    progress: &Progress,
) -> Result<(Report, World)> {
    let began = Instant::now();
    progress.say("starting PostgreSQL, the bank and three nodes");
    let world = World::start(config).await?;
    open_shop(&world).await?;
    let mut apis = Vec::new();
    for node in 0..NODES {
        apis.push(world.api_of(node, Duration::from_secs(30))?);
    }
    let mut served = Check::new("G10", "every request is told, and of no failure");
    let mut one = Check::new("G10", "one key makes one order and has one answer");
    let (mut records, mut waited, mut refused) = (Vec::new(), 0, 0);
    for round in 0..rounds {
        let key = format!("one-key-{round}");
        let asking = (0..requests)
            .map(|number| place(&apis[number % NODES], order(&key, &[("SKU-01", 1)]), TRIES));
        let told: Vec<Record> = join_all(asking).await;
        waited += told.iter().map(|record| record.attempts.len() - 1).sum::<usize>();
        refused += shed(&told);
        look_at_service(&mut served, &told);
        judge(&mut one, &key, &told);
        records.extend(told.into_iter().take(1));
    }
    let mut report = Report::new("one-key", 0);
    report.figure("requests per key", requests);
    report.figure("keys", rounds);
    report.figure("tries told to wait", waited);
    report.figure("tries shed", refused);
    let is_quiet = aftermath::quiet(&world).await?;
    let facts = aftermath::gather(&world, records).await?;
    one.look(facts.orders.len() == rounds, || {
        format!("{rounds} keys made {} orders", facts.orders.len())
    });
    conclude(&mut report, &facts, vec![one, served], is_quiet);
    report.seconds = began.elapsed().as_secs();
    Ok((report, world))
}

fn judge(check: &mut Check, key: &str, told: &[Record]) {
    let answers: BTreeSet<(u16, &str)> = told
        .iter()
        .filter_map(Record::decided)
        .map(|answer| (answer.status, answer.body.as_str()))
        .collect();
    check.look(answers.len() == 1, || format!("{key} has {} answers: {answers:?}", answers.len()));
    let firsts = told.iter().filter_map(Record::decided).filter(|answer| !answer.replayed).count();
    check.look(firsts <= 1, || format!("{firsts} requests with {key} claim to be the first"));
}
