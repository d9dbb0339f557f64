//! One run: open the shop, let clients and trouble loose on it, wait until it is quiet, check.

use crate::bank::tell_the_shop;
use crate::check::{Violation, check};
use crate::client::{Client, get, post, request_of, send};
use crate::facts::{self, Facts};
use crate::ledger::{Entry, Ledger, Reply, What};
use crate::world::World;
use crate::{catalogue, nemesis};
use gateway::PlainRequest;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::LocalSet;

/// How a run is to be made.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A bug that is planted, by name.
    pub bug: Option<&'static str>,
    /// Print what happens, as it happens.
    pub trace: bool,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What must not be.
    pub violations: Vec<Violation>,
    /// Hash of everything that happened, in order.
    pub trace_hash: u64,
    /// How often what happened.
    pub counts: BTreeMap<String, u64>,
    /// Simulated seconds.
    pub seconds: f64,
}

/// Longest time until everything has come to rest after the last fault.
const REST_MAX: Duration = Duration::from_secs(240);

/// Longest time that the clients may need for their operations.
const STORM_MAX: Duration = Duration::from_secs(600);

/// Patience with a shop that nothing is wrong with any more.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs a seed. The same seed and options give the same report, to the last byte.
#[must_use]
pub fn run(seed: u64, options: &Options) -> Report {
    faults::plant(options.bug);
    faults::seed(Some(seed));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let report = match runtime {
        Ok(runtime) => LocalSet::new().block_on(&runtime, simulate(seed, options)),
        Err(error) => failed(seed, format!("no runtime: {error}")),
    };
    faults::set_hook(None);
    faults::plant(None);
    faults::seed(None);
    report
}

fn failed(seed: u64, what: String) -> Report {
    Report {
        seed,
        violations: vec![Violation { promise: "setup", what }],
        trace_hash: 0,
        counts: BTreeMap::new(),
        seconds: 0.0,
    }
}

async fn simulate(seed: u64, options: &Options) -> Report {
    let world = match World::open(seed, options.trace).await {
        Ok(world) => Rc::new(world),
        Err(error) => return failed(seed, error.to_string()),
    };
    let at_points = Rc::downgrade(&world);
    faults::set_hook(Some(Rc::new(move |point| {
        let dies = at_points.upgrade().is_some_and(|world| world.at_point(point));
        Box::pin(async move {
            if dies {
                // The node is dropped before this task would go on.
                std::future::pending::<()>().await;
            }
        })
    })));
    for node in &world.nodes {
        tokio::task::spawn_local(node.clone().keep_running(world.clone()));
    }
    if let Some(doors) = world.bank_doors() {
        tokio::task::spawn_local(world.bank.clone().work(doors.requests));
        tokio::task::spawn_local(tell_the_shop(world.clone(), doors.happenings));
    }
    let ledger = Rc::new(RefCell::new(Ledger::default()));
    let mut violations = Vec::new();
    let mut note = |what: Result<(), Violation>| violations.extend(what.err());
    note(open_the_shop(&world, &ledger).await);
    note(live(&world, &ledger).await);
    note(come_to_rest(&world, &ledger).await);
    note(replay_everywhere(&world, &ledger).await);
    match facts_of(&world).await {
        Ok(facts) => {
            count(&world, &facts, &ledger.borrow());
            violations.extend(check(&facts, &ledger.borrow()));
        }
        Err(what) => violations.push(Violation { promise: "setup", what }),
    }
    violations.extend(audits(&world).await);
    let forgeries = world.forgeries();
    violations.extend(forgeries.into_iter().map(|what| Violation { promise: "D12", what }));
    world.end();
    faults::set_hook(None);
    Report {
        seed,
        violations,
        trace_hash: world.trace.hash(),
        counts: world.trace.counts(),
        seconds: world.elapsed(),
    }
}

/// Counts what happened to orders, and how many operations came to the end that a client may
/// expect: done, or refused for a reason of business.
fn count(world: &World, facts: &Facts, ledger: &Ledger) {
    for event in &facts.events {
        world.trace.count(event.kind.clone());
    }
    for entry in &ledger.entries {
        world.trace.count("operation.all");
        if entry.decided().is_some_and(|reply| !matches!(reply.status, 400 | 401 | 403)) {
            world.trace.count("operation.well");
        }
    }
}

