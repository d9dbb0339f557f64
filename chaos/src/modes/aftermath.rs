//! After the faults: wait until everything has come to rest, ask everything again, gather the facts.

use crate::check::{Facts, ReplayFact, Unsettled, gather_database, unsettled};
use crate::clients::Record;
use crate::http::{Answer, Api, Request};
use crate::node::Node;
use crate::process::read;
use crate::world::{NODES, World};
use anyhow::Result;
use futures_util::StreamExt;
use serde_json::Value;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How long everything may take to come to rest when nothing is broken any more (I16).
pub const QUIET_PATIENCE: Duration = Duration::from_secs(60);

/// Requests at once when everything is asked again.
const REPLAYS_AT_ONCE: usize = 24;

/// Tries of a request when nothing is broken any more.
const TRIES: usize = 5;

/// How long an answer is waited for then.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long an order that is to be cancelled may wait for a payment that the bank knows nothing of.
pub const GIVE_UP_PATIENCE: Duration = Duration::from_secs(180);

/// Waits until nothing is under way; `false` if it does not come to that.
///
/// # Errors
/// The database or the bank cannot be read.
pub async fn quiet(world: &World) -> Result<bool> {
    let (began, mut last_calm) = (Instant::now(), Instant::now());
    loop {
        let left = unsettled(&world.database_url).await?;
        let late = if left.given_up.is_empty() { 0 } else { paid_late(world, &left).await? };
        let busy = left.under_way > 0 || late > 0;
        if !busy && left.waiting == 0 {
            return Ok(true);
        }
        if !busy {
            // An order that is given up now has its effects a moment later.
            last_calm = Instant::now();
        }
        if last_calm.elapsed() > QUIET_PATIENCE || began.elapsed() > GIVE_UP_PATIENCE {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// How many of the orders that were given up were paid after all, and not paid back yet.
async fn paid_late(world: &World, left: &Unsettled) -> Result<usize> {
    let given_up: HashSet<&str> = left.given_up.iter().map(String::as_str).collect();
    let ledger = world.bank.lock().await.ledger().await?;
    let is_ours =
        |order: &Option<String>| order.as_deref().is_some_and(|order| given_up.contains(order));
    Ok(ledger.iter().filter(|entry| is_ours(&entry.order_id)).count())
}

/// Gathers everything that the checker wants to know.
///
/// # Errors
/// The database or the bank cannot be read.
pub async fn gather(world: &World, records: Vec<Record>) -> Result<Facts> {
    let mut facts = Facts { records, ..Facts::default() };
    facts.replays = ask_again(world, &facts.records).await?;
    for node in 0..NODES {
        facts.audits.push((format!("node{node}"), audit(world, node).await));
    }
    facts.ledger = world.bank.lock().await.ledger().await?;
    gather_database(&world.database_url, &mut facts).await?;
    look_around(world, &mut facts).await;
    Ok(facts)
}

/// Sends every request that was decided again, once to each node.
async fn ask_again(world: &World, records: &[Record]) -> Result<Vec<ReplayFact>> {
    let mut apis = Vec::new();
    for node in 0..NODES {
        apis.push((format!("node{node}"), world.api_of(node, PATIENCE)?));
    }
    let kept = records.iter().filter(|record| record.is_kept());
    let asked = kept.flat_map(|record| apis.iter().map(move |(node, api)| (record, node, api)));
    let replays = futures_util::stream::iter(asked).map(|(record, node, api)| async move {
        ReplayFact {
            key: record.key().to_owned(),
            node: node.clone(),
            difference: difference(record, &again(api, &record.request).await),
        }
    });
    Ok(replays.buffer_unordered(REPLAYS_AT_ONCE).collect().await)
}

async fn again(api: &Api, request: &Request) -> Result<Answer, String> {
    let mut request = request.clone();
    request.patience = None;
    let mut told = Err("never asked".to_owned());
    for _ in 0..TRIES {
        told = api.send(&request).await;
        if told.as_ref().is_ok_and(Answer::is_decided) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    told
}

fn difference(record: &Record, told: &Result<Answer, String>) -> Option<String> {
    let before = record.decided()?;
    let now = match told {
        Ok(answer) => answer,
        Err(why) => return Some(format!("no answer: {why}")),
    };
    let same = before.status == now.status
        && before.body == now.body
        && before.location == now.location
        && before.etag == now.etag;
    if same && now.replayed {
        return None;
    }
    let mark = if now.replayed { "" } else { ", which does not say that it is a replay" };
    Some(format!(
        "was told {} {}, and now {} {}{mark}",
        before.status, before.body, now.status, now.body
    ))
}

/// What the audit of a node finds; `None` if nothing.
async fn audit(world: &World, node: usize) -> Option<String> {
    let api = match world.api_of(node, Duration::from_secs(90)) {
        Ok(api) => api,
        Err(error) => return Some(format!("{error:#}")),
    };
    let request = Request::get("/v1/audit").with("X-Request-Timeout-Ms", "60000");
    match api.send(&request).await {
        Err(why) => Some(why),
        Ok(answer) if answer.json()["balanced"] == true => None,
        Ok(answer) => {
            let report = answer.json();
            let checks = report["checks"].as_array().into_iter().flatten();
            let bad: Vec<&Value> = checks.filter(|check| check["ok"] == false).collect();
            Some(if bad.is_empty() {
                format!("{} {}", answer.status, answer.body)
            } else {
                serde_json::to_string(&bad).unwrap_or_default()
            })
        }
    }
}

/// Panics, and nodes that ended by themselves.
async fn look_around(world: &World, facts: &mut Facts) {
    for (index, node) in world.nodes.iter().enumerate() {
        let mut node = node.lock().await;
        facts.looks += 3;
        facts.complaints.extend(ended(&mut node));
        let log = read(&world.folder.join(format!("{}.log", node.name())));
        let panics = log.lines().filter(|line| line.contains("panicked at"));
        facts.complaints.extend(panics.map(|line| format!("{}: {line}", node.name())));
        drop(node);
        match world.metrics(index).await {
            Ok(page) => facts.complaints.extend(panics_of(&page, index)),
            Err(error) => facts.complaints.push(format!("node{index} tells no metrics: {error:#}")),
        }
    }
}

fn ended(node: &mut Node) -> Option<String> {
    node.ended_by_itself().map(|status| format!("{} ended by itself: {status}", node.name()))
}

fn panics_of(metrics: &str, node: usize) -> Vec<String> {
    let counts = metrics.lines().filter(|line| line.starts_with("actor_panics_total"));
    let bad = counts.filter(|line| !line.trim_end().ends_with(" 0"));
    bad.map(|line| format!("node{node}: {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_of_panics_above_zero_is_a_complaint() {
        let page = "actor_panics_total{actor=\"a\"} 0\nactor_panics_total{actor=\"b\"} 1\nx 3\n";
        assert_eq!(panics_of(page, 2), ["node2: actor_panics_total{actor=\"b\"} 1"]);
    }
}
