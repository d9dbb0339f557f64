//! From the log to the counts.

use crate::{Recommendations, consumer};
use actors::{Home, SystemClock};
use broker::{Broker, BrokerConfig};
use domain::{OrderEvent, OrderId, Sku};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use store::outbox::{self, Logged};
use store::{Db, Statement};
use testbed::log::{append, confirmed, line, order, rejected};
use testbed::{Scratch, on_both};
use tokio::time::timeout;

async fn start(db: &Db) -> Broker {
    let config = BrokerConfig {
        poll: Duration::from_millis(10),
        gather: Duration::from_millis(1),
        ..BrokerConfig::default()
    };
    let clock = Arc::new(SystemClock);
    let arbiters = [Home::current()];
    broker::start(db.clone(), clock, vec![consumer()], &arbiters, config).await.expect("starts")
}

async fn until_caught_up(broker: &Broker) {
    let wait = async {
        while !broker.caught_up().await.expect("asks") {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), wait).await.expect("caught up");
}

fn sku(name: &str) -> Sku {
    Sku::parse(name).expect("a SKU")
}

fn basket(number: u8, skus: &[&str]) -> (OrderId, OrderEvent) {
    (order(number), confirmed(skus.iter().map(|name| line(name, 2)).collect()))
}

async fn names(counts: &Recommendations, of: &str, limit: usize) -> Vec<(String, i64)> {
    let found = counts.for_product(&sku(of), limit).await.expect("reads");
    found.into_iter().map(|r| (r.sku.to_string(), r.orders)).collect()
}

on_both! {
    async fn recommends_what_is_bought_together_most(scratch) {
        let db = scratch.open().await;
        append(
            &db,
            vec![
                basket(1, &["tea", "cup", "tea"]),
                basket(2, &["tea", "cup", "pot"]),
                basket(3, &["tea", "pot"]),
                basket(4, &["tea", "cup"]),
                basket(5, &["saw"]),
                (order(6), rejected()),
            ],
        )
        .await;
        let broker = start(&db).await;
        until_caught_up(&broker).await;
        let all = Recommendations::new(db.clone(), Arc::new(|_| true));
        let owned = |list: &[(&str, i64)]| -> Vec<(String, i64)> {
            list.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
        };
        assert_eq!(names(&all, "tea", 9).await, owned(&[("cup", 3), ("pot", 2)]));
        assert_eq!(names(&all, "pot", 9).await, owned(&[("tea", 2), ("cup", 1)]));
        assert_eq!(names(&all, "tea", 1).await, owned(&[("cup", 3)]));
        assert_eq!(names(&all, "saw", 9).await, []);
        assert_eq!(names(&all, "never", 9).await, []);
        assert_eq!(all.orders_counted().await.expect("counts"), 5);
        assert_eq!(all.orders_with(&sku("tea")).await.expect("counts"), 4);
        // 3 together · 5 in all / (4 tea · 3 cup)
        let cup = all.for_product(&sku("tea"), 1).await.expect("reads").remove(0);
        assert!((cup.score - 1.25).abs() < 1e-12, "{}", cup.score);

        let some = Recommendations::new(db.clone(), Arc::new(|sku| sku.as_str() != "cup"));
        assert_eq!(names(&some, "tea", 9).await, owned(&[("pot", 2)]));
        broker.drain().await;
    }
}

#[test]
fn counts_go_on_after_a_restart_and_find_the_active_ones_on_any_page() {
    let scratch = Scratch::sqlite();
    for round in 0..3 {
        // A system of its own: when it ends, nothing of this run holds the database any more.
        actix::System::new().block_on(async {
            let partners: Vec<String> = (0..120).map(|n| format!("P{n:03}")).collect();
            let wide: Vec<&str> =
                std::iter::once("hub").chain(partners.iter().map(String::as_str)).collect();
            let db = scratch.open().await;
            let baskets = vec![basket(round * 2, &wide), basket(round * 2 + 1, &["hub", "P119"])];
            append(&db, baskets).await;
            let broker = start(&db).await;
            until_caught_up(&broker).await;
            broker.drain().await;
        });
    }
    actix::System::new().block_on(async {
        let db = scratch.open().await;
        let last = |sku: &Sku| sku.as_str() >= "P117";
        let counts = Recommendations::new(db.clone(), Arc::new(last));
        let expected = [("P119", 6), ("P117", 3), ("P118", 3)].map(|(s, n)| (s.to_owned(), n));
        assert_eq!(names(&counts, "hub", 5).await, expected);
        assert_eq!(counts.orders_counted().await.expect("counts"), 6);
    });
}

const fn both(name: &'static str, sql: &'static str) -> Statement {
    Statement { name, postgres: sql, sqlite: sql }
}

static REWIND: Statement =
    both("rewind", "UPDATE consumer_position SET seq = 0, claimed = 0, tries = 0");
static DROP_BASKETS: Statement = both("drop_baskets", "DELETE FROM basket");
static DROP_ITEMS: Statement = both("drop_items", "DELETE FROM basket_item");
static PARKED: Statement = both("parked", "SELECT count(*) AS events FROM parked_event");

