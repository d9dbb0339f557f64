//! Two servers on one database, beside one server on a database of its own.

use super::{Shape, share};
use crate::database::deadlocks;
use crate::options::Options;
use crate::report::Run;
use crate::scene::{Besides, Scene};

pub(super) async fn run(options: &Options) -> anyhow::Result<(Run, Shape)> {
    let single = {
        let scene = Scene::open(options, 1, "").await?;
        scene.say("one node");
        let phase = scene.place(scene.load(), options.warm_up, options.measured).await?;
        let run = scene.finish(&phase, Besides::default()).await?;
        anyhow::ensure!(run.ok, "the books of one node do not balance");
        run.orders_per_second
    };
    let scene = Scene::open(options, 2, "").await?;
    scene.say("two nodes");
    let phase = scene.place(scene.load(), options.warm_up, options.measured).await?;
    let mut besides = Besides::default();
    besides.figures.insert("one node, orders/s", single);
    let ratio = share(phase.measured.rate(), single);
    besides.figures.insert("two nodes by one node", ratio);
    if let Some(database) = scene.shop.stack.as_ref().and_then(|stack| stack.database.as_ref()) {
        besides.figures.insert("deadlocks", deadlocks(database).await? as f64);
    }
    let run = scene.finish(&phase, besides).await?;
    Ok((run, Shape::of(&scene)))
}
