//! Who knows the keys: a memory that every request asks, and an actor for the keys that are not
//! in it.

use crate::keys::KeyHash;
use crate::messages::Recognise;
use crate::{Principal, books};
use actors::{BatchLimits, Batcher, Desk, Envelope, Opened, Serve, Service};
use domain::{Clock, Timestamp};
use moka::future::Cache;
use std::sync::Arc;
use std::time::Duration;
use store::{Db, StoreError};
use tracing::Instrument;

/// How long a key that was good passes without another look, in seconds: as long as a key that
/// another node revoked may still open this one.
const GOOD_SECONDS: u32 = 10;

/// How long a key that was bad is refused without another look, in seconds.
const BAD_SECONDS: u32 = 2;

/// How long a key is remembered at all. The age that counts is told by the wall clock; this is
/// told by one that nobody can set back, and is longer so that the two are never in each other's
/// way.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// How long a key that was good passes while the database is away, in seconds. Nobody can be asked
/// then; and what such a key opens meanwhile are reads from memory, because nothing can be written.
const PROVEN_SECONDS: u32 = 600;

/// Like [`FORGOTTEN_AFTER`], for the keys that were proven.
const UNPROVEN_AFTER: Duration = Duration::from_secs(660);

/// Most keys in each of the memories. They are apart, so that a flood of bad keys drives no
/// good one out.
const KEYS_MAX: u64 = 10_000;

/// Look-ups under way at once. A flood of made-up keys may take this many connections to the
/// database and no more; the others wait here, and are refused when the mailbox is full.
const LIMITS: BatchLimits = BatchLimits { items_max: 1, weight_max: 1, in_flight_max: 4 };

/// The keys that were seen lately.
#[derive(Clone)]
pub(crate) struct Memory {
    good: Cache<KeyHash, Arc<Good>>,
    bad: Cache<KeyHash, Timestamp>,
    /// The good ones, kept for longer: what passes when the database cannot be asked.
    proven: Cache<KeyHash, Arc<Good>>,
}

struct Good {
    principal: Principal,
    seen: Timestamp,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            good: Cache::builder().max_capacity(KEYS_MAX).time_to_live(FORGOTTEN_AFTER).build(),
            bad: Cache::builder().max_capacity(KEYS_MAX).time_to_live(FORGOTTEN_AFTER).build(),
            proven: Cache::builder().max_capacity(KEYS_MAX).time_to_live(UNPROVEN_AFTER).build(),
        }
    }

    /// Whose key it is, as far as that was seen lately: `Some(None)` for a key that opens nothing.
    pub(crate) async fn recall(&self, hash: &KeyHash, now: Timestamp) -> Option<Option<Principal>> {
        if let Some(good) = self.good.get(hash).await
            && is_fresh(good.seen, now, GOOD_SECONDS)
        {
            return Some(Some(good.principal.clone()));
        }
        let seen = self.bad.get(hash).await?;
        is_fresh(seen, now, BAD_SECONDS).then_some(None)
    }

    /// Whose key it was when it was last looked at, for a time in which nobody can look.
    pub(crate) async fn recall_proven(&self, hash: &KeyHash, now: Timestamp) -> Option<Principal> {
        let proven = self.proven.get(hash).await?;
        is_fresh(proven.seen, now, PROVEN_SECONDS).then(|| proven.principal.clone())
    }

    async fn learn(&self, hash: KeyHash, principal: Option<&Principal>, seen: Timestamp) {
        match principal {
            Some(principal) => {
                self.bad.invalidate(&hash).await;
                let good = Arc::new(Good { principal: principal.clone(), seen });
                self.proven.insert(hash, good.clone()).await;
                self.good.insert(hash, good).await;
            }
            None => {
                self.good.invalidate(&hash).await;
                self.proven.invalidate(&hash).await;
                self.bad.insert(hash, seen).await;
            }
        }
    }

    /// What was seen of this key is not true any more.
    pub(crate) async fn forget(&self, hash: &KeyHash) {
        self.good.invalidate(hash).await;
        self.proven.invalidate(hash).await;
        self.bad.invalidate(hash).await;
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
                    reply.send(tools.recognise(message.hash).instrument(span).await);
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
    async fn recognise(&self, hash: KeyHash) -> Result<Option<Principal>, StoreError> {
        // Taken before the look, so that what is learned is never believed for too long.
        let now = self.clock.now();
        // Many requests with one key come at once: the first look serves them all.
        if let Some(known) = self.memory.recall(&hash, now).await {
            return Ok(known);
        }
        let found = match books::find_key(&self.db, &hash).await {
            Err(error @ StoreError::Unavailable(_)) => {
                let proven = self.memory.recall_proven(&hash, now).await;
                return proven.map(Some).ok_or(error);
            }
            found => found?,
        };
        let principal = found.filter(|key| !key.revoked).map(|key| Principal {
            id: key.id,
            name: key.name.into(),
            scopes: key.scopes,
        });
        self.memory.learn(hash, principal.as_ref(), now).await;
        Ok(principal)
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
