//! Everything at once: clients, kills, freezes, bad links, a bad bank; then the checker.

use super::aftermath;
use crate::bank::spoiled;
use crate::check::{Facts, check};
use crate::clients::{CATALOGUE, Crowd, Outcome, Record};
use crate::http::Request;
use crate::nemesis::{Fired, FiredCounts, Plan, Wanted, rage};
use crate::node::WEBHOOK_SECRET;
use crate::progress::Progress;
use crate::report::Report;
use crate::sampler::Sampler;
use crate::world::{World, WorldConfig, sure};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

/// Clients at once.
const CLIENTS: u64 = 20;

/// Least share of operations that must end well, in percent.
const OK_PERCENT: usize = 70;

/// How long clients may take to be told after the faults have stopped.
const DECISION_PATIENCE: Duration = Duration::from_secs(60);

/// What is asked of a storm.
#[derive(Clone, Debug)]
pub struct StormConfig {
    /// How many faults.
    pub wanted: Wanted,
    /// Crash points that may be used.
    pub points: Vec<&'static str>,
}

/// Runs a storm of this seed.
///
/// # Errors
/// The world does not start, or comes apart in a way that nobody can judge.
pub async fn run(
    world_config: &WorldConfig,
    config: &StormConfig,
    seed: u64,
    progress: &Progress,
) -> Result<(Report, World)> {
    let began = Instant::now();
    let plan = Plan::draw(seed, &config.wanted, &config.points);
    progress.say(&format!("seed {seed}: starting PostgreSQL, the bank and three nodes"));
    let world = World::start(world_config).await?;
    let mut report = match rage_in(&world, &plan, config, progress).await {
        Ok(report) => report,
        // A shop that cannot be asked any more is no fault of who asks.
        Err(error) => {
            let mut report = Report::new("storm", seed);
            report.gate("the run can be judged", false, format!("{error:#}"));
            report
        }
    };
    report.seconds = began.elapsed().as_secs();
    Ok((report, world))
}

async fn rage_in(
    world: &World,
    plan: &Plan,
    config: &StormConfig,
    progress: &Progress,
) -> Result<Report> {
    let seed = plan.seed;
    // A bank that is too old for the harness is found now, not at the end.
    world.bank.lock().await.fired().await?;
    std::fs::write(world.folder.join("plan.json"), serde_json::to_string_pretty(plan)?)?;
    let routes = open_shop(world).await?;
    let sampler = Sampler::start(world.database_url.clone());
    let crowd = Crowd::start(world, CLIENTS, seed, &routes).await?;
    let fired = Fired::default();
    let raging = rage(world, plan, &crowd.control, &fired);
    let raged = progress.during(&crowd.control, &fired, raging).await;
    if let Err(error) = raged {
        let complaint = format!("not everything came up again: {error:#}");
        fired.change(|counts| counts.complaints.push(complaint));
    }
    progress.say("the faults have stopped; waiting until everything has come to rest");
    let records = settle(crowd).await?;
    let is_quiet = aftermath::quiet(world).await?;
    let samples = sampler.finish().await;
    progress.say("asking everything again on every node");
    let mut facts = aftermath::gather(world, records).await?;
    (facts.samples, facts.bad_levels) = (samples.taken, samples.bad);
    let counts = fired.counts();
    facts.complaints.extend(counts.complaints.clone());
    if !is_quiet {
        facts.complaints.push("not everything came to rest in a minute".to_owned());
    }
    let mut report = Report::new("storm", seed);
    report.checks = check(&facts);
    tell(&mut report, &facts, &counts);
    let of_bank = world.bank.lock().await.fired().await.context("the bank's faults")?;
    report.figure("calls spoiled by the bank", spoiled(&of_bank));
    report.faults = all_faults(of_bank, &counts);
    let mut classes = plan.classes();
    if !world.bank.lock().await.tells() {
        classes.retain(|class| !class.starts_with("bank_webhook"));
    }
    gates(&mut report, &classes, config, &facts, &counts);
    if !report.is_good() {
        dump(&world.folder, &facts, &report)?;
        report.folder = Some(world.folder.clone());
    }
    Ok(report)
}

/// Where the shop listens to the bank.
const WEBHOOK_ROUTE: &str = "/v1/webhooks/payments";

/// Puts everything on the shelf, and gives the paths of the shop's API document. The bank tells the
/// shop of what it does, if the shop listens.
///
/// # Errors
/// The shop refuses.
pub async fn open_shop(world: &World) -> Result<Value> {
    let api = world.api(Duration::from_secs(30), true)?;
    for good in CATALOGUE {
        world.stocked(&api, good.sku, good.unit_amount, good.opening).await?;
    }
    let document = sure(&api, &Request::get("/openapi.json")).await?.json();
    let paths = document["paths"].clone();
    if paths.get(WEBHOOK_ROUTE).is_some() {
        let url = format!("http://{}{WEBHOOK_ROUTE}", world.front.address());
        world.bank.lock().await.tell(&url, WEBHOOK_SECRET).await?;
    }
    Ok(paths)
}

