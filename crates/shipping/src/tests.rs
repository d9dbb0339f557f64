//! From the log to the shipments, through a broker on both databases.

use crate::{ShipmentStatus, Shipping, consumer};
use actors::{Home, SystemClock};
use broker::{Broker, BrokerConfig};
use domain::OrderEvent;
use std::sync::Arc;
use std::time::Duration;
use store::Db;
use testbed::log::{MOMENT, append, confirmed, line, order, rejected};
use testbed::on_both;
use tokio::time::timeout;

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

on_both! {
    async fn a_confirmed_order_has_one_shipment(scratch) {
        let db = scratch.open().await;
        let lines = vec![line("B-\"quoted\"", 2), line("A", 1), line("B-\"quoted\"", 3)];
        append(&db, vec![(order(1), confirmed(lines)), (order(2), rejected())]).await;
        let broker = start(&db).await;
        until_caught_up(&broker).await;
        let shipping = Shipping::new(db.clone());
        let shipment = shipping.of_order(order(1)).await.expect("reads").expect("is there");
        assert_eq!(shipment.order_id, order(1));
        assert_eq!(shipment.status, ShipmentStatus::Preparing);
        assert_eq!(shipment.created_at, MOMENT);
        let units: Vec<_> = shipment.units.iter().map(|(sku, n)| (sku.as_str(), *n)).collect();
        assert_eq!(units, [("A", 1), ("B-\"quoted\"", 5)]);
        assert_eq!(shipping.of_order(order(2)).await.expect("reads"), None);
        assert_eq!(shipping.count().await.expect("counts"), 1);
        broker.drain().await;
    }

    async fn a_shipment_follows_its_order(scratch) {
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
    }

    async fn an_order_that_cannot_be_packed_is_parked_alone(scratch) {
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
    }
}
