//! The wiring: every part of the shop, started and stopped in order.

use crate::cli::{LapsedAuthorization, ServeArgs};
use crate::gauges::Gauges;
use crate::keys::{AdminKey, admin_key};
use crate::map::Map;
use crate::own::{Own, Process};
use crate::watch::Watch;
use actix::Arbiter;
use actors::{BatchLimits, Health, Home, SystemClock, SystemIds, Vitals};
use anyhow::{Context, Result};
use broker::{Broker, BrokerConfig, Consumer, FollowConfig};
use catalog::Catalog;
use customers::Customers;
use domain::{Clock, IdSource, Sku};
use flags::Flags;
use gateway::{Probes, Readiness, RunningGateway, Services};
use orders::{Orders, OrdersConfig, Parts, Pricer};
use payments::{AuthorizationExpiry, HttpProvider, ProviderConfig};
use recommendations::Recommendations;
use resilience::{BreakerConfig, BulkheadConfig, DependencyConfig, RetryBudgetConfig, RetryPolicy};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{Db, StoreConfig};

/// How long finishing what was begun may take, once no new requests come (rule D19).
const FINISH_MAX: Duration = Duration::from_secs(25);

/// How a shop was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All that was begun is finished.
    Finished,
    /// Something was left, for this reason; the next start finds and finishes it.
    Unfinished(&'static str),
}

/// A running shop.
pub(crate) struct App {
    pub(crate) admin_key: AdminKey,
    pub(crate) gateway: RunningGateway,
    pub(crate) broker: Broker,
    orders: Orders,
    bank: Option<bank::RunningBank>,
    db: Db,
    watch: Arc<Watch>,
    draining: Arc<AtomicBool>,
    arbiters: Vec<Arbiter>,
}

/// What every service is given.
struct Ground {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    arbiters: Vec<Arbiter>,
    map: Map,
}

impl Ground {
    fn home(&self, index: usize) -> Home {
        match self.arbiters.get(index % self.arbiters.len().max(1)) {
            Some(arbiter) => arbiter.handle().into(),
            None => Home::Here,
        }
    }
}

