//! The service on SQLite, with its real actor, against a stage on which the test plays the
//! provider.

mod asking;
mod events;
mod operations;

use crate::stage::{Play, Stage};
use crate::{HttpProvider, Payments};
use actors::{Home, RequestContext, SystemIds, TraceId};
use domain::{Clock, Payment, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use store::Db;
use tokio::time::Instant;
use tracing::Span;
use uuid::Uuid;

/// Seconds since the Unix epoch at which a test begins.
const START: i64 = 1_700_000_000;

/// A clock that stands still until it is moved.
struct Still(AtomicI64);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0).plus_seconds(self.0.load(Ordering::SeqCst))
    }
}

/// A shop that can only take payments.
struct Shop {
    db: Db,
    clock: Arc<Still>,
    payments: Payments,
    stage: Stage,
}

impl Shop {
    fn move_clock(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Records the intent of payments, and then, if they are settled, that they are.
    async fn record(&self, payments: Vec<Payment>) {
        let tx = self.db.begin().await.expect("begins");
        let tx = self.payments.open(tx, payments.clone(), &patient()).await.expect("opens");
        let tx = self.payments.record(tx, payments, &patient()).await.expect("records");
        tx.commit().await.expect("commits");
    }
}

/// Runs a test in a shop whose provider has this script.
fn in_a_shop(script: Vec<Play>, test: impl AsyncFnOnce(&Shop)) {
    testbed::on_sqlite(async |scratch| {
        let db = scratch.open().await;
        let clock = Arc::new(Still(AtomicI64::new(START)));
        let (ids, here) = (Arc::new(SystemIds), Home::current());
        let config = customers::CustomersConfig::new(|| [7; 32]);
        let customers = customers::start(db.clone(), clock.clone(), ids, config, &here).await;
        let customers = customers.expect("starts");
        let stage = Stage::open(script).await;
        let provider = Arc::new(HttpProvider::new(stage.config()).expect("a provider"));
        let payments = crate::start(db.clone(), clock.clone(), customers, provider, &here);
        let shop = Shop { db, clock, payments, stage };
        test(&shop).await;
        shop.db.close().await;
    });
}

fn patient() -> RequestContext {
    let deadline = Instant::now() + Duration::from_secs(600);
    RequestContext::new(deadline, TraceId::new(Uuid::from_u128(1)), Span::none(), "test".into())
}
