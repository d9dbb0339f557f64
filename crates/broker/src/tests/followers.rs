//! Followers: what they hear of the log, in which order, and what stops them (nothing).

use super::support::{Name, StandingClock, append, config, open, order};
use crate::{Broker, FollowConfig, Follower, Informed, NotTaken, start};
use actors::Home;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::outbox::{Kinds, Logged};
use store::{Db, Statement};
use testbed::on_sqlite;
use tokio::time::timeout;

/// Writes down what it hears.
#[derive(Default)]
struct Scribe {
    heard: Mutex<Vec<(Name, i64)>>,
    /// Refuses these, and panics at those with an even version.
    poison: BTreeSet<Name>,
    tried: AtomicUsize,
    /// Wants nothing before this place.
    from: AtomicI64,
    informed: Mutex<Vec<Informed>>,
}

impl Follower for Scribe {
    fn name(&self) -> &'static str {
        "scribe"
    }

    fn kinds(&self) -> Kinds {
        &["order.rejected"]
    }

    fn take(&self, event: &Logged) -> Result<(), NotTaken> {
        assert!(event.event().is_ok(), "it comes with its data");
        let name = (event.order_id, event.version);
        if self.poison.contains(&name) {
            self.tried.fetch_add(1, Ordering::SeqCst);
            assert!(event.version % 2 == 1, "it tastes terrible");
            return Err(NotTaken::because("it tastes bad"));
        }
        self.heard.lock().expect("heard").push((name, event.seq));
        Ok(())
    }

    fn wants_before(&self, seq: i64) -> bool {
        seq > self.from.load(Ordering::SeqCst)
    }

    fn informed(&self, how: Informed) {
        self.informed.lock().expect("informed").push(how);
    }
}

impl Scribe {
    fn heard(&self) -> Vec<(Name, i64)> {
        self.heard.lock().expect("heard").clone()
    }

    fn last_informed(&self) -> Option<Informed> {
        self.informed.lock().expect("informed").last().copied()
    }

    /// Each of these was heard of once, and nothing else.
    fn check(&self, expected: &[Name]) {
        let mut heard: Vec<Name> = self.heard().into_iter().map(|(name, _)| name).collect();
        let mut wanted = expected.to_vec();
        heard.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(heard, wanted);
    }
}

async fn follow(db: &Db, scribe: &Arc<Scribe>, follow: FollowConfig) -> Broker {
    let clock = Arc::new(StandingClock::default());
    let homes = [Home::current()];
    let broker = start(db.clone(), clock, Vec::new(), &homes, config()).await.expect("starts");
    broker.follow(scribe.clone(), &homes[0], follow);
    broker
}

fn quick() -> FollowConfig {
    FollowConfig {
        page: 3,
        poll: Duration::from_millis(10),
        gather: Duration::from_millis(1),
        trouble_base: Duration::from_millis(1),
        trouble_max: Duration::from_millis(10),
        ..FollowConfig::default()
    }
}

async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let wait = async {
        while !done().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), wait).await.expect(what);
}

async fn until_caught_up(broker: &Broker) {
    until("caught up", async || broker.caught_up().await.expect("asks")).await;
}

fn names(orders: std::ops::Range<u8>, versions: std::ops::RangeInclusive<i64>) -> Vec<Name> {
    versions
        .flat_map(|version| orders.clone().map(move |number| (order(number), version)))
        .collect()
}

#[test]
fn what_was_there_comes_backwards_and_what_is_new_forward() {
    on_sqlite(async |scratch| {
        let db = open(scratch).await;
        let (before, after) = (names(0..30, 1..=2), names(0..30, 3..=4));
        append(&db, &before).await;
        let scribe = Arc::new(Scribe::default());
        let broker = follow(&db, &scribe, quick()).await;
        until_caught_up(&broker).await;
        scribe.check(&before);
        let past = scribe.heard();
        append(&db, &after).await;
        until_caught_up(&broker).await;
        scribe.check(&[before, after].concat());
        let (heard, middle) = (scribe.heard(), past.len());
        for partition in 0..domain::PARTITIONS {
            let places = |heard: &[(Name, i64)]| -> Vec<i64> {
                let own = heard.iter().filter(|((order, _), _)| order.partition() == partition);
                own.map(|(_, seq)| *seq).collect()
            };
            assert!(places(&heard[..middle]).iter().rev().is_sorted(), "the latest first");
            assert!(places(&heard[middle..]).is_sorted(), "the first first");
        }
        assert_eq!(scribe.last_informed(), Some(Informed::Fully));
        broker.drain().await;
    });
}

#[test]
fn a_wake_is_enough() {
    on_sqlite(async |scratch| {
        let db = open(scratch).await;
        let scribe = Arc::new(Scribe::default());
        // So slow a poll that only the wake can be what sets it going.
        let slow = FollowConfig { poll: Duration::from_secs(3_600), ..quick() };
        let broker = follow(&db, &scribe, slow).await;
        until_caught_up(&broker).await;
        let all = names(0..20, 1..=2);
        for chunk in all.chunks(7) {
            append(&db, chunk).await;
            broker.wake(chunk.iter().map(|(order, _)| order.partition()));
        }
        until_caught_up(&broker).await;
        scribe.check(&all);
        broker.drain().await;
    });
}

