//! Recovery is the normal path: what stands still, because the provider did not answer, a process
//! ended or a message was lost, is found and sent on its way again, with the same messages and the
//! same provider keys.
//!
//! The nodes share the work by leases on the partitions. What recovery does to an order is written
//! only while the lease is held (rule D8); that an order is decided once does not depend on it.

mod leases;
mod plan;
mod resolve;
mod sweep;

use crate::handle::OrdersConfig;
use crate::lane::Lane;
use crate::messages::Origin;
use crate::operating::carry_out_money;
use crate::shop::{BatchError, Parts};
use crate::{books, handle};
pub(crate) use leases::Leases;
pub(crate) use plan::Limits;
pub(crate) use resolve::Resolver;

use actors::{Desk, Loopback, Mailbox, Service};
use domain::Timestamp;
use futures_util::StreamExt;
use metrics::{counter, gauge};
use plan::is_due;
use sweep::{Sweep, Tally, goes_on};

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use store::answers;
use store::leases::Held;
use tokio::sync::Mutex;

/// Rows read at once.
const PAGE_ROWS: i64 = 500;

/// Orders worked on at once; the provider has others to serve.
const AT_ONCE: usize = 64;

/// How long a payment may still come to an order that was given up: longer than any provider keeps
/// an idempotency key or repeats a webhook.
const AFTERMATH: Duration = Duration::from_secs(7 * 24 * 3600);

/// Longest pause between two looks at the same order or operation.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Longest pause between two looks at an order that was given up.
const AFTERMATH_PAUSE_MAX: Duration = Duration::from_secs(3600);

/// Events of the provider looked into in one round. Those of nodes that live are not among them.
const EVENTS_MAX: i64 = 10_000;

/// Transactions of a round that forget old answers: more than can be given in the meantime.
const FORGET_ROUNDS_MAX: usize = 200;

/// The actor that looks for what stands still.
pub struct Recovery {
    round: Arc<Round>,
    /// When the last round began.
    last: Option<Timestamp>,
    busy: bool,
    renewing: bool,
}

/// What a round works with.
struct Round {
    parts: Parts,
    config: OrdersConfig,
    lanes: Arc<[Mailbox<Lane>]>,
    leases: Arc<Leases>,
    /// Held by the one round that is under way.
    sweep: Mutex<Sweep>,
}

/// How far a round looks back for what is due: to the one before it. `None` after a start: who knows
/// for how long nobody looked.
type Interval = Option<Duration>;

impl Recovery {
    pub(crate) fn new(
        parts: Parts,
        config: OrdersConfig,
        lanes: Arc<[Mailbox<Lane>]>,
        leases: Arc<Leases>,
    ) -> Self {
        let sweep = Mutex::default();
        let round = Arc::new(Round { parts, config, lanes, leases, sweep });
        Self { round, last: None, busy: false, renewing: false }
    }

    /// Renews the leases, beside the round that is under way.
    fn renew(&mut self, desk: &mut Desk<'_, Self>) {
        if std::mem::replace(&mut self.renewing, true) {
            return;
        }
        let round = self.round.clone();
        let work = async move { round.leases.renew(&round.parts, round.config.lease).await };
        desk.run(work, |recovery, result, desk| {
            recovery.renewing = false;
            if let Ok(Err(error)) = result {
                tracing::warn!(
                    event = "leases_not_renewed",
                    cause = &error as &dyn std::error::Error,
                    "the leases could not be renewed"
                );
            }
            recovery.round(desk);
        });
    }

    fn round(&mut self, desk: &mut Desk<'_, Self>) {
        if std::mem::replace(&mut self.busy, true) {
            return;
        }
        let now = self.round.parts.clock.now();
        let interval = self.last.replace(now).map(|last| plan::age(last, now));
        let round = self.round.clone();
        desk.run(async move { round.run(interval).await }, |recovery, _, _| recovery.busy = false);
    }
}

impl Service for Recovery {
    fn started(&mut self, desk: &mut Desk<'_, Self>) {
        self.renew(desk);
        desk.every(self.round.config.reconcile_every, Self::renew);
    }
}

impl Round {
    /// Every part is done, whatever becomes of the others.
    async fn run(&self, interval: Interval) {
        let results = [
            ("pending orders", self.pending_orders().await),
            ("orders that were given up", self.given_up_orders(interval).await),
            ("open operations", self.open_operations(interval).await),
            ("the provider's events", self.provider_events().await),
            ("old answers", self.forget_answers().await),
            ("stuck orders", self.count().await),
        ];
        for (what, result) in results {
            let Err(error) = result else { continue };
            tracing::warn!(
                event = "recovery_failed",
                part = what,
                cause = &error as &dyn std::error::Error,
                "what stands still was not looked for"
            );
        }
    }

    fn ago(&self, age: Duration) -> Timestamp {
        let seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        self.parts.clock.now().plus_seconds(seconds.saturating_neg())
    }

    /// Whether it is the turn of what has waited since `since`.
    fn is_turn(&self, since: Timestamp, interval: Interval, pause_max: Duration) -> bool {
        let now = self.parts.clock.now();
        let first = self.config.stuck_after;
        interval.is_none_or(|interval| is_due(plan::age(since, now), interval, first, pause_max))
    }

