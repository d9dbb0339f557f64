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
use crate::http::{Answer, Connection, HttpError};
use crate::request::{Key, Sender, Template};
use crate::tally::{Outcome, Sent, Tally, Times, outcome};

/// How long a closed loop's connection rests after it was turned away.
const REST: Duration = Duration::from_millis(50);

/// What all connections of a run share. They live on one thread.
pub(crate) struct Drive {
    /// The servers, among which the connections are shared out.
    addresses: Vec<SocketAddr>,
    orders: Vec<OrderPlan>,
    templates: Vec<Template>,
    /// Drawn for this bench.
    bench: u64,
    next: Cell<u64>,
    /// Orders are sent up to this number.
    limit: Cell<u64>,
    pub(crate) tally: RefCell<Tally>,
}

/// How orders are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Load {
    /// So many at a time.
    Closed {
        /// Orders under way.
        connections: usize,
    },
    /// So many a second, over at most so many connections.
    Open {
        /// Orders a second.
        rate: f64,
        /// The most orders under way.
        connections: usize,
    },
}

/// An order that was answered.
pub(crate) struct Placed {
    pub(crate) sent: Sent,
    pub(crate) outcome: Outcome,
    /// Its id, if it has one.
    pub(crate) id: Option<String>,
}

impl Drive {
    /// Prepares the requests. `more` are further lines of their heads.
    pub(crate) fn new(
        addresses: Vec<SocketAddr>,
        sender: &Sender,
        orders: Vec<OrderPlan>,
        more: &str,
        tally: Tally,
    ) -> Rc<Self> {
        let templates =
            orders.iter().map(|order| sender.post("/v1/orders", &order.body, more)).collect();
        let (tally, limit) = (RefCell::new(tally), Cell::new(u64::MAX));
        let (bench, next) = (rand::random(), Cell::new(0));
        Rc::new(Self { addresses, orders, templates, bench, next, limit, tally })
    }

    /// Sends no more than so many orders from now on.
    pub(crate) fn limit(&self, orders: u64) {
        self.limit.set(self.next.get().saturating_add(orders));
    }

    /// A key that was not used before.
    pub(crate) fn key(&self) -> Key {
        let number = self.next.get();
        self.next.set(number + 1);
        Key { bench: self.bench, number }
    }

    /// The next order, with a new key.
    fn draw(&self) -> Option<Sent> {
        if self.next.get() >= self.limit.get() {
            return None;
        }
        let number = self.key().number;
        let order = usize::try_from(number).unwrap_or_default() % self.orders.len().max(1);
        Some(Sent { order, number })
    }

    /// What one connection needs; connections are numbered.
    pub(crate) fn buffers(&self, number: usize) -> Option<Buffers> {
        let address = self.addresses.get(number % self.addresses.len().max(1))?;
        let connection = Connection::new(*address);
        Some(Buffers { connection, request: Vec::with_capacity(1024) })
    }

    /// Sends the next order, which was due at `due`, and adds its answer up. `None` when there are
    /// no more.
    pub(crate) async fn place(&self, buffers: &mut Buffers, due: Instant) -> Option<Placed> {
        let sent = self.draw()?;
        let began = Instant::now();
        self.tally.borrow_mut().sending(due, began);
        let (outcome, id) = self.send(buffers, sent).await;
        if let Some(plan) = self.orders.get(sent.order) {
            let times = Times { due, sent: began, answered: Instant::now() };
            self.tally.borrow_mut().answered(sent, plan, outcome.clone(), times);
        }
        Some(Placed { sent, outcome, id })
    }

    async fn send(&self, buffers: &mut Buffers, sent: Sent) -> (Outcome, Option<String>) {
        let Some(template) = self.templates.get(sent.order) else {
            return (Outcome::Unknown("there is no such order".to_owned()), None);
        };
        let key = Key { bench: self.bench, number: sent.number };
        match buffers.post(template, key).await {
            Ok(answer) => {
                let body = buffers.connection.body(&answer);
                (outcome(answer.status, answer.made.as_deref(), body), answer.made)
            }
            Err(error) => (Outcome::Unknown(error.to_string()), None),
        }
    }

