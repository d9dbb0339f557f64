//! Replays a file of orders through the REST API of a running server and checks that its books
//! come to what the file says.
//!
//! The steps: read the file once and check every line; put catalogue, opening stock and customers
//! on the server; send the orders; follow up the ones that were not settled at once; give back what
//! was cancelled, if there is a file of that (`returns`); compare.
//! Everything is sent with idempotency keys made of the run id, so a replay can be repeated or
//! resumed with the same run id and adds nothing twice.
//!
//! The pure parts are the parsing (`dataset`, `expected`, `scan`), the reading of answers
//! (`wire`), the sums (`tally`) and the comparisons (`checks`).

pub mod books;
mod checks;
pub mod client;
mod dataset;
mod drive;
mod expected;
pub mod load;
pub mod progress;
mod report;
mod returns;
mod sample;
mod scale;
mod scan;
mod tally;
mod together;
pub mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

pub use checks::Check;
pub use client::Retries;
pub use dataset::{Dataset, DatasetError, Opening, Order, OrderLine, OrderReader, Product};
pub use expected::{Companion, Expected, ExpectedError, ExpectedReturns, Pair, Totals};
pub use report::{Latency, Phase, ReplayReport, print};
pub use returns::{Placing, ReturnsReport, Unplaced};
pub use sample::{sample, sample_expected};
pub use scale::{StockScale, StockScaleError};

use books::{Audit, Level};
use checks::Evidence;
use client::Api;
use drive::Run;
use returns::{NoteScan, Returned, Sales};
use scan::Scan;
use tally::Tally;

/// How many requests are in flight unless told otherwise.
pub const DEFAULT_CONNECTIONS: usize = 64;

/// The longest run id: with an order's reference behind it a key must not pass 255 characters.
const MAX_RUN_ID: usize = 100;

/// What to do with a dataset.
#[derive(Clone)]
pub struct ReplayOptions {
    /// Base URL of the server, without `/v1`.
    pub target: String,
    /// Key of a principal that may write catalogue, stock, customers and orders, set prices
    /// (`orders:price`), read products and read the audit.
    pub api_key: String,
    /// Requests in flight, at least 1; usually [`DEFAULT_CONNECTIONS`].
    pub connections: usize,
    /// Orders a second (open loop: latency counts from when an order was due). `None`: the next
    /// order goes out when an answer comes in.
    pub rate: Option<f64>,
    /// Show progress bars on standard error, if that is a terminal.
    pub progress: bool,
    /// Scale the opening stock, to make products sell out.
    pub stock_scale: Option<StockScale>,
    /// Send only the first so many orders.
    pub limit: Option<usize>,
    /// Part of every idempotency key: 1 to 100 letters, digits, `-`, `_` or `.`. A new id makes a
    /// new replay, a used one repeats or resumes.
    pub run_id: String,
    /// What the books must show. Without it, or when it has no entry for `limit`, the file's own
    /// sums are taken, provided that the stock is enough for all orders.
    pub expected: Option<Expected>,
}

impl std::fmt::Debug for ReplayOptions {
    /// Everything but the key, which must not end up in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplayOptions")
            .field("target", &self.target)
            .field("connections", &self.connections)
            .field("rate", &self.rate)
            .field("progress", &self.progress)
            .field("stock_scale", &self.stock_scale)
            .field("limit", &self.limit)
            .field("run_id", &self.run_id)
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}

impl ReplayOptions {
    fn validate(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.connections >= 1, "connections must be at least 1");
        let rate = self.rate.unwrap_or(1.0);
        anyhow::ensure!(
            rate.is_finite() && (1e-3..=1e6).contains(&rate),
            "the rate must lie between 0.001 and 1,000,000 orders a second"
        );
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        anyhow::ensure!(
            (1..=MAX_RUN_ID).contains(&self.run_id.len()) && self.run_id.bytes().all(plain),
            "the run id must be 1 to {MAX_RUN_ID} letters, digits, `-`, `_` or `.`"
        );
        Ok(())
    }
}

