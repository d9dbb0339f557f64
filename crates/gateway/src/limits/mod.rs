//! What keeps the node from being asked for more than it can do. Everything here is decided before
//! any work is done, and refused at once: 429 for what one client has used up, 503 for what nobody
//! gets now.
//!
//! | who | by what | refused with |
//! |---|---|---|
//! | a client that is let in | its quota | 429 `RATE_LIMITED` |
//! | an address that fails to prove who it is | its quota of failures | 429 `RATE_LIMITED` |
//! | whoever tries passwords of one account | the account's quota of failures | 429 `RATE_LIMITED` |
//! | new work | the age of the oldest message in front of the lanes | 503 `OVERLOADED` |
//! | every request but what is vital | the number of requests in work | 503 `OVERLOADED` |
//! | all but reads from memory | a database that is away | 503 `UNAVAILABLE` |

mod buckets;
mod class;
mod peer;
mod queue_age;
mod quota;

pub(crate) use buckets::Buckets;
pub(crate) use class::{Class, IN_MEMORY};
pub use peer::{Network, NotANetwork};
pub(crate) use quota::{Quota, Taken};

use crate::config::{GatewayConfig, Limits};
use crate::problem::{Code, Problem};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use actors::Vitals;
use buckets::Verdict;
use metrics::{Gauge, counter, gauge};
use queue_age::{AgeLimit, QueueAge};
use quota::Standing;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use uuid::Uuid;

/// Tells whether the database answers. It is called for each request, so it must not block.
pub type DatabaseProbe = Arc<dyn Fn() -> bool + Send + Sync>;

/// Policy of the clients that are let in, as the headers name it.
const DEFAULT: &str = "default";
/// Policy of the addresses that fail to prove who they are.
const FAILURES: &str = "failed-authentication";
/// Policy of the accounts whose password is tried.
const SIGN_INS: &str = "sign-in";

/// The time in which the failures of an account count. One try is free again after a part of it.
const SIGN_IN_WINDOW: Duration = Duration::from_secs(600);

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The beginning of the SHA-256 of an e-mail address: no address is kept here.
type AccountName = [u8; 16];

/// A password that is being tried.
pub(crate) struct Attempt(Option<AccountName>);

/// All limits of the edge with their state, shared by all workers.
pub(crate) struct Guards {
    clients: Option<Buckets<Uuid>>,
    failures: Option<Buckets<IpAddr>>,
    sign_ins: Option<Buckets<AccountName>>,
    proxies: Vec<Network>,
    queue: QueueAge,
    places: Arc<Semaphore>,
    in_work: Gauge,
    senses: Senses,
}

/// What the limits look at. They do not look by themselves, so that a test can show them anything.
#[derive(Clone)]
pub(crate) struct Senses {
    /// The time.
    pub(crate) now: Arc<dyn Fn() -> Instant + Send + Sync>,
    /// Age of the oldest message that waits for a lane.
    pub(crate) oldest_wait: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Whether the database answers.
    pub(crate) database: DatabaseProbe,
}

impl Senses {
    /// Looks at the clock, at these lanes, and at this database.
    pub(crate) fn of(lanes: Vec<Arc<Vitals>>, database: DatabaseProbe) -> Self {
        let oldest = move || lanes.iter().map(|lane| lane.oldest_wait()).max().unwrap_or_default();
        Self { now: Arc::new(Instant::now), oldest_wait: Arc::new(oldest), database }
    }

    fn now(&self) -> Instant {
        (self.now)()
    }
}

/// A request's place among those in work; free again when this is dropped.
pub(crate) struct Place {
    /// None for what is vital: it is let in also when there is no place.
    _permit: Option<OwnedSemaphorePermit>,
    in_work: Gauge,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.in_work.decrement(1.0);
    }
}

/// How a client stands with a quota, for the headers of its answer.
#[derive(Clone, Copy)]
pub(crate) struct Told {
    policy: &'static str,
    quota: Quota,
    standing: Standing,
}

impl Told {
    /// Puts in `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers).
    pub(crate) fn put(self, headers: &mut HeaderMap) {
        let Self { policy, quota, standing } = self;
        let (units, window) = (quota.units(), quota.window().as_secs());
        let (remaining, reset) = (standing.remaining, whole_seconds(standing.reset));
        for (name, text) in [
            (RATE_LIMIT_POLICY, format!("\"{policy}\";q={units};w={window}")),
            (RATE_LIMIT, format!("\"{policy}\";r={remaining};t={reset}")),
        ] {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        }
    }
}

/// Seconds, rounded up: whoever waits so long has waited long enough.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

impl Guards {
    pub(crate) fn new(config: &GatewayConfig, senses: Senses) -> Self {
        let Limits { requests_per_second, failed_authentications_per_minute, .. } = config.limits;
        let limits = &config.limits;
        let rule = AgeLimit { limit: limits.queue_age, interval: limits.queue_age_interval };
        Self {
            clients: buckets(requests_per_second, Duration::from_secs(1)),
            failures: buckets(failed_authentications_per_minute, Duration::from_secs(60)),
            sign_ins: buckets(limits.failed_sign_ins, SIGN_IN_WINDOW),
            proxies: config.trusted_proxies.clone(),
            queue: QueueAge::new(rule),
            places: Arc::new(Semaphore::new(limits.requests_in_work.min(Semaphore::MAX_PERMITS))),
            in_work: gauge!("http_requests_in_work"),
            senses,
        }
    }

