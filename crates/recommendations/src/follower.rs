//! What the log tells: the baskets of confirmed orders.

use crate::memory::Basket;
use crate::service::Shared;
use broker::{Follower, Informed, NotTaken};
use domain::{OrderEvent, Sku};
use metrics::gauge;
use std::sync::Arc;
use store::outbox::{Kinds, Logged};

/// Reads for the handle that it shares its memory with.
pub(crate) struct Reader(pub(crate) Arc<Shared>);

impl Follower for Reader {
    fn name(&self) -> &'static str {
        "recommendations"
    }

    fn kinds(&self) -> Kinds {
        &["order.confirmed"]
    }

    fn take(&self, event: &Logged) -> Result<(), NotTaken> {
        // All that can go wrong goes wrong before the lock is taken.
        let basket = basket(event)?;
        self.0.write().add(&basket);
        Ok(())
    }

    fn wants_before(&self, seq: i64) -> bool {
        self.0.read().wants_before(seq)
    }

    #[expect(clippy::cast_precision_loss, reason = "a measure needs no more than 52 bits")]
    fn informed(&self, how: Informed) {
        let (orders, bytes) = {
            let mut memory = self.0.write();
            memory.refresh();
            (memory.len(), memory.cost())
        };
        gauge!("recommendations_orders").set(orders as f64);
        gauge!("recommendations_bytes").set(bytes as f64);
        self.0.informed(how);
    }
}

/// The basket of a confirmation. A product on several lines is in it once.
fn basket(logged: &Logged) -> Result<Basket, NotTaken> {
    let OrderEvent::Confirmed(confirmed) = logged.event().map_err(NotTaken::because)? else {
        return Err(NotTaken::because("the event is not what its kind says"));
    };
    let mut skus: Vec<Sku> = confirmed.lines.into_iter().map(|line| line.sku).collect();
    skus.sort_unstable();
    skus.dedup();
    let (partition, seq, at) = (logged.partition, logged.seq, logged.at);
    Ok(Basket { partition, seq, at, customer: confirmed.customer_id, skus })
}
