//! The consumer group `recommendations`.

use crate::books;
use crate::tally::Tally;
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
    Arc::new(CountingConsumer)
}

struct CountingConsumer;

#[async_trait]
impl Consumer for CountingConsumer {
    fn name(&self) -> &'static str {
        CONSUMER
    }

    async fn apply(&self, mut tx: Tx, events: &[Logged]) -> Result<Tx, ConsumeError> {
        let mut tally = Tally::default();
        for event in events.iter().filter(|event| event.kind == "order.confirmed") {
            match event.event().map_err(ConsumeError::event)? {
                OrderEvent::Confirmed(confirmed) => tally.add(confirmed.lines),
                OrderEvent::Placed(_) | OrderEvent::Rejected(_) => {
                    return Err(ConsumeError::event("the event is not what its kind says"));
                }
            }
        }
        books::count(&mut tx, &tally).await?;
        Ok(tx)
    }
}
