//! The actor that writes products and keeps the snapshot up to date.

use crate::messages::{Put, PutPrices, PutRule, Refresh};
use crate::rule_books::Marks;
use crate::snapshot::Shelf;
use crate::{Product, ProductChange, books, rule_books};
use actors::{BatchLimits, Batcher, Desk, Envelope, Opened, Serve, Service};
use domain::Clock;
use metrics::counter;
use pricing::Flaw;
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
    PutRule(Envelope<PutRule>),
    PutPrices(Envelope<PutPrices>),
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

impl Serve<PutRule> for Keeper {
    fn serve(&mut self, envelope: Envelope<PutRule>, desk: &mut Desk<'_, Self>) {
        self.take(Job::PutRule(envelope), desk);
    }
}

impl Serve<PutPrices> for Keeper {
    fn serve(&mut self, envelope: Envelope<PutPrices>, desk: &mut Desk<'_, Self>) {
        self.take(Job::PutPrices(envelope), desk);
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
            Job::PutRule(envelope) => {
                if let Some(Opened { message, context, reply }) = envelope.open() {
                    let span = context.span().clone();
                    reply.send(self.put_rule(&message).instrument(span).await);
                }
            }
            Job::PutPrices(envelope) => {
                if let Some(Opened { message, context, reply }) = envelope.open() {
                    let span = context.span().clone();
                    reply.send(self.put_prices(&message).instrument(span).await);
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

    async fn put_rule(&self, PutRule { id, rule }: &PutRule) -> Result<Vec<Flaw>, StoreError> {
        // What it refers to may have been made by another node just now.
        refresh_rules(&self.db, &self.shelf).await?;
        let dangling = rule.dangling(id, &self.shelf.rules());
        if dangling.is_empty() {
            rule_books::put_rule(&self.db, id, rule, self.clock.now()).await?;
            refresh_rules(&self.db, &self.shelf).await?;
        }
        Ok(dangling)
    }

    async fn put_prices(&self, message: &PutPrices) -> Result<bool, StoreError> {
        let PutPrices { list, changes } = message;
        if !self.shelf.rules().price_lists.contains_key(list) {
            refresh_rules(&self.db, &self.shelf).await?;
            if !self.shelf.rules().price_lists.contains_key(list) {
                return Ok(false);
            }
        }
        rule_books::put_prices(&self.db, list, changes, self.clock.now()).await?;
        refresh_rules(&self.db, &self.shelf).await?;
        Ok(true)
    }
}

/// Brings the shelf up to what is committed.
pub(crate) async fn refresh(db: &Db, shelf: &Shelf) -> Result<(), StoreError> {
    let marks = rule_books::marks(db).await?;
    if marks.products > shelf.complete_to() {
        let changed = books::changed(db, shelf.complete_to()).await?;
        shelf.complete(&changed);
    }
    read_rules(db, shelf, marks).await
}

async fn refresh_rules(db: &Db, shelf: &Shelf) -> Result<(), StoreError> {
    read_rules(db, shelf, rule_books::marks(db).await?).await
}

async fn read_rules(db: &Db, shelf: &Shelf, marks: Marks) -> Result<(), StoreError> {
    let (rules_to, prices_to) = shelf.rules_complete_to();
    if marks.rules > rules_to || marks.prices > prices_to {
        let rules = rule_books::changed_rules(db, rules_to).await?;
        let prices = rule_books::changed_prices(db, prices_to).await?;
        shelf.complete_rules(&rules, &prices);
    }
    Ok(())
}
