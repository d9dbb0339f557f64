//! A shop with many orders in its tables beside an empty one: how fast orders are placed, and how
//! quick reads are.

use anyhow::Context as _;

use super::{Shape, reads, share};
use crate::counting::caught_up;
use crate::options::Options;
use crate::preload::preload;
use crate::report::Run;
use crate::scene::{Besides, Phase, Scene};

/// Orders that are stored, if the options say nothing.
const ORDERS: u64 = 1_000_000;

pub(super) async fn run(options: &Options) -> anyhow::Result<(Run, Shape)> {
    let orders = options.orders.unwrap_or(ORDERS);
    let mut scene = Scene::open(options, 1, "").await?;
    scene.say("empty");
    let (empty, reads_empty) = phase(&scene, Vec::new()).await?;

    let database = scene.shop.own()?.database.as_ref();
    let url = database.context("`stored` needs Postgres")?.url();
    let models = models(&scene).await?;
    // The workers pass the models' events before the server is stopped.
    caught_up(&url).await?;
    scene.shop.own()?.stop_server(0)?;
    let preloaded = preload(&url, &models, orders, |done| {
        scene.say(&format!("{done} of {orders} orders stored"));
    });
    let ids = preloaded.await?;
    scene.shop.own()?.start_again(0).await?;
    scene.say("full");
    let (full, reads_full) = phase(&scene, ids).await?;

    let mut besides = Besides::default();
    let (before, after) = (empty.measured.rate(), full.measured.rate());
    besides.figures.insert("orders stored", orders as f64);
    besides.figures.insert("empty, orders/s", before);
    besides.figures.insert("full by empty", share(after, before));
    besides.kinds.extend(reads_full);
    for (kind, latency) in reads_empty {
        let name = if kind == "list" { "list (empty)" } else { "read by id (empty)" };
        besides.kinds.insert(name, latency);
    }
    let run = scene.finish(&full, besides).await?;
    Ok((run, Shape::of(&scene)))
}

/// Orders placed, then reads: of these ids, or of orders that were just placed.
async fn phase(
    scene: &Scene<'_>,
    ids: Vec<String>,
) -> anyhow::Result<(Phase, std::collections::BTreeMap<&'static str, crate::latency::Latency>)> {
    let options = scene.options;
    let phase = scene.place(scene.load(), options.warm_up, options.measured).await?;
    let ids = if ids.is_empty() { newest(scene).await? } else { ids };
    let read = reads::measure(scene, reads::of_orders(ids.into_iter()), options.measured).await?;
    Ok((phase, read))
}

/// Ids of the newest orders.
async fn newest(scene: &Scene<'_>) -> anyhow::Result<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Order {
        id: String,
    }
    #[derive(serde::Deserialize)]
    struct Page {
        data: Vec<Order>,
    }
    let query = [("limit", "100")];
    let call = replay::client::Call { path: "/v1/orders", query: &query, ..Default::default() };
    let page: Page = scene.shop.api.read(call).await?;
    Ok(page.data.into_iter().map(|order| order.id).collect())
}

/// Orders after which the stored ones are modelled: settled, and neither goods nor money are bound to
/// them, so that the books balance with any number of them.
async fn models(scene: &Scene<'_>) -> anyhow::Result<Vec<String>> {
    const MODELS: usize = 64;
    let declined =
        String::from_utf8_lossy(&scene.drive.order(0).context("there are no orders")?.body)
            .replace(replay::wire::PAYMENT_METHOD, "pm_card_chargeDeclined");
    let template = scene.shop.sender.post("/v1/orders", declined.as_bytes(), "");
    let mut buffers = scene.drive.buffers(0).context("no server runs")?;
    let mut ids = Vec::with_capacity(MODELS);
    #[derive(serde::Deserialize)]
    struct Details {
        order_id: String,
    }
    #[derive(serde::Deserialize)]
    struct Problem {
        details: Details,
    }
    for _ in 0..MODELS {
        let answer = buffers.post(&template, scene.drive.key()).await?;
        let body = buffers.connection.body(&answer);
        anyhow::ensure!(answer.status == 402, "a declined card was answered {}", answer.status);
        let problem: Problem = serde_json::from_slice(body).context("a declined order")?;
        ids.push(problem.details.order_id);
    }
    Ok(ids)
}
