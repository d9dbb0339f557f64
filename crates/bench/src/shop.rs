//! The shop that is measured: a stack of the bench's own, or somebody's server; its shelves filled.

use std::collections::HashMap;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use replay::client::Api;
use replay::{Dataset, load, progress};

use crate::cpu;
use crate::goods::Goods;
use crate::http::Connection;
use crate::options::{Options, Scenario, Target};
use crate::report::Cores;
use crate::request::Sender;
use crate::stack::Stack;
use crate::tally::Window;

/// Connections of the client that fills shelves and reads books.
const QUIET_CONNECTIONS: usize = 4;

/// A server that is measured.
pub(crate) struct Shop {
    /// The bench's own, if it is.
    pub(crate) stack: Option<Stack>,
    pub(crate) api: Api,
    pub(crate) sender: Sender,
    /// Where its servers listen.
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Shop {
    /// Starts it, or finds it.
    pub(crate) async fn open(options: &Options, servers: usize) -> anyhow::Result<Self> {
        let (stack, urls, api_key) = match &options.target {
            Target::Running { url, api_key } => (None, vec![url.clone()], api_key.clone()),
            Target::Own(own) => {
                let mut stack = Stack::start(own, options.scenario == Scenario::Start).await?;
                for _ in 1..servers {
                    stack.add_server(None).await?;
                }
                let urls = stack.servers.iter().map(|server| server.url.clone()).collect();
                let key = stack.api_key.clone();
                (Some(stack), urls, key)
            }
        };
        let url = urls.first().context("no server runs")?;
        let api = Api::new(url, &api_key, QUIET_CONNECTIONS)?;
        let host = host_of(url)?.to_owned();
        let addresses =
            urls.iter().map(|url| address_of(host_of(url)?)).collect::<anyhow::Result<_>>()?;
        let shop = Self { stack, api, sender: Sender { host, api_key }, addresses };
        if !options.bank_delay.is_zero() {
            shop.set_bank_delay(options.bank_delay).await?;
        }
        Ok(shop)
    }

    /// The stack, for what can only be done to one's own.
    pub(crate) fn own(&mut self) -> anyhow::Result<&mut Stack> {
        self.stack.as_mut().context("this is done to a stack of the bench's own only")
    }

    /// Tells the bank of an own stack how long to wait before each charge. Calls that wait now go
    /// on at once.
    pub(crate) async fn set_bank_delay(&self, delay: Duration) -> anyhow::Result<()> {
        let stack = self.stack.as_ref().context("only the bank of an own stack can be told")?;
        let host = host_of(stack.bank_url()?)?;
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

    /// Memory of all servers, in bytes.
    pub(crate) fn memory(&self) -> Option<u64> {
        let servers = &self.stack.as_ref()?.servers;
        servers.iter().map(|server| cpu::memory(server.process.id())).sum()
    }

    /// Cores that everybody takes within the window.
    pub(crate) async fn watch(&self, window: Window) -> Cores {
        tokio::time::sleep_until(window.from.into()).await;
        let (before, began) = (self.cpu(), Instant::now());
        tokio::time::sleep_until(window.until.into()).await;
        let (after, took) = (self.cpu(), began.elapsed().as_secs_f64());
        let share = |who: usize| {
            let time = after.get(who).copied()??.checked_sub(before.get(who).copied()??)?;
            Some(time.as_secs_f64() / took)
        };
        Cores { generator: share(0), server: share(1), bank: share(2), database: share(3) }
    }

    /// Makes the goods of the scenario and puts them on the shelves.
    pub(crate) async fn fill(&self, options: &Options) -> anyhow::Result<Goods> {
        let api = &self.api;
        let goods = match options.scenario {
            Scenario::Hot => Goods::made(1, options.lines, options.seed),
            Scenario::Baskets => {
                let dataset = dataset(options.data.as_deref())?;
                let references = Goods::customers(&dataset)?;
                let bar = progress::bar("customers", references.len() as u64, options.progress);
                let customers = load::customers(api, &references, &bar).await?;
                Goods::baskets(&dataset, &customers)?
            }
            _ => Goods::made(options.skus, options.lines, options.seed),
        };
        let bar = progress::bar("products", goods.products.len() as u64, options.progress);
        load::products(api, &goods.products, &bar).await?;
        let bar = progress::bar("stock", goods.stock.len() as u64, options.progress);
        let name = format!("bench-{:016x}", rand::random::<u64>());
        load::stock(api, &name, &goods.stock, &HashMap::new(), &bar).await?;
        Ok(goods)
    }
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

/// Host and port of a plain HTTP URL.
pub(crate) fn host_of(url: &str) -> anyhow::Result<&str> {
    let rest = url
        .strip_prefix("http://")
        .with_context(|| format!("the generator speaks plain HTTP: `{url}` is no http:// URL"))?;
    Ok(rest.trim_end_matches('/'))
}

/// Where that is.
pub(crate) fn address_of(host: &str) -> anyhow::Result<SocketAddr> {
    let named = if host.rsplit(']').next().unwrap_or_default().contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut found = named.to_socket_addrs().with_context(|| format!("cannot find {host}"))?;
    found.next().with_context(|| format!("cannot find {host}"))
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
