//! What is kept: always the same, and never more than the bound.

use super::support::{MOMENT, config, confirmed, customer, logged, recommendations, run, sku};
use crate::{Recommendations, RecommendationsConfig};
use broker::Informed;
use domain::PARTITIONS;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use store::outbox::Logged;

/// Names that JSON writes otherwise, and that sort otherwise by bytes than by language.
const NAMES: [&str; 6] = ["a", "B", "\"q\" \\", "é", "z", "Z 1"];

/// Partners of a product with the orders of both and the lift, counted one by one.
fn counted(baskets: &[BTreeSet<&str>], of: &str) -> Vec<(String, u64, f64)> {
    let with = |name: &str| baskets.iter().filter(|basket| basket.contains(name)).count();
    let mut pairs: BTreeMap<&str, u32> = BTreeMap::new();
    for basket in baskets.iter().filter(|basket| basket.contains(of)) {
        for other in basket.iter().filter(|other| **other != of) {
            *pairs.entry(other).or_default() += 1;
        }
    }
    let number = |count: usize| f64::from(u32::try_from(count).expect("few"));
    let row = |(other, both): (&str, u32)| {
        let chance = number(with(of)) * number(with(other));
        let lift = f64::from(both) * number(baskets.len()) / chance;
        (other.to_owned(), u64::from(both), lift)
    };
    let mut rows: Vec<_> = pairs.into_iter().map(row).collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    rows
}

fn events(orders: &[Vec<usize>]) -> Vec<Logged> {
    let event = |(order, seq): (&Vec<usize>, i64)| {
        let skus: Vec<&str> = order.iter().map(|name| NAMES[*name]).collect();
        let buyer = customer(u128::from(seq.unsigned_abs()) % 5);
        let at = MOMENT.plus_seconds(seq);
        logged(seq, at, &confirmed((seq % 3 > 0).then_some(buyer), &skus))
    };
    orders.iter().zip(1..).map(event).collect()
}

/// Hands events over as a node does that started when `from` of them were there: those that came
/// later forward, partition by partition in pages; the others backwards, as far as they are wanted.
fn read(to: &Recommendations, events: &[Logged], from: usize, page: usize) {
    let follower = to.follower();
    let (past, news) = events.split_at(from);
    let of = |events: &[Logged], partition: u8| -> Vec<Logged> {
        events.iter().filter(|event| event.partition == partition).cloned().collect()
    };
    let mut ahead: Vec<_> = (0..PARTITIONS).map(|partition| of(news, partition)).collect();
    let mut back: Vec<_> = (0..PARTITIONS).map(|partition| of(past, partition)).collect();
    while ahead.iter().chain(&back).any(|events| !events.is_empty()) {
        for events in &mut ahead {
            let next = page.min(events.len());
            events.drain(..next).for_each(|event| follower.take(&event).expect("takes it"));
        }
        let latest = back.iter_mut().max_by_key(|events| events.last().map(|event| event.seq));
        let Some(events) = latest.filter(|events| !events.is_empty()) else { continue };
        if !events.last().is_some_and(|last| follower.wants_before(last.seq + 1)) {
            events.clear();
        }
        for event in events.split_off(events.len().saturating_sub(page)).iter().rev() {
            follower.take(event).expect("takes it");
            follower.take(event).expect("it is there already");
        }
    }
    follower.informed(Informed::Fully);
}

