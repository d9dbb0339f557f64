//! Many orders that wait for a bank that answers after minutes: what each costs in memory, and how
//! quick reads are meanwhile.

use std::time::{Duration, Instant};

use super::restart::{ASYNC, patience};
use super::{Shape, reads};
use crate::options::Options;
use crate::report::{Cores, Run};
use crate::scene::{Besides, Phase, Scene};

/// Orders in flight, if the options say nothing.
const ORDERS: u64 = 100_000;
/// What the bank waits before each charge, if the options say nothing: the longest that it can.
const DELAY: Duration = Duration::from_secs(600);
/// Orders that are settled before anything is measured, so that pools and caches are what they will
/// be.
const FIRST: u64 = 2_000;

pub(super) async fn run(options: &Options) -> anyhow::Result<(Run, Shape)> {
    let orders = options.orders.unwrap_or(ORDERS);
    let scene = Scene::open(options, 1, ASYNC).await?;
    scene.shop.set_bank_delay(Duration::ZERO).await?;
    scene.place_number(FIRST).await?;
    scene.settled(patience(FIRST)).await?;
    let before = scene.shop.memory();

    let delay = if options.bank_delay.is_zero() { DELAY } else { options.bank_delay };
    scene.shop.set_bank_delay(delay).await?;
    scene.say(&format!("placing {orders} orders at a bank that takes {} s", delay.as_secs()));
    let window = scene.window(false, Instant::now(), Duration::from_secs(24 * 3600))?;
    let placing = scene.place_number(orders).await?;
    let mut phase = Phase { measured: scene.measured()?, cores: Cores::default() };
    phase.measured.window.until = window.from + placing;

    let mut besides = Besides::default();
    let after = scene.shop.memory();
    besides.figures.insert("orders in flight", orders as f64);
    if let Some((before, after)) = before.zip(after) {
        let each = after.saturating_sub(before) as f64 / orders.max(1) as f64;
        besides.figures.insert("server memory before, bytes", before as f64);
        besides.figures.insert("server memory with all in flight, bytes", after as f64);
        besides.figures.insert("memory per order in flight, bytes", each);
    }
    scene.say("reading meanwhile");
    let ids = reads::ids_of_pending(&scene);
    besides.kinds = reads::measure(&scene, ids, options.measured).await?;

    scene.say("the bank answers at once now");
    scene.shop.set_bank_delay(Duration::ZERO).await?;
    let settled = scene.settled(patience(orders)).await?;
    besides.figures.insert("all settled after, s", settled.as_secs_f64());
    scene.drive.take_pending_as_accepted();
    let run = scene.finish(&phase, besides).await?;
    Ok((run, Shape::of(&scene)))
}
