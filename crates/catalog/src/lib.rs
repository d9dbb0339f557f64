//! The catalogue: what the shop sells, and for how much.
//!
//! Each node keeps all products in memory as one immutable [`Snapshot`]; pricing an order is a
//! look into it and waits for nobody. A change is written to the database first, then the node
//! that wrote it swaps its snapshot, and the others find it when they next ask for revisions newer
//! than what they have (every second).
//!
//! **Invariant:** a product's revision only rises, and the revisions become visible in their
//! order, so a node that is complete up to `n` never misses a change by asking for more than `n`.

mod actor;
mod books;
mod coupons;
mod error;
mod messages;
mod product;
mod rule_books;
mod rules;
mod search;
mod snapshot;

pub use coupons::CouponWish;
pub use error::CatalogError;
pub use product::{Invalid, Product, ProductChange};
pub use rules::{ListedPrice, PriceChange, Rule};
pub use search::Wanted;
pub use snapshot::Snapshot;

use actor::Keeper;
use actors::{
    AskError, Home, Mailbox, MailboxPolicy, Request, RequestContext, Serve, Supervision, Vitals,
};
use domain::{Clock, Sku};
use messages::{Put, PutPrices, PutRule, Refresh};
use pricing::Rules;
use snapshot::Shelf;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use store::{Db, StoreError};
use tokio::sync::Semaphore;
use tokio::time::timeout_at;
use topology::{Edge, Outcome};

#[cfg(test)]
mod rule_tests;
#[cfg(test)]
mod tests;

/// Looks for unknown products at the same time: fewer than the keeper takes, and more than one, so
/// that those who ask for what does not exist hold up nobody for long.
const LEARNING_MAX: usize = 8;

/// Most changes in one [`Catalog::put`].
pub const PUT_MAX: usize = 1000;

/// The handle of the catalogue. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    db: Db,
    shelf: Arc<Shelf>,
    keeper: Mailbox<Keeper>,
    learning: Arc<Semaphore>,
    edge: Edge,
}

/// Loads all products and starts the catalogue at `home`.
///
/// # Errors
/// [`CatalogError::Store`] if the products cannot be read.
pub async fn start(db: Db, clock: Arc<dyn Clock>, home: &Home) -> Result<Catalog, CatalogError> {
    let shelf = Arc::new(Shelf::default());
    actor::refresh(&db, &shelf).await?;
    let (books, shared) = (db.clone(), shelf.clone());
    let keeper = actors::supervise(
        "catalog",
        home,
        // Small: one message may carry a thousand products.
        MailboxPolicy::Small,
        Supervision::STANDARD,
        move || Keeper::new(books.clone(), clock.clone(), shared.clone()),
    );
    let learning = Arc::new(Semaphore::new(LEARNING_MAX));
    Ok(Catalog { db, shelf, keeper, learning, edge: Edge::unseen() })
}

impl Catalog {
    /// The same catalogue for a caller: what it asks is counted on `edge`. A look into the products
    /// in memory counts as failed while the changes of other nodes cannot be read.
    #[must_use]
    pub fn seen_by(&self, edge: Edge) -> Self {
        Self { edge, ..self.clone() }
    }

    /// Asks the actor, and counts the call.
    async fn ask<M, T>(&self, message: M, context: &RequestContext) -> Result<T, CatalogError>
    where
        M: Request<Answer = Result<T, StoreError>>,
        Keeper: Serve<M>,
    {
        self.edge.call(async { Ok(self.keeper.ask(message, context).await??) }).await
    }

