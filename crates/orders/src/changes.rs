//! Tells those who follow orders that something was committed.

use domain::{OrderId, PARTITIONS};
use tokio::sync::watch;

/// One counter per partition of the log; each rises with the commits of this node.
pub(crate) struct Changes {
    partitions: Vec<watch::Sender<u64>>,
}

impl Default for Changes {
    fn default() -> Self {
        Self { partitions: (0..PARTITIONS).map(|_| watch::Sender::new(0)).collect() }
    }
}

impl Changes {
    pub(crate) fn tell(&self, partitions: &[u8]) {
        let all = partitions.iter().filter_map(|at| self.partitions.get(usize::from(*at)));
        all.for_each(|sender| sender.send_modify(|count| *count = count.wrapping_add(1)));
    }

    pub(crate) fn of(&self, order: OrderId) -> watch::Receiver<u64> {
        let sender = self.partitions.get(usize::from(order.partition()));
        sender.map_or_else(|| watch::Sender::new(0).subscribe(), watch::Sender::subscribe)
    }
}
