//! The quotas of many clients, in bounded memory.

use crate::limits::quota::{Quota, Standing, Taken};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Clients of which something is kept, at most: some megabytes.
const CLIENTS_MAX: usize = 65_536;

/// Parts with a lock each, so that the workers seldom meet.
const SHARDS: usize = 16;

/// How often a full shard is searched for clients whose quota is whole again. A search looks at
/// every client of the shard.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// What came of asking for a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on.
    Granted(Standing),
    /// The quota is used up; there is more after this time.
    Refused(Duration, Standing),
    /// Too many clients at once to keep an account of this one.
    NoRoom,
}

/// One quota for each client.
pub(crate) struct Buckets<K> {
    quota: Quota,
    shards: Box<[Mutex<Shard<K>>]>,
    clients_per_shard: usize,
    hasher: RandomState,
}

struct Shard<K> {
    /// When the whole quota of a client is free again. One that is not here has all of it.
    full_at: HashMap<K, Instant>,
    swept: Option<Instant>,
}

impl<K: Hash + Eq + Copy> Buckets<K> {
    /// Nobody has used anything yet.
    pub(crate) fn new(quota: Quota) -> Self {
        Self::with_room_for(quota, CLIENTS_MAX)
    }

    fn with_room_for(quota: Quota, clients: usize) -> Self {
        let shard = || Mutex::new(Shard { full_at: HashMap::new(), swept: None });
        Self {
            quota,
            shards: (0..SHARDS).map(|_| shard()).collect(),
            clients_per_shard: clients.div_ceil(SHARDS).max(1),
            hasher: RandomState::new(),
        }
    }

    /// What each client may use.
    pub(crate) const fn quota(&self) -> Quota {
        self.quota
    }

