//! One run after the other.

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use replay::client::Api;
use replay::{Dataset, load, progress};
use tokio::task::LocalSet;

use crate::arrivals::Arrivals;
use crate::baseline::Baseline;
use crate::cpu;
use crate::drive::Drive;
use crate::goods::Goods;
use crate::http::Connection;
use crate::latency::Latency;
use crate::options::{Options, Scenario, Target};
use crate::report::{Cores, Report, Run, Spread};
use crate::request::Sender;
use crate::stack::Stack;
use crate::tally::{Tally, Window};
use crate::verify::{Books, verify};

/// Connections of the client that fills shelves and reads books.
const QUIET_CONNECTIONS: usize = 4;

/// Measures. A report that is not `ok` is not an error: it says what differs.
///
/// Needs a Tokio runtime of the current thread, with time and I/O.
///
/// # Errors
/// The options make no sense, a file is broken, a process or database cannot be started, or the
/// server refuses catalogue, stock or customers.
pub async fn run(options: Options) -> anyhow::Result<Report> {
    options.validate()?;
    LocalSet::new()
        .run_until(async {
            tokio::select! {
                report = all(&options) => report,
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted?;
                    // Everything of the bench's own is removed as it is dropped.
                    anyhow::bail!("interrupted")
                }
            }
        })
        .await
}

async fn all(options: &Options) -> anyhow::Result<Report> {
    let mut baseline = match options.postgres().filter(|_| options.baseline) {
        Some(server) => {
            say(options, "trying how many clients are best for SQL alone");
            Some(Baseline::prepare(server, options.scenario).await?)
        }
        None => None,
    };
    let mut runs: Vec<Run> = Vec::new();
    let mut shape = (0, 0.0);
    for number in 1..=options.runs {
        say(options, &format!("run {number} of {}", options.runs));
        let (run, goods) = one(options).await?;
        say(options, &format!("run {number}: {:.0} orders/s", run.orders_per_second));
        shape = goods;
        runs.push(run);
        if let Some(baseline) = &mut baseline {
            say(options, "the same by SQL alone");
            baseline.run(options.measured).await?;
        }
    }
    let ours: Vec<f64> = runs.iter().map(|run| run.orders_per_second).collect();
    let database = match &options.target {
        Target::Running { .. } => "unknown",
        Target::Own(own) if own.postgres.is_some() => "postgres",
        Target::Own(_) => "sqlite",
    };
    let mut report = Report {
        scenario: options.scenario.name().to_owned(),
        database: database.to_owned(),
        connections: options.connections,
        rate: options.rate,
        seconds: options.measured.as_secs_f64(),
        warm_up_seconds: options.warm_up.as_secs_f64(),
        skus: shape.0,
        lines_per_order: shape.1,
        bank_delay_ms: u64::try_from(options.bank_delay.as_millis()).unwrap_or(u64::MAX),
        runs,
        orders_per_second: Spread::default(),
        lines_per_second: Spread::default(),
        latency_ms: BTreeMap::new(),
        baseline: baseline.map(|baseline| baseline.finish(&ours)).unwrap_or_default(),
        ok: false,
    };
    report.sum_up();
    Ok(report)
}

/// Says on standard error what is going on.
fn say(options: &Options, what: &str) {
    if options.progress {
        eprintln!("orderly bench: {what}");
    }
}

/// A server that is measured.
struct Shop {
    /// The bench's own, if it is.
    stack: Option<Stack>,
    api: Api,
    sender: Sender,
    address: SocketAddr,
}

impl Shop {
    async fn open(options: &Options) -> anyhow::Result<Self> {
        let (stack, url, api_key) = match &options.target {
            Target::Running { url, api_key } => (None, url.clone(), api_key.clone()),
            Target::Own(own) => {
                let stack = Stack::start(own).await?;
                let (url, key) = (stack.url()?.to_owned(), stack.api_key.clone());
                (Some(stack), url, key)
            }
        };
        let api = Api::new(&url, &api_key, QUIET_CONNECTIONS)?;
        let host = host_of(&url)?.to_owned();
        let address = address_of(&host)?;
        if let Some(stack) = stack.as_ref().filter(|_| !options.bank_delay.is_zero()) {
            set_bank_delay(&stack.bank_url, options.bank_delay).await?;
        }
        Ok(Self { stack, api, sender: Sender { host, api_key }, address })
    }

    /// Time on the cores so far: generator, server, bank, database.
    fn cpu(&self) -> [Option<Duration>; 4] {
        let stack = self.stack.as_ref();
        [
            cpu::of_this(),
            stack.and_then(Stack::server_cpu),
            stack.and_then(Stack::bank_cpu),
            stack.and_then(Stack::database_cpu),
        ]
    }
}

/// Host and port of a plain HTTP URL.
fn host_of(url: &str) -> anyhow::Result<&str> {
    let rest = url
        .strip_prefix("http://")
        .with_context(|| format!("the generator speaks plain HTTP: `{url}` is no http:// URL"))?;
    Ok(rest.trim_end_matches('/'))
}

fn address_of(host: &str) -> anyhow::Result<SocketAddr> {
    let named = if host.rsplit(']').next().unwrap_or_default().contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut found = named.to_socket_addrs().with_context(|| format!("cannot find {host}"))?;
    found.next().with_context(|| format!("cannot find {host}"))
}

