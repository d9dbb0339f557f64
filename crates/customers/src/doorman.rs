//! Who knows keys and sessions: a memory that every request asks, and an actor for those that are
//! not in it.

use crate::account::Role;
use crate::books::{self, sessions};
use crate::messages::{Credential, Recognise};
use crate::{Kind, Principal};
use actors::{BatchLimits, Batcher, Desk, Envelope, Opened, Serve, Service};
use domain::{Clock, Timestamp};
use moka::future::Cache;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::{Db, StoreError};
use tracing::Instrument;
use uuid::Uuid;

/// How long a credential that was good passes without another look, in seconds: as long as a key
/// that another node revoked, or a session that ended there, may still open this one.
const GOOD_SECONDS: u32 = 10;

/// How long a credential that was bad is refused without another look, in seconds.
const BAD_SECONDS: u32 = 2;

/// How long a credential is remembered at all. The age that counts is told by the wall clock; this is
/// told by one that nobody can set back, and is longer so that the two are never in each other's
/// way.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// How long a credential that was good passes while the database is away, in seconds. Nobody can be asked
/// then; and what such a key opens meanwhile are reads from memory, because nothing can be written.
const PROVEN_SECONDS: u32 = 600;

/// Like [`FORGOTTEN_AFTER`], for the keys that were proven.
const UNPROVEN_AFTER: Duration = Duration::from_secs(660);

/// Most credentials in each memory of good ones: all who are there at the same time, in some tens
/// of megabytes.
const GOOD_MAX: u64 = 100_000;

/// Most in the memory of bad ones. It is apart, so that a flood of them drives no good one out.
const BAD_MAX: u64 = 10_000;

/// Most keys whose use is noted and not written yet.
const USES_MAX: usize = 10_000;

/// Look-ups under way at once. A flood of made-up keys may take this many connections to the
/// database and no more; the others wait here, and are refused when the mailbox is full.
const LIMITS: BatchLimits = BatchLimits { items_max: 1, weight_max: 1, in_flight_max: 4 };

/// The credentials that were seen lately.
#[derive(Clone)]
pub(crate) struct Memory {
    good: Cache<Credential, Arc<Good>>,
    bad: Cache<Credential, Timestamp>,
    /// The good ones, kept for longer: what passes when the database cannot be asked.
    proven: Cache<Credential, Arc<Good>>,
    /// When keys were looked up, until that is written.
    uses: Arc<Mutex<HashMap<Uuid, Timestamp>>>,
}

/// Whose credential it is, and until when.
struct Found {
    principal: Principal,
    expires_at: Option<Timestamp>,
}

struct Good {
    found: Found,
    seen: Timestamp,
}

impl Good {
    /// The principal, if this was seen within so many seconds and has not expired.
    fn still(&self, now: Timestamp, seconds: u32) -> Option<Principal> {
        let lasts = self.found.expires_at.is_none_or(|end| now < end);
        (lasts && is_fresh(self.seen, now, seconds)).then(|| self.found.principal.clone())
    }
}

impl Memory {
    pub(crate) fn new() -> Self {
        let good = |forgotten| Cache::builder().max_capacity(GOOD_MAX).time_to_live(forgotten);
        Self {
            good: good(FORGOTTEN_AFTER).build(),
            bad: Cache::builder().max_capacity(BAD_MAX).time_to_live(FORGOTTEN_AFTER).build(),
            proven: good(UNPROVEN_AFTER).build(),
            uses: Arc::default(),
        }
    }

    /// Whose it is, as far as that was seen lately: `Some(None)` for one that opens nothing.
    pub(crate) async fn recall(
        &self,
        credential: &Credential,
        now: Timestamp,
    ) -> Option<Option<Principal>> {
        if let Some(good) = self.good.get(credential).await
            && let Some(principal) = good.still(now, GOOD_SECONDS)
        {
            return Some(Some(principal));
        }
        let seen = self.bad.get(credential).await?;
        is_fresh(seen, now, BAD_SECONDS).then_some(None)
    }

    /// Whose it was when it was last looked at, for a time in which nobody can look.
    pub(crate) async fn recall_proven(
        &self,
        credential: &Credential,
        now: Timestamp,
    ) -> Option<Principal> {
        self.proven.get(credential).await?.still(now, PROVEN_SECONDS)
    }

    async fn learn(&self, credential: Credential, found: Option<Found>, seen: Timestamp) {
        match found {
            Some(found) => {
                self.bad.invalidate(&credential).await;
                let good = Arc::new(Good { found, seen });
                self.proven.insert(credential, good.clone()).await;
                self.good.insert(credential, good).await;
            }
            None => {
                self.good.invalidate(&credential).await;
                self.proven.invalidate(&credential).await;
                self.bad.insert(credential, seen).await;
            }
        }
    }

