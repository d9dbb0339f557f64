//! How the gateway is set up.

use crate::limits::Network;
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
    /// Proxies whose `X-Forwarded-For` is believed; without any, nobody's is.
    pub trusted_proxies: Vec<Network>,
    /// Bounds on what clients may hold and ask for.
    pub limits: Limits,
}

/// Bounds on what clients may hold and ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long the head of a request may take to arrive.
    pub request_head: Duration,
    /// How long the body of a request may take to arrive.
    pub request_body: Duration,
    /// How long a client may leave an answer unread.
    pub unread_answer: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// Connections that one worker holds at most.
    pub connections_per_worker: usize,
    /// New connections that each listener takes in a second; further ones are closed at once.
    pub connections_per_second: u32,
    /// Requests in a second of each API key or account; 0: any number.
    pub requests_per_second: u32,
    /// Requests in a minute that an address may fail to authenticate; 0: any number.
    pub failed_authentications_per_minute: u32,
    /// Wrong passwords in ten minutes for each account; 0: any number.
    pub failed_sign_ins: u32,
    /// Requests in work at the same time.
    pub requests_in_work: usize,
    /// Age of the oldest message in front of the order lanes from which on new work is refused,
    /// when it lasts for [`Self::queue_age_interval`].
    pub queue_age: Duration,
    /// How long the oldest message may be older than [`Self::queue_age`].
    pub queue_age_interval: Duration,
    /// How long requests may go on after a graceful stop has begun.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_head: Duration::from_secs(5),
            request_body: Duration::from_secs(10),
            unread_answer: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
            backlog: 2048,
            connections_per_worker: 10_000,
            connections_per_second: 10_000,
            requests_per_second: 0,
            failed_authentications_per_minute: 20,
            failed_sign_ins: 10,
            requests_in_work: 8_192,
            queue_age: Duration::from_millis(500),
            queue_age_interval: Duration::from_millis(500),
            drain: Duration::from_secs(20),
        }
    }
}

impl GatewayConfig {
    /// A configuration with one worker and the default [`Limits`].
    #[must_use]
    pub fn new(listen: SocketAddr, private_listen: SocketAddr, cursor_secret: [u8; 32]) -> Self {
        Self {
            listen,
            private_listen,
            workers: 1,
            cursor_secret,
            trusted_proxies: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl fmt::Debug for GatewayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the secret.
        f.debug_struct("GatewayConfig")
            .field("listen", &self.listen)
            .field("private_listen", &self.private_listen)
            .field("workers", &self.workers)
            .field("trusted_proxies", &self.trusted_proxies)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
