//! The clients: what they ask for, how long they wait, and when they ask again.

use crate::ledger::{Entry, Misuse, Reply, Sight, Step, What};
use crate::rng::Rng;
use crate::world::World;
use crate::{catalogue, ledger::Ledger};
use gateway::PlainRequest;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;

/// Tries of a client that does not ask until it knows.
const TRIES: usize = 4;

/// One client after another operation.
pub struct Client {
    world: Rc<World>,
    ledger: Rc<RefCell<Ledger>>,
    rng: Rng,
    name: usize,
    count: usize,
    /// Orders it knows, with the highest version it has seen.
    known: BTreeMap<String, i64>,
}

/// A request with a body.
#[must_use]
pub fn post(path: &str, key: &str, body: &str) -> PlainRequest {
    let mut request = get(path);
    request.method = "POST";
    request.headers.push(("Idempotency-Key", key.to_owned()));
    request.headers.push(("Content-Type", "application/json".to_owned()));
    body.as_bytes().clone_into(&mut request.body);
    request
}

/// A request that reads.
#[must_use]
pub fn get(path: &str) -> PlainRequest {
    PlainRequest {
        method: "GET",
        path: path.to_owned(),
        headers: vec![("Authorization", format!("Bearer {}", crate::shop::ADMIN_KEY))],
        body: Vec::new(),
    }
}

/// Sends a request to a node and waits for so long.
pub(crate) async fn send(
    world: &World,
    node: usize,
    request: PlainRequest,
    patience: Duration,
    who: &str,
) -> Option<Reply> {
    let to = world.nodes.get(node)?;
    let what = format!("{} {}", request.method, request.path);
    world.trace.note(who, format_args!("→ {to} {what}"));
    let heard = timeout(patience, to.call(request)).await;
    let reply = match heard {
        Ok(Ok(response)) => Ok(Reply::of(node, &response)),
        Ok(Err(gone)) => Err(format!("{gone:?}")),
        Err(_) => Err("too late".to_owned()),
    };
    match reply {
        Ok(reply) => {
            world.trace.note(
                who,
                format_args!("← {to} {what}: {} {:?} {}", reply.status, reply.code, reply.body),
            );
            world.trace.count(format!("answer.{}", reply.status));
            Some(reply)
        }
        Err(why) => {
            world.trace.note(who, format_args!("← {to} {what}: {why}"));
            world.trace.count("answer.none");
            None
        }
    }
}

/// The request of an entry of the books.
pub(crate) fn request_of(entry: &Entry) -> PlainRequest {
    let mut request = post(&entry.path, &entry.key, &entry.body);
    if let Some(prefer) = &entry.prefer {
        request.headers.push(("Prefer", prefer.clone()));
    }
    request
}

impl Client {
    /// A client with this number.
    #[must_use]
    pub fn new(world: Rc<World>, ledger: Rc<RefCell<Ledger>>, name: usize) -> Self {
        let rng = world.rng(&format!("client {name}"));
        Self { world, ledger, rng, name, count: 0, known: BTreeMap::new() }
    }

    /// Does so many operations, one after another.
    pub async fn work(mut self, operations: usize) {
        for _ in 0..operations {
            let think = self.rng.millis(0, 2_500);
            tokio::time::sleep(think).await;
            self.operation().await;
        }
    }

    async fn operation(&mut self) {
        match self.rng.below(100) {
            0..=44 => self.place().await,
            45..=47 => self.nonsense().await,
            48..=54 => self.adjust().await,
            55..=90 => self.step().await,
            _ => self.look_again().await,
        }
    }

    fn who(&self) -> String {
        format!("client {}", self.name)
    }

    fn node(&mut self) -> usize {
        // A balancer knows who listens, most of the time.
        let nodes = &self.world.nodes;
        let listening: Vec<usize> = (0..nodes.len()).filter(|n| nodes[*n].listens()).collect();
        if self.rng.permille(950) && !listening.is_empty() {
            return listening[self.rng.index(listening.len())];
        }
        self.rng.index(self.world.nodes.len())
    }

    fn enter(&mut self, what: What, path: String, body: String) -> usize {
        self.count += 1;
        let key = format!("key-{}-{}", self.name, self.count);
        let prefer = match self.rng.below(10) {
            0 => Some("respond-async".to_owned()),
            1 => Some("wait=1".to_owned()),
            _ => None,
        };
        let prefer = prefer.filter(|_| path == "/v1/orders");
        let persistent = self.rng.permille(850);
        let entry =
            Entry { key, what, path, body, prefer, replies: Vec::new(), sent: 0, persistent };
        let mut ledger = self.ledger.borrow_mut();
        ledger.entries.push(entry);
        ledger.entries.len() - 1
    }