    /// What was seen of this credential is not true any more.
    pub(crate) async fn forget(&self, credential: &Credential) {
        self.good.invalidate(credential).await;
        self.proven.invalidate(credential).await;
        self.bad.invalidate(credential).await;
    }

    fn note_use(&self, key: Uuid, now: Timestamp) {
        // Nothing in here panics half-way.
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < USES_MAX || uses.contains_key(&key) {
            uses.insert(key, now);
        }
    }

    /// The uses that were noted, which are forgotten here.
    pub(crate) fn take_uses(&self) -> HashMap<Uuid, Timestamp> {
        std::mem::take(&mut self.uses.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether something seen then still counts. A clock that was set back makes it stale.
fn is_fresh(seen: Timestamp, now: Timestamp, seconds: u32) -> bool {
    seen <= now && now < seen.plus_seconds(seconds.into())
}

#[derive(Clone)]
struct Tools {
    db: Db,
    clock: Arc<dyn Clock>,
    memory: Memory,
}

pub struct Doorman {
    tools: Tools,
    waiting: Batcher<Envelope<Recognise>>,
}

impl Doorman {
    pub(crate) fn new(db: Db, clock: Arc<dyn Clock>, memory: Memory) -> Self {
        Self { tools: Tools { db, clock, memory }, waiting: Batcher::new(LIMITS) }
    }

    fn begin(&mut self, desk: &mut Desk<'_, Self>) {
        while let Some(envelopes) = self.waiting.next_batch() {
            let tools = self.tools.clone();
            let work = async move {
                for envelope in envelopes {
                    let Some(Opened { message, context, reply }) = envelope.open() else {
                        continue;
                    };
                    let span = context.span().clone();
                    reply.send(tools.recognise(message.credential).instrument(span).await);
                }
            };
            desk.run(work, |doorman, _, desk| {
                doorman.waiting.finished();
                doorman.begin(desk);
            });
        }
    }
}

impl Tools {
    async fn recognise(&self, credential: Credential) -> Result<Option<Principal>, StoreError> {
        // Taken before the look, so that what is learned is never believed for too long.
        let now = self.clock.now();
        // Many requests with one credential come at once: the first look serves them all.
        if let Some(known) = self.memory.recall(&credential, now).await {
            return Ok(known);
        }
        let found = self.look(&credential).await?;
        let found = found.filter(|found| found.expires_at.is_none_or(|end| now < end));
        let principal = found.as_ref().map(|found| found.principal.clone());
        if let (Credential::Key(_), Some(principal)) = (credential, &principal) {
            self.memory.note_use(principal.id, now);
        }
        self.memory.learn(credential, found, now).await;
        Ok(principal)
    }

    async fn look(&self, credential: &Credential) -> Result<Option<Found>, StoreError> {
        Ok(match credential {
            Credential::Key(hash) => {
                let key = books::keys::find(&self.db, hash).await?.filter(|key| !key.revoked);
                key.map(|key| Found {
                    principal: Principal {
                        id: key.id,
                        kind: Kind::Key,
                        name: key.name.into(),
                        scopes: key.scopes,
                    },
                    expires_at: key.expires_at,
                })
            }
            Credential::Session(id) => sessions::find(&self.db, *id).await?.map(Found::of_session),
        })
    }
}

impl Found {
    fn of_session(live: sessions::Live) -> Self {
        let kind = match (live.role, live.customer_id) {
            (Role::Customer, Some(id)) => Kind::Customer(id),
            (role, _) => Kind::Staff(role),
        };
        let (name, scopes) = (live.role.as_str().into(), live.role.scopes());
        let principal = Principal { id: live.account_id, kind, name, scopes };
        Self { principal, expires_at: Some(live.expires_at) }
    }
}

impl Service for Doorman {}

impl Serve<Recognise> for Doorman {
    fn serve(&mut self, envelope: Envelope<Recognise>, desk: &mut Desk<'_, Self>) {
        self.waiting.push(envelope, 1);
        self.begin(desk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_counts_for_its_time_and_not_from_the_future() {
        let at = |second| Timestamp::from_micros(0).plus_seconds(second);
        assert!(is_fresh(at(5), at(5), 10));
        assert!(is_fresh(at(5), Timestamp::from_micros(at(15).micros() - 1), 10));
        assert!(!is_fresh(at(5), at(15), 10));
        assert!(!is_fresh(at(5), at(4), 10));
    }
}
