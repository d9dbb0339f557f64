//! The inventory service: what is on the shelf, what of it is promised to which order.
//!
//! A batch of orders is reserved by one conditional statement over all its SKUs. Only when some
//! SKU runs short is it decided order by order who gets what is there.
//!
//! A promise is to an order and not to a place. Where units lie matters when they leave: then they
//! are taken from the locations in the order of their ranks. The main location holds what the
//! others do not, so that a shop with one place, and the reserving of orders, know of no places.
//! Whoever changes what lies where holds the lock of the SKU's row in `stock`.

mod actor;
mod adjusting;
mod books;
mod cache;
mod carrying;
mod location;
mod messages;
mod movement;
mod relocating;
mod reserving;

pub use actor::InventoryActor;
pub use cache::{StockCache, StockCacheConfig};
pub use location::{Location, LocationName, LocationNameError, UnitsAt};
pub use messages::{
    Adjust, Adjustment, CarriedOut, CarryOut, GoodsMove, InventoryError, Outcome, PutLocation,
    Relocate, Relocation, Render, Reserve, Reserved, SkuAudit, StockDetail, StockView, TakeStock,
    TakenStock, Verdict,
};
pub use movement::{Entry, EntryKind, Position};

use actors::{
    Home, Mailbox, MailboxPolicy, Request, RequestContext, Serve, Supervision, supervise,
};
use books::{ledger, places};
use domain::{Clock, Demand, IdSource, OrderId, ReservationOutcome, Sku};
use std::sync::Arc;
use std::time::Duration;
use store::{Db, StoreError, Tx};
use topology::Edge;

/// Most messages that may wait for the inventory: a few batches of every lane of a large machine.
const MAILBOX: MailboxPolicy = MailboxPolicy::Large(1_024);

/// The handle of the inventory service.
#[derive(Clone)]
pub struct Inventory {
    mailbox: Mailbox<InventoryActor>,
    db: Db,
    cache: StockCache,
    edge: Edge,
}

/// Starts the inventory service at `home`, with what this node remembers of the stock.
pub fn start(
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    cache: StockCache,
    home: &Home,
) -> Inventory {
    let (books, kept) = (db.clone(), cache.clone());
    let mailbox = supervise("inventory", home, MAILBOX, Supervision::STANDARD, move || {
        InventoryActor::new(books.clone(), clock.clone(), ids.clone(), kept.clone())
    });
    Inventory { mailbox, db, cache, edge: Edge::unseen() }
}

impl Inventory {
    /// The same service for a caller: what it asks is counted on `edge`, a batch as one call.
    #[must_use]
    pub fn seen_by(&self, edge: Edge) -> Self {
        Self { edge, ..self.clone() }
    }

    /// Asks the actor, and counts the call.
    async fn ask<M, T>(&self, message: M, context: &RequestContext) -> Result<T, InventoryError>
    where
        M: Request<Answer = Result<T, InventoryError>>,
        InventoryActor: Serve<M>,
    {
        self.edge.call(async { self.mailbox.ask(message, context).await? }).await
    }

    /// What this node remembers of the stock.
    #[must_use]
    pub const fn cache(&self) -> &StockCache {
        &self.cache
    }

    /// Promises goods to orders, each whole or not at all, first come first served. The
    /// transaction comes back with one outcome per demand. A transaction reserves once: what it has
    /// promised itself would look sold out to it. A demand may be refused because of what this node
    /// remembers ([`StockCache`]); promised is only what the database has.
    ///
    /// # Errors
    /// See [`InventoryError`]; the transaction is rolled back.
    pub async fn reserve(
        &self,
        tx: Tx,
        demands: Vec<Demand>,
        context: &RequestContext,
    ) -> Result<(Tx, Vec<ReservationOutcome>), InventoryError> {
        let reserved = self.ask(Reserve { tx, demands }, context).await?;
        Ok((reserved.tx, reserved.outcomes))
    }

    /// Moves the goods of orders: gives promises back, ships, takes back; in this order, as one
    /// whole. The transaction comes back.
    ///
    /// # Errors
    /// [`InventoryError::NotReserved`] if more is to leave than is promised; see
    /// [`InventoryError`]. The transaction is rolled back.
    pub async fn carry_out(
        &self,
        tx: Tx,
        moves: Vec<GoodsMove>,
        context: &RequestContext,
    ) -> Result<Tx, InventoryError> {
        if moves.is_empty() {
            return Ok(tx);
        }
        Ok(self.ask(CarryOut { tx, moves }, context).await?.tx)
    }