    /// All products as this node knows them now: at most about a second behind other nodes, and
    /// never behind a [`Self::put`] that was answered by this one.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let is_stale = self.shelf.is_stale();
        self.edge.looked(if is_stale { Outcome::Failed } else { Outcome::Ok });
        self.shelf.snapshot()
    }

    /// Inserts or changes products in one transaction, and gives the resulting product of each
    /// line, in order. If a SKU stands on several lines the last one wins, and each of them gets
    /// its result. A line that changes nothing keeps the product's revision and `updated_at`.
    ///
    /// # Errors
    /// [`CatalogError::TooMany`] and [`CatalogError::Invalid`] before anything was written;
    /// [`CatalogError::Store`]; [`CatalogError::Ask`].
    pub async fn put(
        &self,
        changes: Vec<ProductChange>,
        context: &RequestContext,
    ) -> Result<Vec<Product>, CatalogError> {
        if changes.len() > PUT_MAX {
            return Err(CatalogError::TooMany(changes.len()));
        }
        for change in &changes {
            change.check()?;
        }
        let lines: Vec<Sku> = changes.iter().map(|change| change.sku.clone()).collect();
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let changes = product::last_of_each(changes);
        let products = self.ask(Put { changes }, context).await?;
        let by_sku: HashMap<&Sku, &Arc<Product>> =
            products.iter().map(|product| (&product.sku, product)).collect();
        lines
            .iter()
            .map(|sku| match by_sku.get(sku) {
                Some(product) => Ok(Product::clone(product)),
                None => Err(books::vanished(sku).into()),
            })
            .collect()
    }

    /// The product as the database has it now.
    ///
    /// # Errors
    /// [`CatalogError::Store`].
    pub async fn get(&self, sku: &Sku) -> Result<Option<Product>, CatalogError> {
        Ok(self.edge.call(books::get(&self.db, sku)).await?)
    }

    /// Up to `limit` products by SKU, those after `after`.
    ///
    /// # Errors
    /// [`CatalogError::Store`].
    pub async fn list(&self, after: Option<Sku>, limit: i64) -> Result<Vec<Product>, CatalogError> {
        Ok(self.edge.call(books::list(&self.db, after, limit)).await?)
    }

    /// All rules as this node knows them now: as fresh as [`Self::snapshot`].
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        self.shelf.rules()
    }

    /// Makes or changes a rule; this node's [`Self::rules`] have it when this returns.
    ///
    /// # Errors
    /// [`CatalogError::Flawed`] if the rule cannot be so; nothing was written then.
    /// [`CatalogError::Store`]; [`CatalogError::Ask`].
    pub async fn put_rule(
        &self,
        id: String,
        rule: Rule,
        context: &RequestContext,
    ) -> Result<(), CatalogError> {
        let flaws = rule.flaws(&id);
        if !flaws.is_empty() {
            return Err(CatalogError::Flawed(flaws));
        }
        let flaws = self.ask(PutRule { id, rule }, context).await?;
        if flaws.is_empty() { Ok(()) } else { Err(CatalogError::Flawed(flaws)) }
    }

    /// Puts prices on a list, or takes them off it, in one transaction. If a SKU stands on several
    /// lines the last one wins. `false`: there is no such list.
    ///
    /// # Errors
    /// [`CatalogError::TooMany`] before anything was written; [`CatalogError::Store`];
    /// [`CatalogError::Ask`].
    pub async fn put_prices(
        &self,
        list: String,
        changes: Vec<PriceChange>,
        context: &RequestContext,
    ) -> Result<bool, CatalogError> {
        if changes.len() > PUT_MAX {
            return Err(CatalogError::TooMany(changes.len()));
        }
        let last: BTreeMap<Sku, Option<i64>> =
            changes.into_iter().map(|change| (change.sku, change.unit_amount)).collect();
        let change = |(sku, unit_amount)| PriceChange { sku, unit_amount };
        let changes = last.into_iter().map(change).collect();
        self.ask(PutPrices { list, changes }, context).await
    }

    /// Up to `limit` prices of a list by SKU, those after `after`, as the database has them now.
    ///
    /// # Errors
    /// [`CatalogError::Store`].
    pub async fn prices(
        &self,
        list: &str,
        after: Option<Sku>,
        limit: i64,
    ) -> Result<Vec<ListedPrice>, CatalogError> {
        Ok(self.edge.call(rule_books::prices(&self.db, list, after, limit)).await?)
    }

    /// Brings this node's snapshot up to what is committed now, by whichever node.
    ///
    /// # Errors
    /// [`CatalogError::Store`]; [`CatalogError::Ask`]. The snapshot then stays as it is.
    pub async fn refresh(&self, context: &RequestContext) -> Result<(), CatalogError> {
        self.ask(Refresh, context).await
    }

    /// Looks in the database, by [`Self::refresh`], if the snapshot lacks something. When many ask
    /// at once, as they do of a node that has not heard of a product yet, a few look, and the others
    /// find what these brought.
    ///
    /// # Errors
    /// See [`Self::refresh`].
    pub async fn learn(
        &self,
        lacks: impl Fn(&Snapshot) -> bool,
        context: &RequestContext,
    ) -> Result<(), CatalogError> {
        if !lacks(&self.snapshot()) {
            return Ok(());
        }
        let turn = timeout_at(context.deadline(), self.learning.acquire()).await;
        let _turn = turn.map_err(|_| CatalogError::Ask(AskError::Expired))?;
        if lacks(&self.snapshot()) { self.refresh(context).await } else { Ok(()) }
    }

    /// What can be seen of the catalogue's actor.
    #[must_use]
    pub fn vitals(&self) -> &Arc<Vitals> {
        self.keeper.vitals()
    }

    /// Refuses new messages and waits until all that were taken have their answer.
    pub async fn drain(&self) {
        self.keeper.drain().await;
    }
}
