//! The actor that writes customers and reads those that the cache has not.

use crate::books::{self, accounts, addresses};
use crate::messages::{Change, Create, Erase, PutAddress, ReadPayers, RemoveAddress};
use crate::{Created, CustomersError, NewCustomer};
use actors::{BatchLimits, Batcher, Desk, Envelope, Opened, Request, Serve, Service};
use domain::{Clock, CustomerId, IdSource};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use store::Db;
use tracing::Instrument;
use uuid::Uuid;

/// Two transactions at once: one can wait for the disk while the other is prepared. More would
/// take connections from the orders.
const LIMITS: BatchLimits = BatchLimits { items_max: 1, weight_max: 1, in_flight_max: 2 };

#[derive(Clone)]
struct Tools {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

/// A write that waits for its turn.
type Job = Box<dyn FnOnce(Tools) -> Pin<Box<dyn Future<Output = ()>>>>;

pub struct Registrar {
    tools: Tools,
    waiting: Batcher<Job>,
}

impl Registrar {
    pub(crate) fn new(db: Db, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { tools: Tools { db, clock, ids }, waiting: Batcher::new(LIMITS) }
    }

    /// Does this write when it is its turn.
    fn queue<M: Request, F: Future<Output = M::Answer> + 'static>(
        &mut self,
        envelope: Envelope<M>,
        write: impl FnOnce(Tools, M) -> F + 'static,
        desk: &mut Desk<'_, Self>,
    ) {
        let job: Job = Box::new(move |tools| {
            Box::pin(async move {
                let Some(Opened { message, context, reply }) = envelope.open() else { return };
                let span = context.span().clone();
                reply.send(write(tools, message).instrument(span).await);
            })
        });
        self.waiting.push(job, 1);
        self.begin(desk);
    }

    fn begin(&mut self, desk: &mut Desk<'_, Self>) {
        while let Some(jobs) = self.waiting.next_batch() {
            let tools = self.tools.clone();
            let work = async move {
                for job in jobs {
                    job(tools.clone()).await;
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
    async fn create(self, customers: Vec<NewCustomer>) -> Result<Vec<Created>, CustomersError> {
        let name = |new| (CustomerId(self.ids.uuid()), new);
        let lines = customers.into_iter().map(name).collect();
        Ok(books::create(&self.db, lines, self.clock.now()).await?)
    }

    /// Takes everything of a person out of the books of this service.
    async fn erase(self, id: CustomerId) -> Result<Vec<Uuid>, CustomersError> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let locked = books::lock(&mut tx, id).await?.ok_or(CustomersError::NotFound)?;
        if locked.erased {
            return Ok(Vec::new());
        }
        let ended = accounts::delete_of_customer(&mut tx, id, now).await?;
        addresses::remove_all(&mut tx, id).await?;
        books::erase(&mut tx, id, now).await?;
        tx.commit().await?;
        Ok(ended)
    }
}

impl Service for Registrar {}

impl Serve<Create> for Registrar {
    fn serve(&mut self, envelope: Envelope<Create>, desk: &mut Desk<'_, Self>) {
        self.queue(envelope, |tools, Create { customers }| tools.create(customers), desk);
    }
}

impl Serve<Change> for Registrar {
    fn serve(&mut self, envelope: Envelope<Change>, desk: &mut Desk<'_, Self>) {
        let write = |tools: Tools, Change { id, change, if_match }| async move {
            books::change(&tools.db, id, change, if_match, tools.clock.now()).await
        };
        self.queue(envelope, write, desk);
    }
}

impl Serve<Erase> for Registrar {
    fn serve(&mut self, envelope: Envelope<Erase>, desk: &mut Desk<'_, Self>) {
        self.queue(envelope, |tools, Erase { id }| tools.erase(id), desk);
    }
}

impl Serve<PutAddress> for Registrar {
    fn serve(&mut self, envelope: Envelope<PutAddress>, desk: &mut Desk<'_, Self>) {
        let write = |tools: Tools, PutAddress { id, name, address }| async move {
            addresses::put(&tools.db, id, name, address, tools.clock.now()).await
        };
        self.queue(envelope, write, desk);
    }
}

impl Serve<RemoveAddress> for Registrar {
    fn serve(&mut self, envelope: Envelope<RemoveAddress>, desk: &mut Desk<'_, Self>) {
        let write = |tools: Tools, RemoveAddress { id, name }| async move {
            addresses::remove(&tools.db, id, &name).await
        };
        self.queue(envelope, write, desk);
    }
}

impl Serve<ReadPayers> for Registrar {
    fn serve(&mut self, envelope: Envelope<ReadPayers>, _: &mut Desk<'_, Self>) {
        // Not counted: the payment service asks, once per batch of its own.
        let db = self.tools.db.clone();
        envelope.answer_with(|ReadPayers { ids }, _| async move { books::payers(&db, &ids).await });
    }
}