async fn change(db: &Db, statements: &[&'static Statement]) {
    let mut tx = db.begin().await.expect("begins");
    for statement in statements {
        tx.execute(statement.query()).await.expect("changes");
    }
    tx.commit().await.expect("commits");
}

async fn parked(db: &Db) -> i64 {
    let row = db.fetch_optional(PARKED.query()).await.expect("reads").expect("a row");
    row.int("events").expect("a number")
}

on_both! {
    async fn a_second_reading_of_the_log_changes_nothing_and_rebuilds_what_is_gone(scratch) {
        let db = scratch.open().await;
        let baskets = (0..30).map(|number| match number % 3 {
            0 => basket(number, &["tea", "cup", "pot"]),
            1 => basket(number, &["tea", "cup"]),
            _ => (order(number), rejected()),
        });
        append(&db, baskets).await;
        let counts = Recommendations::new(db.clone(), Arc::new(|_| true));
        let expected = [("cup", 20), ("pot", 10)].map(|(sku, n)| (sku.to_owned(), n));
        let without: &[&'static Statement] = &[];
        for lost in [without, &[&REWIND], &[&REWIND, &DROP_BASKETS, &DROP_ITEMS]] {
            change(&db, lost).await;
            if lost.len() > 1 {
                assert_eq!(counts.orders_counted().await.expect("counts"), 0);
                assert_eq!(names(&counts, "tea", 9).await, []);
            }
            let broker = start(&db).await;
            until_caught_up(&broker).await;
            assert_eq!(names(&counts, "tea", 9).await, expected);
            assert_eq!(counts.orders_counted().await.expect("counts"), 20);
            assert_eq!(counts.orders_with(&sku("pot")).await.expect("counts"), 10);
            assert_eq!(parked(&db).await, 0);
            broker.drain().await;
        }
    }
}

/// Everything in the log, by place.
async fn log(db: &Db) -> Vec<Logged> {
    let mut tx = db.begin().await.expect("begins");
    let mut events = Vec::new();
    for partition in 0..domain::PARTITIONS {
        events.extend(outbox::read(&mut tx, partition, 0, 1_000).await.expect("reads"));
    }
    tx.rollback().await.expect("ends");
    events.sort_by_key(|event| event.seq);
    events
}

async fn apply(db: &Db, events: &[Logged]) {
    let tx = db.begin().await.expect("begins");
    let tx = consumer().apply(tx, events).await.expect("applies");
    tx.commit().await.expect("commits");
}

/// Names that JSON writes otherwise, and that sort otherwise by bytes than by language.
const NAMES: [&str; 6] = ["a", "B", "\"q\" \\", "é", "z", "Z 1"];

/// Partners of a product with the orders of both and the lift, counted one by one in those of
/// the baskets (the oldest first) that come after the latest but `baskets_max` with the product.
fn counted(baskets: &[BTreeSet<&str>], of: &str, baskets_max: usize) -> Vec<(String, i64, f64)> {
    let with = |sku: &str, from: usize| {
        let places = (from..baskets.len()).filter(|place| baskets[*place].contains(sku));
        places.collect::<Vec<_>>()
    };
    let since = with(of, 0).iter().rev().nth(baskets_max).map_or(0, |place| place + 1);
    let mine = with(of, since);
    let mut pairs: BTreeMap<&str, u32> = BTreeMap::new();
    for place in &mine {
        for other in baskets[*place].iter().filter(|other| **other != of) {
            *pairs.entry(other).or_default() += 1;
        }
    }
    let number = |count: usize| f64::from(u32::try_from(count).expect("few"));
    let mut rows: Vec<_> = pairs
        .into_iter()
        .map(|(other, both)| {
            let chance = number(mine.len()) * number(with(other, since).len());
            let score = f64::from(both) * number(baskets.len() - since) / chance;
            (other.to_owned(), i64::from(both), score)
        })
        .collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    rows
}

async fn counts_are_those_of(orders: &[Vec<usize>], baskets_max: usize) {
    let scratch = Scratch::sqlite();
    let db = scratch.open().await;
    let baskets: Vec<BTreeSet<&str>> =
        orders.iter().map(|order| order.iter().map(|name| NAMES[*name]).collect()).collect();
    let written = orders.iter().zip(0..).map(|(order, number)| {
        let skus: Vec<&str> = order.iter().map(|name| NAMES[*name]).collect();
        basket(number, &skus)
    });
    append(&db, written).await;
    let events = log(&db).await;
    // Later places first, as happens between partitions; and some of them twice.
    let (early, late) = events.split_at(events.len() / 2);
    apply(&db, late).await;
    apply(&db, &events[..early.len() / 2]).await;
    apply(&db, &events).await;

    let mut found = Recommendations::new(db.clone(), Arc::new(|_| true));
    found.baskets_max = i64::try_from(baskets_max).expect("few");
    for name in NAMES {
        let expected = counted(&baskets, name, baskets_max);
        let rows = found.for_product(&sku(name), 9).await.expect("reads");
        assert_eq!(rows.len(), expected.len(), "{name}: {rows:?}, not {expected:?}");
        for (row, (other, orders, score)) in rows.iter().zip(expected) {
            assert_eq!((row.sku.as_str(), row.orders), (other.as_str(), orders), "with {name}");
            assert!((row.score - score).abs() < 1e-9, "{name}: {row:?}, not {score}");
        }
        let with = baskets.iter().filter(|basket| basket.contains(name)).count();
        let counted = found.orders_with(&sku(name)).await.expect("counts");
        assert_eq!(usize::try_from(counted), Ok(with));
    }
    let counted = found.orders_counted().await.expect("counts");
    assert_eq!(usize::try_from(counted), Ok(baskets.len()));
    db.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Small limits leave old baskets out; the large one leaves out none.
    #[test]
    fn counts_are_those_of_counting_one_by_one(
        orders in prop::collection::vec(prop::collection::vec(0..NAMES.len(), 1..8), 0..25),
        baskets_max in prop_oneof![1_usize..8, Just(10_000)],
    ) {
        actix::System::new().block_on(counts_are_those_of(&orders, baskets_max));
    }
}
