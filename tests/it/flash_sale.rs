//! More buyers than units.

use crate::world::{World, on_both, order_of};
use futures_util::future::join_all;
use std::collections::BTreeMap;

const UNITS: i64 = 100;
const BUYERS: usize = 300;

on_both! {
    async fn every_unit_is_sold_once(world in World) {
        world.stocked("HOT", 1999, UNITS).await;
        let body = order_of(&[("HOT", 1)]);
        let buyers = (0..BUYERS).map(|number| {
            let (api, body) = (&world.api, &body);
            async move { api.place(&format!("buyer-{number}"), body).await }
        });
        let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
        for reply in join_all(buyers).await {
            let outcome = match reply.status {
                // A bank that is slow on a busy machine: accepted, and certain to get its unit.
                201 | 202 => world.settled(&reply.order_id()).await["status"].to_string(),
                _ => {
                    let problem = reply.problem(409, "OUT_OF_STOCK");
                    let shortage = &problem["details"]["shortages"][0];
                    assert_eq!(
                        (&shortage["sku"], &shortage["requested"]),
                        (&"HOT".into(), &1.into())
                    );
                    assert_eq!(shortage["available"], 0, "a unit was left: {problem}");
                    "OUT_OF_STOCK".to_owned()
                }
            };
            *outcomes.entry(outcome).or_default() += 1;
        }
        let expected = [("\"confirmed\"".to_owned(), 100), ("OUT_OF_STOCK".to_owned(), 200)];
        assert_eq!(outcomes, BTreeMap::from(expected));
        assert_eq!(world.stock("HOT").await, (UNITS, UNITS, 0));
        assert_eq!(world.bank.ledger().await.len(), 100);
        world.assert_balanced().await;
    }

    async fn buyers_of_crossing_baskets_never_wait_for_each_other_for_ever(world in World) {
        let skus: Vec<String> = (0..6).map(|number| format!("S{number}")).collect();
        for sku in &skus {
            world.stocked(sku, 100, 40).await;
        }
        // Each basket takes all SKUs, beginning at another one: locks taken in basket order would
        // deadlock.
        let buyers = (0..120_usize).map(|number| {
            let turned = skus.iter().cycle().skip(number % skus.len()).take(skus.len());
            let lines: Vec<(&str, i64)> = turned.map(|sku| (sku.as_str(), 1)).collect();
            let body = order_of(&lines);
            let api = &world.api;
            async move { api.place(&format!("buyer-{number}"), &body).await.status }
        });
        let statuses = join_all(buyers).await;
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 40, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 80, "{statuses:?}");
        for sku in &skus {
            assert_eq!(world.stock(sku).await, (40, 40, 0));
        }
        world.assert_balanced().await;
    }
}
