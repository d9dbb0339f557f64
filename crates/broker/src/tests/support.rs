//! A shop's log on a database of its own, and a consumer that fails on demand.

use crate::claims::Claims;
use crate::gate::Gate;
use crate::group::{Group, Passed};
use crate::partitions::{Partitions, Work};
use crate::{BrokerConfig, ConsumeError, Consumer, books};
use async_trait::async_trait;
use domain::{Clock, OrderId, Timestamp};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::outbox::Logged;
use store::{Db, Rows, Statement, StoreError, Tx};
use testbed::Scratch;
pub(super) use testbed::log::order;
use testbed::log::{append_versions, rejected};
use tokio::sync::Notify;

/// A clock that stands until it is moved.
#[derive(Default)]
pub(super) struct StandingClock(AtomicI64);

impl StandingClock {
    pub(super) fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).expect("small");
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Opens the database with a table for the effects, as a start of the program does.
pub(super) async fn open(scratch: &Scratch) -> Db {
    let db = scratch.open().await;
    let mut tx = db.begin().await.expect("begins");
    tx.execute(EFFECT_TABLE.query()).await.expect("creates");
    tx.commit().await.expect("commits");
    db
}

static EFFECT_TABLE: Statement = Statement {
    name: "effect_table",
    postgres: "CREATE TABLE IF NOT EXISTS effect (place bigserial PRIMARY KEY, consumer text NOT NULL, order_id uuid NOT NULL, version bigint NOT NULL)",
    sqlite: "CREATE TABLE IF NOT EXISTS effect (place INTEGER PRIMARY KEY, consumer TEXT NOT NULL, order_id BLOB NOT NULL, version INTEGER NOT NULL)",
};
static WRITE_EFFECTS: Statement = Statement {
    name: "write_effects",
    postgres: "INSERT INTO effect (consumer, order_id, version) SELECT $3, new.order_id, new.version FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS new (order_id, version, place) ORDER BY new.place",
    sqlite: "INSERT INTO effect (consumer, order_id, version) SELECT $2, unhex(new.value ->> 0), new.value ->> 1 FROM json_each($1) AS new ORDER BY new.key",
};
static READ_EFFECTS: Statement = Statement {
    name: "read_effects",
    postgres: "SELECT order_id, version FROM effect WHERE consumer = $1 ORDER BY place",
    sqlite: "SELECT order_id, version FROM effect WHERE consumer = $1 ORDER BY place",
};

/// Order and version.
pub(super) type Name = (OrderId, i64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Refuses what is on the list.
    Refuses,
    /// Panics at what is on the list.
    Panics,
    /// Its database fails.
    Troubled,
    /// The process dies of what is on the list.
    Kills,
}

/// Writes down each event it is given. It fails only after it has written, so that a rollback
/// that is forgotten shows.
pub(super) struct Fussy {
    name: &'static str,
    pub(super) mood: Mutex<Mood>,
    pub(super) poison: Mutex<BTreeSet<Name>>,
    pub(super) told: Mutex<Vec<Name>>,
    /// How often its database was in trouble.
    pub(super) troubles: AtomicUsize,
    /// The process would be dead now.
    died: Notify,
}

impl Fussy {
    pub(super) fn new(name: &'static str) -> Arc<Self> {
        let (mood, poison, told) = (Mutex::new(Mood::Well), Mutex::default(), Mutex::default());
        Arc::new(Self {
            name,
            mood,
            poison,
            told,
            troubles: AtomicUsize::new(0),
            died: Notify::new(),
        })
    }

    /// Waits for the next death of its process.
    pub(super) async fn death(&self) {
        self.died.notified().await;
    }

    pub(super) fn feel(&self, mood: Mood, poison: &[Name]) {
        *self.mood.lock().expect("mood") = mood;
        *self.poison.lock().expect("poison") = poison.iter().copied().collect();
    }
}

