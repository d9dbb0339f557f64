//! How the gateway is set up.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// How the gateway is set up. Make it with [`GatewayConfig::new`] and change what should differ.
#[derive(Clone)]
pub struct GatewayConfig {
    /// Where clients come in; port 0 means a free one.
    pub listen: SocketAddr,
    /// Where probes and metrics are asked for; never to be reachable from outside.
    pub private_listen: SocketAddr,
    /// Threads that serve clients, at least 1.
    pub workers: usize,
    /// Seals the cursors of lists. All nodes of a shop share it.
    pub cursor_secret: [u8; 32],
    /// Bounds on what clients may hold.
    pub limits: Limits,
}

/// Bounds on what clients may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long the head of a request may take to arrive.
    pub request_head: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// Connections that one worker holds at most.
    pub connections_per_worker: usize,
    /// How long requests may go on after a graceful stop has begun.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_head: Duration::from_secs(5),
            keep_alive: Duration::from_secs(75),
            backlog: 2048,
            connections_per_worker: 10_000,
            drain: Duration::from_secs(25),
        }
    }
}

impl GatewayConfig {
    /// A configuration with one worker and the default [`Limits`].
    #[must_use]
    pub fn new(listen: SocketAddr, private_listen: SocketAddr, cursor_secret: [u8; 32]) -> Self {
        Self { listen, private_listen, workers: 1, cursor_secret, limits: Limits::default() }
    }
}

impl fmt::Debug for GatewayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the secret.
        f.debug_struct("GatewayConfig")
            .field("listen", &self.listen)
            .field("private_listen", &self.private_listen)
            .field("workers", &self.workers)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