async fn until_listening(world: &World) -> Result<(), Violation> {
    let all = async {
        while !world.nodes.iter().all(|node| node.listens()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let in_time = tokio::time::timeout(REST_MAX, all).await;
    in_time.map_err(|_| Violation { promise: "I16", what: "a node does not start".to_owned() })
}

/// Products and their first units.
async fn open_the_shop(world: &Rc<World>, ledger: &RefCell<Ledger>) -> Result<(), Violation> {
    until_listening(world).await?;
    for product in 0..world.profile.products {
        let sku = catalogue::sku(product);
        let price = catalogue::price(&sku);
        let body = json!({"name": sku, "unit_amount": price, "currency": "USD"});
        let mut put: PlainRequest = post(&format!("/v1/products/{sku}"), "none", &body.to_string());
        put.method = "PUT";
        ask(world, 0, put).await.ok_or_else(|| setup("no product"))?;
        let delta = if product < 2 { world.profile.hot_units } else { 200 };
        let path = format!("/v1/stock/{sku}/adjustments");
        let body = json!({"delta": delta, "reason": "opening_stock"}).to_string();
        let what = What::Adjust { sku, delta };
        let key = format!("opening-{product}");
        let mut entry = Entry {
            key,
            what,
            path,
            body,
            prefer: None,
            replies: Vec::new(),
            sent: 1,
            persistent: true,
        };
        let reply = ask(world, 0, request_of(&entry)).await.ok_or_else(|| setup("no stock"))?;
        entry.replies.push(reply);
        ledger.borrow_mut().entries.push(entry);
    }
    // The other nodes hear of the products within a second.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    Ok(())
}

fn setup(what: &str) -> Violation {
    Violation { promise: "setup", what: what.to_owned() }
}

async fn ask(world: &World, node: usize, request: PlainRequest) -> Option<Reply> {
    send(world, node, request, PATIENCE, "checker").await
}

/// Clients and trouble, until the clients have done what they had to do.
async fn live(world: &Rc<World>, ledger: &Rc<RefCell<Ledger>>) -> Result<(), Violation> {
    world.calm.set(false);
    world.trace.note("world", format_args!("{:?}", world.profile));
    let nemesis = tokio::task::spawn_local(nemesis::storm(world.clone()));
    let watcher = tokio::task::spawn_local(watch_stock(world.clone(), ledger.clone()));
    let clients = world.profile.clients;
    let work: Vec<_> = (0..clients)
        .map(|name| {
            let client = Client::new(world.clone(), ledger.clone(), name);
            let share = world.profile.operations.div_ceil(clients);
            tokio::task::spawn_local(client.work(share))
        })
        .collect();
    let all = futures_util::future::join_all(work);
    let done = tokio::time::timeout(STORM_MAX, all).await;
    world.calm.set(true);
    nemesis.abort();
    watcher.abort();
    for index in 0..world.nodes.len() {
        world.weather(index).cut(false);
        world.nodes[index].go_on();
    }
    world.trace.note("world", "is calm");
    let crashed = match &done {
        Ok(all) => all.iter().any(Result::is_err),
        Err(_) => return Err(Violation { promise: "I16", what: "clients wait".to_owned() }),
    };
    if crashed { Err(setup("a client crashed")) } else { Ok(()) }
}

/// Looks at the stock again and again: it is right at every moment, not only at the end.
async fn watch_stock(world: Rc<World>, ledger: Rc<RefCell<Ledger>>) {
    let db = world.quiet_db();
    loop {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let Ok(levels) = facts::stock(&db).await else { continue };
        for (sku, level) in levels {
            if level.reserved < 0 || level.reserved > level.on_hand || level.shipped < 0 {
                ledger.borrow_mut().bad_stock.push(format!("{sku} was {level:?}"));
            }
        }
    }
}

/// Clients that want to know ask until they do; then the shop gets time to finish.
async fn come_to_rest(world: &Rc<World>, ledger: &RefCell<Ledger>) -> Result<(), Violation> {
    until_listening(world).await?;
    // The nodes look once a second whether the database answers.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let began = tokio::time::Instant::now();
    loop {
        let open: Vec<usize> = {
            let entries = &ledger.borrow().entries;
            let waits =
                |index: &usize| entries[*index].persistent && entries[*index].decided().is_none();
            (0..entries.len()).filter(waits).collect()
        };
        if open.is_empty() || began.elapsed() > REST_MAX {
            break;
        }
        for index in open {
            let request = request_of(&ledger.borrow().entries[index]);
            let node = index % world.nodes.len();
            let reply = ask(world, node, request).await;
            let mut ledger = ledger.borrow_mut();
            ledger.entries[index].sent += 1;
            ledger.entries[index].replies.extend(reply);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    loop {
        let facts = Facts::read(world).await.map_err(|error| setup(&error.to_string()))?;
        let under_way = world.bank.under_way();
        let slow = || format!("{under_way} requests are on their way to the bank");
        let unrest = facts.unrest().or_else(|| (under_way > 0).then(slow));
        let Some(unrest) = unrest else { return Ok(()) };
        if began.elapsed() > REST_MAX {
            return Err(Violation { promise: "I16", what: format!("after {REST_MAX:?} {unrest}") });
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Every request that was answered for good is made once more on every node.
async fn replay_everywhere(world: &Rc<World>, ledger: &RefCell<Ledger>) -> Result<(), Violation> {
    let entries = ledger.borrow().entries.len();
    for index in 0..entries {
        let request = {
            let entry = &ledger.borrow().entries[index];
            entry.replies.iter().any(Reply::is_kept).then(|| request_of(entry))
        };
        let Some(request) = request else { continue };
        // One node per request and run; the seeds share the nodes out.
        let node = (index + usize::try_from(world.seed % 97).unwrap_or(0)) % world.nodes.len();
        let reply = ask(world, node, request).await;
        match reply {
            Some(reply) if reply.is_final() => {
                ledger.borrow_mut().entries[index].replies.push(reply);
            }
            other => {
                let key = &ledger.borrow().entries[index].key;
                let what = format!("{key} was answered before, and now it is told {other:?}");
                return Err(Violation { promise: "I3", what });
            }
        }
    }
    Ok(())
}

async fn facts_of(world: &Rc<World>) -> Result<Facts, String> {
    let mut facts = Facts::read(world).await.map_err(|error| error.to_string())?;
    for (index, order) in facts.orders.iter().enumerate() {
        let path = format!("/v1/orders/{}", order.id);
        let reply = ask(world, index % world.nodes.len(), get(&path)).await;
        let told = reply.filter(|reply| reply.status == 200).map(|reply| reply.json());
        facts.told.extend(told.map(|told| (order.id.to_string(), told)));
    }
    Ok(facts)
}

/// The product's own audit must see the same.
async fn audits(world: &Rc<World>) -> Vec<Violation> {
    let mut found = Vec::new();
    let reply = ask(world, 0, get("/v1/audit")).await;
    let told = reply.map_or(Value::Null, |reply| reply.json());
    if told["balanced"] != true {
        found.push(Violation { promise: "I14", what: format!("the audit says {told}") });
    }
    found
}
