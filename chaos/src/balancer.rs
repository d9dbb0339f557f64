//! A round-robin balancer that knows nothing of HTTP but `/readyz`.

use crate::http;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How often each node is asked whether it is ready.
const POLL: Duration = Duration::from_millis(100);
const PROBE_PATIENCE: Duration = Duration::from_secs(1);
const CONNECT_PATIENCE: Duration = Duration::from_millis(500);

/// How long a connection waits for any node to be ready.
const NODE_PATIENCE: Duration = Duration::from_secs(2);

/// A node as the balancer knows it.
#[derive(Debug, Default)]
pub struct Slot {
    addresses: Mutex<Option<Addresses>>,
    ready: AtomicBool,
    /// Requests to place an order that this node has not answered yet.
    pub outstanding: AtomicI64,
}

/// Where a node serves.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The REST API.
    pub public: SocketAddr,
    /// Metrics and probes.
    pub private: SocketAddr,
}

impl Slot {
    /// Says where the node serves now; `None` while it is down.
    pub fn set(&self, addresses: Option<Addresses>) {
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
        if addresses.is_none() {
            self.ready.store(false, Ordering::Relaxed);
        }
    }

    /// Where the node serves, if it is up.
    #[must_use]
    pub fn addresses(&self) -> Option<Addresses> {
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the node said at the last look that it is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}

/// The balancer: one upstream per connection.
#[derive(Debug)]
pub struct Balancer {
    slots: Vec<Arc<Slot>>,
    next: AtomicUsize,
    watchers: Vec<tokio::task::AbortHandle>,
}

impl Balancer {
    /// A balancer over so many nodes, none of which is up yet.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn start(nodes: usize) -> anyhow::Result<Arc<Self>> {
        let slots: Vec<Arc<Slot>> = (0..nodes).map(|_| Arc::default()).collect();
        let mut watchers = Vec::new();
        for slot in &slots {
            let client = http::client(PROBE_PATIENCE, true)?;
            watchers.push(tokio::spawn(watch(slot.clone(), client)).abort_handle());
        }
        Ok(Arc::new(Self { slots, next: AtomicUsize::new(0), watchers }))
    }

    /// The node of this number.
    #[must_use]
    pub fn slot(&self, node: usize) -> &Arc<Slot> {
        &self.slots[node % self.slots.len()]
    }

    /// A connection to the next node that is ready and takes it.
    pub(crate) async fn connect(&self) -> Option<(TcpStream, Arc<Slot>)> {
        let deadline = Instant::now() + NODE_PATIENCE;
        loop {
            let first = self.next.fetch_add(1, Ordering::Relaxed);
            for step in 0..self.slots.len() {
                let slot = self.slot(first.wrapping_add(step));
                let Some(addresses) = slot.addresses().filter(|_| slot.is_ready()) else {
                    continue;
                };
                let connecting = TcpStream::connect(addresses.public);
                if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT_PATIENCE, connecting).await {
                    return Some((stream, slot.clone()));
                }
            }
            if Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(POLL / 4).await;
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        for watcher in &self.watchers {
            watcher.abort();
        }
    }
}

async fn watch(slot: Arc<Slot>, client: reqwest::Client) {
    loop {
        if let Some(addresses) = slot.addresses() {
            let url = format!("http://{}/readyz", addresses.private);
            let answer = client.get(url).send().await;
            let ready = answer.is_ok_and(|answer| answer.status().as_u16() == 200);
            // It may have been stopped meanwhile.
            slot.ready.store(ready && slot.addresses().is_some(), Ordering::Relaxed);
        }
        tokio::time::sleep(POLL).await;
    }
}
