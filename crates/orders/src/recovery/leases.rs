//! The leases of this node.

use super::plan::{node_lease, partition_lease, shares};
use crate::shop::Parts;
use domain::OrderId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::StoreError;
use store::leases::{self, Held};
use tokio::time::Instant;
use uuid::Uuid;

/// After so long without a sign of life, a node that is gone is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The partitions whose recovery is this node's. They are renewed while the work goes on.
pub(crate) struct Leases {
    node: Uuid,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: HashMap<u8, Held>,
    /// When this node stops of its own accord, by a clock that a stopped process cannot misread:
    /// two thirds of the lease after it was taken (rule D8).
    ends: Option<Instant>,
}

impl Leases {
    pub(crate) fn new(node: Uuid) -> Self {
        Self { node, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Replaced whole: a panic elsewhere cannot leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease under which an order's recovery is this node's, if it is.
    pub(super) fn of(&self, order: OrderId) -> Option<Held> {
        self.of_partition(order.partition())
    }

    /// Whether this node does what belongs to no order.
    pub(super) fn holds_first(&self) -> bool {
        self.of_partition(0).is_some()
    }

    fn of_partition(&self, partition: u8) -> Option<Held> {
        let state = self.state();
        let is_live = state.ends.is_some_and(|ends| Instant::now() < ends);
        state.held.get(&partition).filter(|_| is_live).cloned()
    }

    /// Renews what is this node's share, gives the rest up, and takes what nobody holds.
    pub(super) async fn renew(&self, parts: &Parts, ttl: Duration) -> Result<(), StoreError> {
        let (began, now) = (Instant::now(), parts.clock.now());
        let nodes = leases::list(&parts.db, "node/", now).await?;
        let partitions = leases::list(&parts.db, "recovery/", now).await?;
        let shares = shares(self.node, &nodes, &partitions);
        let given_up: Vec<Held> = {
            let state = self.state();
            let held = state.held.values();
            held.filter(|held| shares.give_up.contains(&held.name)).cloned().collect()
        };
        let mut names = shares.hold;
        names.push(node_lease(self.node));
        let mut tx = parts.db.begin().await?;
        leases::release(&mut tx, &given_up, now).await?;
        let held = leases::take(&mut tx, &names, self.node, ttl, now).await?;
        leases::forget(&mut tx, "node/", FORGET_AFTER, now).await?;
        tx.commit().await?;
        let mut by_name: HashMap<String, Held> =
            held.into_iter().map(|held| (held.name.clone(), held)).collect();
        let held: HashMap<u8, Held> = (0..domain::PARTITIONS)
            .filter_map(|partition| Some((partition, by_name.remove(&partition_lease(partition))?)))
            .collect();
        metrics::gauge!("recovery_partitions").set(held.len() as f64);
        *self.state() = State { held, ends: Some(began + ttl * 2 / 3) };
        Ok(())
    }

    /// Gives all of them up, so that others go on at once.
    pub(crate) async fn release(&self, parts: &Parts) -> Result<(), StoreError> {
        let held: Vec<Held> = std::mem::take(&mut *self.state()).held.into_values().collect();
        let mut tx = parts.db.begin().await?;
        leases::release(&mut tx, &held, parts.clock.now()).await?;
        tx.commit().await
    }
}
