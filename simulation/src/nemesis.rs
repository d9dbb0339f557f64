//! What happens to the nodes from outside, and when.

use crate::rng::Rng;
use crate::world::World;
use std::rc::Rc;
use std::time::Duration;

/// How long after the first client the last blow falls.
const STORM: i64 = 25_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    Kill,
    Pause,
    Cut,
}

/// Deals its blows while the clients work.
pub async fn storm(world: Rc<World>) {
    let mut rng = world.rng("nemesis");
    let mut blows: Vec<(Duration, Blow)> = Vec::new();
    let profile = &world.profile;
    for (number, blow) in
        [(profile.crashes, Blow::Kill), (profile.pauses, Blow::Pause), (profile.cuts, Blow::Cut)]
    {
        for _ in 0..number {
            blows.push((rng.millis(500, STORM), blow));
        }
    }
    blows.sort();
    let mut passed = Duration::ZERO;
    for (at, blow) in blows {
        tokio::time::sleep(at.saturating_sub(passed)).await;
        passed = at;
        if world.calm.is() {
            return;
        }
        strike(&world, &mut rng, blow);
    }
}

fn strike(world: &Rc<World>, rng: &mut Rng, blow: Blow) {
    let index = rng.index(world.nodes.len());
    let Some(node) = world.nodes.get(index) else { return };
    match blow {
        Blow::Kill => node.kill(world, "nemesis"),
        Blow::Pause => node.pause(world, rng.millis(200, 20_000)),
        Blow::Cut => {
            let weather = world.weather(index);
            weather.cut(true);
            world.trace.count("node.cut");
            world.trace.note(node, "is cut off from the database");
            let time = rng.millis(200, 8_000);
            tokio::task::spawn_local(async move {
                tokio::time::sleep(time).await;
                weather.cut(false);
            });
        }
    }
}