    /// A basket: mostly hot products, in small numbers.
    fn basket(&mut self) -> What {
        let products = self.world.profile.products;
        let lines = 1 + self.rng.index(3);
        let mut units = BTreeMap::new();
        for _ in 0..lines {
            let hot = self.rng.permille(600);
            let product = self.rng.index(if hot { 2 } else { products });
            units.insert(catalogue::sku(product), self.rng.between(1, 4));
        }
        let total = units.iter().map(|(sku, units)| catalogue::price(sku) * units).sum();
        What::Place { units, total }
    }

    async fn place(&mut self) {
        let what = self.basket();
        let body = self.order_body(&what);
        let entry = self.enter(what, "/v1/orders".to_owned(), body);
        match self.rng.below(20) {
            0..=2 => self.twice_at_once(entry).await,
            3 => self.with_two_bodies(entry).await,
            _ => self.drive(entry).await,
        }
        self.after_place(entry).await;
    }

    fn order_body(&mut self, what: &What) -> String {
        let What::Place { units, .. } = what else { return "{}".to_owned() };
        let lines: Vec<_> =
            units.iter().map(|(sku, quantity)| json!({"sku": sku, "quantity": quantity})).collect();
        let method = if self.rng.permille(60) { "pm_card_chargeDeclined" } else { "pm_card_visa" };
        let capture = if self.rng.permille(200) { "manual" } else { "automatic" };
        let mut body = json!({"currency": "USD", "lines": lines,
            "payment": {"method": method, "capture": capture}});
        if self.rng.permille(400) {
            let customers = catalogue::CUSTOMERS;
            body["external_ref"] = json!(format!("basket {}", self.rng.index(customers)));
        }
        body.to_string()
    }

    /// Reads the order that was placed, at any node: it must be there.
    async fn after_place(&mut self, entry: usize) {
        let order = {
            let ledger = self.ledger.borrow();
            ledger.entries[entry].decided().and_then(Reply::order_id)
        };
        let Some(order) = order else { return };
        self.known.insert(order.clone(), 1);
        {
            let mut ledger = self.ledger.borrow_mut();
            let units = match &ledger.entries[entry].what {
                What::Place { units, .. } => units.clone(),
                _ => BTreeMap::new(),
            };
            ledger.known.push((order.clone(), units));
        }
        if self.rng.permille(400) {
            self.look(&order).await;
        }
        if self.rng.permille(150) {
            // A client that lost the answer, or its memory.
            self.try_once(entry).await;
        }
    }

    async fn look_again(&mut self) {
        let known: Vec<String> = self.known.keys().cloned().collect();
        if let Some(order) = self.rng.pick(&known).cloned() {
            self.look(&order).await;
        }
    }

    async fn look(&mut self, order: &str) {
        let (node, who) = (self.node(), self.who());
        let request = get(&format!("/v1/orders/{order}"));
        let reply = send(&self.world, node, request, Duration::from_secs(3), &who).await;
        let Some(reply) = reply else { return };
        if !(200..500).contains(&reply.status) {
            return;
        }
        let version = reply.json()["version"].as_i64().unwrap_or(0);
        let at_least = self.known.get(order).copied().unwrap_or(0);
        self.known.insert(order.to_owned(), version.max(at_least));
        let sight = Sight { order: order.to_owned(), status: reply.status, version, at_least };
        self.ledger.borrow_mut().sights.push(sight);
    }

    /// The same request at two nodes at the same time.
    async fn twice_at_once(&mut self, entry: usize) {
        self.world.trace.count("client.twice_at_once");
        let (first, second) = (self.node(), self.node());
        let request = request_of(&self.ledger.borrow().entries[entry]);
        let patience = self.rng.millis(2_000, 12_000);
        let who = self.who();
        let ((), ()) = futures_util::future::join(
            self.heard(entry, first, request.clone(), patience, &who),
            self.heard(entry, second, request, patience, &who),
        )
        .await;
        self.drive(entry).await;
    }

    async fn heard(
        &self,
        entry: usize,
        node: usize,
        request: PlainRequest,
        patience: Duration,
        who: &str,
    ) {
        {
            let mut ledger = self.ledger.borrow_mut();
            ledger.entries[entry].sent += 1;
        }
        let reply = send(&self.world, node, request, patience, who).await;
        if let Some(reply) = reply {
            let mut ledger = self.ledger.borrow_mut();
            ledger.entries[entry].replies.push(reply);
        }
    }

