//! The inventory service: what is on the shelf, what of it is promised to which order.
//!
//! A batch of orders is reserved by one conditional statement over all its SKUs. Only when some
//! SKU runs short is it decided order by order who gets what is there.

mod actor;
mod adjusting;
mod books;
mod messages;
mod reserving;

pub use actor::InventoryActor;
pub use messages::{
    Adjust, Adjusted, Adjustment, InventoryError, Release, Released, Reserve, Reserved, SkuAudit,
    StockView, TakeStock, TakenStock,
};

use actix::ArbiterHandle;
use actors::{Mailbox, MailboxPolicy, RequestContext, Supervision, supervise};
use domain::{Clock, Demand, IdSource, OrderId, ReservationOutcome, Sku};
use std::sync::Arc;
use store::answers::Answer;
use store::{Db, StoreError, Tx};

/// Most messages that may wait for the inventory: a few batches of every lane of a large machine.
const MAILBOX: MailboxPolicy = MailboxPolicy::Large(1_024);

/// The handle of the inventory service.
#[derive(Clone)]
pub struct Inventory {
    mailbox: Mailbox<InventoryActor>,
    db: Db,
}

/// Starts the inventory service on `arbiter`.
pub fn start(
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    arbiter: &ArbiterHandle,
) -> Inventory {
    let books = db.clone();
    let mailbox = supervise("inventory", arbiter, MAILBOX, Supervision::STANDARD, move || {
        InventoryActor::new(books.clone(), clock.clone(), ids.clone())
    });
    Inventory { mailbox, db }
}

impl Inventory {
    /// Promises goods to orders, each whole or not at all, first come first served. The
    /// transaction comes back with one outcome per demand.
    ///
    /// # Errors
    /// See [`InventoryError`]; the transaction is rolled back.
    pub async fn reserve(
        &self,
        tx: Tx,
        demands: Vec<Demand>,
        context: &RequestContext,
    ) -> Result<(Tx, Vec<ReservationOutcome>), InventoryError> {
        let reserved = self.mailbox.ask(Reserve { tx, demands }, context).await??;
        Ok((reserved.tx, reserved.outcomes))
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
        Ok(self.mailbox.ask(Release { tx, orders }, context).await??.tx)
    }

    /// Adds units to shelves or takes them away, each adjustment done or refused by itself, all in
    /// one transaction. An adjustment with a request key is done at most once: its answer, made by
    /// `render`, is kept, and a repetition is given that answer.
    ///
    /// # Errors
    /// See [`InventoryError`]; then none was done.
    pub async fn adjust(
        &self,
        adjustments: Vec<Adjustment>,
        render: fn(&StockView) -> Answer,
        context: &RequestContext,
    ) -> Result<Vec<Adjusted>, InventoryError> {
        self.mailbox.ask(Adjust { adjustments, render }, context).await?
    }

    /// The level of a SKU, if it ever had stock.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn get(&self, sku: &Sku) -> Result<Option<StockView>, StoreError> {
        books::get(&self.db, sku).await
    }

    /// Up to `limit` levels, by SKU, after `after`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list(&self, after: Option<Sku>, limit: i64) -> Result<Vec<StockView>, StoreError> {
        books::list(&self.db, after.as_ref(), limit).await
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
        let taken = self.mailbox.ask(TakeStock { tx }, context).await??;
        Ok((taken.tx, taken.skus))
    }

    /// What can be seen of the service's actor.
    #[must_use]
    pub fn mailbox(&self) -> &Mailbox<InventoryActor> {
        &self.mailbox
    }
}