    /// Gives back what is promised to these orders. An order without a live reservation is passed
    /// over.
    ///
    /// # Errors
    /// See [`InventoryError`]; the transaction is rolled back.
    pub async fn release(
        &self,
        tx: Tx,
        orders: Vec<OrderId>,
        context: &RequestContext,
    ) -> Result<Tx, InventoryError> {
        let moves = orders.into_iter().map(|order_id| GoodsMove::Release { order_id });
        self.carry_out(tx, moves.collect(), context).await
    }

    /// Adds units to shelves or takes them away, each adjustment done or refused by itself, all in
    /// one transaction. An adjustment with a request key is judged once: what is told of it, made
    /// by `render`, is kept, be it done or refused, and a repetition is told the same.
    ///
    /// # Errors
    /// See [`InventoryError`]; then none was done.
    pub async fn adjust(
        &self,
        adjustments: Vec<Adjustment>,
        render: Render<StockView>,
        context: &RequestContext,
    ) -> Result<Vec<Outcome>, InventoryError> {
        self.ask(Adjust { adjustments, render }, context).await
    }

    /// Brings units from one location to another, judged once as in [`Self::adjust`].
    ///
    /// # Errors
    /// See [`InventoryError`]; then nothing was done.
    pub async fn relocate(
        &self,
        relocation: Relocation,
        render: Render<StockDetail>,
        context: &RequestContext,
    ) -> Result<Outcome, InventoryError> {
        self.ask(Relocate { relocation, render }, context).await
    }

    /// Makes a location, or gives it another rank. The main location is always there and keeps its
    /// rank: it may not be put.
    ///
    /// # Errors
    /// See [`InventoryError`].
    pub async fn put_location(
        &self,
        location: Location,
        context: &RequestContext,
    ) -> Result<Location, InventoryError> {
        if location.name.is_main() {
            let what = "the main location is not put".to_owned();
            return Err(InventoryError::Disagreement(what));
        }
        self.ask(PutLocation { location }, context).await
    }

    /// Up to `limit` locations after `after`, in the order in which goods leave.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn locations(
        &self,
        after: Option<Location>,
        limit: i64,
    ) -> Result<Vec<Location>, StoreError> {
        self.edge.call(places::list(&self.db, after.as_ref(), limit)).await
    }

    /// The level of a SKU and where its units lie, if it ever had stock.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn get(&self, sku: &Sku) -> Result<Option<StockDetail>, StoreError> {
        self.edge.call(places::get(&self.db, sku)).await
    }

    /// Like [`Self::get`], as it was at most `max_age` ago, and how long ago that was. Zero asks the
    /// database; more than the cache believes is as much as that.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn recent(
        &self,
        sku: &Sku,
        max_age: Duration,
    ) -> Result<(Option<StockDetail>, Duration), StoreError> {
        self.cache.level(sku, max_age, || self.get(sku)).await
    }

    /// Up to `limit` entries of a SKU's ledger after `after`, newest first; `None` if the SKU
    /// never had stock.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn movements(
        &self,
        sku: &Sku,
        after: Option<Position>,
        limit: i64,
    ) -> Result<Option<Vec<Entry>>, StoreError> {
        let entries = self.edge.call(ledger::list(&self.db, sku, after, limit)).await?;
        // A shelf may have been opened by a delivery that was refused.
        let is_known = !entries.is_empty() || self.get(sku).await?.is_some();
        Ok(is_known.then_some(entries))
    }

    /// Up to `limit` levels, by SKU, after `after`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list(&self, after: Option<Sku>, limit: i64) -> Result<Vec<StockView>, StoreError> {
        self.edge.call(books::list(&self.db, after.as_ref(), limit)).await
    }

    /// All that the audit needs to know of the stock, as the transaction sees it.
    ///
    /// # Errors
    /// See [`InventoryError`].
    pub async fn take_stock(
        &self,
        tx: Tx,
        context: &RequestContext,
    ) -> Result<(Tx, Vec<SkuAudit>), InventoryError> {
        let taken = self.ask(TakeStock { tx }, context).await?;
        Ok((taken.tx, taken.skus))
    }

    /// What can be seen of the service's actor.
    #[must_use]
    pub fn mailbox(&self) -> &Mailbox<InventoryActor> {
        &self.mailbox
    }
}

#[cfg(test)]
mod tests;
