//! A consumer of the log that writes down every event it is given, as often as it is given it: the
//! product's own consumers hide a second delivery behind their keys.

use crate::nature::Calm;
use crate::trace::Trace;
use async_trait::async_trait;
use broker::{ConsumeError, Consumer};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::outbox::Logged;
use store::{Db, Rows, Statement, StoreError, Tx};
use tokio::time::Instant;
use uuid::Uuid;

const fn sqlite(name: &'static str, sql: &'static str) -> Statement {
    Statement { name, postgres: "", sqlite: sql }
}

static PREPARE: Statement = sqlite(
    "prepare_observed",
    "CREATE TABLE observed (place INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL, \
     order_id BLOB NOT NULL, version INTEGER NOT NULL)",
);
static OBSERVE: Statement = sqlite(
    "observe",
    "INSERT INTO observed (seq, order_id, version) \
     SELECT value ->> 0, unhex(value ->> 1), value ->> 2 FROM json_each($1)",
);

/// How long an event that cannot be digested stays so.
const POISON_LASTS: Duration = Duration::from_millis(2_500);

/// The consumer.
pub struct Observer {
    poison_permille: u64,
    poison: u64,
    calm: Arc<Calm>,
    trace: Arc<Trace>,
    first_seen: Mutex<BTreeMap<Uuid, Instant>>,
}

impl Observer {
    pub(crate) fn new(
        poison_permille: u64,
        poison: u64,
        calm: Arc<Calm>,
        trace: Arc<Trace>,
    ) -> Self {
        Self { poison_permille, poison, calm, trace, first_seen: Mutex::default() }
    }

    /// Makes its table.
    pub(crate) async fn prepare(db: &Db) -> Result<(), StoreError> {
        let mut tx = db.begin().await?;
        tx.execute(PREPARE.query()).await?;
        tx.commit().await
    }

    /// Whether this event cannot be digested now.
    fn is_poison(&self, event: &Logged) -> bool {
        let (high, low) = event.id.0.as_u64_pair();
        let drawn = (high ^ low.rotate_left(17) ^ self.poison).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if (drawn >> 32) % 1_000 >= self.poison_permille || self.calm.is() {
            return false;
        }
        let mut seen = self.first_seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entry(event.id.0).or_insert_with(Instant::now).elapsed() < POISON_LASTS
    }
}

#[async_trait]
impl Consumer for Observer {
    fn name(&self) -> &'static str {
        "observer"
    }

    async fn apply(&self, mut tx: Tx, events: &[Logged]) -> Result<Tx, ConsumeError> {
        if let Some(event) = events.iter().find(|event| self.is_poison(event)) {
            self.trace.count("event.poison");
            return Err(ConsumeError::event(format!("event {} is not to be digested", event.seq)));
        }
        let rows = Rows::new()
            .ints(events.iter().map(|event| event.seq))
            .uuids(events.iter().map(|event| event.order_id.0))
            .ints(events.iter().map(|event| event.version));
        tx.execute(OBSERVE.query().rows(rows)).await?;
        Ok(tx)
    }
}
