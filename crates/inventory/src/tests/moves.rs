//! Goods that are promised, leave and come back.

use super::world::{adjustment, context, on_both, order, release, ship, sku, take_back, units};
use crate::{EntryKind, InventoryError};
use domain::{Demand, ReservationOutcome};
use std::collections::BTreeSet;

on_both! {
    async fn a_promise_is_given_back_once(world) {
        world.stocked("A", &[("main", 10)]).await;
        world.stocked("B", &[("main", 5)]).await;
        world.promised(1, &[("A", 3), ("B", 5)]).await;
        world.promised(2, &[("A", 4)]).await;
        assert_eq!((world.level("A").await, world.level("B").await), ((10, 7, 3), (5, 5, 0)));
        world.carry_out(&[release(1), release(9)]).await.expect("is given back");
        assert_eq!((world.level("A").await, world.level("B").await), ((10, 4, 6), (5, 0, 5)));
        let version = world.detail("A").await.level.version;
        world.carry_out(&[release(1), release(1)]).await.expect("nothing to give back");
        assert_eq!(world.level("A").await, (10, 4, 6));
        assert_eq!(world.detail("A").await.level.version, version);
    }

    async fn what_leaves_is_taken_from_the_promise(world) {
        world.stocked("A", &[("main", 10)]).await;
        world.promised(1, &[("A", 5)]).await;
        world.promised(2, &[("A", 2)]).await;
        world.carry_out(&[ship(1, &[("A", 2)])]).await.expect("leaves");
        assert_eq!(world.level("A").await, (8, 5, 3));
        world.carry_out(&[ship(1, &[("A", 1)]), release(1)]).await.expect("leaves");
        assert_eq!(world.level("A").await, (7, 2, 5));
        let audit = world.audit().await[&sku("A")].clone();
        assert_eq!((audit.shipped, audit.held, audit.returned), (3, 2, 0));
        // The promise has ended: no more can leave, and nothing more is given back.
        for moves in [vec![ship(1, &[("A", 1)])], vec![release(1), ship(1, &[("A", 1)])]] {
            let error = world.carry_out(&moves).await.expect_err("nothing is promised");
            assert!(error.may_be_one_orders_fault());
            let InventoryError::NotReserved { order: refused, sku: of } = error else {
                panic!("{error}");
            };
            assert_eq!((refused, of), (order(1), sku("A")));
        }
        world.carry_out(&[release(1)]).await.expect("nothing to give back");
        assert_eq!(world.level("A").await, (7, 2, 5));
    }

    async fn what_is_not_promised_does_not_leave(world) {
        world.stocked("A", &[("main", 10)]).await;
        world.stocked("B", &[("main", 10)]).await;
        world.promised(1, &[("A", 3)]).await;
        world.promised(2, &[("A", 3), ("B", 1)]).await;
        for goods in [&[("A", 4)][..], &[("B", 1)], &[("A", 0)], &[("A", -1)], &[("A", 1), ("B", 1)]]
        {
            // The whole batch fails with it, also what would have been right alone.
            let moves = [ship(2, &[("A", 1), ("B", 1)]), ship(1, goods)];
            let error = world.carry_out(&moves).await.expect_err("is not promised");
            assert!(matches!(error, InventoryError::NotReserved { .. }), "{error}");
        }
        let error = world.carry_out(&[ship(7, &[("A", 1)])]).await.expect_err("nothing promised");
        assert!(matches!(error, InventoryError::NotReserved { .. }), "{error}");
        assert_eq!((world.level("A").await, world.level("B").await), ((10, 6, 4), (10, 1, 9)));
        assert_eq!(world.audit().await[&sku("A")].shipped, 0);
    }

    async fn goods_leave_by_the_order_of_the_locations(world) {
        world.located("cellar", 0).await;
        world.located("attic", 7).await;
        world.stocked("A", &[("main", 3)]).await;
        for location in ["cellar", "attic"] {
            let units = adjustment("A", 2, location);
            world.adjust(units).await;
        }
        world.promised(1, &[("A", 6)]).await;
        let lies = |parts: &[(&str, i64, i64)]| -> Vec<(String, i64, i64)> {
            parts.iter().map(|(name, here, free)| ((*name).to_owned(), *here, *free)).collect()
        };
        let all = lies(&[("cellar", 2, 0), ("main", 3, 0), ("attic", 2, 1)]);
        assert_eq!(world.lies("A").await, all);
        world.carry_out(&[ship(1, &[("A", 4)])]).await.expect("leaves");
        assert_eq!(world.lies("A").await, lies(&[("cellar", 0, 0), ("main", 1, 0), ("attic", 2, 1)]));
        // The order of the locations may change on the way.
        world.located("attic", 0).await;
        world.carry_out(&[ship(1, &[("A", 2)])]).await.expect("leaves");
        assert_eq!(world.lies("A").await, lies(&[("attic", 0, 0), ("cellar", 0, 0), ("main", 1, 1)]));
        let ledger = world.inventory.movements(&sku("A"), None, 100).await.expect("is read");
        let ledger = ledger.expect("has stock");
        let shipped: Vec<(String, i64)> = ledger
            .iter()
            .filter(|entry| entry.kind == EntryKind::Shipment)
            .map(|entry| (entry.from.as_ref().expect("a place").to_string(), entry.units))
            .collect();
        let expected =
            [("attic", 2), ("main", 2), ("cellar", 2)].map(|(name, n)| (name.to_owned(), n));
        assert_eq!(shipped, expected);
        assert!(ledger.iter().all(|entry| entry.actor == "tester"));
    }

    async fn what_comes_back_is_counted_or_thrown_away(world) {
        world.located("attic", 3).await;
        world.stocked("A", &[("main", 4), ("attic", 4)]).await;
        world.promised(1, &[("A", 5)]).await;
        world.carry_out(&[ship(1, &[("A", 5)])]).await.expect("leaves");
        let back = [take_back(1, &[("A", 2)], true), take_back(1, &[("A", 1)], false)];
        world.carry_out(&back).await.expect("comes back");
        assert_eq!(world.level("A").await, (5, 0, 5));
        let audit = world.audit().await[&sku("A")].clone();
        assert_eq!((audit.adjusted, audit.returned, audit.shipped), (8, 2, 5));
        assert_eq!(audit.elsewhere, 3);
        // What comes back can leave again in the same batch.
        world.promised(2, &[("A", 5)]).await;
        let moves = [take_back(1, &[("A", 1)], true), ship(2, &[("A", 5)])];
        world.carry_out(&moves).await.expect("leaves");
        assert_eq!(world.level("A").await, (1, 0, 1));
        let ledger = world.inventory.movements(&sku("A"), None, 100).await.expect("is read");
        let kinds: Vec<(EntryKind, i64)> =
            ledger.expect("has stock").iter().rev().map(|e| (e.kind, e.delta())).collect();
        use EntryKind::{Adjustment, Discard, Return, Shipment};
        assert_eq!(kinds[..6], [
            (Adjustment, 4),
            (Adjustment, 4),
            (Shipment, -4),
            (Shipment, -1),
            (Return, 2),
            (Discard, 0),
        ]);
        assert_eq!(kinds[6], (Return, 1));
        // Goods without a shelf cannot come back.
        let error = world.carry_out(&[take_back(1, &[("B", 1)], true)]).await.expect_err("no shelf");
        assert!(matches!(error, InventoryError::Disagreement(_)), "{error}");
    }

    async fn an_order_may_be_promised_goods_again(world) {
        world.stocked("A", &[("main", 10)]).await;
        world.promised(1, &[("A", 4)]).await;
        // A live promise is never overwritten.
        let error = world.reserve(1, &[("A", 1)]).await.expect_err("is promised already");
        assert!(matches!(error, InventoryError::AlreadyReserved), "{error}");
        assert_eq!(world.level("A").await, (10, 4, 6));
        world.carry_out(&[release(1)]).await.expect("is given back");
        world.promised(1, &[("A", 2)]).await;
        assert_eq!(world.level("A").await, (10, 2, 8));
        world.carry_out(&[ship(1, &[("A", 2)])]).await.expect("leaves");
        world.promised(1, &[("A", 3)]).await;
        assert_eq!(world.level("A").await, (8, 3, 5));
        world.carry_out(&[release(1)]).await.expect("is given back");
        assert_eq!(world.level("A").await, (8, 0, 8));
    }

    async fn short_goods_go_to_those_who_came_first(world) {
        world.stocked("A", &[("main", 2), ("attic", 1)]).await;
        let demand = |number, quantity| Demand { order_id: order(number), units: units(&[("A", quantity)]) };
        let demands = vec![demand(1, 2), demand(2, 2), demand(3, 1), demand(4, 1)];
        let tx = world.db.begin().await.expect("begins");
        let (tx, outcomes) =
            world.inventory.reserve(tx, demands, &context()).await.expect("is decided");
        tx.commit().await.expect("commits");
        let served: Vec<bool> =
            outcomes.iter().map(|outcome| *outcome == ReservationOutcome::Reserved).collect();
        assert_eq!(served, [true, false, true, false]);
        assert_eq!(world.level("A").await, (3, 3, 0));
    }

    async fn crossing_batches_do_not_wait_for_each_other_for_ever(world) {
        let names: Vec<String> = (0..6).map(|number| format!("S{number}")).collect();
        for name in &names {
            world.stocked(name, &[("main", 40), ("attic", 40)]).await;
        }
        let all: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        for number in 0..48 {
            world.promised(number, &all).await;
        }
        // Each batch ships, gives back and takes back for three orders, beginning elsewhere.
        let batches = (0..16_u128).map(|batch| {
            let (all, turn) = (&all, usize::try_from(batch).expect("small") % all.len());
            async move {
                let first = [all[turn], all[(turn + 1) % all.len()]];
                let moves = [
                    ship(3 * batch + 2, all),
                    release(3 * batch),
                    ship(3 * batch + 1, &first),
                    take_back(3 * batch + 2, &first, true),
                ];
                world.carry_out(&moves).await
            }
        });
        let results = futures(batches).await;
        let failed: BTreeSet<String> =
            results.iter().filter_map(|r| r.as_ref().err()).map(ToString::to_string).collect();
        assert!(failed.is_empty(), "{failed:?}");
        let audits = world.audit().await;
        let total = |pick: fn(&crate::SkuAudit) -> i64| audits.values().map(pick).sum::<i64>();
        assert_eq!(total(|audit| audit.shipped), 16 * 6 + 16 * 2);
        assert_eq!(total(|audit| audit.returned), 16 * 2);
        assert_eq!(total(|audit| audit.held), 16 * 4);
        assert_eq!(total(|audit| audit.level.on_hand), 6 * 80 - 16 * 6);
    }
}

/// All of these, at once.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    futures_util::future::join_all(all).await
}
