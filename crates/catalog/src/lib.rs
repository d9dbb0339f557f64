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
mod error;
mod messages;
mod product;
mod snapshot;

pub use error::CatalogError;
pub use product::{Invalid, Product, ProductChange};
pub use snapshot::Snapshot;

use actor::Keeper;
use actors::{Home, Mailbox, MailboxPolicy, Request, RequestContext, Serve, Supervision, Vitals};
use domain::{Clock, Sku};
use messages::{Put, Refresh};
use snapshot::Shelf;
use std::collections::HashMap;
use std::sync::Arc;
use store::{Db, StoreError};
use topology::{Edge, Outcome};

#[cfg(test)]
mod tests;

/// Most changes in one [`Catalog::put`].
pub const PUT_MAX: usize = 1000;

/// The handle of the catalogue. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    db: Db,
    shelf: Arc<Shelf>,
    keeper: Mailbox<Keeper>,
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
    Ok(Catalog { db, shelf, keeper, edge: Edge::unseen() })
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

    /// Up to `limit` products by SKU, those after `after`, of one category or of all.
    ///
    /// # Errors
    /// [`CatalogError::Store`].
    pub async fn list(
        &self,
        category: Option<String>,
        after: Option<Sku>,
        limit: i64,
    ) -> Result<Vec<Product>, CatalogError> {
        Ok(self.edge.call(books::list(&self.db, category, after, limit)).await?)
    }

    /// Brings this node's snapshot up to what is committed now, by whichever node.
    ///
    /// # Errors
    /// [`CatalogError::Store`]; [`CatalogError::Ask`]. The snapshot then stays as it is.
    pub async fn refresh(&self, context: &RequestContext) -> Result<(), CatalogError> {
        self.ask(Refresh, context).await
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
