//! Two databases, one behaviour: what the services rely on, case by case. The simulation's database
//! is the third that behaves so, or what it finds would be worth nothing.

use crate::database::{Database, Folder, PostgresDatabase};
use crate::process::eventually;
use crate::world::on_each;
use domain::{
    EventId, OrderEvent, OrderId, PARTITIONS, Recorded, RejectReason, Rejected, Timestamp,
};
use std::sync::Arc;
use std::time::Duration;
use store::answers::{self, Answer, RequestKey, Stored};
use store::simulated::{Quiet, SimulatedDatabase};
use store::{DatabaseUrl, Db, Rows, Statement, StoreConfig, StoreError, Tx, outbox};
use uuid::Uuid;

/// A statement that is the same in both dialects.
const fn both(name: &'static str, sql: &'static str) -> Statement {
    Statement { name, postgres: sql, sqlite: sql }
}

static MAKE: Statement = both(
    "make",
    "CREATE TABLE probe (id bigint PRIMARY KEY, n bigint NOT NULL, word text, \
     CONSTRAINT probe_not_negative CHECK (n >= 0))",
);
static INSERT: Statement = both("insert", "INSERT INTO probe (id, n) VALUES ($1, $2)");
static SET: Statement = both("set", "UPDATE probe SET n = $2 WHERE id = $1");
static ADD: Statement = both("add", "UPDATE probe SET n = n + $2 WHERE id = $1");
static COUNT: Statement = both("count", "SELECT count(*) AS rows FROM probe");
static READ: Statement = both("read", "SELECT id, n, word FROM probe ORDER BY id");
static NONSENSE: Statement = both("nonsense", "SELECT nothing FROM nowhere");
static INSERT_ROWS: Statement = Statement {
    name: "insert_rows",
    postgres: "INSERT INTO probe (id, n, word) SELECT i, $3 + i, w \
               FROM unnest($1::bigint[], $2::text[]) AS new (i, w)",
    sqlite: "INSERT INTO probe (id, n, word) \
             SELECT value ->> 0, $2 + (value ->> 0), value ->> 1 FROM json_each($1)",
};

/// A migrated database with a table to play with.
struct Shop {
    db: Db,
    database: Database,
    _folder: Folder,
}

impl Shop {
    async fn sqlite() -> Self {
        let folder = Folder::new();
        let database = Database::Sqlite(folder.path().join("shop.db"));
        Self::open(database, folder).await
    }

    async fn postgres() -> Self {
        let database = Database::Postgres(PostgresDatabase::create().await);
        Self::open(database, Folder::new()).await
    }

    async fn simulated() -> Self {
        let folder = Folder::new();
        let database = Database::Sqlite(folder.path().join("shop.db"));
        let server = SimulatedDatabase::open(&folder.path().join("shop.db")).unwrap();
        let config = StoreConfig::new(database.url().parse().unwrap());
        Self::with(server.connect(&config, Arc::new(Quiet)), database, folder).await
    }

    async fn open(database: Database, folder: Folder) -> Self {
        let url: DatabaseUrl = database.url().parse().unwrap();
        let config = StoreConfig { connections_max: 4, ..StoreConfig::new(url) };
        Self::with(Db::open(&config).await.unwrap(), database, folder).await
    }

    async fn with(db: Db, database: Database, folder: Folder) -> Self {
        db.migrate().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.execute(MAKE.query()).await.unwrap();
        tx.commit().await.unwrap();
        Self { db, database, _folder: folder }
    }

    /// Rows that others see.
    async fn rows(&self) -> i64 {
        self.db.fetch(COUNT.query()).await.unwrap()[0].int("rows").unwrap()
    }

    async fn insert(&self, id: i64) {
        let mut tx = self.db.begin().await.unwrap();
        insert(&mut tx, id, 0).await.unwrap();
        tx.commit().await.unwrap();
    }

    const fn is_postgres(&self) -> bool {
        matches!(self.database, Database::Postgres(_))
    }
}

async fn insert(tx: &mut Tx, id: i64, n: i64) -> Result<u64, StoreError> {
    tx.execute(INSERT.query().bind(id).bind(n)).await
}

