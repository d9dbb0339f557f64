//! From the log to the counts, through a broker on SQLite.

use crate::{Recommendations, consumer};
use actix::Arbiter;
use actors::SystemClock;
use broker::{Broker, BrokerConfig};
use domain::{
    Confirmed, EventId, Line, OrderEvent, OrderId, PaymentId, PaymentStatus, PaymentSummary,
    Recorded, RejectReason, Rejected, Sku, Timestamp,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::{DatabaseUrl, Db, StoreConfig, outbox};
use tokio::time::timeout;
use uuid::Uuid;

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

fn order(number: u8) -> OrderId {
    OrderId::in_partition(Uuid::from_u128(u128::from(number) << 64), number)
}

fn line(sku: &str, quantity: i64) -> Line {
    Line {
        sku: Sku::parse(sku).expect("a SKU"),
        quantity,
        unit_amount: 5,
        discount_amount: 0,
        amount_total: 5,
        quantity_shipped: 0,
        quantity_cancelled: 0,
        quantity_returned: 0,
    }
}

fn confirmed(lines: Vec<Line>) -> OrderEvent {
    let payment = PaymentSummary {
        id: PaymentId(Uuid::from_u128(1)),
        status: PaymentStatus::Captured,
        method: "card".to_owned(),
        provider_ref: None,
        decline_code: None,
    };
    let (amount_authorized, amount_captured) = (5, 5);
    OrderEvent::Confirmed(Confirmed {
        payment,
        amount_authorized,
        amount_captured,
        customer_id: None,
        lines,
    })
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
        at: Timestamp::from_micros(1_767_323_045_678_901),
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

async fn start(db: &Db) -> Broker {
    let config = BrokerConfig { poll: Duration::from_millis(10), ..BrokerConfig::default() };
    let clock = Arc::new(SystemClock);
    let arbiters = [Arbiter::current()];
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

#[test]
fn recommends_what_is_bought_together_most() {
    actix::System::new().block_on(async {
        let scratch = Scratch::new("most");
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
    });
}

#[test]
fn counts_go_on_after_a_restart_and_find_the_active_ones_on_any_page() {
    let scratch = Scratch::new("restart");
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
