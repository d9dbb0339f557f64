//! Many buyers, few units, three nodes: all units are sold, and not one more.

use super::{TRIES, aftermath, conclude, look_at_service, shed, storm::open_shop};
use crate::check::Check;
use crate::clients::{Record, order, place};
use crate::progress::Progress;
use crate::report::Report;
use crate::world::{World, WorldConfig};
use anyhow::Result;
use futures_util::StreamExt;
use std::time::{Duration, Instant};

const SKU: &str = "FLASH-1";

/// Connections, hence chances to meet another node.
const APIS: usize = 24;

/// What is sold to whom.
#[derive(Clone, Copy, Debug)]
pub struct Sale {
    /// Buyers of one unit each.
    pub buyers: usize,
    /// Units.
    pub units: usize,
    /// Buyers whose request is under way at once.
    pub at_once: usize,
}

/// Sells.
///
/// # Errors
/// The world does not start or cannot be read.
pub async fn run(config: &WorldConfig, sale: Sale, progress: &Progress) -> Result<(Report, World)> {
    let Sale { buyers, units, at_once } = sale;
    let began = Instant::now();
    progress.say("starting PostgreSQL, the bank and three nodes");
    let world = World::start(config).await?;
    open_shop(&world).await?;
    let mut apis = Vec::new();
    for _ in 0..APIS {
        apis.push(world.api(Duration::from_secs(60), true)?);
    }
    world.stocked(&apis[0], SKU, 500, i64::try_from(units)?).await?;
    progress.say(&format!("{buyers} buyers want {units} units"));
    let opened = Instant::now();
    let buying = (0..buyers).map(|number| {
        let request =
            order(&format!("buyer-{number}"), &[(SKU, 1)]).with("X-Request-Timeout-Ms", "50000");
        place(&apis[number % APIS], request, TRIES)
    });
    let records: Vec<Record> =
        futures_util::stream::iter(buying).buffer_unordered(at_once).collect().await;
    let took = opened.elapsed();
    let mut report = Report::new("flash-sale", 0);
    report.figure("buyers", buyers);
    report.figure("units", units);
    report.figure("at once", at_once);
    report.figure("sale, ms", u64::try_from(took.as_millis()).unwrap_or(0));
    report.figure("tries shed", shed(&records));
    let mut served = Check::new("G9", "every buyer is told, and of no failure");
    look_at_service(&mut served, &records);
    let is_quiet = aftermath::quiet(&world).await?;
    let facts = aftermath::gather(&world, records).await?;
    let mut sold = Check::new("G9", "exactly the units that there were are sold");
    let confirmed = facts.orders.iter().filter(|order| order.status == "confirmed").count();
    let wanted = units.min(buyers);
    sold.look(confirmed == wanted, || format!("{wanted} could be sold, {confirmed} were"));
    let rejected = facts.orders.iter().filter(|order| order.status == "rejected").count();
    sold.look(rejected == buyers - wanted, || format!("{rejected} buyers were refused"));
    report.figure("sold", confirmed);
    report.figure("refused", rejected);
    conclude(&mut report, &facts, vec![sold, served], is_quiet);
    report.seconds = began.elapsed().as_secs();
    Ok((report, world))
}
