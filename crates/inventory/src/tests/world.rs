//! An inventory of a test's own.

use crate::{
    Adjustment, GoodsMove, Inventory, InventoryError, Location, LocationName, Outcome, SkuAudit,
    StockCache, StockCacheConfig, StockDetail, StockView, Verdict,
};
use actors::{Home, RequestContext, SystemClock, SystemIds, TraceId};
use domain::{Demand, OrderId, ReservationOutcome, Sku};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::Db;
use store::answers::{Answer, Fingerprint, RequestKey};
use tokio::time::Instant;
use topology::Edge;
use tracing::Span;
use uuid::Uuid;

/// Runs each test on both databases.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($world:ident) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn scenario($world: &$crate::tests::world::World) $body

            #[test]
            fn sqlite() {
                $crate::tests::world::on_sqlite(async |world| scenario(world).await);
            }

            #[test]
            fn postgres() {
                $crate::tests::world::on_postgres(async |world| scenario(world).await);
            }
        }
    )+};
}
pub(crate) use on_both;

/// The inventory and its database.
pub(crate) struct World {
    pub(crate) db: Db,
    pub(crate) inventory: Inventory,
}

pub(crate) fn on_sqlite(test: impl AsyncFnOnce(&World)) {
    testbed::on_sqlite(async |scratch| on(scratch.open().await, test).await);
}

pub(crate) fn on_postgres(test: impl AsyncFnOnce(&World)) {
    testbed::on_postgres(async |scratch| on(scratch.open().await, test).await);
}

async fn on(db: Db, test: impl AsyncFnOnce(&World)) {
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let cache = StockCache::new(StockCacheConfig::default(), clock.clone(), Edge::unseen());
    let inventory = crate::start(db.clone(), clock, ids, cache, &Home::current());
    let world = World { db, inventory };
    test(&world).await;
    world.assert_balanced().await;
    world.db.close().await;
}

pub(crate) fn context() -> RequestContext {
    let deadline = Instant::now() + Duration::from_secs(60);
    RequestContext::new(deadline, TraceId::new(Uuid::from_u128(1)), Span::none(), "tester".into())
}

pub(crate) fn sku(text: &str) -> Sku {
    Sku::parse(text).expect("is a SKU")
}

pub(crate) fn place(text: &str) -> LocationName {
    LocationName::parse(text).expect("is a name")
}

pub(crate) fn order(number: u128) -> OrderId {
    OrderId(Uuid::from_u128(number))
}

pub(crate) fn units(units: &[(&str, i64)]) -> BTreeMap<Sku, i64> {
    units.iter().map(|(name, quantity)| (sku(name), *quantity)).collect()
}

pub(crate) fn release(number: u128) -> GoodsMove {
    GoodsMove::Release { order_id: order(number) }
}

pub(crate) fn ship(number: u128, goods: &[(&str, i64)]) -> GoodsMove {
    GoodsMove::Ship { order_id: order(number), units: units(goods) }
}

pub(crate) fn take_back(number: u128, goods: &[(&str, i64)], restock: bool) -> GoodsMove {
    GoodsMove::TakeBack { order_id: order(number), units: units(goods), restock }
}

pub(crate) fn request(key: &str, fingerprint: u8) -> (RequestKey, Fingerprint) {
    let key = RequestKey { principal_id: Uuid::from_u128(5), key: key.to_owned() };
    (key, [fingerprint; 32])
}

pub(crate) fn adjustment(name: &str, delta: i64, location: &str) -> Adjustment {
    let reason = "count".to_owned();
    Adjustment { sku: sku(name), delta, location: place(location), reason, request: None }
}

/// An answer that shows the verdict and the trace.
pub(crate) fn render(verdict: &Verdict<StockView>, trace_id: &str) -> Answer {
    let status = if matches!(verdict, Verdict::Done(_)) { 200 } else { 409 };
    Answer { status, location: None, etag: None, body: format!("{verdict:?} {trace_id}") }
}

/// Like [`render`], of a move.
pub(crate) fn render_move(verdict: &Verdict<StockDetail>, trace_id: &str) -> Answer {
    let status = if matches!(verdict, Verdict::Done(_)) { 200 } else { 409 };
    Answer { status, location: None, etag: None, body: format!("{verdict:?} {trace_id}") }
}

/// What an outcome tells, and whether it was told before.
pub(crate) fn told(outcome: &Outcome) -> (u16, &str, bool) {
    match outcome {
        Outcome::Told { answer, replayed } => (answer.status, &answer.body, *replayed),
        other => panic!("nothing is told: {other:?}"),
    }
}

