//! Locations and the ledger.

use super::world::{adjustment, context, on_both, place, sku};
use crate::{InventoryError, Location, LocationName, Position};

on_both! {
    async fn locations_are_listed_in_the_order_in_which_goods_leave(world) {
        for (name, rank) in [("north", 5), ("attic", 0), ("zoo", 0), ("Ä 1/2", 5)] {
            let put = world.located(name, rank).await;
            assert_eq!(put, Location { name: place(name), rank });
        }
        world.located("north", 1).await;
        let all = ["attic", "main", "zoo", "north", "Ä 1/2"];
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = world.inventory.locations(after, 2).await.expect("is read");
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            found.extend(page.into_iter().map(|location| location.name.to_string()));
        }
        assert_eq!(found, all);
        let main = Location { name: LocationName::main(), rank: 3 };
        let error = world.inventory.put_location(main, &context()).await.expect_err("is fixed");
        assert!(matches!(error, InventoryError::Disagreement(_)), "{error}");
    }

    async fn the_ledger_is_read_newest_first_page_by_page(world) {
        world.located("north", 1).await;
        for number in 0..7 {
            let location = if number % 2 == 0 { "main" } else { "north" };
            world.adjust(adjustment("A", 10 + number, location)).await;
        }
        world.adjust(adjustment("A", -4, "north")).await;
        world.adjust(adjustment("B", 1, "main")).await;
        let mut expected: Vec<i64> = (10..17).chain([-4]).collect();
        expected.reverse();
        for limit in [1, 3, 8, 100] {
            let (mut found, mut after): (Vec<i64>, Option<Position>) = (Vec::new(), None);
            loop {
                let page = world.inventory.movements(&sku("A"), after, limit).await;
                let page = page.expect("is read").expect("has stock");
                let Some(last) = page.last() else { break };
                after = Some(last.position());
                found.extend(page.iter().map(crate::Entry::delta));
            }
            assert_eq!(found, expected, "limit {limit}");
        }
        let newest = world.inventory.movements(&sku("A"), None, 1).await.expect("is read");
        let newest = newest.expect("has stock").remove(0);
        assert_eq!((newest.from, newest.to), (Some(place("north")), None));
        assert_eq!((newest.units, newest.reason.as_deref()), (4, Some("count")));
        assert_eq!(world.inventory.movements(&sku("C"), None, 9).await.expect("is read"), None);
    }
}