    /// Sends orders until `until`, beginning at `from`, and waits for the last answers.
    pub(crate) async fn run(
        self: &Rc<Self>,
        load: Load,
        from: Instant,
        until: Instant,
    ) -> anyhow::Result<()> {
        match load {
            Load::Closed { connections } => {
                self.closed(connections, until).await;
                Ok(())
            }
            Load::Open { rate, connections } => {
                self.open(connections, Arrivals::new(from, rate), until).await
            }
        }
    }

    /// One connection's part of a closed loop.
    async fn closed_connection(self: Rc<Self>, number: usize, until: Instant) {
        let Some(mut buffers) = self.buffers(number) else { return };
        loop {
            let now = Instant::now();
            if now >= until {
                return;
            }
            match self.place(&mut buffers, now).await {
                None => return,
                Some(Placed { outcome: Outcome::Accepted | Outcome::Pending(_), .. }) => {}
                Some(_) => tokio::time::sleep(REST).await,
            }
        }
    }

    async fn closed(self: &Rc<Self>, connections: usize, until: Instant) {
        let mut all = JoinSet::new();
        for number in 0..connections {
            all.spawn_local(Rc::clone(self).closed_connection(number, until));
        }
        while all.join_next().await.is_some() {}
    }

    /// One connection's part of an open loop: takes what is due, however late it is.
    async fn open_connection(
        self: Rc<Self>,
        number: usize,
        due: Rc<Mutex<UnboundedReceiver<Instant>>>,
    ) {
        let Some(mut buffers) = self.buffers(number) else { return };
        loop {
            // Only the waiting is behind the lock.
            let next = due.lock().await.recv().await;
            let Some(due) = next else { return };
            if self.place(&mut buffers, due).await.is_none() {
                return;
            }
        }
    }

    async fn open(
        self: &Rc<Self>,
        connections: usize,
        arrivals: Arrivals,
        until: Instant,
    ) -> anyhow::Result<()> {
        let receiver = pace(arrivals, until)?;
        let receiver = Rc::new(Mutex::new(receiver));
        let mut all = JoinSet::new();
        for number in 0..connections {
            all.spawn_local(Rc::clone(self).open_connection(number, Rc::clone(&receiver)));
        }
        while all.join_next().await.is_some() {}
        Ok(())
    }

    /// Sends the orders of which nothing is known again, with the same keys, until each has a clear
    /// answer or `patience` is over; what is left stays in the tally.
    pub(crate) async fn ask_again(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let Some(mut buffers) = self.buffers(0) else { return };
        let mut open = std::mem::take(&mut self.tally.borrow_mut().unknown);
        while !open.is_empty() && Instant::now() < deadline {
            let mut left = Vec::new();
            for sent in open {
                let (outcome, _) = self.send(&mut buffers, sent).await;
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

    /// Takes all orders that were durable and not settled as accepted. Whether that is so, the books
    /// tell.
    pub(crate) fn take_pending_as_accepted(&self) {
        let mut tally = self.tally.borrow_mut();
        for (_, order) in std::mem::take(&mut tally.pending) {
            if let Some(plan) = self.orders.get(order) {
                tally.accept(plan);
            }
        }
    }
}

/// Hands the arrivals out, each at its time.
pub(crate) fn pace(
    arrivals: Arrivals,
    until: Instant,
) -> anyhow::Result<UnboundedReceiver<Instant>> {
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
    Ok(receiver)
}

/// What one connection needs.
pub(crate) struct Buffers {
    pub(crate) connection: Connection,
    request: Vec<u8>,
}

impl Buffers {
    /// Sends a request with this key.
    pub(crate) async fn post(
        &mut self,
        template: &Template,
        key: Key,
    ) -> Result<Answer, HttpError> {
        template.fill(key, &mut self.request);
        self.connection.exchange(&self.request).await
    }
}