fn order(number: u128, partition: u8) -> OrderId {
    OrderId::in_partition(Uuid::from_u128(number << 64), partition)
}

fn event(order_id: OrderId, version: i64) -> Recorded {
    Recorded {
        id: EventId(Uuid::from_u128(
            order_id.0.as_u128() ^ u128::from(version.unsigned_abs()) << 8,
        )),
        order_id,
        version,
        at: Timestamp::from_micros(1_700_000_000_123_456),
        actor: "somebody".to_owned(),
        cause: "a test \"quoted\" ü".to_owned(),
        trace_id: "0".repeat(32),
        event: OrderEvent::Rejected(Rejected {
            reason: RejectReason::OutOfStock { shortages: Vec::new() },
            payment: None,
        }),
    }
}

/// What a reader of the partition sees: order and version.
async fn seen(db: &Db, partition: u8) -> Vec<(OrderId, i64)> {
    let mut tx = db.snapshot().await.unwrap();
    let events = outbox::read(&mut tx, partition, 0, 100).await.unwrap();
    tx.rollback().await.unwrap();
    assert!(events.is_sorted_by(|a, b| a.seq < b.seq), "{events:?}");
    events.into_iter().map(|event| (event.order_id, event.version)).collect()
}

on_each! {
    [sqlite postgres simulated]
    async fn calls_are_counted_for_the_caller_that_makes_them(shop in Shop) {
        let map = topology::Topology::default();
        let seen = |caller| {
            let report = map.report();
            let edge = report.edges.iter().find(|edge| edge.from == caller).unwrap();
            (edge.calls_per_min > 0.0, edge.error_rate)
        };
        let db = |caller| shop.db.seen_by(map.edge(caller, "store", None));
        let insert = |n: i64| INSERT.query().bind(n).bind(n);

        let good = db("good");
        let mut tx = good.begin().await.unwrap();
        tx.execute(insert(1)).await.unwrap();
        tx.commit().await.unwrap();
        good.begin().await.unwrap().rollback().await.unwrap();
        good.fetch(COUNT.query()).await.unwrap();
        assert_eq!(seen("good"), (true, Some(0.0)));

        // A constraint that refuses a row is an answer, and whoever drops a transaction has left.
        let refused = db("refused");
        let mut tx = refused.begin().await.unwrap();
        tx.execute(insert(-1)).await.unwrap_err();
        drop(tx);
        assert_eq!(seen("refused"), (true, Some(0.0)));
        let left = db("left");
        drop(left.begin().await.unwrap());
        assert_eq!(seen("left"), (true, None));

        let bad = db("bad");
        let mut tx = bad.begin().await.unwrap();
        tx.execute(NONSENSE.query()).await.unwrap_err();
        drop(tx);
        assert!(bad.fetch(NONSENSE.query()).await.is_err());
        assert_eq!(seen("bad"), (true, Some(1.0)));
    }

    async fn what_is_committed_is_seen_and_nothing_else(shop in Shop) {
        let mut tx = shop.db.begin().await.unwrap();
        assert_eq!(insert(&mut tx, 1, 5).await.unwrap(), 1);
        assert_eq!(tx.fetch(COUNT.query()).await.unwrap()[0].int("rows").unwrap(), 1);
        assert_eq!(shop.rows().await, 0);
        tx.commit().await.unwrap();
        assert_eq!(shop.rows().await, 1);
        let mut tx = shop.db.begin().await.unwrap();
        insert(&mut tx, 2, 5).await.unwrap();
        tx.rollback().await.unwrap();
        let mut tx = shop.db.begin().await.unwrap();
        insert(&mut tx, 3, 5).await.unwrap();
        drop(tx);
        assert_eq!(shop.rows().await, 1);
    }

    async fn dropped_transactions_use_up_no_connection(shop in Shop) {
        for number in 0..40 {
            let mut tx = shop.db.begin().await.unwrap();
            insert(&mut tx, number, 0).await.unwrap();
            drop(tx);
            drop(shop.db.snapshot().await.unwrap());
        }
        assert_eq!(shop.rows().await, 0);
        shop.insert(1).await;
        assert_eq!(shop.rows().await, 1);
    }

    async fn a_begin_that_is_given_up_poisons_nothing(shop in Shop) {
        for _ in 0..40 {
            // Given up at its first chance to wait.
            let _ = tokio::time::timeout(Duration::ZERO, shop.db.begin()).await;
            tokio::task::yield_now().await;
        }
        for number in 0..8 {
            shop.insert(number).await;
            // Seen from a connection of its own: no leaked transaction holds the row back.
            let found = shop.database.number("SELECT count(*) FROM probe").await;
            assert_eq!(found, number + 1);
        }
    }

    async fn refusals_are_told_apart(shop in Shop) {
        shop.insert(1).await;
        let refused = async |id: i64, n: i64| {
            let mut tx = shop.db.begin().await.unwrap();
            insert(&mut tx, id, n).await.unwrap_err()
        };
        let StoreError::Constraint { name: unique, .. } = refused(1, 0).await else {
            panic!("a second row with the same key");
        };
        let StoreError::Constraint { name: check, .. } = refused(2, -1).await else {
            panic!("a negative number");
        };
        assert!(unique.contains("probe") && !unique.contains("not_negative"), "{unique}");
        assert!(check.contains("probe_not_negative"), "{check}");
        let nonsense = shop.db.fetch(NONSENSE.query()).await.err().unwrap();
        assert!(
            matches!(nonsense, StoreError::Refused { statement: "nonsense", .. }),
            "{nonsense:?}"
        );
        for error in [refused(1, 0).await, refused(2, -1).await, nonsense] {
            assert!(error.may_be_one_rows_fault() && error.is_certainly_aborted());
            assert!(!error.is_conflict());
        }
        let rows = shop.db.fetch(READ.query()).await.unwrap();
        assert!(matches!(rows[0].int("word"), Err(StoreError::Inconsistent { .. })));
        assert!(matches!(rows[0].int("nothing"), Err(StoreError::Inconsistent { .. })));
        assert_eq!(rows[0].opt_text("word").unwrap(), None);
        assert_eq!(shop.rows().await, 1);
    }

    async fn a_row_that_is_refused_undoes_its_whole_transaction(shop in Shop) {
        shop.insert(1).await;
        let mut tx = shop.db.begin().await.unwrap();
        insert(&mut tx, 2, 0).await.unwrap();
        insert(&mut tx, 1, 0).await.unwrap_err();
        drop(tx);
        assert_eq!(shop.rows().await, 1);
    }

    async fn many_rows_are_one_statement(shop in Shop) {
        let words = ["plain", "quote ' \" \\", "line\nfeed", "ü \u{1F600}", "", "null", "[1]"];
        let rows = Rows::new()
            .ints(0..8)
            .texts(words.iter().map(|word| Some((*word).to_owned())).chain([None]));
        let mut tx = shop.db.begin().await.unwrap();
        assert_eq!(tx.execute(INSERT_ROWS.query().rows(rows).bind(100_i64)).await.unwrap(), 8);
        assert_eq!(
            tx.execute(
                INSERT_ROWS
                    .query()
                    .rows(Rows::new().ints([]).texts(Vec::<String>::new()))
                    .bind(0_i64)
            )
            .await
            .unwrap(),
            0
        );
        tx.commit().await.unwrap();
        let rows = shop.db.fetch(READ.query()).await.unwrap();
        for (number, row) in rows.iter().enumerate() {
            assert_eq!(row.int("n").unwrap(), 100 + i64::try_from(number).unwrap());
            let word = words.get(number).map(|word| (*word).to_owned());
            assert_eq!(row.opt_text("word").unwrap(), word);
        }
        assert_eq!(rows.len(), 8);
    }

    async fn a_snapshot_sees_one_moment_and_changes_nothing(shop in Shop) {
        shop.insert(1).await;
        let mut snapshot = shop.db.snapshot().await.unwrap();
        assert_eq!(snapshot.fetch(COUNT.query()).await.unwrap()[0].int("rows").unwrap(), 1);
        shop.insert(2).await;
        assert_eq!(shop.rows().await, 2);
        assert_eq!(snapshot.fetch(COUNT.query()).await.unwrap()[0].int("rows").unwrap(), 1);
        let error = insert(&mut snapshot, 3, 0).await.unwrap_err();
        // Postgres says so as it does after a fail-over to a server that only reads.
        let refused = matches!(error, StoreError::Refused { .. } | StoreError::Unavailable(_));
        assert!(refused, "{error:?}");
        drop(snapshot);
        let mut snapshot = shop.db.snapshot().await.unwrap();
        assert_eq!(snapshot.fetch(COUNT.query()).await.unwrap()[0].int("rows").unwrap(), 2);
    }

    async fn the_first_answer_stays(shop in Shop) {
        let key = |key: &str| RequestKey { principal_id: Uuid::from_u128(7), key: key.to_owned() };
        let stored = |name: &str, body: &str| Stored {
            key: key(name),
            fingerprint: [9; 32],
            answer: Answer {
                status: 201,
                location: Some("/v1/orders/x".to_owned()),
                etag: None,
                body: body.to_owned(),
            },
            created_at: Timestamp::from_micros(1_700_000_000_123_456),
        };
        let body = "{\"a\":\"ü\\u0000 \u{1F600}\"}\n";
        let mut tx = shop.db.begin().await.unwrap();
        assert_eq!(
            answers::store(&mut tx, &[stored("a", body), stored("b", "b")]).await.unwrap(),
            2
        );
        tx.commit().await.unwrap();
        let mut tx = shop.db.begin().await.unwrap();
        assert_eq!(
            answers::store(&mut tx, &[stored("a", "other"), stored("c", "c")]).await.unwrap(),
            1
        );
        let inside = answers::find_in(&mut tx, &[key("a"), key("c")]).await.unwrap();
        assert_eq!(inside.len(), 2);
        tx.rollback().await.unwrap();
        let found = answers::find(&shop.db, &[key("a"), key("b"), key("c")]).await.unwrap();
        assert_eq!(found.len(), 2, "c was rolled back");
        assert_eq!(found[&key("a")], stored("a", body));
        let stranger = RequestKey { principal_id: Uuid::from_u128(8), key: "a".to_owned() };
        assert!(answers::find(&shop.db, &[stranger]).await.unwrap().is_empty());
    }

    async fn events_are_read_as_they_were_written(shop in Shop) {
        let (first, second) = (order(1, 3), order(2, 3));
        let written = [event(first, 1), event(second, 1), event(first, 2)];
        let mut tx = shop.db.begin().await.unwrap();
        outbox::append(&mut tx, &written).await.unwrap();
        assert_eq!(seen(&shop.db, 3).await, []);
        tx.commit().await.unwrap();
        assert_eq!(seen(&shop.db, 3).await, [(first, 1), (second, 1), (first, 2)]);
        for partition in (0..PARTITIONS).filter(|partition| *partition != 3) {
            assert_eq!(seen(&shop.db, partition).await, []);
        }
        let history = outbox::history(&shop.db, first).await.unwrap();
        assert_eq!(history.len(), 2);
        for (logged, recorded) in history.iter().zip([&written[0], &written[2]]) {
            assert_eq!(
                (logged.id, logged.version, logged.at),
                (recorded.id, recorded.version, recorded.at)
            );
            assert_eq!((&logged.actor, &logged.cause), (&recorded.actor, &recorded.cause));
            assert_eq!(logged.event().unwrap(), recorded.event);
        }
        // A second event of the same version cannot be.
        let mut tx = shop.db.begin().await.unwrap();
        let twice = Recorded { id: EventId(Uuid::from_u128(99)), ..event(first, 2) };
        let error = outbox::append(&mut tx, &[twice]).await.unwrap_err();
        assert!(matches!(error, StoreError::Constraint { .. }), "{error:?}");
        drop(tx);
        let mut tx = shop.db.snapshot().await.unwrap();
        let rest = outbox::read(&mut tx, 3, history[0].seq, 1).await.unwrap();
        assert_eq!((rest.len(), rest[0].order_id), (1, second));
    }

    async fn a_reader_of_the_log_never_skips_a_late_commit(shop in Shop) {
        let (early, late, other) = (order(1, 3), order(2, 3), order(3, 4));
        // The first to draw its place commits last.
        let mut first = shop.db.begin().await.unwrap();
        outbox::append(&mut first, &[event(early, 1)]).await.unwrap();
        let db = shop.db.clone();
        let second = tokio::spawn(async move {
            let mut second = db.begin().await.unwrap();
            outbox::append(&mut second, &[event(late, 1), event(late, 2)]).await.unwrap();
            second.commit().await.unwrap();
        });
        if shop.is_postgres() {
            // It has to wait for its turn in the partition …
            eventually("the second writer waits for its turn", async || {
                let waiting = "SELECT count(*) FROM pg_locks l \
                    JOIN pg_database d ON d.oid = l.database WHERE NOT l.granted \
                    AND l.locktype = 'advisory' AND d.datname = current_database()";
                match shop.database.number(waiting).await {
                    0 => Err("it does not wait".to_owned()),
                    _ => Ok(()),
                }
            })
            .await;
            // … while a writer of another partition does not.
            let mut tx = shop.db.begin().await.unwrap();
            outbox::append(&mut tx, &[event(other, 1)]).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(seen(&shop.db, 4).await, [(other, 1)]);
        }
        assert_eq!(seen(&shop.db, 3).await, []);
        assert!(!second.is_finished());
        first.commit().await.unwrap();
        second.await.unwrap();
        assert_eq!(seen(&shop.db, 3).await, [(early, 1), (late, 1), (late, 2)]);
    }

    async fn writers_of_one_row_take_turns(shop in Shop) {
        shop.insert(1).await;
        let writers = (0..20).map(|_| {
            let db = shop.db.clone();
            tokio::spawn(async move {
                let mut tx = db.begin().await.unwrap();
                tx.execute(ADD.query().bind(1_i64).bind(1_i64)).await.unwrap();
                tx.commit().await.unwrap();
            })
        });
        for writer in futures_util::future::join_all(writers).await {
            writer.unwrap();
        }
        assert_eq!(shop.db.fetch(READ.query()).await.unwrap()[0].int("n").unwrap(), 20);
    }
}

