//! Sends orders: as fast as the answers come (closed loop), or at a steady rate whatever the answers
//! do (open loop).

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use crate::arrivals::Arrivals;
use crate::goods::OrderPlan;
use crate::http::Connection;
use crate::request::{Key, Sender, Template};
use crate::tally::{Outcome, Sent, Tally, outcome};

/// How long a closed loop's connection rests after it was turned away.
const REST: Duration = Duration::from_millis(50);

/// What all connections of a run share. They live on one thread.
pub(crate) struct Drive {
    pub(crate) address: SocketAddr,
    orders: Vec<OrderPlan>,
    templates: Vec<Template>,
    /// Drawn for this bench.
    bench: u64,
    next: Cell<u64>,
    pub(crate) tally: RefCell<Tally>,
}

impl Drive {
    /// Prepares the requests. `more` are further lines of their heads.
    pub(crate) fn new(
        address: SocketAddr,
        sender: &Sender,
        orders: Vec<OrderPlan>,
        more: &str,
        tally: Tally,
    ) -> Rc<Self> {
        let templates =
            orders.iter().map(|order| sender.post("/v1/orders", &order.body, more)).collect();
        let tally = RefCell::new(tally);
        let bench = rand::random();
        Rc::new(Self { address, orders, templates, bench, next: Cell::new(0), tally })
    }

    /// The next order, with a new key.
    fn draw(&self) -> Sent {
        let number = self.next.get();
        self.next.set(number + 1);
        let order = usize::try_from(number).unwrap_or_default() % self.orders.len().max(1);
        Sent { order, number }
    }

    /// Sends an order that was due at `due`, and adds its answer up. Whether it was turned away.
    async fn place(&self, buffers: &mut Buffers, sent: Sent, due: Instant) -> bool {
        let outcome = self.send(buffers, sent).await;
        let turned_away = !matches!(outcome, Outcome::Accepted | Outcome::Pending(_));
        if let Some(plan) = self.orders.get(sent.order) {
            let times = (due, Instant::now());
            self.tally.borrow_mut().answered(sent, plan, outcome, times);
        }
        turned_away
    }

    async fn send(&self, buffers: &mut Buffers, sent: Sent) -> Outcome {
        let Some(template) = self.templates.get(sent.order) else {
            return Outcome::Unknown("there is no such order".to_owned());
        };
        template.fill(Key { bench: self.bench, number: sent.number }, &mut buffers.request);
        match buffers.connection.exchange(&buffers.request).await {
            Ok(answer) => {
                let body = buffers.connection.body(&answer);
                outcome(answer.status, answer.made.clone(), body)
            }
            Err(error) => Outcome::Unknown(error.to_string()),
        }
    }

    /// One connection's part of a closed loop.
    async fn closed_connection(self: Rc<Self>, until: Instant) {
        let mut buffers = Buffers::new(self.address);
        loop {
            let now = Instant::now();
            if now >= until {
                return;
            }
            if self.place(&mut buffers, self.draw(), now).await {
                tokio::time::sleep(REST).await;
            }
        }
    }

    /// Keeps `connections` orders under way until `until`, and waits for the last answers.
    pub(crate) async fn closed(self: &Rc<Self>, connections: usize, until: Instant) {
        let mut all = JoinSet::new();
        for _ in 0..connections {
            all.spawn_local(Rc::clone(self).closed_connection(until));
        }
        while all.join_next().await.is_some() {}
    }

    /// One connection's part of an open loop: takes what is due, however late it is.
    async fn open_connection(self: Rc<Self>, due: Rc<Mutex<UnboundedReceiver<Instant>>>) {
        let mut buffers = Buffers::new(self.address);
        loop {
            // Only the waiting is behind the lock.
            let Some(due) = due.lock().await.recv().await else { return };
            self.tally.borrow_mut().sending(due, Instant::now());
            self.place(&mut buffers, self.draw(), due).await;
        }
    }

    /// Sends orders at the times of `arrivals` until `until` over at most `connections`, and waits
    /// for the last answers.
    pub(crate) async fn open(
        self: &Rc<Self>,
        connections: usize,
        arrivals: Arrivals,
        until: Instant,
    ) -> anyhow::Result<()> {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        // A thread of its own, because the runtime's timer knows whole milliseconds only.
        let pace = move || {
            for due in arrivals.take_while(|due| *due < until) {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if sender.send(due).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("bench-pace".to_owned()).spawn(pace)?;
        let receiver = Rc::new(Mutex::new(receiver));
        let mut all = JoinSet::new();
        for _ in 0..connections {
            all.spawn_local(Rc::clone(self).open_connection(Rc::clone(&receiver)));
        }
        while all.join_next().await.is_some() {}
        Ok(())
    }

    /// Sends the orders of which nothing is known again, with the same keys, until each has a clear
    /// answer or `patience` is over; what is left stays in the tally.
    pub(crate) async fn ask_again(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut buffers = Buffers::new(self.address);
        let mut open = std::mem::take(&mut self.tally.borrow_mut().unknown);
        while !open.is_empty() && Instant::now() < deadline {
            let mut left = Vec::new();
            for sent in open {
                let outcome = self.send(&mut buffers, sent).await;
                let mut tally = self.tally.borrow_mut();
                match (outcome, self.orders.get(sent.order)) {
                    (Outcome::Accepted, Some(plan)) => tally.accept(plan),
                    (Outcome::Pending(id), _) => tally.pending.push((id, sent.order)),
                    (Outcome::Refused, _) => tally.refused += 1,
                    _ => left.push(sent),
                }
            }
            open = left;
            if !open.is_empty() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        self.tally.borrow_mut().unknown = open;
    }

    /// An order by its place.
    pub(crate) fn order(&self, place: usize) -> Option<&OrderPlan> {
        self.orders.get(place)
    }
}

/// What one connection needs.
struct Buffers {
    connection: Connection,
    request: Vec<u8>,
}

impl Buffers {
    fn new(address: SocketAddr) -> Self {
        Self { connection: Connection::new(address), request: Vec::with_capacity(1024) }
    }
}