    /// The same key for another order, before or after the first one was answered.
    async fn with_two_bodies(&mut self, entry: usize) {
        self.world.trace.count("client.two_bodies");
        if self.rng.permille(700) {
            self.drive(entry).await;
        } else {
            self.try_once(entry).await;
        }
        let (key, sent) = {
            let entry = &self.ledger.borrow().entries[entry];
            (entry.key.clone(), entry.decided().is_some_and(Reply::is_kept))
        };
        let other = json!({"currency": "USD", "metadata": {"other": "body"},
            "lines": [{"sku": catalogue::sku(0), "quantity": 9}],
            "payment": {"method": "pm_card_visa"}});
        let request = post("/v1/orders", &key, &other.to_string());
        let (node, who) = (self.node(), self.who());
        let reply = send(&self.world, node, request, Duration::from_secs(12), &who).await;
        if let Some(reply) = reply {
            self.ledger.borrow_mut().misuses.push(Misuse { key, reply, after_answer: sent });
        }
    }

    async fn nonsense(&mut self) {
        let body = json!({"currency": "USD",
            "lines": [{"sku": "no-such-thing", "quantity": 1}],
            "payment": {"method": "pm_card_visa"}});
        let entry = self.enter(What::Nonsense, "/v1/orders".to_owned(), body.to_string());
        self.drive(entry).await;
    }

    async fn adjust(&mut self) {
        let sku = catalogue::sku(self.rng.index(self.world.profile.products));
        let delta =
            if self.rng.permille(750) { self.rng.between(1, 12) } else { -self.rng.between(1, 6) };
        let path = format!("/v1/stock/{sku}/adjustments");
        let body = json!({"delta": delta, "reason": "count"}).to_string();
        let entry = self.enter(What::Adjust { sku, delta }, path, body);
        self.drive(entry).await;
    }

    /// One more step in the life of an order, of this client's or of another's.
    async fn step(&mut self) {
        let (order, units) = {
            let ledger = self.ledger.borrow();
            // The latest are the most alive.
            let latest = ledger.known.len().saturating_sub(12);
            match self.rng.pick(&ledger.known[latest..]) {
                Some(known) => known.clone(),
                None => return,
            }
        };
        let (step, body) = self.wish(&units);
        let path = format!("/v1/orders/{order}/{}", step.path());
        let entry = self.enter(What::Step { order, step }, path, body.to_string());
        if self.rng.permille(200) {
            self.twice_at_once(entry).await;
        } else {
            self.drive(entry).await;
        }
        if self.rng.permille(150) {
            self.try_once(entry).await;
        }
    }

    fn wish(&mut self, units: &BTreeMap<String, i64>) -> (Step, Value) {
        let skus: Vec<(&String, &i64)> = units.iter().collect();
        let some = |rng: &mut Rng| match rng.pick(&skus) {
            Some((sku, most)) => json!([{"sku": sku, "quantity": rng.between(1, **most)}]),
            None => json!([]),
        };
        match self.rng.below(100) {
            0..=19 => (Step::Cancel, json!({"reason": "no longer wanted"})),
            20..=41 => (Step::Ship, json!({"lines": some(&mut self.rng)})),
            42..=61 => (Step::Ship, json!({})),
            62..=72 => (Step::Deliver, json!({})),
            73..=81 => (Step::Refund, json!({"amount": self.rng.between(1, 400)})),
            82..=87 => (Step::Refund, json!({"lines": some(&mut self.rng)})),
            _ => {
                let restock = self.rng.permille(500);
                (Step::Return, json!({"lines": some(&mut self.rng), "restock": restock}))
            }
        }
    }

    /// Asks until the request is decided, or the client has enough.
    async fn drive(&mut self, entry: usize) {
        for _ in 0..TRIES {
            if self.ledger.borrow().entries[entry].decided().is_some() {
                return;
            }
            self.try_once(entry).await;
            let wait = self.rng.millis(50, 1_500);
            tokio::time::sleep(wait).await;
        }
    }

    async fn try_once(&mut self, entry: usize) {
        let (node, who) = (self.node(), self.who());
        let request = request_of(&self.ledger.borrow().entries[entry]);
        let impatient = self.rng.permille(150);
        let patience =
            if impatient { self.rng.millis(20, 800) } else { self.rng.millis(3_000, 14_000) };
        self.heard(entry, node, request, patience, &who).await;
    }
}
