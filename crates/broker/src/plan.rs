//! Pure decisions: how a batch that fails is taken apart, and when a parked event is tried again.

use crate::BrokerConfig;
use crate::partitions::Partitions;
use domain::Timestamp;
use std::time::Duration;

/// The moment of an event that waits behind another one of its order: never. It gets a moment of
/// its own when it is the first.
pub(crate) const NOT_BEFORE_ITS_TURN: Timestamp = Timestamp::from_micros(253_370_764_800_000_000);

/// One transaction to be tried: the next events of these partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) partitions: Partitions,
    /// Most events of each partition, ≥ 1.
    pub(crate) limit: i64,
}

/// What is still to be tried, first things last. It shrinks a failing batch until the culprit
/// stands alone: several partitions to one, then halves.
#[derive(Debug)]
pub(crate) struct Plan(Vec<Attempt>);

/// What to do about an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterFailure {
    /// It was taken apart; go on.
    TryParts,
    /// It was a single event: that is the culprit.
    Park,
}

impl Plan {
    /// To try all of `partitions` at once, with at most `batch` events in all, but one of each.
    pub(crate) fn new(partitions: Partitions, batch: i64) -> Self {
        if partitions.is_empty() {
            return Self(Vec::new());
        }
        let limit = (batch / i64::from(partitions.len())).max(1);
        Self(vec![Attempt { partitions, limit }])
    }

    /// The next attempt, if anything is left.
    pub(crate) fn next(&mut self) -> Option<Attempt> {
        self.0.pop()
    }

    /// The attempt failed, having found `events` events.
    pub(crate) fn failed(&mut self, attempt: Attempt, events: i64) -> AfterFailure {
        if events <= 1 {
            return AfterFailure::Park;
        }
        if attempt.partitions.len() > 1 {
            let alone = |partition| Attempt { partitions: Partitions::one(partition), ..attempt };
            self.0.extend(attempt.partitions.iter().map(alone));
        } else {
            let first = events / 2;
            self.0.push(Attempt { limit: events - first, ..attempt });
            self.0.push(Attempt { limit: first, ..attempt });
        }
        AfterFailure::TryParts
    }
}

/// What becomes of an event after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Attempts made so far.
    pub(crate) attempts: i64,
    /// When to try again.
    pub(crate) next_attempt_at: Timestamp,
    /// Set when it is not tried again.
    pub(crate) dead_since: Option<Timestamp>,
}

/// Judges an event after attempt number `attempts` (from 1) failed at `now`.
pub(crate) fn verdict(attempts: i64, now: Timestamp, config: &BrokerConfig) -> Verdict {
    let exponent = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0);
    let wait = backoff(config.park_base, config.park_max, exponent, (config.jitter)());
    let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    Verdict {
        attempts,
        next_attempt_at: Timestamp::from_micros(now.micros().saturating_add(micros)),
        dead_since: (attempts >= config.attempts_max).then_some(now),
    }
}

/// `base · 2^exponent`, at most `max`, of which the later half is random: waits spread out, and
/// none is so short that nothing can have changed.
pub(crate) fn backoff(base: Duration, max: Duration, exponent: u32, jitter: f64) -> Duration {
    let longest = base.saturating_mul(1 << exponent.min(20)).min(max);
    longest.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn config() -> BrokerConfig {
        BrokerConfig { attempts_max: 3, jitter: || 1.0, ..BrokerConfig::default() }
    }

    #[test]
    fn the_batch_is_shared_by_the_partitions() {
        let attempt = |set, batch| Plan::new(Partitions(set), batch).next().map(|a| a.limit);
        assert_eq!(attempt(0b1, 256), Some(256));
        assert_eq!(attempt(0b101_0101, 256), Some(64));
        assert_eq!(attempt(0b11, 1), Some(1));
        assert_eq!(attempt(0, 256), None);
    }

    #[test]
    fn attempts_wait_longer_each_time_and_end() {
        let now = Timestamp::from_micros(0);
        let first = verdict(1, now, &config());
        assert_eq!((first.next_attempt_at, first.dead_since), (now.plus_seconds(1), None));
        let second = verdict(2, now, &config());
        assert_eq!((second.next_attempt_at, second.dead_since), (now.plus_seconds(2), None));
        assert_eq!(verdict(3, now, &config()).dead_since, Some(now));
    }

    #[test]
    fn backoff_is_bounded_and_never_nothing() {
        let wait = |exponent, jitter| {
            backoff(Duration::from_secs(1), Duration::from_secs(60), exponent, jitter)
        };
        assert_eq!(wait(0, 0.0), Duration::from_millis(500));
        assert_eq!(wait(3, 1.0), Duration::from_secs(8));
        assert_eq!(wait(u32::MAX, 1.0), Duration::from_secs(60));
    }

    /// A log, a set of events that always fail, and the broker's loop over them.
    fn run(log: &BTreeMap<u8, usize>, poison: &BTreeSet<(u8, usize)>, batch: i64) -> Outcome {
        let mut positions: BTreeMap<u8, usize> = BTreeMap::new();
        let mut outcome = Outcome::default();
        let all: Partitions = log.keys().copied().collect();
        while log.iter().any(|(p, n)| positions.get(p).copied().unwrap_or(0) < *n) {
            let mut plan = Plan::new(all, batch);
            while let Some(attempt) = plan.next() {
                let read: Vec<(u8, usize)> = attempt
                    .partitions
                    .iter()
                    .flat_map(|p| {
                        let from = positions.get(&p).copied().unwrap_or(0);
                        let limit = usize::try_from(attempt.limit).expect("small");
                        (from..log[&p].min(from + limit)).map(move |i| (p, i))
                    })
                    .collect();
                outcome.transactions += 1;
                let failed = read.iter().any(|event| poison.contains(event));
                if failed {
                    let events = i64::try_from(read.len()).expect("small");
                    if plan.failed(attempt, events) == AfterFailure::TryParts {
                        continue;
                    }
                    outcome.parked.extend(read.iter().copied());
                } else {
                    outcome.applied.extend(read.iter().copied());
                }
                for (p, i) in read {
                    positions.insert(p, i + 1);
                }
            }
        }
        outcome
    }

    #[derive(Default)]
    struct Outcome {
        applied: Vec<(u8, usize)>,
        parked: BTreeSet<(u8, usize)>,
        transactions: usize,
    }

    #[test]
    fn one_culprit_in_a_full_batch_is_found_fast() {
        for culprit in [0, 100, 255] {
            let found = run(&BTreeMap::from([(0, 256)]), &BTreeSet::from([(0, culprit)]), 256);
            assert_eq!(found.parked, BTreeSet::from([(0, culprit)]));
            assert!(found.transactions <= 17, "{} transactions", found.transactions);
        }
    }

    proptest! {
        #[test]
        fn the_culprits_are_parked_and_nobody_else(
            log in prop::collection::btree_map(0_u8..8, 1_usize..40, 1..5),
            picks in prop::collection::vec((0_u8..8, 0_usize..40), 0..12),
            batch in 1_i64..64,
        ) {
            let poison: BTreeSet<(u8, usize)> =
                picks.into_iter().filter(|(p, i)| log.get(p).is_some_and(|n| i < n)).collect();
            let outcome = run(&log, &poison, batch);
            prop_assert_eq!(&outcome.parked, &poison);
            let expected = log.values().sum::<usize>() - poison.len();
            prop_assert_eq!(outcome.applied.len(), expected);
            for p in log.keys() {
                let order: Vec<_> = outcome.applied.iter().filter(|(q, _)| q == p).collect();
                prop_assert!(order.is_sorted());
            }
        }
    }
}
