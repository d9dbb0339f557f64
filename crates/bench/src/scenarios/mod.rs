//! What is done to a shop, scenario by scenario. Each does one run on a shop of its own.

mod counts;
mod inflight;
mod mixed;
mod overload;
mod reads;
mod restart;
mod start;
mod stored;
mod two_nodes;

use crate::options::{Options, Scenario};
use crate::report::Run;
use crate::scene::{Besides, Scene};

/// What a run was like.
pub(crate) struct Shape {
    pub(crate) skus: usize,
    pub(crate) lines_per_order: f64,
}

impl Shape {
    fn of(scene: &Scene<'_>) -> Self {
        Self { skus: scene.goods.stock.len(), lines_per_order: scene.lines_per_order }
    }
}

/// One run of the scenario of the options.
pub(crate) async fn run(options: &Options) -> anyhow::Result<(Run, Shape)> {
    match options.scenario {
        Scenario::Uniform | Scenario::Hot | Scenario::Baskets => {
            let scene = Scene::open(options, 1, "").await?;
            let phase = scene.place(scene.load(), options.warm_up, options.measured).await?;
            let run = scene.finish(&phase, Besides::default()).await?;
            Ok((run, Shape::of(&scene)))
        }
        Scenario::Mixed => mixed::run(options).await,
        Scenario::Overload => overload::run(options).await,
        Scenario::Restart => restart::run(options).await,
        Scenario::Inflight => inflight::run(options).await,
        Scenario::Stored => stored::run(options).await,
        Scenario::Start => start::run(options).await,
        Scenario::Counts => counts::run(options).await,
        Scenario::TwoNodes => two_nodes::run(options).await,
    }
}

/// One number by another; 0 where there is nothing to compare with.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
