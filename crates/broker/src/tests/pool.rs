//! The worker pools, with their actors.

use super::support::{
    Fussy, Mood, Name, StandingClock, append, check_effects, config, open, order,
};
use crate::{Broker, BrokerConfig, Consumer, start};
use actors::Home;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::{Db, StoreError};
use testbed::on_both;
use tokio::time::timeout;

async fn pool(
    db: &Db,
    consumers: &[Arc<Fussy>],
    config: BrokerConfig,
) -> Result<Broker, StoreError> {
    let consumers = consumers.iter().map(|c| c.clone() as Arc<dyn Consumer>).collect();
    let clock = Arc::new(StandingClock::default());
    start(db.clone(), clock, consumers, &[Home::current()], config).await
}

/// Asks again and again, since there is no other sign of it; a hang ends the test.
async fn until_caught_up(broker: &Broker) {
    let wait = async {
        while !broker.caught_up().await.expect("asks") {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), wait).await.expect("caught up");
}

fn names(orders: std::ops::Range<u8>, versions: i64) -> Vec<Name> {
    (1..=versions).flat_map(|v| orders.clone().map(move |o| (order(o), v))).collect()
}

on_both! {
    async fn every_group_gets_every_event(scratch) {
        let db = open(scratch).await;
        let consumers = [Fussy::new("one"), Fussy::new("two")];
        // So slow a poll that only the wake can be what sets it going.
        let slow = BrokerConfig { poll: Duration::from_secs(3_600), ..config() };
        let broker = pool(&db, &consumers, slow).await.expect("starts");
        let all = names(0..100, 3);
        for chunk in all.chunks(17) {
            append(&db, chunk).await;
            broker.wake(chunk.iter().map(|(order, _)| order.partition()));
        }
        until_caught_up(&broker).await;
        check_effects(&db, "one", &all).await;
        check_effects(&db, "two", &all).await;
        let lag = broker.lag().await.expect("lag");
        assert_eq!(lag.iter().map(|l| l.behind).collect::<Vec<_>>(), [0, 0]);
        assert_eq!(broker.vitals().len(), 5);
        broker.drain().await;
    }

    async fn events_that_nobody_announced_are_found(scratch) {
        let db = open(scratch).await;
        let before = names(0..20, 1);
        append(&db, &before).await;
        let consumer = Fussy::new("finder");
        let broker = pool(&db, std::slice::from_ref(&consumer), config()).await.expect("starts");
        until_caught_up(&broker).await;
        check_effects(&db, "finder", &before).await;
        let after = names(20..40, 2);
        append(&db, &after).await;
        until_caught_up(&broker).await;
        check_effects(&db, "finder", &[before, after].concat()).await;
        broker.drain().await;
    }

    async fn a_consumer_that_panics_loses_nothing_and_troubles_no_other_group(scratch) {
        let db = open(scratch).await;
        let (nervous, calm) = (Fussy::new("nervous"), Fussy::new("calm"));
        let all = names(0..64, 2);
        nervous.feel(Mood::Panics, &[(order(7), 1)]);
        let consumers = [nervous.clone(), calm.clone()];
        let config = BrokerConfig { attempts_max: 1, ..config() };
        let broker = pool(&db, &consumers, config).await.expect("starts");
        append(&db, &all).await;
        broker.wake(0..8);
        until_caught_up(&broker).await;
        check_effects(&db, "calm", &all).await;
        let others: Vec<Name> = all.iter().copied().filter(|(o, _)| *o != order(7)).collect();
        check_effects(&db, "nervous", &others).await;
        let dead = broker.dead_letters(None, 9).await.expect("list");
        assert_eq!(dead.len(), 1);
        assert_eq!((dead[0].order_id, dead[0].version), (order(7), 1));
        assert_eq!(dead[0].last_error, "the consumer panicked: it tastes terrible");

        nervous.feel(Mood::Well, &[]);
        assert!(broker.redrive("nervous", order(7)).await.expect("redrives"));
        let wait = async {
            while broker.lag().await.expect("lag").iter().any(|l| l.parked + l.dead > 0) {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(60), wait).await.expect("redriven");
        check_effects(&db, "nervous", &all).await;
        broker.drain().await;
    }

    async fn trouble_is_tried_again_until_it_is_over(scratch) {
        let db = open(scratch).await;
        let consumer = Fussy::new("patient");
        consumer.feel(Mood::Troubled, &[]);
        let quick = BrokerConfig { trouble_base: Duration::from_millis(1), ..config() };
        let broker = pool(&db, std::slice::from_ref(&consumer), quick).await.expect("starts");
        let all = names(0..30, 1);
        append(&db, &all).await;
        broker.wake(0..8);
        let wait = async {
            while consumer.troubles.load(Ordering::SeqCst) < 5 {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(60), wait).await.expect("tries again");
        assert!(!broker.caught_up().await.expect("asks"));
        consumer.feel(Mood::Well, &[]);
        until_caught_up(&broker).await;
        check_effects(&db, "patient", &all).await;
        assert_eq!(broker.lag().await.expect("lag")[0].parked, 0);
        broker.drain().await;
    }

    async fn two_nodes_share_the_work_of_a_group(scratch) {
        let db = open(scratch).await;
        let nodes = [Fussy::new("shared"), Fussy::new("shared")];
        let here = pool(&db, &nodes[..1], config()).await.expect("starts");
        let there = pool(&db, &nodes[1..], config()).await.expect("starts");
        let all = names(0..120, 3);
        nodes.iter().for_each(|node| node.feel(Mood::Refuses, &[(order(11), 2)]));
        for chunk in all.chunks(40) {
            append(&db, chunk).await;
            here.wake(0..8);
            there.wake(0..8);
        }
        until_caught_up(&here).await;
        here.drain().await;
        there.drain().await;
        let blocked = [(order(11), 2), (order(11), 3)];
        let others: Vec<Name> = all.into_iter().filter(|n| !blocked.contains(n)).collect();
        check_effects(&db, "shared", &others).await;
    }

    async fn after_drain_nothing_begins(scratch) {
        let db = open(scratch).await;
        let consumer = Fussy::new("tired");
        let broker = pool(&db, std::slice::from_ref(&consumer), config()).await.expect("starts");
        let all = names(0..30, 2);
        append(&db, &all).await;
        broker.wake(0..8);
        broker.drain().await;
        let done = consumer.told.lock().expect("told").clone();
        check_effects(&db, "tired", &done).await;
        append(&db, &names(30..40, 1)).await;
        broker.wake(0..8);
        broker.drain().await;
        check_effects(&db, "tired", &done).await;
    }
}

/// Producers on any thread hold the handle.
const fn is_shared_by_threads<T: Send + Sync + Clone>() {}
const _: () = is_shared_by_threads::<Broker>();

on_both! {
    async fn two_groups_of_one_name_are_refused(scratch) {
        let db = open(scratch).await;
        let twins = [Fussy::new("twin"), Fussy::new("twin")];
        let refused = pool(&db, &twins, config()).await.err();
        assert!(matches!(refused, Some(StoreError::Configuration(_))), "{refused:?}");
    }
}
