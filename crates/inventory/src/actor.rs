//! The inventory's actor: takes the messages, lets the books do the work.

use crate::messages::{Adjust, Release, Released, Reserve, Reserved, TakeStock, TakenStock};
use crate::{adjusting, books, reserving};
use actors::{Desk, Envelope, Serve, Service};
use domain::{Clock, IdSource};
use std::sync::Arc;
use store::Db;

/// The actor. It has no state of its own: the truth is in the database.
pub struct InventoryActor {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

impl InventoryActor {
    pub(crate) fn new(db: Db, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { db, clock, ids }
    }
}

impl Service for InventoryActor {}

impl Serve<Reserve> for InventoryActor {
    fn serve(&mut self, envelope: Envelope<Reserve>, _: &mut Desk<'_, Self>) {
        let now = self.clock.now();
        envelope.answer_with(move |Reserve { mut tx, demands }, _| async move {
            let outcomes = reserving::reserve(&mut tx, &demands, now).await?;
            Ok(Reserved { tx, outcomes })
        });
    }
}

impl Serve<Release> for InventoryActor {
    fn serve(&mut self, envelope: Envelope<Release>, _: &mut Desk<'_, Self>) {
        let now = self.clock.now();
        envelope.answer_with(move |Release { mut tx, orders }, _| async move {
            reserving::release(&mut tx, &orders, now).await?;
            Ok(Released { tx })
        });
    }
}

impl Serve<Adjust> for InventoryActor {
    fn serve(&mut self, envelope: Envelope<Adjust>, _: &mut Desk<'_, Self>) {
        let (db, clock, ids) = (self.db.clone(), self.clock.clone(), self.ids.clone());
        envelope.answer_with(move |message, context| async move {
            let clerk = adjusting::Clerk { db: &db, clock: &*clock, ids: &*ids };
            clerk.adjust(&message, context.actor()).await
        });
    }
}

impl Serve<TakeStock> for InventoryActor {
    fn serve(&mut self, envelope: Envelope<TakeStock>, _: &mut Desk<'_, Self>) {
        envelope.answer_with(|TakeStock { mut tx }, _| async move {
            let skus = books::audit(&mut tx).await?;
            Ok(TakenStock { tx, skus })
        });
    }
}