async fn is_right(orders: &[Vec<usize>], memory: usize, from: usize, page: usize) {
    let bounded = RecommendationsConfig { memory, ..config() };
    let events = events(orders);
    let from = from.min(events.len());
    let nodes = [recommendations(bounded), recommendations(bounded)];
    read(&nodes[0], &events, from, page);
    // Another node, which read the log from its end.
    read(&nodes[1], &events, events.len(), 2);
    let kept = nodes[0].orders_counted();
    assert_eq!(nodes[1].orders_counted(), kept, "both know the same orders");
    assert!(nodes.iter().all(|node| node.memory_used() <= memory));
    assert_eq!(nodes[0].memory_used(), nodes[1].memory_used());
    let baskets: Vec<BTreeSet<&str>> = orders[orders.len() - kept..]
        .iter()
        .map(|order| order.iter().map(|name| NAMES[*name]).collect())
        .collect();
    for name in NAMES {
        let expected = counted(&baskets, name);
        let with = baskets.iter().filter(|basket| basket.contains(name)).count();
        for node in &nodes {
            let found = node.for_product(&sku(name), 9).await;
            assert!(!found.degraded);
            assert_eq!(node.orders_with(&sku(name)), with);
            assert_eq!(found.data.len(), expected.len(), "{name}: {found:?}, not {expected:?}");
            for (row, (other, orders, lift)) in found.data.iter().zip(&expected) {
                assert_eq!(
                    (row.sku.as_str(), &row.orders),
                    (other.as_str(), orders),
                    "with {name}"
                );
                assert!((row.score - lift).abs() < 0.000_51, "{name}: {row:?}, not {lift}");
            }
        }
    }
    let buyers = (0..6).map(customer);
    for buyer in buyers {
        let [here, there] = [&nodes[0], &nodes[1]].map(|node| node.for_customer(&buyer, 9));
        assert_eq!(here.await, there.await);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Small bounds leave old baskets out; the large one leaves out none.
    #[test]
    fn every_node_counts_the_latest_orders_one_by_one(
        orders in prop::collection::vec(prop::collection::vec(0..NAMES.len(), 1..8), 1..40),
        memory in prop_oneof![0_usize..8_000, Just(1 << 20)],
        from in 0_usize..40,
        page in 1_usize..8,
    ) {
        run(is_right(&orders, memory, from, page));
    }
}

#[test]
fn a_tiny_bound_forgets_the_oldest() {
    run(async {
        let (mut before, mut orders) = (0, Vec::new());
        let all = recommendations(config());
        let tiny = recommendations(RecommendationsConfig { memory: 4_000, ..config() });
        for number in 0..1_000_u32 {
            // Every order has a product of its own, and a common one.
            let own = format!("P{number:04}");
            let at = MOMENT.plus_seconds(i64::from(number));
            let event = logged(i64::from(number) + 1, at, &confirmed(None, &["HUB", &own]));
            for node in [&all, &tiny] {
                node.follower().take(&event).expect("takes it");
            }
            assert!(tiny.memory_used() <= 4_000);
            before = before.max(tiny.orders_counted());
            orders.push(own);
        }
        assert_eq!(all.orders_counted(), 1_000);
        let kept = tiny.orders_counted();
        assert!((2..100).contains(&kept), "{kept}");
        assert_eq!(kept, before, "it stays full");
        let found = tiny.for_product(&sku("HUB"), 100).await;
        let names: Vec<&str> = found.data.iter().map(|row| row.sku.as_str()).collect();
        assert_eq!(names, &orders[1_000 - kept..], "the latest are there, and no other");
        assert_eq!(tiny.orders_with(&sku("P0000")), 0);
        let lookups = all.memory_used() / all.orders_counted();
        assert!((300..600).contains(&lookups), "an order and a name cost {lookups} bytes");
    });
}

#[test]
fn the_latest_of_very_many_orders_are_looked_into() {
    run(async {
        let some = recommendations(RecommendationsConfig { baskets_max: 10, ..config() });
        let follower = some.follower();
        for seq in 1..=100 {
            let skus: &[&str] = if seq <= 95 { &["HUB", "OLD"] } else { &["HUB", "NEW"] };
            follower.take(&logged(seq, MOMENT, &confirmed(None, skus))).expect("takes it");
        }
        let found = some.for_product(&sku("HUB"), 9).await;
        let rows: Vec<_> = found.data.iter().map(|row| (row.sku.as_str(), row.orders)).collect();
        assert_eq!(rows, [("NEW", 5), ("OLD", 5)]);
        // Half of the last hubs, and five of a hundred orders, have it.
        assert!((found.data[0].score - 10.0).abs() < 1e-9, "{found:?}");
    });
}

/// The cost that is counted is an upper bound of what the tables really hold.
#[test]
fn the_cost_is_no_less_than_the_tables() {
    let all = recommendations(config());
    let follower = all.follower();
    for seq in 1..=5_000_i64 {
        let names: Vec<String> = (0..seq % 20)
            .map(|number| format!("P{}", (seq * 7 + number * number) % 3_000))
            .collect();
        let skus: Vec<&str> = names.iter().map(String::as_str).collect();
        let buyer = customer(u128::from(seq.unsigned_abs()) % 700);
        follower.take(&logged(seq, MOMENT, &confirmed(Some(buyer), &skus))).expect("takes it");
        if seq % 100 == 0 {
            let (counted, held) = (all.memory_used(), all.tables());
            assert!(held <= counted, "after {seq}: {held} bytes are held, {counted} are counted");
        }
    }
}