/// Lets the clients come to the end of what they have begun.
async fn settle(crowd: Crowd) -> Result<Vec<Record>> {
    crowd.close();
    let began = Instant::now();
    while !crowd.is_done() && began.elapsed() < DECISION_PATIENCE {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    crowd.records().await
}

fn tell(report: &mut Report, facts: &Facts, counts: &FiredCounts) {
    let of = |outcome| facts.records.iter().filter(|r| r.outcome == outcome).count();
    report.figure("operations", facts.records.len());
    report.figure("operations ok", of(Outcome::Ok));
    report.figure("operations in doubt", of(Outcome::Info));
    report.figure("operations failed", of(Outcome::Fail));
    let tries: usize = facts.records.iter().map(|record| record.attempts.len()).sum();
    report.figure("tries", tries);
    let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
    for attempt in facts.records.iter().flat_map(|record| &record.attempts) {
        *statuses.entry(attempt.status.to_string()).or_default() += 1;
    }
    report.figure("tries by status (0: no answer)", serde_json::json!(statuses));
    report.figure("operations that took effect", serde_json::json!(effective(facts)));
    report.figure("orders", facts.orders.len());
    let mut by_status: BTreeMap<&str, usize> = BTreeMap::new();
    for order in &facts.orders {
        *by_status.entry(&order.status).or_default() += 1;
    }
    report.figure("orders by status", serde_json::json!(by_status));
    report.figure("answers asked for again", facts.replays.len());
    report.figure("payments at the bank", facts.ledger.len());
    report.figure("levels sampled", facts.samples);
    report.figure("requests in flight when killed", counts.caught_in_flight);
    report.figure("decided after a database crash, ms", counts.recovered_ms.clone());
    report.figure("crash points reached", serde_json::json!(counts.points));
}

/// Operations that were done, by kind; a refusal changes nothing. One that is there to be refused
/// is done when it is.
fn effective(facts: &Facts) -> BTreeMap<&'static str, usize> {
    let mut done: BTreeMap<&str, usize> = BTreeMap::new();
    for record in &facts.records {
        let refused = record.operation == "other_body";
        let good = record.decided().is_some_and(|answer| refused || answer.status < 300);
        *done.entry(record.operation).or_default() += usize::from(good);
    }
    done
}

fn all_faults(of_bank: BTreeMap<String, u64>, counts: &FiredCounts) -> BTreeMap<String, u64> {
    let mut faults = counts.by_class.clone();
    let fired = of_bank.into_iter().filter(|(_, count)| *count > 0);
    faults.extend(fired.map(|(name, count)| (format!("bank_{name}"), count)));
    faults
}

fn gates(
    report: &mut Report,
    classes: &BTreeSet<String>,
    config: &StormConfig,
    facts: &Facts,
    counts: &FiredCounts,
) {
    let all = facts.records.len();
    let ok = facts.records.iter().filter(|record| record.outcome == Outcome::Ok).count();
    let enough = all > 0 && ok * 100 >= all * OK_PERCENT;
    report.gate(
        format!("{OK_PERCENT} % of operations ended well"),
        enough,
        format!("{ok} of {all}"),
    );
    let has_fired = |class: &&String| report.faults.get(*class).copied().unwrap_or(0) > 0;
    let never: Vec<&String> = classes.iter().filter(|class| !has_fired(class)).collect();
    report.gate("every class of fault has fired", never.is_empty(), format!("never: {never:?}"));
    let idle: Vec<&str> =
        effective(facts).into_iter().filter(|(_, done)| *done == 0).map(|(name, _)| name).collect();
    report.gate("every kind of operation took effect", idle.is_empty(), format!("never: {idle:?}"));
    let of_stock = |record: &&Record| {
        record.places_order() && record.answer.as_ref().is_some_and(|answer| answer.status == 409)
    };
    let sold_out = facts.records.iter().filter(of_stock).count();
    report.gate("something was sold out", sold_out > 0, sold_out.to_string());
    let kills = report.faults.get("node_kill").copied().unwrap_or(0);
    let wanted = config.wanted.kills;
    report.gate(format!("{wanted} kills of nodes"), kills >= wanted as u64, kills.to_string());
    let postgres = report.faults.get("postgres_kill").copied().unwrap_or(0);
    let wanted = config.wanted.postgres_kills;
    report.gate(
        format!("{wanted} kills of PostgreSQL"),
        postgres >= wanted as u64,
        postgres.to_string(),
    );
    let least = config.wanted.spoiled_calls;
    let spoiled =
        report.figures.get("calls spoiled by the bank").and_then(Value::as_u64).unwrap_or(0);
    report.gate(
        format!("{least} spoiled calls of the bank"),
        spoiled >= least,
        spoiled.to_string(),
    );
    let caught = counts.caught_in_flight;
    report.gate("an order was in flight when its node was killed", caught > 0, caught.to_string());
    report.gate("levels were sampled", facts.samples > 0, facts.samples.to_string());
}

/// Leaves the facts where somebody who looks for the reason finds them.
fn dump(folder: &Path, facts: &Facts, report: &Report) -> Result<()> {
    let write = |name: &str, value: Value| {
        std::fs::write(folder.join(name), serde_json::to_string_pretty(&value)?)
            .with_context(|| name.to_owned())
    };
    write("report.json", serde_json::to_value(report)?)?;
    write("orders.json", serde_json::to_value(&facts.orders)?)?;
    write("events.json", serde_json::to_value(&facts.events)?)?;
    write("payments.json", serde_json::to_value(&facts.payments)?)?;
    write("stock.json", serde_json::to_value(&facts.stock)?)?;
    write("reservations.json", serde_json::to_value(&facts.reservations)?)
}
