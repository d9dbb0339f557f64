//! The other engine beside the deciding one: it prices the same orders after they were placed, off
//! their way, and what it would have wanted is compared.

use crate::mismatches::{self, Mismatch};
use crate::pricer::{Asked, Pricer, Which};
use actors::{BatchLimits, Batcher, Desk, Envelope, Request, Serve, Service};
use domain::{Clock, OrderId};
use metrics::counter;
use std::sync::Arc;
use store::Db;
use tokio::sync::OwnedSemaphorePermit;

/// Orders that may wait to be compared; of more, the late ones are not.
pub(crate) const WAITING_MAX: usize = 1_024;

const BATCH: BatchLimits = BatchLimits { items_max: 64, weight_max: 64, in_flight_max: 1 };

/// An order that was placed, to be priced again.
pub(crate) struct Compare {
    pub(crate) order_id: OrderId,
    pub(crate) asked: Arc<Asked>,
    /// Which engine decided, and what it wanted.
    pub(crate) engine: Which,
    pub(crate) total: i128,
    pub(crate) trace_id: String,
    /// Its place among those that may wait, until it is done.
    #[expect(dead_code, reason = "it is given back when this is dropped")]
    pub(crate) place: OwnedSemaphorePermit,
}

impl Request for Compare {
    type Answer = ();
}

/// The actor that compares.
pub struct Shadow {
    db: Db,
    clock: Arc<dyn Clock>,
    pricer: Pricer,
    jobs: Batcher<Envelope<Compare>>,
}

impl Shadow {
    pub(crate) fn new(db: Db, clock: Arc<dyn Clock>, pricer: Pricer) -> Self {
        Self { db, clock, pricer, jobs: Batcher::new(BATCH) }
    }

    fn begin(&mut self, desk: &mut Desk<'_, Self>) {
        while let Some(jobs) = self.jobs.next_batch() {
            let (db, clock, pricer) = (self.db.clone(), self.clock.clone(), self.pricer.clone());
            let taken = jobs.len();
            let opened = jobs.into_iter().filter_map(Envelope::open).map(|opened| opened.message);
            let jobs: Vec<Compare> = opened.collect();
            let late = u64::try_from(taken - jobs.len()).unwrap_or(u64::MAX);
            counter!("pricing_shadow_dropped_total", "reason" => "late").increment(late);
            let work = async move {
                let now = clock.now();
                // An engine that is slow is not to keep the actor's thread.
                let compare = move || {
                    jobs.iter().filter_map(|job| compare(&pricer, job, now)).collect::<Vec<_>>()
                };
                let Ok(found) = tokio::task::spawn_blocking(compare).await else { return };
                if let Err(error) = mismatches::insert(&db, &found).await {
                    let lost = u64::try_from(found.len()).unwrap_or(u64::MAX);
                    counter!("pricing_shadow_dropped_total", "reason" => "store").increment(lost);
                    tracing::warn!(
                        event = "mismatches_lost",
                        cause = &error as &dyn std::error::Error,
                        "mismatches of the pricing engines could not be kept"
                    );
                }
            };
            desk.run(work, |shadow, _, desk| {
                shadow.jobs.finished();
                shadow.begin(desk);
            });
        }
    }
}

impl Service for Shadow {}

impl Serve<Compare> for Shadow {
    fn serve(&mut self, envelope: Envelope<Compare>, desk: &mut Desk<'_, Self>) {
        self.jobs.push(envelope, 1);
        self.begin(desk);
    }
}

fn compare(pricer: &Pricer, job: &Compare, now: domain::Timestamp) -> Option<Mismatch> {
    let other = job.engine.other();
    let Some(wanted) = pricer.compare(other, &job.asked) else {
        counter!("pricing_shadow_total", "outcome" => "broken").increment(1);
        return None;
    };
    if wanted.as_ref().ok() == Some(&job.total) {
        counter!("pricing_shadow_total", "outcome" => "same").increment(1);
        return None;
    }
    counter!("pricing_shadow_total", "outcome" => "different").increment(1);
    let (other_total, why) = match wanted {
        Ok(total) => (i64::try_from(total).ok(), None),
        Err(why) => (None, Some(why)),
    };
    tracing::info!(
        event = "pricing_mismatch",
        order_id = %job.order_id,
        engine = job.engine.as_str(),
        other_engine = other.as_str(),
        trace_id_of_order = %job.trace_id,
        "the pricing engines want different totals"
    );
    Some(Mismatch {
        order_id: job.order_id,
        at: now,
        currency: job.asked.request.currency,
        engine: job.engine.as_str().to_owned(),
        // Orders are refused beyond AMOUNT_MAX_MINOR.
        total: i64::try_from(job.total).unwrap_or(i64::MAX),
        other_engine: other.as_str().to_owned(),
        other_total,
        why,
        trace_id: job.trace_id.clone(),
    })
}