impl App {
    /// Starts everything; the REST API serves when this returns.
    pub(crate) async fn start(args: &ServeArgs, own: Own) -> Result<Self> {
        let data_dir = &args.store.data_dir;
        std::fs::create_dir_all(data_dir).with_context(|| data_dir.display().to_string())?;
        let admin_key = admin_key(args.admin_key.as_deref(), data_dir)?;
        let workers = args.workers.unwrap_or_else(cores).max(1);
        let store = StoreConfig::new(args.store.url()?);
        let db = Db::open(&store).await?;
        db.migrate().await?;
        let ground = Ground {
            db: db.clone(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            arbiters: (0..workers).map(|_| Arbiter::new()).collect(),
            map: Map::default(),
        };
        let (bank, provider) = provider(args, &ground).await?;
        let provider = HttpProvider::new(provider)?.with_traces(crate::traces::outgoing);
        let retry_budget = provider.guards().retry_budget.clone();
        let shop = Shop::open(args, &ground, provider, &admin_key).await?;
        let draining = Arc::new(AtomicBool::new(false));
        let watch = Watch::start(&db, &store).await?;
        let metrics = own.metrics.clone();
        let probes = probes(
            &watch,
            &draining,
            (shop.vitals, shop.broker.follower_vitals()),
            own,
            &ground.map,
        );
        let (broker, clock) = (shop.broker.clone(), ground.clock.clone());
        Gauges { db: db.clone(), broker, retry_budget, clock, metrics }.watch();
        let cursor_secret = Sha256::new()
            .chain_update(b"orderly list cursors\0")
            .chain_update(admin_key.secret.as_bytes())
            .finalize()
            .into();
        let mut config =
            gateway::GatewayConfig::new(args.listen, args.private_listen, cursor_secret);
        config.workers = workers;
        args.edge.apply(&mut config);
        let gateway = gateway::start(shop.services, probes, &config)?;
        let Ground { arbiters, .. } = ground;
        let (broker, orders) = (shop.broker, shop.orders);
        Ok(Self { admin_key, gateway, broker, orders, bank, db, watch, draining, arbiters })
    }

    /// Stops (rule D19): says that it is not ready, serves on for `drain_delay` and asks clients to
    /// connect elsewhere, then finishes what was begun.
    pub(crate) async fn stop(self, drain_delay: Duration) -> Ended {
        self.draining.store(true, Ordering::Release);
        self.gateway.drain();
        tokio::time::sleep(drain_delay).await;
        match tokio::time::timeout(FINISH_MAX, self.finish()).await {
            Ok(()) => Ended::Finished,
            Err(_) => Ended::Unfinished("it took too long"),
        }
    }

    /// Stops everything in order: no new requests, then no unanswered ones, then no unfinished
    /// work, then the books are closed.
    async fn finish(self) {
        self.gateway.stop(true).await;
        self.orders.drain().await;
        self.broker.drain().await;
        if let Some(bank) = self.bank {
            bank.stop().await;
        }
        self.watch.close().await;
        self.db.close().await;
        for arbiter in self.arbiters {
            arbiter.stop();
        }
    }
}

struct Shop {
    vitals: Vec<Arc<Vitals>>,
    services: Services,
    orders: Orders,
    broker: Broker,
}

impl Shop {
    async fn open(
        args: &ServeArgs,
        ground: &Ground,
        provider: HttpProvider,
        admin_key: &AdminKey,
    ) -> Result<Self> {
        let Ground { db, clock, ids, map, .. } = ground;
        let own = |part| map.store(db, part);
        let customers = start_customers(args, ground, own("customers")).await?;
        customers.ensure_key("admin", &admin_key.secret, "*").await?;
        let catalog = catalog::start(own("catalog"), clock.clone(), &ground.home(1)).await?;
        let cache = map.stock_cache(Duration::from_millis(args.stock_cache_ms), clock);
        let flags = start_flags(args, ground).await?;
        let inventory =
            inventory::start(own("inventory"), clock.clone(), ids.clone(), cache, &ground.home(0));
        let payments = payments::start(
            own("payments"),
            clock.clone(),
            customers.seen_by(map.edge("payments", "customers")),
            map.bank(provider),
            &ground.home(1),
        );
        let (recommendations, broker) = start_broker(args, ground, &catalog).await?;
        let waker = broker.clone();
        let parts = Parts {
            db: db.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            catalog: catalog.clone(),
            pricer: Pricer::new(flags.clone()),
            inventory: inventory.clone(),
            payments: payments.clone(),
            render: gateway::render_order_answer,
            render_life: gateway::render_life_answer,
            committed: Arc::new(move |partitions| waker.wake(partitions.iter().copied())),
        };
        let homes: Vec<_> = ground.arbiters.iter().map(|a| a.handle().into()).collect();
        let parts = map.for_orders(parts);
        let orders = orders::start(parts, &orders_config(args), &homes);
        let mut vitals = orders.vitals();
        vitals.push(inventory.mailbox().vitals().clone());
        vitals.push(payments.mailbox().vitals().clone());
        vitals.push(catalog.vitals().clone());
        vitals.extend(customers.vitals().map(Arc::clone));
        vitals.extend(flags.vitals().map(Arc::clone));
        vitals.extend(broker.vitals());
        let (clock, ids) = (clock.clone(), ids.clone());
        let services = map.for_gateway(Services {
            orders: orders.clone(),
            catalog,
            customers,
            flags,
            inventory,
            payments,
            recommendations,
            broker: broker.clone(),
            clock,
            ids,
        });
        Ok(Self { vitals, services, orders, broker })
    }
}

/// How often it is written when keys were used.
const KEY_USES_EVERY: Duration = Duration::from_secs(60);

async fn start_customers(args: &ServeArgs, ground: &Ground, db: Db) -> Result<Customers> {
    let Ground { clock, ids, .. } = ground;
    let config = args.tokens.config()?;
    let customers =
        customers::start(db, clock.clone(), ids.clone(), config, &ground.home(0)).await?;
    let noting = customers.clone();
    actix::spawn(async move {
        loop {
            tokio::time::sleep(KEY_USES_EVERY).await;
            if let Err(error) = noting.note_key_uses().await {
                let cause = &error as &dyn std::error::Error;
                tracing::info!(
                    event = "key_uses_lost",
                    cause,
                    "when keys were used is not written"
                );
            }
        }
    });
    Ok(customers)
}

async fn start_flags(args: &ServeArgs, ground: &Ground) -> Result<Flags> {
    let Ground { db, clock, ids, map, .. } = ground;
    let (db, tools) = (map.store(db, "flags"), (clock.clone(), ids.clone() as Arc<dyn IdSource>));
    let file = args.flags_file.clone();
    Ok(flags::start(db, tools, orders::FLAGS, file, &ground.home(1)).await?)
}

async fn start_broker(
    args: &ServeArgs,
    ground: &Ground,
    catalog: &Catalog,
) -> Result<(Recommendations, Broker)> {
    let Ground { db, clock, map, .. } = ground;
    let known = catalog.seen_by(map.edge("recommendations", "catalog"));
    let is_active =
        move |sku: &Sku| known.snapshot().get(sku.as_str()).is_some_and(|product| product.active);
    let recommendations = Recommendations::new(Arc::new(is_active), args.recommendations.config());
    let consumers: Vec<Arc<dyn Consumer>> = vec![map.consumer(shipping::consumer())];
    let homes: Vec<_> = ground.arbiters.iter().map(|a| a.handle().into()).collect();
    let config = BrokerConfig::default();
    let db = map.store(db, "broker");
    let broker = broker::start(db, clock.clone(), consumers, &homes, config).await?;
    broker.follow(recommendations.follower(), &ground.home(1), FollowConfig::default());
    Ok((recommendations, broker))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// One lane makes the largest batches: with two, batches half as large share best sellers and wait
/// for each other's commit (4,400 and 4,780 orders a second, measured on two cores).
fn orders_config(args: &ServeArgs) -> OrdersConfig {
    let lanes = args.lanes.unwrap_or(1);
    OrdersConfig {
        lanes,
        waiting_max: 4_096,
        batch: BatchLimits { items_max: 512, weight_max: 8_000, in_flight_max: 1 },
        charge_patience: Duration::from_secs(30),
        reconcile_every: Duration::from_secs(args.recover_every_secs),
        stuck_after: Duration::from_secs(args.recover_after_secs),
        stuck_visible: Duration::from_secs(60),
        payment_expiry: Duration::from_secs(args.payment_expiry_secs),
        give_up_after: Duration::from_secs(90),
        lease: Duration::from_secs(args.recover_every_secs * 3),
        audit_every: Duration::from_secs(args.audit_every_secs),
        answers_kept: Duration::from_secs(args.answers_kept_days * 24 * 3600),
    }
}

/// The provider that was named, or a bank of our own in this process, over HTTP either way.
async fn provider(
    args: &ServeArgs,
    ground: &Ground,
) -> Result<(Option<bank::RunningBank>, ProviderConfig)> {
    let config = |base_url: String, api_key: String| ProviderConfig {
        base_url: base_url.trim_end_matches('/').to_owned(),
        api_key,
        call_timeout: Duration::from_secs(10),
        limits: provider_limits(),
        authorization_expiry: match args.lapsed_authorization {
            LapsedAuthorization::Reauthorize => AuthorizationExpiry::Reauthorize,
            LapsedAuthorization::Refuse => AuthorizationExpiry::Refuse,
        },
        webhook_secrets: args.payments_webhook_secret.clone(),
    };
    if let Some(url) = &args.payments_url {
        let key = args.payments_key.clone().context("--payments-url needs --payments-key")?;
        return Ok((None, config(url.clone(), key)));
    }
    let key = format!("sk_{}", customers::new_secret(rand::random()));
    let bank = bank::start(
        bank::BankConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            ledger: args.store.data_dir.join("bank.ledger"),
            api_key: Some(key.clone()),
            workers: 1,
            webhook: None,
        },
        ground.clock.clone(),
        ground.ids.clone(),
    )
    .await?;
    let provider = config(bank.url(), key);
    Ok((Some(bank), provider))
}

/// Limits of the calls to the provider: rule D15 of the reliability rules for the retries; the
/// bulkhead keeps a slow provider from taking more than its share of sockets.
const fn provider_limits() -> DependencyConfig {
    DependencyConfig {
        breaker: BreakerConfig {
            slot: Duration::from_secs(1),
            slots: 10,
            calls_min: 20,
            failure_percent: 50,
            slow_call: Duration::from_secs(9),
            open_for: Duration::from_secs(5),
            probes: 3,
        },
        bulkhead: BulkheadConfig { in_flight_max: 512, waiting_max: 100_000 },
        retry: RetryPolicy {
            attempts_max: 3,
            backoff_first: Duration::from_millis(100),
            backoff_max: Duration::from_secs(2),
        },
        retry_budget: RetryBudgetConfig { percent: 10, initial: 10, saved_max: 100 },
    }
}

fn probes(
    watch: &Arc<Watch>,
    draining: &Arc<AtomicBool>,
    (vitals, followers): (Vec<Arc<Vitals>>, Vec<Arc<Vitals>>),
    own: Own,
    map: &Map,
) -> Probes {
    let (readiness, edge, seen) = (watch.clone(), watch.clone(), watch.clone());
    let drains = draining.clone();
    let all = [vitals.clone(), followers].concat();
    map.nodes(&all, move || drains.load(Ordering::Acquire), move || seen.answers());
    let (draining, map) = (draining.clone(), map.clone());
    let actors = vitals.clone();
    let ready = move || {
        let mut reasons = Vec::new();
        if draining.load(Ordering::Acquire) {
            reasons.push("draining".to_owned());
        }
        if !readiness.is_ready() {
            reasons.push("database".to_owned());
        }
        // An actor that was given up comes back only with the process.
        let down = vitals.iter().filter(|vitals| vitals.health() == Health::Down);
        reasons.extend(down.map(|vitals| format!("{} is down", vitals.name())));
        if reasons.is_empty() { Readiness::Ready } else { Readiness::NotReady(reasons) }
    };
    Probes {
        ready: Arc::new(ready),
        database: Arc::new(move || edge.answers()),
        metrics: Arc::new({
            let metrics = own.metrics.clone();
            move || metrics.render()
        }),
        topology: Arc::new(move || map.report()),
        diagnostics: Arc::new(Process { own, actors }),
    }
}
