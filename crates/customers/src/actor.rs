//! The actor that writes customers and reads those that the cache has not.

use crate::books;
use crate::messages::{Create, ReadPayers};
use crate::{Created, NewCustomer};
use actors::{BatchLimits, Batcher, Desk, Envelope, Opened, Serve, Service};
use domain::{Clock, CustomerId, IdSource};
use std::sync::Arc;
use store::{Db, StoreError};
use tracing::Instrument;

/// Two transactions at once: one can wait for the disk while the other is prepared. More would
/// take connections from the orders.
const LIMITS: BatchLimits = BatchLimits { items_max: 1, weight_max: 1, in_flight_max: 2 };

#[derive(Clone)]
struct Tools {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

pub struct Registrar {
    tools: Tools,
    waiting: Batcher<Envelope<Create>>,
}

impl Registrar {
    pub(crate) fn new(db: Db, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { tools: Tools { db, clock, ids }, waiting: Batcher::new(LIMITS) }
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
                    reply.send(tools.create(message.customers).instrument(span).await);
                }
            };
            desk.run(work, |registrar, _, desk| {
                registrar.waiting.finished();
                registrar.begin(desk);
            });
        }
    }
}

impl Tools {
    async fn create(&self, customers: Vec<NewCustomer>) -> Result<Vec<Created>, StoreError> {
        let name = |new| (CustomerId(self.ids.uuid()), new);
        let lines = customers.into_iter().map(name).collect();
        books::create(&self.db, lines, self.clock.now()).await
    }
}

impl Service for Registrar {}

impl Serve<Create> for Registrar {
    fn serve(&mut self, envelope: Envelope<Create>, desk: &mut Desk<'_, Self>) {
        self.waiting.push(envelope, 1);
        self.begin(desk);
    }
}

impl Serve<ReadPayers> for Registrar {
    fn serve(&mut self, envelope: Envelope<ReadPayers>, _: &mut Desk<'_, Self>) {
        // Not counted: the payment service asks, once per batch of its own.
        let db = self.tools.db.clone();
        envelope.answer_with(|ReadPayers { ids }, _| async move { books::payers(&db, &ids).await });
    }
}
