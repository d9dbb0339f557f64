//! Three times as many orders as the shop can take: what it still does, how quickly it says no, and
//! how soon it is itself again.

use std::time::{Duration, Instant};

use super::{Shape, share};
use crate::drive::Load;
use crate::options::Options;
use crate::report::Run;
use crate::scene::{Besides, Scene};

/// How many times its capacity the shop is asked for.
const TIMES: f64 = 3.0;
/// How many times the connections of the closed loop an open one may hold.
const CONNECTIONS: usize = 8;
/// How long the shop is watched afterwards.
const AFTERWARDS: Duration = Duration::from_secs(30);
/// The share of its capacity at which it counts as recovered.
const RECOVERED: f64 = 0.95;

pub(super) async fn run(options: &Options) -> anyhow::Result<(Run, Shape)> {
    let scene = Scene::open(options, 1, "").await?;
    let closed = Load::Closed { connections: options.connections };
    scene.say("measuring the capacity");
    let capacity = scene.place(closed, options.warm_up, options.measured).await?.measured.rate();

    let rate = (capacity * TIMES).max(1.0);
    scene.say(&format!("capacity {capacity:.0} orders/s; now {rate:.0} orders/s are due"));
    let connections = options.connections * CONNECTIONS;
    let open = Load::Open { rate, connections };
    let phase = scene.place(open, Duration::ZERO, options.measured).await?;

    // Orders that were due and not sent in time are sent all the same; the time for that is part of
    // what the shop needs to be itself again.
    let drained = Instant::now().saturating_duration_since(phase.measured.window.until);
    scene.say("and after that");
    let after = scene.place(closed, Duration::ZERO, AFTERWARDS).await?.measured;
    let mut besides = Besides::default();
    let goodput = phase.measured.rate();
    besides.figures.insert("capacity, orders/s", capacity);
    besides.figures.insert("due, orders/s", rate);
    besides.figures.insert("goodput by capacity", share(goodput, capacity));
    besides.figures.insert("turned away", phase.measured.turned_away as f64);
    besides.figures.insert("afterwards by capacity", share(after.rate(), capacity));
    let recovered = recovered(&after.by_second, capacity * RECOVERED);
    besides.figures.insert("backlog gone after, s", drained.as_secs_f64());
    if let Some(second) = recovered {
        let since = drained.as_secs_f64() + second as f64;
        besides.figures.insert("recovered within, s", since);
    }
    let run = scene.finish(&phase, besides).await?;
    Ok((run, Shape::of(&scene)))
}

/// The first second, counted from 1, in which at least so many orders were done.
fn recovered(by_second: &[u64], enough: f64) -> Option<usize> {
    by_second.iter().position(|done| *done as f64 >= enough).map(|place| place + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_is_the_first_good_second() {
        assert_eq!(recovered(&[10, 80, 96, 100], 95.0), Some(3));
        assert_eq!(recovered(&[100], 95.0), Some(1));
        assert_eq!(recovered(&[10, 20], 95.0), None);
    }
}