    fn shard(&self, client: &K) -> Option<MutexGuard<'_, Shard<K>>> {
        let index = usize::from(self.hasher.hash_one(client).to_le_bytes()[0]) % SHARDS;
        // Nothing in here panics half-way.
        Some(self.shards.get(index)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes one unit of a client's quota, if one is free.
    pub(crate) fn take(&self, client: K, now: Instant) -> Verdict {
        let Some(mut shard) = self.shard(&client) else { return Verdict::NoRoom };
        let known = shard.full_at.get(&client).copied();
        if known.is_none() && !shard.has_room(self.clients_per_shard, now) {
            return Verdict::NoRoom;
        }
        match self.quota.take(known.unwrap_or(now), now) {
            Taken::Yes { full_at, standing } => {
                shard.full_at.insert(client, full_at);
                Verdict::Granted(standing)
            }
            Taken::No { retry_after, standing } => Verdict::Refused(retry_after, standing),
        }
    }

    /// Gives one unit back that was taken.
    pub(crate) fn give_back(&self, client: K) {
        let Some(mut shard) = self.shard(&client) else { return };
        if let Some(full_at) = shard.full_at.get_mut(&client) {
            *full_at = self.quota.give_back(*full_at);
        }
    }

    /// Whether a unit is free, without taking it.
    pub(crate) fn look(&self, client: K, now: Instant) -> Verdict {
        let Some(mut shard) = self.shard(&client) else { return Verdict::NoRoom };
        let known = shard.full_at.get(&client).copied();
        if known.is_none() && !shard.has_room(self.clients_per_shard, now) {
            return Verdict::NoRoom;
        }
        let full_at = known.unwrap_or(now);
        match self.quota.take(full_at, now) {
            Taken::Yes { .. } => Verdict::Granted(self.quota.standing(full_at, now)),
            Taken::No { retry_after, standing } => Verdict::Refused(retry_after, standing),
        }
    }

    /// Takes one unit, free or not, and tells how the client stands then.
    pub(crate) fn charge(&self, client: K, now: Instant) -> Standing {
        let Some(mut shard) = self.shard(&client) else {
            return self.quota.standing(now, now);
        };
        let known = shard.full_at.get(&client).copied();
        let full_at = self.quota.charge(known.unwrap_or(now), now);
        if known.is_some() || shard.has_room(self.clients_per_shard, now) {
            shard.full_at.insert(client, full_at);
        }
        self.quota.standing(full_at, now)
    }
}

impl<K: Hash + Eq> Shard<K> {
    /// Whether one more client can be kept, after those with a whole quota are forgotten.
    fn has_room(&mut self, clients_max: usize, now: Instant) -> bool {
        if self.full_at.len() < clients_max {
            return true;
        }
        let is_due = self.swept.is_none_or(|swept| now >= swept + SWEEP_EVERY);
        if is_due {
            self.swept = Some(now);
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        self.full_at.len() < clients_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(buckets: &Buckets<u32>, client: u32, now: Instant) -> bool {
        matches!(buckets.take(client, now), Verdict::Granted(_))
    }

    #[test]
    fn a_unit_that_is_given_back_is_free_again() {
        let (buckets, now) =
            (Buckets::new(Quota::new(2, Duration::from_secs(600))), Instant::now());
        for _ in 0..10 {
            assert!(passes(&buckets, 1, now));
            buckets.give_back(1);
        }
        assert_eq!((0..5).filter(|_| passes(&buckets, 1, now)).count(), 2);
        buckets.give_back(2);
        assert_eq!((0..5).filter(|_| passes(&buckets, 2, now)).count(), 2);
    }

    #[test]
    fn one_client_does_not_use_up_anothers_quota() {
        let (buckets, now) = (Buckets::new(Quota::new(2, Duration::from_secs(1))), Instant::now());
        assert_eq!((0..5).filter(|_| passes(&buckets, 1, now)).count(), 2);
        assert!(matches!(buckets.look(1, now), Verdict::Refused(..)));
        assert!(passes(&buckets, 2, now));
        let later = now + Duration::from_millis(500);
        assert!(matches!(buckets.look(1, later), Verdict::Granted(Standing { remaining: 1, .. })));
        assert!(passes(&buckets, 1, later) && !passes(&buckets, 1, later));
    }

    #[test]
    fn a_charge_counts_also_when_nothing_is_left() {
        let (buckets, now) = (Buckets::new(Quota::new(2, Duration::from_secs(2))), Instant::now());
        let left: Vec<_> = (0..4).map(|_| buckets.charge(1, now).remaining).collect();
        assert_eq!(left, [1, 0, 0, 0]);
        // Four charges of a second each, in a bucket of two.
        let later = now + Duration::from_millis(2_999);
        assert!(matches!(buckets.look(1, later), Verdict::Refused(..)));
        assert!(matches!(buckets.look(1, now + Duration::from_secs(3)), Verdict::Granted(_)));
    }

    #[test]
    fn memory_is_bounded_and_whoever_is_idle_makes_room() {
        let buckets = Buckets::with_room_for(Quota::new(1, Duration::from_secs(10)), 160);
        let now = Instant::now();
        let verdicts: Vec<_> = (0..10_000).map(|client| buckets.take(client, now)).collect();
        let granted = verdicts.iter().filter(|v| matches!(v, Verdict::Granted(_))).count();
        assert_eq!(granted, 160);
        assert!(verdicts.contains(&Verdict::NoRoom));
        let kept = |buckets: &Buckets<u32>| -> usize {
            buckets.shards.iter().map(|shard| shard.lock().expect("a lock").full_at.len()).sum()
        };
        assert_eq!(kept(&buckets), 160);
        let stranger = (0..10_000).find(|client| buckets.take(*client, now) == Verdict::NoRoom);
        let stranger = stranger.expect("one that is not kept");
        assert_eq!(buckets.look(stranger, now), Verdict::NoRoom);
        let _ = buckets.charge(stranger, now);
        assert_eq!(kept(&buckets), 160);
        // Ten seconds later every quota is whole, and nobody needs to be kept.
        assert!(passes(&buckets, stranger, now + Duration::from_secs(10)));
        assert!(kept(&buckets) <= 151, "{}", kept(&buckets));
    }
}