#[async_trait]
impl Consumer for Fussy {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn apply(&self, mut tx: Tx, events: &[Logged]) -> Result<Tx, ConsumeError> {
        let rows = Rows::new()
            .uuids(events.iter().map(|e| e.order_id.0))
            .ints(events.iter().map(|e| e.version));
        tx.execute(WRITE_EFFECTS.query().rows(rows).bind(self.name)).await?;
        let mood = *self.mood.lock().expect("mood");
        let poisoned = {
            let poison = self.poison.lock().expect("poison");
            events.iter().any(|e| poison.contains(&(e.order_id, e.version)))
        };
        match mood {
            Mood::Refuses if poisoned => Err(ConsumeError::event("it tastes bad")),
            Mood::Panics if poisoned => panic!("it tastes terrible"),
            Mood::Kills if poisoned => {
                self.died.notify_one();
                std::future::pending().await
            }
            Mood::Troubled => {
                self.troubles.fetch_add(1, Ordering::SeqCst);
                Err(StoreError::Configuration("the database is away".to_owned()).into())
            }
            _ => Ok(tx),
        }
    }

    fn committed(&self, events: &[Logged]) {
        let names = events.iter().map(|e| (e.order_id, e.version));
        self.told.lock().expect("told").extend(names);
    }
}

/// Writes events to the log in one transaction.
pub(super) async fn append(db: &Db, names: &[Name]) {
    let events = names.iter().map(|(order, version)| (*order, *version, rejected()));
    append_versions(db, events).await;
}

/// What a group wrote, in the order of writing.
pub(super) async fn effects(db: &Db, consumer: &str) -> Vec<Name> {
    let rows = db.fetch(READ_EFFECTS.query().bind(consumer)).await.expect("reads");
    rows.iter()
        .map(|row| (OrderId(row.uuid("order_id").expect("id")), row.int("version").expect("n")))
        .collect()
}

/// Checks that each of `expected` had its effect once, each order's in order.
pub(super) async fn check_effects(db: &Db, consumer: &str, expected: &[Name]) {
    let written = effects(db, consumer).await;
    let mut sorted = written.clone();
    sorted.sort_unstable();
    let mut wanted = expected.to_vec();
    wanted.sort_unstable();
    assert_eq!(sorted, wanted, "each effect once");
    for (order, _) in expected {
        let versions = written.iter().filter(|(o, _)| o == order).map(|(_, v)| *v);
        assert!(versions.is_sorted(), "order {order} kept its order");
    }
}

/// A group without its actors, and the clock it goes by.
pub(super) async fn group(db: &Db, consumer: &Arc<Fussy>) -> (Group, Arc<StandingClock>) {
    books::open_positions(db, consumer.name()).await.expect("opens positions");
    let clock = Arc::new(StandingClock::default());
    let group = Group {
        consumer: consumer.clone(),
        db: db.clone(),
        clock: clock.clone(),
        config: config(),
        gate: Arc::new(Gate::default()),
        claims: Claims::default(),
    };
    (group, clock)
}

/// A life of a process: it works until nothing is left, or dies on the way and keeps nothing but
/// what is in the database. `true`: it lived.
pub(super) async fn live(db: &Db, consumer: &Arc<Fussy>, clock: &Arc<StandingClock>) -> bool {
    let (mut group, _) = group(db, consumer).await;
    group.clock = clock.clone();
    tokio::select! {
        passed = pass_all(&group) => {
            assert!(!passed.troubled);
            true
        }
        () = consumer.death() => false,
    }
}

pub(super) fn config() -> BrokerConfig {
    BrokerConfig {
        attempts_max: 3,
        jitter: || 1.0,
        poll: Duration::from_millis(10),
        gather: Duration::from_millis(1),
        ..BrokerConfig::default()
    }
}

/// Passes until nothing is left; the last pass's trouble, if any, ends it.
pub(super) async fn pass_all(group: &Group) -> Passed {
    let all: Partitions = (0..domain::PARTITIONS).collect();
    let mut work = Work { events: all, parked: all };
    loop {
        let passed = group.pass(work).await;
        if passed.troubled {
            return passed;
        }
        // On Postgres a transaction that was dropped may hold its locks for a moment longer.
        let due = books::find_due(&group.db, group.clock.now()).await.expect("looks");
        work = passed.left.or(due.get(group.name()).copied().unwrap_or_default());
        if work.is_empty() {
            return passed;
        }
        tokio::task::yield_now().await;
    }
}
