//! Carries a plan out: one lane per node, one each for PostgreSQL, the bank and the links.

use super::fired::Fired;
use super::plan::{BankFault, LinkFault, LinkKind, NodeFault, Plan, Turn};
use crate::bank::spoiled;
use crate::clients::Control;
use crate::link::{Link, Weather};
use crate::node::Node;
use crate::world::{NODES, World};
use anyhow::Result;
use futures_util::future::join_all;
use serde_json::json;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long a node that is to die at a point may live; then nobody came by there.
const CRASH_PATIENCE: Duration = Duration::from_secs(8);

/// How long it is tried to start such a node.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// SIGABRT: a process that reaches its point aborts itself.
const ABORTED: i32 = 6;

/// How much longer bad weather stays when it has touched nothing yet.
const WEATHER_PATIENCE: Duration = Duration::from_secs(10);

/// How much longer the bank is bad when it has spoiled too few calls.
const SPOIL_PATIENCE: Duration = Duration::from_secs(120);

/// How long the first decision after a crash of PostgreSQL is waited for.
const RECOVERY_PATIENCE: Duration = Duration::from_secs(30);

/// Breaks everything as planned. Afterwards the weather is fair, the bank is well and everything
/// is up.
///
/// # Errors
/// Something does not come up again.
pub async fn rage(world: &World, plan: &Plan, control: &Arc<Control>, fired: &Fired) -> Result<()> {
    let nodes = join_all(
        plan.nodes.iter().enumerate().map(|(node, turns)| node_lane(world, node, turns, fired)),
    );
    let (nodes, postgres, bank, ()) = tokio::join!(
        nodes,
        postgres_lane(world, &plan.postgres, control, fired),
        bank_lane(world, plan, fired),
        link_lane(world, &plan.links, fired),
    );
    let broken = nodes.into_iter().chain([postgres, bank]).find_map(Result::err);
    // Everything is mended, also after a lane that could not go on.
    let mended = mend(world).await;
    broken.map_or(mended, Err)
}

async fn mend(world: &World) -> Result<()> {
    world.bank.lock().await.set_faults(json!({})).await?;
    world.all_up().await
}

async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

async fn node_lane(
    world: &World,
    index: usize,
    turns: &[Turn<NodeFault>],
    fired: &Fired,
) -> Result<()> {
    for turn in turns {
        pause(turn.pause_ms).await;
        let mut node = world.nodes[index].lock().await;
        if let Some(status) = node.ended_by_itself() {
            let complaint = format!("{} ended by itself: {status}", node.name());
            fired.change(|counts| counts.complaints.push(complaint));
        }
        node.bring_up(None).await?;
        match &turn.fault {
            NodeFault::Kill(down_ms) => {
                kill(&mut node, fired);
                pause(*down_ms).await;
            }
            NodeFault::Freeze(frozen_ms) => {
                node.freeze(true)?;
                pause(*frozen_ms).await;
                node.freeze(false)?;
                fired.count("node_freeze");
            }
            NodeFault::Drain => {
                let ended = node.drain().await;
                fired.count("node_drain");
                let clean = ended.as_ref().is_ok_and(|status| status.code() == Some(0));
                if !clean {
                    let complaint = format!("{} drained with {ended:?}", node.name());
                    fired.change(|counts| counts.complaints.push(complaint));
                }
            }
            NodeFault::Crash(point) => crash(&mut node, point, fired).await?,
        }
        node.bring_up(None).await?;
    }
    Ok(())
}

fn kill(node: &mut Node, fired: &Fired) {
    let caught = node.slot().outstanding.load(Ordering::Relaxed);
    node.kill();
    fired.count("node_kill");
    fired.change(|counts| counts.caught_in_flight += u64::try_from(caught).unwrap_or(0));
}

