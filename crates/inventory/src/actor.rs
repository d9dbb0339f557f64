//! The inventory's actor: takes the messages, lets the books do the work.

use crate::adjusting::Clerk;
use crate::books::{self, places};
use crate::cache::StockCache;
use crate::carrying::Carrier;
use crate::messages::{
    Adjust, CarriedOut, CarryOut, GoodsMove, PutLocation, Relocate, Reserve, Reserved, TakeStock,
    TakenStock,
};
use crate::reserving;
use actors::{Desk, Envelope, Serve, Service};
use domain::{Clock, IdSource};
use std::sync::Arc;
use store::Db;

/// The actor. The truth is in the database; what is remembered of it may be lost.
pub struct InventoryActor {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    cache: StockCache,
}

impl InventoryActor {
    pub(crate) fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        cache: StockCache,
    ) -> Self {
        Self { db, clock, ids, cache }
    }
}

impl Service for InventoryActor {}

impl Serve<Reserve> for InventoryActor {
    fn serve(&mut self, envelope: Envelope<Reserve>, _: &mut Desk<'_, Self>) {
        let (now, cache) = (self.clock.now(), self.cache.clone());
        envelope.answer_with(move |Reserve { mut tx, demands }, _| async move {
            let (asked, refused) = cache.part(demands).await;
            let judged = reserving::reserve(&mut tx, &asked, &cache, now).await?;
            Ok(Reserved { tx, outcomes: refused.join(judged) })
        });
    }
}

impl Serve<CarryOut> for InventoryActor {
    fn serve(&mut self, envelope: Envelope<CarryOut>, _: &mut Desk<'_, Self>) {
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        let cache = self.cache.clone();
        envelope.answer_with(move |CarryOut { mut tx, moves }, context| async move {
            let carrier = Carrier { clock: &*clock, ids: &*ids, actor: context.actor() };
            carrier.carry_out(&mut tx, &moves).await?;
            // The shelves are locked until this is committed: nobody marks one in between.
            if moves.iter().any(|goods| !matches!(goods, GoodsMove::Ship { .. })) {
                cache.wipe();
            }
            Ok(CarriedOut { tx })
        });
    }
}

impl Serve<Adjust> for InventoryActor {
    fn serve(&mut self, envelope: Envelope<Adjust>, _: &mut Desk<'_, Self>) {
        let (db, clock, ids) = (self.db.clone(), self.clock.clone(), self.ids.clone());
        let cache = self.cache.clone();
        envelope.answer_with(move |message, context| async move {
            let (actor, trace_id) = (context.actor(), context.trace_id().to_string());
            let clerk = Clerk { db: &db, clock: &*clock, ids: &*ids, actor, trace_id: &trace_id };
            let adjusted = clerk.adjust(&message).await;
            cache.forget(message.adjustments.iter().map(|adjustment| &adjustment.sku)).await;
            adjusted
        });
    }
}

impl Serve<Relocate> for InventoryActor {
    fn serve(&mut self, envelope: Envelope<Relocate>, _: &mut Desk<'_, Self>) {
        let (db, clock, ids) = (self.db.clone(), self.clock.clone(), self.ids.clone());
        let cache = self.cache.clone();
        envelope.answer_with(move |message, context| async move {
            let (actor, trace_id) = (context.actor(), context.trace_id().to_string());
            let clerk = Clerk { db: &db, clock: &*clock, ids: &*ids, actor, trace_id: &trace_id };
            let relocated = clerk.relocate(&message).await;
            cache.forget([&message.relocation.sku]).await;
            relocated
        });
    }
}

impl Serve<PutLocation> for InventoryActor {
    fn serve(&mut self, envelope: Envelope<PutLocation>, _: &mut Desk<'_, Self>) {
        let (db, now) = (self.db.clone(), self.clock.now());
        envelope.answer_with(move |PutLocation { location }, _| async move {
            let mut tx = db.begin().await?;
            let location = places::put(&mut tx, &location, now).await?;
            tx.commit().await?;
            Ok(location)
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
