//! Limits of the broker.

use std::time::Duration;

/// Limits of the broker. [`BrokerConfig::default`] is what the product runs with.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Workers of each group; taken as `1..=PARTITIONS`. Each owns a share of the partitions.
    pub workers_per_group: usize,
    /// Most events in one transaction; at least one per partition is taken.
    pub batch: i64,
    /// Attempts at an event until it is a dead letter.
    pub attempts_max: i64,
    /// How often to look for events of other nodes and for parked events whose time has come.
    pub poll: Duration,
    /// Pause of a worker that has caught up, so that the next events share a commit. Longer means
    /// fewer and larger commits, which leave the database's writers to the orders; nobody waits for
    /// what the groups write.
    pub gather: Duration,
    /// Wait before the second attempt at a parked event; it doubles with each further one.
    pub park_base: Duration,
    /// Longest wait between two attempts at a parked event.
    pub park_max: Duration,
    /// Wait after the first failure of the database; it doubles with each further one.
    pub trouble_base: Duration,
    /// Longest wait after a failure of the database.
    pub trouble_max: Duration,
    /// The source of randomness that spreads waits: a number in `0.0..1.0`.
    pub jitter: fn() -> f64,
}

/// How a [`crate::Follower`] reads the log. [`FollowConfig::default`] is what the product runs with:
/// it takes its time, because nobody waits for a follower and everybody shares the database with it.
#[derive(Clone, Debug)]
pub struct FollowConfig {
    /// Events of one partition that are read at once.
    pub page: i64,
    /// How often to look for events of other nodes.
    pub poll: Duration,
    /// Pause after a look that left nothing, so that the next look finds more at once.
    pub gather: Duration,
    /// Wait after the first failure of the database; it doubles with each further one.
    pub trouble_base: Duration,
    /// Longest wait after a failure of the database.
    pub trouble_max: Duration,
    /// The source of randomness that spreads waits: a number in `0.0..1.0`.
    pub jitter: fn() -> f64,
}

impl Default for FollowConfig {
    fn default() -> Self {
        Self {
            page: 128,
            poll: Duration::from_secs(1),
            gather: Duration::from_millis(500),
            trouble_base: Duration::from_millis(100),
            trouble_max: Duration::from_secs(5),
            jitter: rand::random::<f64>,
        }
    }
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            workers_per_group: 2,
            batch: 256,
            attempts_max: 10,
            poll: Duration::from_millis(200),
            gather: Duration::from_millis(100),
            park_base: Duration::from_secs(1),
            park_max: Duration::from_secs(300),
            trouble_base: Duration::from_millis(100),
            trouble_max: Duration::from_secs(5),
            jitter: rand::random::<f64>,
        }
    }
}