#[test]
fn the_past_is_read_no_further_than_it_is_wanted() {
    on_sqlite(async |scratch| {
        let db = open(scratch).await;
        let all = names(0..40, 1..=5);
        append(&db, &all).await;
        let scribe = Arc::new(Scribe { from: AtomicI64::new(150), ..Scribe::default() });
        let broker = follow(&db, &scribe, quick()).await;
        until_caught_up(&broker).await;
        let places: BTreeSet<i64> = scribe.heard().into_iter().map(|(_, seq)| seq).collect();
        assert!((151..=200).all(|seq| places.contains(&seq)), "all that is wanted: {places:?}");
        // A page goes a little further: three events of a partition, of which there are eight.
        let first = places.first().copied();
        assert!(first > Some(150 - 3 * 8), "and hardly more: {first:?}");
        broker.drain().await;
    });
}

#[test]
fn kinds_that_nobody_asked_for_are_passed_over() {
    static OTHERS: Statement = Statement {
        name: "others",
        postgres: "",
        sqlite: "UPDATE event SET type = 'order.placed', data = 'x' WHERE seq % 3 > 0",
    };
    on_sqlite(async |scratch| {
        let db = open(scratch).await;
        append(&db, &names(0..30, 1..=2)).await;
        let mut tx = db.begin().await.expect("begins");
        assert_eq!(tx.execute(OTHERS.query()).await.expect("changes"), 40);
        tx.commit().await.expect("commits");
        let scribe = Arc::new(Scribe::default());
        let broker = follow(&db, &scribe, quick()).await;
        until_caught_up(&broker).await;
        let mut places: Vec<i64> = scribe.heard().into_iter().map(|(_, seq)| seq).collect();
        places.sort_unstable();
        assert_eq!(places, (1..=20).map(|number| number * 3).collect::<Vec<_>>());
        broker.drain().await;
    });
}

#[test]
fn what_cannot_be_taken_is_tried_once_and_stops_nothing() {
    on_sqlite(async |scratch| {
        let db = open(scratch).await;
        let (before, after) = (names(0..20, 1..=2), names(0..20, 3..=4));
        let poison = [(order(3), 1), (order(11), 2), (order(5), 3), (order(5), 4)];
        append(&db, &before).await;
        let scribe = Arc::new(Scribe { poison: poison.into(), ..Scribe::default() });
        let broker = follow(&db, &scribe, quick()).await;
        until_caught_up(&broker).await;
        append(&db, &after).await;
        until_caught_up(&broker).await;
        let mut others = [before, after].concat();
        others.retain(|name| !poison.contains(name));
        scribe.check(&others);
        assert_eq!(scribe.tried.load(Ordering::SeqCst), poison.len());
        assert_eq!(scribe.last_informed(), Some(Informed::Fully));
        broker.drain().await;
    });
}

#[test]
fn trouble_is_told_and_waited_for() {
    static TAKE_AWAY: Statement = Statement {
        name: "take_away",
        postgres: "",
        sqlite: "ALTER TABLE event RENAME TO elsewhere",
    };
    static GIVE_BACK: Statement = Statement {
        name: "give_back",
        postgres: "",
        sqlite: "ALTER TABLE elsewhere RENAME TO event",
    };
    on_sqlite(async |scratch| {
        let db = open(scratch).await;
        let change = async |statement: &'static Statement| {
            let mut tx = db.begin().await.expect("begins");
            tx.execute(statement.query()).await.expect("changes");
            tx.commit().await.expect("commits");
        };
        let before = names(0..10, 1..=1);
        append(&db, &before).await;
        let scribe = Arc::new(Scribe::default());
        change(&TAKE_AWAY).await;
        let broker = follow(&db, &scribe, quick()).await;
        until("told", async || scribe.last_informed() == Some(Informed::NotNow)).await;
        assert_eq!(scribe.heard(), []);
        change(&GIVE_BACK).await;
        until_caught_up(&broker).await;
        scribe.check(&before);
        change(&TAKE_AWAY).await;
        until("told", async || scribe.last_informed() == Some(Informed::NotNow)).await;
        change(&GIVE_BACK).await;
        let after = names(0..10, 2..=2);
        append(&db, &after).await;
        until_caught_up(&broker).await;
        scribe.check(&[before, after].concat());
        until("told", async || scribe.last_informed() == Some(Informed::Fully)).await;
        broker.drain().await;
    });
}

#[test]
fn after_drain_it_hears_of_nothing() {
    on_sqlite(async |scratch| {
        let db = open(scratch).await;
        append(&db, &names(0..30, 1..=1)).await;
        let scribe = Arc::new(Scribe::default());
        let broker = follow(&db, &scribe, quick()).await;
        until_caught_up(&broker).await;
        broker.drain().await;
        append(&db, &names(0..30, 2..=2)).await;
        broker.wake(0..8);
        broker.drain().await;
        scribe.check(&names(0..30, 1..=1));
    });
}