/// Starts a node that is to die at a point, and waits until it has.
async fn crash(node: &mut Node, point: &str, fired: &Fired) -> Result<()> {
    kill(node, fired);
    let began = Instant::now();
    let died = loop {
        match node.start(Some(point)).await {
            Ok(()) => {
                let ended = node.dies(CRASH_PATIENCE).await?;
                break ended.is_some_and(|status| status.signal() == Some(ABORTED));
            }
            // It came by before it served.
            Err(error) if format!("{error:#}").contains("SIGABRT") => break true,
            Err(error) if began.elapsed() > START_PATIENCE => return Err(error),
            // The database may be away.
            Err(_) => pause(100).await,
        }
    };
    // One that lives on would die later, when nobody expects it.
    node.kill();
    if died {
        let name = point.split(':').next().unwrap_or(point).to_owned();
        fired.count("node_crash");
        fired.change(|counts| *counts.points.entry(name).or_default() += 1);
    }
    Ok(())
}

async fn postgres_lane(
    world: &World,
    turns: &[Turn<u64>],
    control: &Arc<Control>,
    fired: &Fired,
) -> Result<()> {
    for turn in turns {
        pause(turn.pause_ms).await;
        let mut postgres = world.postgres.lock().await;
        postgres.kill();
        fired.count("postgres_kill");
        pause(turn.fault).await;
        postgres.serve().await?;
        drop(postgres);
        let (ready, before) = (Instant::now(), control.decided.load(Ordering::Relaxed));
        while control.decided.load(Ordering::Relaxed) == before
            && ready.elapsed() < RECOVERY_PATIENCE
        {
            pause(10).await;
        }
        let took = u64::try_from(ready.elapsed().as_millis()).unwrap_or(u64::MAX);
        fired.change(|counts| counts.recovered_ms.push(took));
    }
    Ok(())
}

/// The turns, and then the bursts again while the bank has spoiled too few calls.
async fn bank_lane(world: &World, plan: &Plan, fired: &Fired) -> Result<()> {
    bank_turns(world, &plan.bank, fired).await?;
    let began = Instant::now();
    let bursts = plan.bank.iter().filter(|turn| matches!(turn.fault, BankFault::Burst(..)));
    for turn in bursts.cycle() {
        let spoiled = spoiled(&world.bank.lock().await.fired().await?);
        if spoiled >= plan.spoiled_calls_min || began.elapsed() > SPOIL_PATIENCE {
            break;
        }
        bank_turns(world, std::slice::from_ref(turn), fired).await?;
    }
    Ok(())
}

async fn bank_turns(world: &World, turns: &[Turn<BankFault>], fired: &Fired) -> Result<()> {
    for turn in turns {
        pause(turn.pause_ms).await;
        match &turn.fault {
            BankFault::Kill(down_ms) => {
                let mut bank = world.bank.lock().await;
                bank.kill().await?;
                fired.count("bank_kill");
                pause(*down_ms).await;
                bank.serve().await?;
            }
            BankFault::Burst(faults, for_ms) => {
                world.bank.lock().await.set_faults(faults.clone()).await?;
                pause(*for_ms).await;
            }
        }
    }
    Ok(())
}

async fn link_lane(world: &World, turns: &[Turn<LinkFault>], fired: &Fired) {
    for turn in turns {
        pause(turn.pause_ms).await;
        // Over the link of a node that is down, or whose breaker is open, nothing passes that bad
        // weather could touch: then it moves on to the next node.
        for further in 0..NODES {
            let fault = LinkFault { node: (turn.fault.node + further) % NODES, ..turn.fault };
            if blow(link_of(world, &fault), &fault).await {
                fired.count(&fault.class());
                break;
            }
        }
    }
}

/// Bad weather on one link; whether it touched anything.
async fn blow(link: &Link, fault: &LinkFault) -> bool {
    let (began, before) = (Instant::now(), link.hits());
    let planned = Duration::from_millis(fault.for_ms);
    link.set(fault.weather);
    loop {
        pause(20).await;
        let (elapsed, hit) = (began.elapsed(), link.hits() > before);
        if (hit && elapsed >= planned) || elapsed >= planned + WEATHER_PATIENCE {
            link.set(Weather::Fair);
            return hit;
        }
    }
}

fn link_of<'a>(world: &'a World, fault: &LinkFault) -> &'a Link {
    match fault.kind {
        LinkKind::Front => &world.front,
        LinkKind::Database => &world.database_links[fault.node],
        LinkKind::Bank => &world.bank_links[fault.node],
    }
}
