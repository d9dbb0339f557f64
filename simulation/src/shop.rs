//! What runs on a node: the services of the product, wired as `orderly serve` wires them.

use crate::nature::{SimulatedClock, SimulatedIds};
use crate::node::Knock;
use crate::world::World;
use actors::{BatchLimits, Home};
use broker::{BrokerConfig, Consumer, FollowConfig};
use catalog::Catalog;
use domain::Sku;
use flags::Flags;
use gateway::GatewayConfig;
use gateway::{InProcess, Probes, Readiness, Services, render_life_answer, render_order_answer};
use inventory::{StockCache, StockCacheConfig};
use orders::{OrdersConfig, Parts, Pricer};
use recommendations::{Recommendations, RecommendationsConfig};
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{DatabaseUrl, Db, StoreConfig};
use tokio::sync::mpsc;
use topology::Edge;

/// The key of everybody who asks.
pub const ADMIN_KEY: &str = "sk_the_key_of_the_simulation";

/// Starts a node's services and opens its door; returns when the node cannot start.
pub async fn serve(
    world: Rc<World>,
    node: usize,
    start: u64,
    mut knocks: mpsc::UnboundedReceiver<Knock>,
) {
    let http = match open(&world, node, start).await {
        Ok(http) => http,
        Err(error) => {
            world.trace.count("node.failed_to_start");
            world.trace.note(format_args!("node {node}"), format_args!("cannot start: {error}"));
            return;
        }
    };
    world.trace.note(format_args!("node {node}"), "serves");
    while let Some(Knock { request, reply }) = knocks.recv().await {
        let http = http.clone();
        actix::spawn(async move {
            // A client that left does not hear the answer.
            let _ = reply.send(http.call(request).await);
        });
    }
    // The door is gone, but the work that was begun goes on until the node is killed.
    std::future::pending::<()>().await;
}

/// Nobody signs in here; with a key of its own the service asks the database for none.
fn people() -> customers::CustomersConfig {
    let mut config = customers::CustomersConfig::new(|| [5; 32]);
    config.tokens.keys.push(vec![5; 32]);
    config
}

async fn open(world: &Rc<World>, node: usize, start: u64) -> Result<InProcess, Box<dyn Error>> {
    let clock = world.clock(node);
    let rng = world.rng(&format!("ids {node} {start}"));
    let ids = Arc::new(SimulatedIds::new(clock.clone(), rng));
    let config = StoreConfig::new(DatabaseUrl::Sqlite("simulated".into()));
    let db = world.database.connect(&config, world.weather(node));
    let here = Home::Here;
    let clock: Arc<SimulatedClock> = Arc::new(clock);
    let customers =
        customers::start(db.clone(), clock.clone(), ids.clone(), people(), &here).await?;
    customers.ensure_key("admin", ADMIN_KEY, "*").await?;
    let catalog = catalog::start(db.clone(), clock.clone(), &here).await?;
    let cache = StockCache::new(StockCacheConfig::default(), clock.clone(), Edge::unseen());
    let inventory = inventory::start(db.clone(), clock.clone(), ids.clone(), cache, &here);
    let provider = crate::money::provider(world)?;
    let payments = payments::start(db.clone(), clock.clone(), customers.clone(), provider, &here);
    let recommendations = recommendations(catalog.clone());
    world.knows_of(node, recommendations.clone());
    let consumers: Vec<Arc<dyn Consumer>> = vec![shipping::consumer(), world.observer()];
    let homes = [here];
    let broker = BrokerConfig {
        poll: Duration::from_millis(500),
        park_max: Duration::from_secs(8),
        jitter: || 0.5,
        ..BrokerConfig::default()
    };
    let broker = broker::start(db.clone(), clock.clone(), consumers, &homes, broker).await?;
    let follow = FollowConfig { jitter: || 0.5, ..FollowConfig::default() };
    broker.follow(recommendations.follower(), &Home::Here, follow);
    let waker = broker.clone();
    let flags = Flags::fixed(orders::FLAGS);
    let parts = Parts {
        db: db.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
        catalog: catalog.clone(),
        pricer: Pricer::new(flags.clone()),
        inventory: inventory.clone(),
        payments: payments.clone(),
        render: render_order_answer,
        render_life: render_life_answer,
        committed: Arc::new(move |partitions| waker.wake(partitions.iter().copied())),
    };
    let orders = orders::start(parts, &orders_config(world), &homes);
    let services = Services {
        orders,
        catalog,
        customers,
        flags,
        inventory,
        payments,
        recommendations,
        broker,
        clock,
        ids,
    };
    let answers = Arc::new(AtomicBool::new(true));
    actix::spawn(watch_database(db, answers.clone()));
    let probes = Probes {
        ready: Arc::new(|| Readiness::Ready),
        database: Arc::new(move || answers.load(Ordering::Acquire)),
        metrics: Arc::new(String::new),
        topology: Arc::new(topology::Report::default),
        diagnostics: Arc::new(gateway::NoDiagnostics),
    };
    let nowhere = ([127, 0, 0, 1], 0).into();
    let config = GatewayConfig::new(nowhere, nowhere, [7; 32]);
    Ok(InProcess::new(services, probes, &config).await?)
}

fn recommendations(known: Catalog) -> Recommendations {
    let is_active =
        move |sku: &Sku| known.snapshot().get(sku.as_str()).is_some_and(|product| product.active);
    Recommendations::new(Arc::new(is_active), RecommendationsConfig::default())
}

/// As `orderly serve` does it.
async fn watch_database(db: Db, answers: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let pong = tokio::time::timeout(Duration::from_millis(500), db.ping()).await;
        answers.store(matches!(pong, Ok(Ok(()))), Ordering::Release);
    }
}

fn orders_config(world: &World) -> OrdersConfig {
    OrdersConfig {
        lanes: world.profile.lanes,
        waiting_max: 64,
        batch: BatchLimits { items_max: 16, weight_max: 64, in_flight_max: 1 },
        charge_patience: Duration::from_secs(20),
        reconcile_every: Duration::from_secs(2),
        stuck_after: Duration::from_secs(5),
        stuck_visible: Duration::from_secs(60),
        payment_expiry: Duration::from_secs(world.profile.payment_expiry_seconds),
        give_up_after: Duration::from_secs(world.profile.give_up_seconds),
        lease: Duration::from_secs(9),
        audit_every: Duration::from_secs(3_600),
        answers_kept: Duration::from_secs(24 * 3_600),
    }
}
