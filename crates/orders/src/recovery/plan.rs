//! The decisions of recovery: pure.

use domain::{Goods, Order, PARTITIONS, Timestamp};
use std::time::Duration;
use store::leases::Lease;
use uuid::Uuid;

/// How long things may take before something is done about them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Age at which a pending order gives its goods back.
    pub(crate) expire_after: Duration,
    /// How long after its last change an order is given up of whose payment the provider knows
    /// nothing: longer than any request of ours can be on its way.
    pub(crate) give_up_after: Duration,
}

/// What to do with an order of whose payment the provider knows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfAbsent {
    /// Ask for the money again, with the same key.
    Charge,
    /// End the order.
    GiveUp,
    /// Wait: a request of ours may still be on its way.
    Wait,
}

/// What to do with an order whose payment is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Give its goods to others.
    pub(crate) release_goods: bool,
    /// And then, if the provider knows of no payment.
    pub(crate) if_absent: IfAbsent,
}

/// What to do with a pending order now.
pub(crate) fn plan(order: &Order, now: Timestamp, limits: &Limits) -> Plan {
    let expired = age(order.created_at, now) >= limits.expire_after;
    let unwanted = order.cancel_requested.is_some() || order.goods == Goods::Free || expired;
    let quiet = age(order.updated_at, now) >= limits.give_up_after;
    Plan {
        release_goods: expired && order.goods == Goods::Held,
        if_absent: match (unwanted, quiet && !(expired && order.goods == Goods::Held)) {
            (false, _) => IfAbsent::Charge,
            (true, true) => IfAbsent::GiveUp,
            (true, false) => IfAbsent::Wait,
        },
    }
}

/// Whether something of this age is to be looked at in a round, when the one before it was
/// `interval` ago: after 1, 2, 4 … times `first`, and then every `pause_max`. So what the provider
/// does not answer is not asked again and again by thousands of orders.
pub(crate) fn is_due(
    age: Duration,
    interval: Duration,
    first: Duration,
    pause_max: Duration,
) -> bool {
    let first = first.max(Duration::from_millis(1));
    let marks = |age: Duration| {
        let (mut mark, mut passed) = (first, 0_u128);
        while mark <= age && mark < pause_max {
            (mark, passed) = (mark * 2, passed + 1);
        }
        if mark > age {
            return passed;
        }
        passed + 1 + (age - mark).as_micros() / pause_max.as_micros().max(1)
    };
    marks(age) > marks(age.saturating_sub(interval))
}

pub(crate) fn age(since: Timestamp, now: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(now.micros() - since.micros()).unwrap_or(0))
}

/// The lease of a partition's recovery.
pub(crate) fn partition_lease(partition: u8) -> String {
    format!("recovery/{partition}")
}

/// The lease by which a node shows that it lives.
pub(crate) fn node_lease(node: Uuid) -> String {
    format!("node/{node}")
}

/// Which leases a node is to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shares {
    /// To renew or to take.
    pub(crate) hold: Vec<String>,
    /// To give up, so that others get their share.
    pub(crate) give_up: Vec<String>,
}

/// Shares the partitions out among the nodes that live: each keeps what it has up to its share, and
/// takes what nobody holds.
pub(crate) fn shares(me: Uuid, nodes: &[Lease], partitions: &[Lease]) -> Shares {
    let others = nodes.iter().filter(|node| node.is_live && node.holder != me).count();
    let share = usize::from(PARTITIONS).div_ceil(others + 1);
    let lease_of = |name: &str| partitions.iter().find(|lease| lease.name == name);
    let (mut mine, mut free) = (Vec::new(), Vec::new());
    for name in (0..PARTITIONS).map(partition_lease) {
        match lease_of(&name) {
            Some(lease) if lease.is_live && lease.holder == me => mine.push(name),
            Some(lease) if lease.is_live => {}
            _ => free.push(name),
        }
    }
    let give_up = mine.split_off(share.min(mine.len()));
    mine.extend(free.into_iter().take(share.saturating_sub(mine.len())));
    Shares { hold: mine, give_up }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