/// Replays the dataset. A report that is not `ok` is not an error: it says what differs.
///
/// Needs a Tokio runtime with time and I/O.
///
/// # Errors
/// The options make no sense, a file is broken, the server cannot be reached or stops answering,
/// or it refuses catalogue, stock or customers.
pub async fn run(dataset: Dataset, options: ReplayOptions) -> anyhow::Result<ReplayReport> {
    options.validate()?;
    let mut phases = Phases::default();
    let api = Api::new(&options.target, &options.api_key, options.connections)?;
    let audit_before =
        Audit::read(&api).await.with_context(|| format!("cannot use {}", options.target))?;

    let Read { dataset, scan, notes } = phases.time("scan", read(dataset, options.limit)).await?;
    phases.count(scan.totals.orders);
    let plan = Plan::new(&dataset, &scan, &options);
    let loaded = load(&api, &dataset, &scan, &plan, &options, &mut phases).await?;

    let run = Arc::new(Run {
        api,
        run_id: options.run_id.clone(),
        customers: loaded.customers,
        connections: options.connections,
        rate: options.rate,
    });
    let (notes, pairs) = notes.map(|notes| (notes.totals, notes.pairs)).unzip();
    let mut tally = Tally::default();
    tally.sales = pairs.map(Sales::wanted).unwrap_or_default();
    let orders = scan.totals.orders;
    let elapsed = place(&run, &dataset, orders, &mut tally, (&options, &mut phases)).await?;
    let returned = match notes {
        None => None,
        Some(totals) => {
            let sold = (totals, std::mem::take(&mut tally.sales), scan.until);
            let output = (options.progress, &mut phases);
            Some(returns::give_back(&run, &dataset, sold, tally.failed, output).await?)
        }
    };

    let bar = progress::bar("checks", plan.opening.len() as u64, options.progress);
    let reading = books::levels(&run.api, &plan.opening, |rows| bar.inc(rows));
    let stock_after = phases.time("checks", reading).await?;
    bar.finish_and_clear();
    let audit_after = returns::settled_audit(&run.api).await?;
    let evidence = Evidence {
        totals: plan.totals.as_ref(),
        tally: &tally,
        opening: &plan.opening,
        booked_before: &loaded.booked_before,
        sells_out: plan.sells_out,
        given: returned.as_ref().map(|returned| &returned.given),
        stock_before: &loaded.stock,
        stock_after: &stock_after,
        audit_before: &audit_before,
        audit_after: &audit_after,
    };
    let mut checks = checks::checks(&evidence);
    if let Some(returned) = &returned {
        let expected = options.expected.as_ref().and_then(|all| all.returns.as_ref());
        returns::checks(expected.map(|returns| &returns.totals), returned, &mut checks);
    }
    if let Some(expected) = together::wanted(&options, &evidence) {
        let comparing = together::checks(&run.api, expected, &mut checks);
        phases.time("together", comparing).await?;
    }
    phases.count(checks.len() as u64);
    Ok(report(options, (tally, elapsed), returned, phases, checks))
}

/// Places the orders and follows the pending ones up. Tells how long the first took.
async fn place(
    run: &Arc<Run>,
    dataset: &Dataset,
    orders: u64,
    tally: &mut Tally,
    (options, phases): (&ReplayOptions, &mut Phases),
) -> anyhow::Result<Duration> {
    let bar = progress::bar("orders", orders, options.progress);
    let sending = drive::orders(run, dataset, options.limit, tally, &bar);
    let sent = phases.time("orders", sending).await;
    bar.finish_and_clear();
    let pending = sent?;
    phases.count(tally.sent);
    let elapsed = phases.last();
    if !pending.is_empty() {
        let bar = progress::bar("pending", pending.len() as u64, options.progress);
        phases.time("pending", drive::follow_up(run, pending, tally, &bar)).await;
        phases.count(tally.pending);
        bar.finish_and_clear();
    }
    Ok(elapsed)
}

/// The files after the first pass over them.
struct Read {
    dataset: Dataset,
    scan: Scan,
    /// `None` without a file of returns.
    notes: Option<NoteScan>,
}

/// Reads orders and returns once, on a thread where that may take its time.
async fn read(dataset: Dataset, limit: Option<usize>) -> anyhow::Result<Read> {
    let read = move || {
        let (scan, notes) = (Scan::of(&dataset, limit)?, NoteScan::of(&dataset)?);
        Ok::<_, DatasetError>(Read { dataset, scan, notes })
    };
    Ok(tokio::task::spawn_blocking(read).await.context("reading the files was broken off")??)
}

/// What the run books and what it must come to.
struct Plan {
    stock: Vec<Opening>,
    opening: HashMap<String, u64>,
    /// The fixed sums, when all orders can be accepted.
    totals: Option<Totals>,
    sells_out: bool,
}