    async fn pending_orders(&self) -> Result<(), BatchError> {
        let mut sweep = self.sweep.lock().await;
        let now = self.parts.clock.now();
        sweep.begin(now);
        let interval = sweep.interval(now);
        let before = self.ago(self.config.stuck_after);
        let mut pages = 0;
        loop {
            let mut page = books::pending(&self.parts.db, before, sweep.after, PAGE_ROWS).await?;
            let Some(last) = page.last() else {
                sweep.end();
                return Ok(());
            };
            sweep.after = last.order.id.0;
            if faults::planted("recovery-skips-the-last") {
                page.pop();
            }
            let tally = self.resolve_all(page, interval, PAUSE_MAX).await;
            pages += 1;
            if !goes_on(pages, tally) {
                return Ok(());
            }
        }
    }

    async fn given_up_orders(&self, interval: Interval) -> Result<(), BatchError> {
        let since = self.ago(AFTERMATH);
        let mut after = books::first_id_since(since);
        loop {
            let page = books::given_up(&self.parts.db, since, after, PAGE_ROWS).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.order.id.0;
            self.resolve_all(page, interval, AFTERMATH_PAUSE_MAX).await;
        }
    }

    async fn resolve_all(
        &self,
        page: Vec<books::Kept>,
        interval: Interval,
        pause_max: Duration,
    ) -> Tally {
        let due = page.into_iter().filter_map(|kept| {
            let lease = self.leases.of(kept.order.id)?;
            let is_turn = self.is_turn(kept.order.created_at, interval, pause_max);
            is_turn.then_some((kept, lease))
        });
        let settled: Vec<bool> = futures_util::stream::iter(due)
            .map(|(kept, lease)| async move {
                faults::point("recover.found").await;
                counter!("orders_recovered_total").increment(1);
                self.resolver(kept.order.id, Some(lease)).resolve(&kept.order).await
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let asked = settled.len();
        Tally { asked, settled: settled.into_iter().filter(|settled| *settled).count() }
    }

    fn resolver(&self, order: domain::OrderId, lease: Option<Held>) -> Resolver {
        Resolver {
            parts: self.parts.clone(),
            limits: self.config.limits(),
            patience: self.config.charge_patience,
            lane: self.lane(order),
            lease,
            actor: "recovery",
        }
    }

    fn lane(&self, order: domain::OrderId) -> Option<Loopback<Lane>> {
        handle::lane_of(&self.lanes, order).map(Mailbox::loopback)
    }

    async fn open_operations(&self, interval: Interval) -> Result<(), BatchError> {
        if faults::planted("recovery-forgets-operations") {
            return Ok(());
        }
        let before = self.ago(self.config.stuck_after);
        let mut after = None;
        loop {
            let page = self.parts.payments.open_operations(before, after, PAGE_ROWS).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.cursor());
            let due: BTreeSet<domain::OrderId> = page
                .iter()
                .filter(|open| self.leases.of(open.operation.order_id).is_some())
                .filter(|open| self.is_turn(open.created_at, interval, PAUSE_MAX))
                .map(|open| open.operation.order_id)
                .collect();
            futures_util::stream::iter(due)
                .for_each_concurrent(AT_ONCE, |order| self.carry_out(order))
                .await;
        }
    }

    async fn carry_out(&self, order: domain::OrderId) {
        let Some(lane) = self.lane(order) else { return };
        faults::point("recover.found").await;
        counter!("operations_recovered_total").increment(1);
        let context = self.parts.own_context(self.config.charge_patience, tracing::Span::current());
        let origin = Origin {
            actor: "recovery".to_owned(),
            trace_id: context.trace_id().to_string(),
            cause: "recovered",
        };
        let onward = crate::operating::Onward {
            shop: Arc::new(self.parts.clone()),
            lane,
            patience: self.config.charge_patience,
        };
        carry_out_money(onward, order, origin).await;
    }

    /// What the provider told and nobody looked into: the node that took it ended meanwhile.
    async fn provider_events(&self) -> Result<(), BatchError> {
        let told = self.parts.payments.unhandled_events(EVENTS_MAX).await?;
        let mine = told.into_iter().filter_map(|event| match event.order_id {
            Some(order) => Some((event.id, Some((order, self.leases.of(order)?)))),
            None => self.leases.holds_first().then_some((event.id, None)),
        });
        let done: Vec<String> = futures_util::stream::iter(mine)
            .map(|(id, about)| async move {
                if let Some((order, lease)) = about {
                    self.resolver(order, Some(lease)).look_at(order).await;
                }
                id
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        if done.is_empty() {
            return Ok(());
        }
        let context = self.parts.own_context(self.config.charge_patience, tracing::Span::current());
        Ok(self.parts.payments.mark_handled(done, &context).await?)
    }

    /// Answers are kept for requests that come again, not for ever. In small transactions: nobody
    /// is to wait for them.
    async fn forget_answers(&self) -> Result<(), BatchError> {
        if !self.leases.holds_first() {
            return Ok(());
        }
        let before = self.ago(self.config.answers_kept);
        for _ in 0..FORGET_ROUNDS_MAX {
            let mut tx = self.parts.db.begin().await?;
            let forgotten = answers::forget(&mut tx, before, PAGE_ROWS).await?;
            tx.commit().await?;
            counter!("answers_forgotten_total").increment(forgotten);
            if forgotten < PAGE_ROWS.unsigned_abs() {
                break;
            }
        }
        Ok(())
    }

    async fn count(&self) -> Result<(), BatchError> {
        let before = self.ago(self.config.stuck_visible);
        let pending = books::count_stuck(&self.parts.db, before).await?;
        gauge!("stuck_orders").set(pending as f64);
        Ok(())
    }
}