    /// Whether the database answers.
    pub(crate) fn database_answers(&self) -> bool {
        (self.senses.database)()
    }

    /// Refuses whoever failed too often to prove who they are.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub(crate) fn may_try(&self, request: &HttpRequest) -> Result<(), Problem> {
        let Some((failures, address)) = self.account_of_failures(request) else { return Ok(()) };
        let told = |standing| Told { policy: FAILURES, quota: failures.quota(), standing };
        let (wait, standing) = match failures.look(address, self.senses.now()) {
            Verdict::Granted(_) => return Ok(()),
            Verdict::Refused(wait, standing) => (wait, standing),
            // Closed: among so many that fail, one that succeeds has a chance in a second.
            Verdict::NoRoom => {
                (Duration::from_secs(1), Standing { remaining: 0, reset: Duration::from_secs(1) })
            }
        };
        request.extensions_mut().insert(told(standing));
        Err(limited("failed_authentication", FAILURES, wait))
    }

    /// Counts a failure to prove who one is.
    pub(crate) fn failed(&self, request: &HttpRequest) {
        let Some((failures, address)) = self.account_of_failures(request) else { return };
        let standing = failures.charge(address, self.senses.now());
        let told = Told { policy: FAILURES, quota: failures.quota(), standing };
        request.extensions_mut().insert(told);
    }

    /// Takes a try of the account that this names, whether there is such an account or not. Taken
    /// before the password is looked at, so that many tries at once are no way around it.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub(crate) fn attempt(&self, request: &HttpRequest, name: &[u8]) -> Result<Attempt, Problem> {
        let Some(sign_ins) = &self.sign_ins else { return Ok(Attempt(None)) };
        let hash = Sha256::digest(name);
        let name: AccountName = std::array::from_fn(|index| hash[index]);
        let (wait, standing) = match sign_ins.take(name, self.senses.now()) {
            Verdict::Granted(_) => return Ok(Attempt(Some(name))),
            Verdict::Refused(wait, standing) => (wait, standing),
            // Closed, as for addresses that fail.
            Verdict::NoRoom => {
                (Duration::from_secs(1), Standing { remaining: 0, reset: Duration::from_secs(1) })
            }
        };
        let told = Told { policy: SIGN_INS, quota: sign_ins.quota(), standing };
        request.extensions_mut().insert(told);
        Err(limited("sign_in", SIGN_INS, wait))
    }

    /// Gives a try back that was none: its password was the right one, or was not looked at.
    pub(crate) fn give_back(&self, attempt: Attempt) {
        if let (Some(sign_ins), Attempt(Some(name))) = (&self.sign_ins, attempt) {
            sign_ins.give_back(name);
        }
    }

    fn account_of_failures(&self, request: &HttpRequest) -> Option<(&Buckets<IpAddr>, IpAddr)> {
        // A connection over TCP always has another end.
        let peer = request.peer_addr()?.ip();
        Some((self.failures.as_ref()?, peer::client(peer, request.headers(), &self.proxies)))
    }

    /// Takes a request from a client's quota.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub(crate) fn take(&self, request: &HttpRequest, client: Uuid) -> Result<(), Problem> {
        let Some(clients) = &self.clients else { return Ok(()) };
        let (refused, standing) = match clients.take(client, self.senses.now()) {
            Verdict::Granted(standing) => (None, standing),
            Verdict::Refused(wait, standing) => (Some(wait), standing),
            // Open: these are clients that we know.
            Verdict::NoRoom => return Ok(()),
        };
        request.extensions_mut().insert(Told { policy: DEFAULT, quota: clients.quota(), standing });
        refused.map_or(Ok(()), |wait| Err(limited("quota", DEFAULT, wait)))
    }

    /// Gives a request its place, unless the node cannot serve it now.
    ///
    /// # Errors
    /// `UNAVAILABLE`, `OVERLOADED`.
    pub(crate) fn let_in(&self, class: Class) -> Result<Place, Problem> {
        if class.needs_database() && !self.database_answers() {
            refused("database");
            return Err(Problem::new(
                Code::Unavailable,
                "The database cannot be reached. Nothing happened.",
            ));
        }
        if class == Class::Write
            && self.queue.refuses((self.senses.oldest_wait)(), self.senses.now())
        {
            refused("queue_age");
            return Err(Problem::overloaded());
        }
        let permit = match (self.places.clone().try_acquire_owned(), class) {
            (Ok(permit), _) => Some(permit),
            (Err(_), Class::Vital | Class::Sight) => None,
            (Err(_), _) => {
                refused("in_work");
                return Err(Problem::overloaded());
            }
        };
        self.in_work.increment(1.0);
        Ok(Place { _permit: permit, in_work: self.in_work.clone() })
    }
}

/// A quota for each client; none where `units` is 0.
fn buckets<K: std::hash::Hash + Eq + Copy>(units: u32, window: Duration) -> Option<Buckets<K>> {
    (units > 0).then(|| Buckets::new(Quota::new(units, window)))
}

fn limited(reason: &'static str, policy: &'static str, wait: Duration) -> Problem {
    refused(reason);
    let seconds = whole_seconds(wait).max(1);
    let message = format!("Too many requests. There is room again in {seconds} s.");
    Problem::new(Code::RateLimited, message).with("policy", policy).retry_after(seconds)
}

fn refused(reason: &'static str) {
    counter!("http_refusals_total", "reason" => reason).increment(1);
}
