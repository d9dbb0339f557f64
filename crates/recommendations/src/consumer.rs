//! The consumer group `recommendations`.

use crate::basket::Basket;
use crate::books;
use async_trait::async_trait;
use broker::{ConsumeError, Consumer};
use domain::OrderEvent;
use std::sync::Arc;
use store::Tx;
use store::outbox::Logged;

/// Name of the group.
pub const CONSUMER: &str = "recommendations";

/// The group, for [`broker::start`].
#[must_use]
pub fn consumer() -> Arc<dyn Consumer> {
    Arc::new(BasketConsumer)
}

struct BasketConsumer;

#[async_trait]
impl Consumer for BasketConsumer {
    fn name(&self) -> &'static str {
        CONSUMER
    }

    async fn apply(&self, mut tx: Tx, events: &[Logged]) -> Result<Tx, ConsumeError> {
        let confirmed = events.iter().filter(|event| event.kind == "order.confirmed");
        let mut baskets: Vec<Basket> = confirmed.map(basket).collect::<Result<_, _>>()?;
        // The events come by partition: sorted, the baskets are appended to their table.
        baskets.sort_unstable_by_key(|basket| basket.id);
        books::keep(&mut tx, &baskets).await?;
        Ok(tx)
    }
}

fn basket(logged: &Logged) -> Result<Basket, ConsumeError> {
    let OrderEvent::Confirmed(confirmed) = logged.event().map_err(ConsumeError::event)? else {
        return Err(ConsumeError::event("the event is not what its kind says"));
    };
    Ok(Basket::of(logged.seq, confirmed.lines))
}
