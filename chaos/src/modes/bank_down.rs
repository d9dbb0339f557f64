//! The bank is away: orders are taken, the bank is left alone, everything settles afterwards.

use super::{TRIES, aftermath, conclude, look_at_service, shed, storm::open_shop};
use crate::check::{Check, Facts};
use crate::clients::{Record, order, place};
use crate::http::Api;
use crate::progress::Progress;
use crate::report::Report;
use crate::world::{World, WorldConfig};
use anyhow::Result;
use std::time::{Duration, Instant};

const CLIENTS: usize = 10;

/// Pause between two orders of a client.
const PAUSE: Duration = Duration::from_millis(100);

/// Calls to a dead bank for ten charges that are wanted: a tenth more than the charges, for retries.
const CALLS_PER_TEN: u64 = 11;

/// Lets the bank be away for so many seconds.
///
/// # Errors
/// The world does not start or cannot be read.
pub async fn run(
    config: &WorldConfig,
    seconds: u64,
    progress: &Progress,
) -> Result<(Report, World)> {
    let began = Instant::now();
    progress.say("starting PostgreSQL, the bank and three nodes");
    let world = World::start(config).await?;
    open_shop(&world).await?;
    let calls = || world.bank_links.iter().map(|link| link.calls()).sum::<u64>();
    world.bank.lock().await.kill().await?;
    progress.say(&format!("the bank is dead for {seconds} s"));
    let (before, dead) = (calls(), Instant::now());
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let api = world.api(Duration::from_secs(30), true)?;
        clients.push(tokio::spawn(work(number, api, Duration::from_secs(seconds))));
    }
    let mut records = Vec::new();
    for client in clients {
        records.extend(client.await?);
    }
    let made = calls() - before;
    let down = dead.elapsed();
    world.bank.lock().await.serve().await?;
    let back = Instant::now();
    progress.say("the bank is back; waiting until everything is settled");
    let is_quiet = aftermath::quiet(&world).await?;
    let settled = back.elapsed();
    let mut report = Report::new("bank-down", 0);
    report.figure("orders", records.len());
    report.figure("tries shed", shed(&records));
    report.figure("calls to the dead bank", made);
    report.figure("calls to the bank per charge", per_charge(made, records.len() as u64));
    report.figure("away, ms", u64::try_from(down.as_millis()).unwrap_or(0));
    report.figure("all settled after, ms", u64::try_from(settled.as_millis()).unwrap_or(0));
    let taken = all_taken(&records);
    let mut served = Check::new("G13", "every client is told, and of no failure");
    look_at_service(&mut served, &records);
    let spared = bank_spared(made, records.len() as u64);
    let facts = aftermath::gather(&world, records).await?;
    let paid = all_paid(&facts);
    conclude(&mut report, &facts, vec![taken, served, spared, paid], is_quiet);
    report.seconds = began.elapsed().as_secs();
    Ok((report, world))
}

async fn work(number: usize, api: Api, for_time: Duration) -> Vec<Record> {
    let (began, mut records) = (Instant::now(), Vec::new());
    while began.elapsed() < for_time {
        let key = format!("down-{number}-{}", records.len());
        let request = order(&key, &[("SKU-01", 1)]).with("X-Request-Timeout-Ms", "5000");
        records.push(place(&api, request, TRIES).await);
        tokio::time::sleep(PAUSE).await;
    }
    records
}

fn all_taken(records: &[Record]) -> Check {
    let mut check = Check::new("G13", "orders are taken while the bank is away, and say so");
    for record in records {
        let told = record.decided();
        let good = told.is_some_and(|answer| {
            let order = answer.json();
            let degraded = order["degraded"].as_array();
            answer.status == 202
                && order["status"] == "pending"
                && degraded.is_some_and(|parts| parts.iter().any(|part| part == "payment"))
        });
        check.look(good, || {
            let told = told.map(|answer| format!("{} {}", answer.status, answer.body));
            format!("{}: {told:?} {:?}", record.key(), record.attempts)
        });
    }
    check
}

/// To two places, for people.
#[expect(clippy::cast_precision_loss, reason = "a run has some thousand orders")]
fn per_charge(calls: u64, charges: u64) -> f64 {
    (calls as f64 / charges.max(1) as f64 * 100.0).round() / 100.0
}

fn bank_spared(calls: u64, wanted: u64) -> Check {
    let mut check = Check::new("G13", "a dead bank is asked at most 1.1 times per charge");
    check.look(calls * 10 <= wanted * CALLS_PER_TEN, || {
        format!("{calls} calls for {wanted} charges")
    });
    check
}

fn all_paid(facts: &Facts) -> Check {
    let mut check = Check::new("G13", "every order is paid when the bank is back");
    for order in &facts.orders {
        check.look(order.status == "confirmed", || format!("{} is {}", order.id, order.status));
    }
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_of_calls_is_found() {
        assert_eq!(bank_spared(110, 100).wrong, 0);
        assert_eq!(bank_spared(111, 100).wrong, 1);
        assert!((per_charge(111, 100) - 1.11).abs() < 1e-9 && per_charge(0, 0).abs() < 1e-9);
    }
}
