//! How long it takes from the start of the process to the answer to the first order, with nothing
//! set: SQLite and bank inside. The shelves were filled before.

use std::time::{Duration, Instant};

use super::Shape;
use crate::drive::Load;
use crate::options::Options;
use crate::report::Run;
use crate::scene::{Besides, Scene};

pub(super) async fn run(options: &Options) -> anyhow::Result<(Run, Shape)> {
    let mut scene = Scene::open(options, 1, "").await?;
    let stack = scene.shop.own()?;
    stack.stop_server(0)?;
    let began = Instant::now();
    stack.start_again(0).await?;
    let serving = began.elapsed();
    scene.drive.limit(1);
    let load = Load::Closed { connections: 1 };
    let phase = scene.place(load, Duration::ZERO, Duration::from_secs(1)).await?;
    scene.drive.limit(u64::MAX);
    let mut besides = Besides::default();
    besides.figures.insert("serving after, ms", serving.as_secs_f64() * 1e3);
    if let Some(first) = phase.measured.first {
        let took = first.saturating_duration_since(began);
        besides.figures.insert("first order after, ms", took.as_secs_f64() * 1e3);
    }
    let run = scene.finish(&phase, besides).await?;
    Ok((run, Shape::of(&scene)))
}