impl World {
    pub(crate) async fn adjust(&self, adjustment: Adjustment) -> Outcome {
        let outcomes = self.inventory.adjust(vec![adjustment], render, &context()).await;
        outcomes.expect("is judged").pop().expect("one outcome")
    }

    /// Puts units at locations, which are made with the rank 1 where there are none.
    pub(crate) async fn stocked(&self, name: &str, at: &[(&str, i64)]) {
        for (location, quantity) in at {
            if !place(location).is_main() {
                self.located(location, 1).await;
            }
            let outcome = self.adjust(adjustment(name, *quantity, location)).await;
            assert_eq!(told(&outcome).0, 200, "{outcome:?}");
        }
    }

    pub(crate) async fn located(&self, name: &str, rank: i64) -> Location {
        let wanted = Location { name: place(name), rank };
        self.inventory.put_location(wanted, &context()).await.expect("is put")
    }

    /// Reserves for one order and commits.
    pub(crate) async fn reserve(
        &self,
        number: u128,
        goods: &[(&str, i64)],
    ) -> Result<ReservationOutcome, InventoryError> {
        let demand = Demand { order_id: order(number), units: units(goods) };
        let tx = self.db.begin().await.expect("begins");
        let (tx, mut outcomes) = self.inventory.reserve(tx, vec![demand], &context()).await?;
        tx.commit().await.expect("commits");
        Ok(outcomes.pop().expect("one outcome"))
    }

    /// Like [`Self::reserve`], where there is enough.
    pub(crate) async fn promised(&self, number: u128, goods: &[(&str, i64)]) {
        let outcome = self.reserve(number, goods).await.expect("is decided");
        assert_eq!(outcome, ReservationOutcome::Reserved);
    }

    /// Carries out and commits.
    pub(crate) async fn carry_out(&self, moves: &[GoodsMove]) -> Result<(), InventoryError> {
        let tx = self.db.begin().await.expect("begins");
        let tx = self.inventory.carry_out(tx, moves.to_vec(), &context()).await?;
        tx.commit().await.expect("commits");
        Ok(())
    }

    pub(crate) async fn detail(&self, name: &str) -> StockDetail {
        self.inventory.get(&sku(name)).await.expect("is read").expect("has stock")
    }

    /// On hand, reserved, available.
    pub(crate) async fn level(&self, name: &str) -> (i64, i64, i64) {
        let level = self.detail(name).await.level;
        (level.on_hand, level.reserved, level.available)
    }

    /// Location, on hand, available, in the order in which goods leave.
    pub(crate) async fn lies(&self, name: &str) -> Vec<(String, i64, i64)> {
        let places = self.detail(name).await.locations.into_iter();
        places.map(|at| (at.location.to_string(), at.on_hand, at.available)).collect()
    }

    pub(crate) async fn audit(&self) -> BTreeMap<Sku, SkuAudit> {
        let tx = self.db.snapshot().await.expect("begins");
        let (tx, audits) = self.inventory.take_stock(tx, &context()).await.expect("is told");
        tx.rollback().await.expect("ends");
        audits.into_iter().map(|audit| (audit.sku.clone(), audit)).collect()
    }

    /// Fails unless the books agree with each other, SKU by SKU.
    pub(crate) async fn assert_balanced(&self) {
        for (name, audit) in self.audit().await {
            assert!(audit.level.is_sane(), "{audit:?}");
            assert_eq!(
                audit.adjusted + audit.returned,
                audit.level.on_hand + audit.shipped,
                "{audit:?}"
            );
            assert_eq!(audit.held, audit.level.reserved, "{audit:?}");
            assert!((0..=audit.level.on_hand).contains(&audit.elsewhere), "{audit:?}");
            let ledger = self.inventory.movements(&name, None, 10_000).await.expect("is read");
            let ledger = ledger.expect("has stock");
            let sum: i64 = ledger.iter().map(crate::Entry::delta).sum();
            assert_eq!(sum, audit.level.on_hand, "{ledger:#?}");
            let detail = self.detail(name.as_str()).await;
            for place in &detail.locations {
                let came = ledger.iter().filter(|entry| entry.to.as_ref() == Some(&place.location));
                let left =
                    ledger.iter().filter(|entry| entry.from.as_ref() == Some(&place.location));
                let there = came.map(|e| e.units).sum::<i64>() - left.map(|e| e.units).sum::<i64>();
                assert_eq!(place.on_hand, there, "{place:?} {ledger:#?}");
            }
        }
    }
}
