//! The actor that writes products and keeps the snapshot up to date.

use crate::messages::{Put, Refresh};
use crate::snapshot::Shelf;
use crate::{Product, ProductChange, books};
use actors::{BatchLimits, Batcher, Desk, Envelope, Opened, Serve, Service};
use domain::Clock;
use metrics::counter;
use std::sync::Arc;
use std::time::Duration;
use store::{Db, StoreError};
use tracing::Instrument;

/// How often a node looks for the changes of other nodes.
const REFRESH_EVERY: Duration = Duration::from_secs(1);

/// One job after the other: writers would only wait for each other in the database, each with a
/// connection in hand.
const ONE_BY_ONE: BatchLimits = BatchLimits { items_max: 1, weight_max: 1, in_flight_max: 1 };

/// What the actor works with; none of it is its own state, so a restart loses nothing.
#[derive(Clone)]
struct Tools {
    db: Db,
    clock: Arc<dyn Clock>,
    shelf: Arc<Shelf>,
}

pub struct Keeper {
    tools: Tools,
    jobs: Batcher<Job>,
    looking: bool,
    failing: bool,
}

enum Job {
    Put(Envelope<Put>),
    Refresh(Envelope<Refresh>),
}

impl Keeper {
    pub(crate) fn new(db: Db, clock: Arc<dyn Clock>, shelf: Arc<Shelf>) -> Self {
        let tools = Tools { db, clock, shelf };
        Self { tools, jobs: Batcher::new(ONE_BY_ONE), looking: false, failing: false }
    }

    fn take(&mut self, job: Job, desk: &mut Desk<'_, Self>) {
        self.jobs.push(job, 1);
        self.begin(desk);
    }

    fn begin(&mut self, desk: &mut Desk<'_, Self>) {
        while let Some(jobs) = self.jobs.next_batch() {
            let tools = self.tools.clone();
            let work = async move {
                for job in jobs {
                    tools.work(job).await;
                }
            };
            desk.run(work, |keeper, _, desk| {
                keeper.jobs.finished();
                keeper.begin(desk);
            });
        }
    }

    /// Looks for the changes of other nodes, unless the last look is still going on.
    fn look(&mut self, desk: &mut Desk<'_, Self>) {
        if self.looking {
            return;
        }
        self.looking = true;
        let Tools { db, shelf, .. } = self.tools.clone();
        desk.run(async move { refresh(&db, &shelf).await }, |keeper, result, _| {
            keeper.looking = false;
            // A panic was logged where it was caught.
            if let Ok(result) = result {
                keeper.looked(result);
            }
        });
    }

    /// Logs the first of a row of failures, and its end.
    fn looked(&mut self, result: Result<(), StoreError>) {
        self.tools.shelf.set_stale(result.is_err());
        match result {
            Ok(()) if self.failing => {
                tracing::info!(event = "catalog_fresh_again", "the catalogue is up to date again");
                self.failing = false;
            }
            Ok(()) => {}
            Err(error) => {
                counter!("catalog_refresh_failures_total").increment(1);
                if !self.failing {
                    tracing::warn!(
                        event = "catalog_stale",
                        code = "CATALOG_STALE",
                        error = &error as &dyn std::error::Error,
                        "the changes of other nodes cannot be read; prices may be old"
                    );
                }
                self.failing = true;
            }
        }
    }
}

impl Service for Keeper {
    fn started(&mut self, desk: &mut Desk<'_, Self>) {
        desk.every(REFRESH_EVERY, Self::look);
    }
}

impl Serve<Put> for Keeper {
    fn serve(&mut self, envelope: Envelope<Put>, desk: &mut Desk<'_, Self>) {
        self.take(Job::Put(envelope), desk);
    }
}

impl Serve<Refresh> for Keeper {
    fn serve(&mut self, envelope: Envelope<Refresh>, desk: &mut Desk<'_, Self>) {
        self.take(Job::Refresh(envelope), desk);
    }
}

impl Tools {
    async fn work(&self, job: Job) {
        match job {
            Job::Put(envelope) => {
                if let Some(Opened { message, context, reply }) = envelope.open() {
                    let span = context.span().clone();
                    reply.send(self.put(&message.changes).instrument(span).await);
                }
            }
            Job::Refresh(envelope) => {
                if let Some(Opened { context, reply, .. }) = envelope.open() {
                    let span = context.span().clone();
                    reply.send(refresh(&self.db, &self.shelf).instrument(span).await);
                }
            }
        }
    }

    async fn put(&self, changes: &[ProductChange]) -> Result<Vec<Arc<Product>>, StoreError> {
        let products = books::put(&self.db, changes, self.clock.now()).await?;
        // This does not move the mark of completeness: another node may have committed in between.
        self.shelf.apply(&products);
        Ok(products)
    }
}

/// Brings the shelf up to what is committed.
pub(crate) async fn refresh(db: &Db, shelf: &Shelf) -> Result<(), StoreError> {
    let changed = books::changed(db, shelf.complete_to()).await?;
    shelf.complete(&changed);
    Ok(())
}
