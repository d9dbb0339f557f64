//! Through the broker, from a log on SQLite.

use super::support::{MOMENT, config, confirmed, order, recommendations, rows, run, sku};
use crate::Recommendations;
use actors::{Home, SystemClock};
use broker::{Broker, BrokerConfig, FollowConfig};
use domain::{EventId, OrderEvent, OrderId, Recorded, RejectReason, Rejected};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::{DatabaseUrl, Db, Statement, StoreConfig, outbox};
use tokio::time::timeout;

/// A folder for one SQLite file, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir()
            .join(format!("recommendations-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    async fn open(&self) -> Db {
        let url = DatabaseUrl::Sqlite(self.0.join("shop.db"));
        let db = Db::open(&StoreConfig::new(url)).await.expect("opens");
        db.migrate().await.expect("migrates");
        db
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn rejected() -> OrderEvent {
    let reason = RejectReason::PaymentDeclined { decline_code: "none".to_owned() };
    OrderEvent::Rejected(Rejected { reason, payment: None })
}

async fn append(db: &Db, events: Vec<(OrderId, OrderEvent)>) {
    let recorded = |(order_id, event): (OrderId, OrderEvent)| Recorded {
        id: EventId(order_id.0),
        order_id,
        version: 1,
        at: MOMENT,
        actor: "test".to_owned(),
        cause: "test".to_owned(),
        trace_id: "0".repeat(32),
        event,
    };
    let events: Vec<_> = events.into_iter().map(recorded).collect();
    let mut tx = db.begin().await.expect("begins");
    outbox::append(&mut tx, &events).await.expect("appends");
    tx.commit().await.expect("commits");
}

fn basket(number: usize, skus: &[&str]) -> (OrderId, OrderEvent) {
    (order(number), confirmed(None, skus))
}

/// A node that follows the log, in pages so small that there are several.
async fn start(db: &Db) -> (Broker, Recommendations) {
    let clock = Arc::new(SystemClock);
    let (homes, config_of_groups) = ([Home::current()], BrokerConfig::default());
    let broker = broker::start(db.clone(), clock, Vec::new(), &homes, config_of_groups);
    let broker = broker.await.expect("starts");
    let recommendations = recommendations(config());
    let follow = FollowConfig {
        page: 3,
        poll: Duration::from_millis(10),
        gather: Duration::from_millis(1),
        ..FollowConfig::default()
    };
    broker.follow(recommendations.follower(), &Home::current(), follow);
    (broker, recommendations)
}

async fn until_caught_up(broker: &Broker) {
    let wait = async {
        while !broker.caught_up().await.expect("asks") {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), wait).await.expect("caught up");
}

#[test]
fn recommends_what_is_bought_together_most() {
    run(async {
        let scratch = Scratch::new("most");
        let db = scratch.open().await;
        let before = vec![
            basket(1, &["tea", "cup", "tea"]),
            basket(2, &["tea", "cup", "pot"]),
            (order(6), rejected()),
        ];
        let after = vec![
            basket(3, &["tea", "pot"]),
            basket(4, &["tea", "cup"]),
            basket(5, &["saw"]),
            (order(7), rejected()),
        ];
        append(&db, before).await;
        let (broker, all) = start(&db).await;
        until_caught_up(&broker).await;
        assert_eq!(rows(&all.for_product(&sku("tea"), 9).await), [("cup", 2), ("pot", 1)]);
        append(&db, after).await;
        until_caught_up(&broker).await;
        assert_eq!(rows(&all.for_product(&sku("tea"), 9).await), [("cup", 3), ("pot", 2)]);
        assert_eq!(rows(&all.for_product(&sku("pot"), 9).await), [("tea", 2), ("cup", 1)]);
        assert_eq!(rows(&all.for_product(&sku("tea"), 1).await), [("cup", 3)]);
        for nothing in ["saw", "never"] {
            let found = all.for_product(&sku(nothing), 9).await;
            assert_eq!((rows(&found), found.degraded), (vec![], false), "{nothing}");
        }
        assert_eq!((all.orders_counted(), all.orders_with(&sku("tea"))), (5, 4));
        // 3 together · 5 in all / (4 tea · 3 cup)
        let cup = all.for_product(&sku("tea"), 1).await.data.remove(0);
        assert!((cup.score - 1.25).abs() < 1e-12, "{}", cup.score);
        broker.drain().await;
    });
}

#[test]
fn a_restart_comes_to_the_same() {
    let scratch = Scratch::new("restart");
    for round in 0..3 {
        // A system of its own: when it ends, nothing of this run holds the database any more.
        run(async {
            let db = scratch.open().await;
            let baskets = (0..50).map(|number| match number % 3 {
                0 => basket(round * 50 + number, &["tea", "cup", "pot"]),
                1 => basket(round * 50 + number, &["tea", "cup"]),
                _ => (order(round * 50 + number), rejected()),
            });
            append(&db, baskets.collect()).await;
            let (broker, all) = start(&db).await;
            until_caught_up(&broker).await;
            let (orders, pots) = (34 * (round + 1), 17 * (round + 1));
            assert_eq!((all.orders_counted(), all.orders_with(&sku("pot"))), (orders, pots));
            let found = all.for_product(&sku("tea"), 9).await;
            assert_eq!(rows(&found), [("cup", orders as u64), ("pot", pots as u64)]);
            broker.drain().await;
        });
    }
}

static SPOIL: Statement = Statement {
    name: "spoil",
    postgres: "",
    sqlite: "UPDATE event SET data = '{}' WHERE seq IN (3, 4, 9)",
};

#[test]
fn what_cannot_be_digested_is_passed_over() {
    run(async {
        let scratch = Scratch::new("poison");
        let db = scratch.open().await;
        append(&db, (0..20).map(|number| basket(number, &["tea", "cup"])).collect()).await;
        let mut tx = db.begin().await.expect("begins");
        assert_eq!(tx.execute(SPOIL.query()).await.expect("changes"), 3);
        tx.commit().await.expect("commits");
        let (broker, all) = start(&db).await;
        until_caught_up(&broker).await;
        assert_eq!(rows(&all.for_product(&sku("tea"), 9).await), [("cup", 17)]);
        append(&db, vec![basket(20, &["tea", "pot"])]).await;
        until_caught_up(&broker).await;
        assert_eq!(all.orders_counted(), 18);
        broker.drain().await;
    });
}