impl Plan {
    fn new(dataset: &Dataset, scan: &Scan, options: &ReplayOptions) -> Self {
        let stock = match options.stock_scale {
            Some(scale) => scale.apply(&dataset.stock, &scan.demand),
            None => dataset.stock.clone(),
        };
        let opening: HashMap<String, u64> =
            stock.iter().map(|opening| (opening.sku.clone(), opening.units)).collect();
        let held = |sku: &String| opening.get(sku).copied().unwrap_or(0);
        let enough = scan.demand.iter().all(|(sku, units)| held(sku) >= *units);
        let written = options.expected.as_ref().and_then(|expected| expected.after(options.limit));
        let totals = match (options.stock_scale, written) {
            (Some(_), _) => None,
            (None, Some(written)) => Some(written.clone()),
            (None, None) => enough.then(|| scan.totals.clone()),
        };
        let demand = |sku: &String| scan.demand.get(sku).copied().unwrap_or(0);
        let sells_out = enough && opening.iter().all(|(sku, units)| *units == demand(sku));
        Self { stock, opening, totals, sells_out }
    }
}

/// What the server held before the orders.
struct Loaded {
    stock: HashMap<String, Level>,
    booked_before: HashMap<String, bool>,
    customers: HashMap<String, String>,
}

/// Puts catalogue, stock and customers on the server.
async fn load(
    api: &Api,
    dataset: &Dataset,
    scan: &Scan,
    plan: &Plan,
    options: &ReplayOptions,
    phases: &mut Phases,
) -> anyhow::Result<Loaded> {
    let new_bar = |name, len: usize| progress::bar(name, len as u64, options.progress);
    let bar = new_bar("products", dataset.products.len());
    phases.time("products", load::products(api, &dataset.products, &bar)).await?;
    phases.count(bar.position());
    bar.finish_and_clear();

    let stock = books::levels(api, &plan.opening, |_| ()).await?;
    let bar = new_bar("stock", plan.stock.len());
    let booking = load::stock(api, &options.run_id, &plan.stock, &stock, &bar);
    let booked_before = phases.time("stock", booking).await?;
    phases.count(bar.position());
    bar.finish_and_clear();

    let bar = new_bar("customers", scan.customers.len());
    let customers = phases.time("customers", load::customers(api, &scan.customers, &bar)).await?;
    phases.count(bar.position());
    bar.finish_and_clear();
    Ok(Loaded { stock, booked_before, customers })
}

/// Times the parts of a replay.
#[derive(Default)]
struct Phases(Vec<(Phase, Duration)>);

impl Phases {
    async fn time<T>(&mut self, name: &'static str, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let done = work.await;
        let took = start.elapsed();
        self.0.push((Phase { name, count: 0, seconds: took.as_secs_f64() }, took));
        done
    }

    /// Says how many things the last part handled.
    fn count(&mut self, count: u64) {
        if let Some((phase, _)) = self.0.last_mut() {
            phase.count = count;
        }
    }

    /// How long the last part took.
    fn last(&self) -> Duration {
        self.0.last().map(|(_, took)| *took).unwrap_or_default()
    }
}

fn report(
    options: ReplayOptions,
    (mut tally, elapsed): (Tally, Duration),
    returned: Option<Returned>,
    phases: Phases,
    checks: Vec<Check>,
) -> ReplayReport {
    let seconds = elapsed.as_secs_f64();
    let [p50, p99, max] =
        [50, 99, 100].map(|percentile| report::milliseconds(tally.latency(percentile)));
    let returned = returned.map(Returned::report);
    let failed = tally.failed + returned.as_ref().map_or(0, |returned| returned.failed);
    ReplayReport {
        target: options.target,
        run_id: options.run_id,
        connections: options.connections,
        rate: options.rate,
        orders_sent: tally.sent,
        accepted: tally.accepted,
        refused: tally.refused,
        failed: tally.failed,
        pending_followed: tally.pending,
        replayed: tally.earlier,
        outcomes: tally.outcomes,
        retries: tally.retries,
        lines: tally.lines,
        units: tally.units,
        gross_minor: tally.gross,
        discount_minor: tally.discount,
        total_minor: tally.total,
        total_by_currency: tally.file_total,
        customers: tally.customers.len() as u64,
        skus: tally.sold.len() as u64,
        elapsed_seconds: seconds,
        orders_per_second: if seconds > 0.0 { tally.sent as f64 / seconds } else { 0.0 },
        latency_ms: Latency { p50, p99, max },
        phases: phases.0.into_iter().map(|(phase, _)| phase).collect(),
        errors: tally.errors,
        returns: returned,
        ok: failed == 0 && checks.iter().all(|check| check.ok),
        checks,
    }
}

#[cfg(test)]
mod tests;