#[tokio::test]
async fn two_transactions_that_wait_for_each_other_are_a_conflict() {
    let shop = Shop::postgres().await;
    shop.insert(1).await;
    shop.insert(2).await;
    let set = |id: i64, n: i64| SET.query().bind(id).bind(n);
    let mut first = shop.db.begin().await.unwrap();
    let mut second = shop.db.begin().await.unwrap();
    first.execute(set(1, 1)).await.unwrap();
    second.execute(set(2, 2)).await.unwrap();
    let crossing = async {
        let result = first.execute(set(2, 1)).await;
        (first, result)
    };
    let crossed = async {
        let result = second.execute(set(1, 2)).await;
        // Only when it is gone can the other one go on.
        if result.is_ok() {
            second.commit().await.unwrap();
        }
        result
    };
    let ((first, one), two) = futures_util::future::join(crossing, crossed).await;
    let (lost, won) = if one.is_err() { (one, two) } else { (two, one) };
    let error = lost.unwrap_err();
    assert!(error.is_conflict() && error.is_certainly_aborted(), "{error:?}");
    assert_eq!(won.unwrap(), 1);
    drop(first);
    assert_eq!(shop.rows().await, 2);
}

#[tokio::test]
async fn an_expired_lock_time_out_is_a_conflict() {
    static HURRY: Statement = both("hurry", "SET LOCAL lock_timeout = '10ms'");
    let shop = Shop::postgres().await;
    shop.insert(1).await;
    let mut first = shop.db.begin().await.unwrap();
    first.execute(SET.query().bind(1_i64).bind(1_i64)).await.unwrap();
    let map = topology::Topology::default();
    let db = shop.db.seen_by(map.edge("orders", "store", None));
    let mut second = db.begin().await.unwrap();
    second.execute(HURRY.query()).await.unwrap();
    let error = second.execute(SET.query().bind(1_i64).bind(2_i64)).await.unwrap_err();
    assert!(error.is_conflict(), "{error:?}");
    drop(second);
    // The database has answered: neither did it fail, nor did its caller go away.
    let edge = &map.report().edges[0];
    assert!(edge.calls_per_min > 0.0 && edge.error_rate == Some(0.0), "{edge:?}");
    first.commit().await.unwrap();
}
