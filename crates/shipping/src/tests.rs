//! From the log to the shipments, through a broker on SQLite.

use crate::{ShipmentStatus, Shipping, consumer};
use actors::{Home, SystemClock};
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
        let folder =
            std::env::temp_dir().join(format!("shipping-test-{}-{name}", std::process::id()));
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
        quantity_refunded: 0,
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
    let mut versions = std::collections::HashMap::new();
    let mut recorded = |(order_id, event): (OrderId, OrderEvent)| Recorded {
        id: EventId(order_id.0),
        order_id,
        version: *versions.entry(order_id).and_modify(|version| *version += 1).or_insert(1),
        at: Timestamp::from_micros(1_767_323_045_678_901),
        actor: "test".to_owned(),
        cause: "test".to_owned(),
        trace_id: "0".repeat(32),
        event,
    };
    let events: Vec<_> = events.into_iter().map(&mut recorded).collect();
    let mut tx = db.begin().await.expect("begins");
    outbox::append(&mut tx, &events).await.expect("appends");
    tx.commit().await.expect("commits");
}

async fn start(db: &Db) -> Broker {
    let config = BrokerConfig { poll: Duration::from_millis(10), ..BrokerConfig::default() };
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

#[test]
fn a_confirmed_order_has_one_shipment() {
    actix::System::new().block_on(async {
        let scratch = Scratch::new("one");
        let db = scratch.open().await;
        let lines = vec![line("B-\"quoted\"", 2), line("A", 1), line("B-\"quoted\"", 3)];
        append(&db, vec![(order(1), confirmed(lines)), (order(2), rejected())]).await;
        let broker = start(&db).await;
        until_caught_up(&broker).await;
        let shipping = Shipping::new(db.clone());
        let shipment = shipping.of_order(order(1)).await.expect("reads").expect("is there");
        assert_eq!(shipment.order_id, order(1));
        assert_eq!(shipment.status, ShipmentStatus::Preparing);
        assert_eq!(shipment.created_at, Timestamp::from_micros(1_767_323_045_678_901));
        let units: Vec<_> = shipment.units.iter().map(|(sku, n)| (sku.as_str(), *n)).collect();
        assert_eq!(units, [("A", 1), ("B-\"quoted\"", 5)]);
        assert_eq!(shipping.of_order(order(2)).await.expect("reads"), None);
        assert_eq!(shipping.count().await.expect("counts"), 1);
        broker.drain().await;
    });
}

#[test]
fn a_shipment_follows_its_order() {
    actix::System::new().block_on(async {
        let scratch = Scratch::new("follows");
        let db = scratch.open().await;
        let shipped = |is_last| {
            OrderEvent::Shipped(domain::Shipped { lines: Vec::new(), amount_captured: 0, is_last })
        };
        let cancelled = OrderEvent::Cancelled(domain::Cancelled {
            reason: "changed my mind".to_owned(),
            payment: None,
            amount_captured: 5,
            amount_refunded: 5,
        });
        let delivered = OrderEvent::Delivered(domain::Delivered {});
        let lines = || confirmed(vec![line("A", 2)]);
        append(
            &db,
            vec![
                (order(1), lines()),
                (order(1), cancelled),
                (order(2), lines()),
                (order(2), shipped(false)),
                (order(3), lines()),
                (order(3), shipped(false)),
                (order(3), shipped(true)),
                (order(4), lines()),
                (order(4), shipped(true)),
                (order(4), delivered),
            ],
        )
        .await;
        let broker = start(&db).await;
        until_caught_up(&broker).await;
        let shipping = Shipping::new(db.clone());
        let expected = [
            (1, ShipmentStatus::Cancelled),
            (2, ShipmentStatus::PartlySent),
            (3, ShipmentStatus::Sent),
            (4, ShipmentStatus::Delivered),
        ];
        for (number, status) in expected {
            let shipment = shipping.of_order(order(number)).await.expect("reads");
            assert_eq!(shipment.map(|shipment| shipment.status), Some(status), "order {number}");
        }
        broker.drain().await;
    });
}

#[test]
fn an_order_that_cannot_be_packed_is_parked_alone() {
    actix::System::new().block_on(async {
        let scratch = Scratch::new("parked");
        let db = scratch.open().await;
        let too_much = vec![line("A", i64::MAX), line("A", 1)];
        let mut events = vec![(order(1), confirmed(too_much))];
        events.extend((2..30).map(|n| (order(n), confirmed(vec![line("A", 1)]))));
        append(&db, events).await;
        let broker = start(&db).await;
        until_caught_up(&broker).await;
        let shipping = Shipping::new(db.clone());
        assert_eq!(shipping.count().await.expect("counts"), 28);
        assert_eq!(shipping.of_order(order(1)).await.expect("reads"), None);
        assert_eq!(broker.lag().await.expect("lag")[0].parked, 1);
        broker.drain().await;
    });
}