/// Tells the bank to wait before each charge.
async fn set_bank_delay(url: &str, delay: Duration) -> anyhow::Result<()> {
    let host = host_of(url)?;
    let body = format!(r#"{{"delay_ms":{}}}"#, delay.as_millis());
    let request = format!(
        "PUT /faults HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = Connection::new(address_of(host)?);
    let answer = connection.exchange(request.as_bytes()).await?;
    let said = String::from_utf8_lossy(connection.body(&answer)).into_owned();
    anyhow::ensure!(answer.status == 200, "the bank answered {}: {said}", answer.status);
    Ok(())
}

/// Fills the shelves.
async fn fill(options: &Options, api: &Api) -> anyhow::Result<Goods> {
    let goods = match options.scenario {
        Scenario::Uniform => Goods::made(options.skus, options.lines, options.seed),
        Scenario::Hot => Goods::made(1, options.lines, options.seed),
        Scenario::Baskets => {
            let dataset = dataset(options.data.as_deref())?;
            let references = Goods::customers(&dataset)?;
            let bar = progress::bar("customers", references.len() as u64, options.progress);
            let customers = load::customers(api, &references, &bar).await?;
            Goods::baskets(&dataset, &customers)?
        }
    };
    let bar = progress::bar("products", goods.products.len() as u64, options.progress);
    load::products(api, &goods.products, &bar).await?;
    let bar = progress::bar("stock", goods.stock.len() as u64, options.progress);
    let name = format!("bench-{:016x}", rand::random::<u64>());
    load::stock(api, &name, &goods.stock, &HashMap::new(), &bar).await?;
    Ok(goods)
}

/// The data set of a folder, or the sample.
fn dataset(folder: Option<&Path>) -> anyhow::Result<Dataset> {
    let Some(folder) = folder else { return Ok(replay::sample()?) };
    let file = |name: &str| -> PathBuf {
        let plain = folder.join(name);
        if plain.exists() { plain } else { folder.join(format!("{name}.gz")) }
    };
    let (products, stock, orders) =
        (file("products.csv"), file("stock.csv"), file("orders.ndjson"));
    Ok(Dataset::open(&products, &stock, &orders)?)
}

/// One run; and of its goods the number of SKUs, and of lines per order.
async fn one(options: &Options) -> anyhow::Result<(Run, (usize, f64))> {
    let shop = Shop::open(options).await?;
    let mut goods = fill(options, &shop.api).await?;
    let before = Books::read(&shop.api, &goods).await?;
    let shape = (goods.stock.len(), goods.lines_per_order());
    let orders = std::mem::take(&mut goods.orders);

    let start = Instant::now();
    let from = start + options.warm_up;
    let window = Window { from, until: from + options.measured, by_due: options.rate.is_some() };
    let tally = Tally::new(window, goods.stock.len(), goods.currencies.len())?;
    let drive = Drive::new(shop.address, &shop.sender, orders, "", tally);
    let watching = watch(&shop, window);
    let load = place(&drive, options, start, window);
    let (cores, placed) = tokio::join!(watching, load);
    placed?;
    let memory = shop.stack.as_ref().and_then(|stack| {
        stack.servers.iter().map(|server| cpu::memory(server.process.id())).sum::<Option<u64>>()
    });
    let checks = verify(&drive, &shop.api, &goods, &before).await?;
    let tally = drive.tally.borrow();
    let measured = &tally.measured;
    let ok = checks.iter().all(|check| check.ok);
    let run = Run {
        orders_per_second: tally.rate(),
        sent: tally.sent,
        accepted: tally.accepted,
        answers: tally.answers.clone(),
        latency_ms: Latency::of(&measured.latency, Duration::ZERO),
        latency_over_bank_ms: Latency::of(&measured.latency, options.bank_delay),
        refusal_ms: Latency::of(&measured.refusal, Duration::ZERO),
        sent_late_ms: Latency::of(&measured.late, Duration::ZERO),
        cores,
        server_memory_bytes: memory,
        checks,
        errors: tally.errors.clone(),
        ok,
    };
    Ok((run, shape))
}

/// Places orders until the window is over.
async fn place(
    drive: &Rc<Drive>,
    options: &Options,
    start: Instant,
    window: Window,
) -> anyhow::Result<()> {
    match options.rate {
        None => drive.closed(options.connections, window.until).await,
        Some(rate) => {
            let arrivals = Arrivals::new(start, rate);
            drive.open(options.connections, arrivals, window.until).await?;
        }
    }
    Ok(())
}

/// Cores that everybody takes within the window.
async fn watch(shop: &Shop, window: Window) -> Cores {
    tokio::time::sleep_until(window.from.into()).await;
    let (before, began) = (shop.cpu(), Instant::now());
    tokio::time::sleep_until(window.until.into()).await;
    let (after, took) = (shop.cpu(), began.elapsed().as_secs_f64());
    let share = |who: usize| {
        let time = after.get(who).copied()??.checked_sub(before.get(who).copied()??)?;
        Some(time.as_secs_f64() / took)
    };
    Cores { generator: share(0), server: share(1), bank: share(2), database: share(3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_url_names_host_and_port() {
        assert_eq!(host_of("http://127.0.0.1:8080/").unwrap(), "127.0.0.1:8080");
        assert!(host_of("https://h").is_err());
        assert_eq!(address_of("127.0.0.1:8080").unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(address_of("127.0.0.1").unwrap().port(), 80);
        assert_eq!(address_of("[::1]:9").unwrap().port(), 9);
        assert_eq!(address_of("[::1]").unwrap().port(), 80);
    }
}
