//! Everything that a run has: database, bank, nodes, balancer, links, folder.

use crate::balancer::Balancer;
use crate::bank::Bank;
use crate::http::{self, Answer, Api, Request};
use crate::link::Link;
use crate::node::{ADMIN_KEY, Node, NodeConfig};
use crate::postgres::Postgres;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// Nodes of a run.
pub const NODES: usize = 3;

/// What the requests look like that place an order.
const PLACES_ORDER: &str = "POST /v1/orders";

/// What the requests look like that the bank is asked for money with.
const CHARGES: &str = "POST /v1/payment_intents";

/// How a world is made.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// The program under test.
    pub program: PathBuf,
    /// Seconds that a node serves on after SIGTERM.
    pub drain_delay_secs: u64,
    /// A bug that is planted in every node, to see whether it is found.
    pub bug: Option<String>,
}

/// A shop of three nodes with all that it needs, on loopback.
pub struct World {
    /// Logs, ledgers and data.
    pub folder: PathBuf,
    /// The database.
    pub postgres: Mutex<Postgres>,
    /// The bank.
    pub bank: Mutex<Bank>,
    /// The nodes.
    pub nodes: Vec<Mutex<Node>>,
    /// Between the clients and the nodes.
    pub balancer: Arc<Balancer>,
    /// The balancer's address, with weather.
    pub front: Arc<Link>,
    /// Node → database, by node.
    pub database_links: Vec<Arc<Link>>,
    /// Node → bank, by node.
    pub bank_links: Vec<Arc<Link>>,
    /// The URL of the database, past the links.
    pub database_url: String,
}

impl World {
    /// Starts everything in a new folder; all nodes are ready when this returns.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn start(config: &WorldConfig) -> Result<Self> {
        let folder = new_folder()?;
        Self::start_in(config, &folder)
            .await
            .with_context(|| format!("the world does not start; see {}", folder.display()))
    }

    async fn start_in(config: &WorldConfig, folder: &Path) -> Result<Self> {
        let postgres = Postgres::start(folder).await?;
        let mut bank = Bank::start(&config.program, folder).await?;
        let balancer = Balancer::start(NODES)?;
        let (mut nodes, mut database_links, mut bank_links) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..NODES {
            let database = Arc::new(Link::to(postgres.address(), "").await?);
            let to_bank = Arc::new(Link::to(bank.address(), CHARGES).await?);
            let node = NodeConfig {
                program: config.program.clone(),
                folder: folder.to_owned(),
                name: format!("node{index}"),
                database_url: postgres.url_behind(database.address()),
                bank_url: format!("http://{}", to_bank.address()),
                drain_delay_secs: config.drain_delay_secs,
                bug: config.bug.clone(),
            };
            nodes.push(Mutex::new(Node::new(node, balancer.slot(index).clone())));
            database_links.push(database);
            bank_links.push(to_bank);
        }
        bank.reached_through(bank_links.clone());
        let front = Arc::new(Link::to_nodes(balancer.clone(), PLACES_ORDER).await?);
        let database_url = postgres.url();
        let world = Self {
            folder: folder.to_owned(),
            postgres: Mutex::new(postgres),
            bank: Mutex::new(bank),
            nodes,
            balancer,
            front,
            database_links,
            bank_links,
            database_url,
        };
        world.all_up().await?;
        Ok(world)
    }

    /// Brings all nodes up.
    ///
    /// # Errors
    /// One does not come up.
    pub async fn all_up(&self) -> Result<()> {
        for node in &self.nodes {
            node.lock().await.bring_up(None).await?;
        }
        Ok(())
    }

    /// Somebody who asks through the balancer and waits so long.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn api(&self, patience: Duration, keep_alive: bool) -> Result<Api> {
        let base = format!("http://{}", self.front.address());
        Ok(Api::new(http::client(patience, keep_alive)?, base, ADMIN_KEY))
    }

    /// Somebody who asks one node directly.
    ///
    /// # Errors
    /// The node is down, or the HTTP client cannot be made.
    pub fn api_of(&self, node: usize, patience: Duration) -> Result<Api> {
        let addresses = self.balancer.slot(node).addresses();
        let public = addresses.with_context(|| format!("node{node} is down"))?.public;
        Ok(Api::new(http::client(patience, true)?, format!("http://{public}"), ADMIN_KEY))
    }

    /// Makes a product and puts units of it on the shelf.
    ///
    /// # Errors
    /// The shop refuses.
    pub async fn stocked(&self, api: &Api, sku: &str, unit_amount: i64, units: i64) -> Result<()> {
        let product = json!({"name": format!("product {sku}"), "category": "chaos",
            "unit_amount": unit_amount, "currency": "USD", "active": true});
        sure(api, &Request::put(format!("/v1/products/{sku}"), product)).await?;
        let adjustment = json!({"delta": units, "reason": "opening_stock"});
        let path = format!("/v1/stock/{sku}/adjustments");
        sure(api, &Request::post(path, format!("open-{sku}"), adjustment)).await.map(drop)
    }

    /// The page of metrics of a node.
    ///
    /// # Errors
    /// The node is down.
    pub async fn metrics(&self, node: usize) -> Result<String> {
        let addresses = self.balancer.slot(node).addresses();
        let private = addresses.with_context(|| format!("node{node} is down"))?.private;
        let client = http::client(Duration::from_secs(10), false)?;
        let answer = client.get(format!("http://{private}/metrics")).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }
}

/// Sends a request that must succeed.
///
/// # Errors
/// It does not.
pub async fn sure(api: &Api, request: &Request) -> Result<Answer> {
    let answer = api.send(request).await.map_err(anyhow::Error::msg)?;
    if !(200..300).contains(&answer.status) {
        bail!("{} {}: {} {}", request.method, request.path, answer.status, answer.body);
    }
    Ok(answer)
}

/// A folder that no other run uses. The server's account must be able to enter it.
fn new_folder() -> Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Short: the path of a socket is at most 107 bytes long.
        let path = PathBuf::from(format!("/tmp/orderly-chaos-{}-{number}", std::process::id()));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
    }
}
