//! A server that dies with many orders at a slow bank: how soon it serves again, and how soon all of
//! them are settled.

use std::time::{Duration, Instant};

use super::Shape;
use crate::options::Options;
use crate::report::{Cores, Run};
use crate::scene::{Besides, Phase, Scene};

/// Orders in flight, if the options say nothing.
const ORDERS: u64 = 10_000;
/// What the bank waits before each charge, if the options say nothing.
const DELAY: Duration = Duration::from_secs(60);
/// The head of an order whose client does not wait.
pub(super) const ASYNC: &str = "Prefer: respond-async\r\n";

/// How long so many orders may take to settle.
pub(super) fn patience(orders: u64) -> Duration {
    Duration::from_secs(120 + orders / 200)
}

pub(super) async fn run(options: &Options) -> anyhow::Result<(Run, Shape)> {
    let orders = options.orders.unwrap_or(ORDERS);
    let mut scene = Scene::open(options, 1, ASYNC).await?;
    let delay = if options.bank_delay.is_zero() { DELAY } else { options.bank_delay };
    scene.shop.set_bank_delay(delay).await?;
    scene.say(&format!("placing {orders} orders at a bank that takes {} s", delay.as_secs()));
    let window = scene.window(false, Instant::now(), Duration::from_secs(24 * 3600))?;
    let placing = scene.place_number(orders).await?;
    let mut phase = Phase { measured: scene.measured()?, cores: Cores::default() };
    phase.measured.window.until = window.from + placing;

    scene.say("killing the server");
    scene.shop.own()?.stop_server(0)?;
    // Before the server is back, so that the calls that were on their way are over.
    scene.shop.set_bank_delay(Duration::ZERO).await?;
    let began = Instant::now();
    scene.shop.own()?.start_again(0).await?;
    let serving = began.elapsed();
    scene.settled(patience(orders)).await?;
    let settled = began.elapsed();

    let mut besides = Besides::default();
    let waiting = scene.drive.tally.borrow().pending.len();
    besides.figures.insert("orders in flight", waiting as f64);
    besides.figures.insert("serving after, ms", serving.as_secs_f64() * 1e3);
    besides.figures.insert("all settled after, s", settled.as_secs_f64());
    scene.drive.take_pending_as_accepted();
    let run = scene.finish(&phase, besides).await?;
    Ok((run, Shape::of(&scene)))
}
