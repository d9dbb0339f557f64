//! The handle of the order service.

use crate::audit::{self, AuditError, AuditReport};
use crate::auditor::Auditor;
use crate::books;
use crate::changes::Changes;
use crate::lane::Lane;
use crate::messages::{
    Ask, Given, ListFilter, Operate, OrderError, Origin, Place, Placement, Step, Wish,
};
use crate::mismatches::{self, Mismatch};
use crate::pricer::{Asked, Unpriced, Which};
use crate::pricing::{draft, fault_of};
use crate::recovery::{Leases, Limits, Recovery, Resolver};
use crate::shadow::{self, Compare, Shadow};
use crate::shop::{BATCH_PATIENCE, Parts};
use crate::taken::answered_before;
use actors::{BatchLimits, Home, Mailbox, MailboxPolicy, RequestContext, Supervision, supervise};
use catalog::Snapshot;
use domain::{Draft, Order, OrderId, PARTITIONS, PaymentId};
use metrics::counter;
use payments::WebhookError;
use std::sync::Arc;
use std::time::Duration;
use store::StoreError;
use store::outbox::{self, Logged};
use tokio::sync::{Semaphore, watch};
use topology::Edge;
use tracing::{Instrument, Span};

/// How the order service is set up.
#[derive(Clone, Debug)]
pub struct OrdersConfig {
    /// Number of lanes, 1 to [`PARTITIONS`].
    pub lanes: usize,
    /// Orders that may wait for one lane; the next one is refused.
    pub waiting_max: usize,
    /// Limits of a batch. Its weight is the number of its orders and lines.
    pub batch: BatchLimits,
    /// How long the provider may be asked for one order before the order is left to recovery.
    pub charge_patience: Duration,
    /// How often orders that stand still are looked for.
    pub reconcile_every: Duration,
    /// Age from which a pending order stands still.
    pub stuck_after: Duration,
    /// Age from which an order that stands still is shown to people as stuck.
    pub stuck_visible: Duration,
    /// Age at which an order whose payment is not known gives its goods to others.
    pub payment_expiry: Duration,
    /// How long after its last change an unwanted order ends of whose payment the provider knows
    /// nothing: longer than a request of ours can be on its way.
    pub give_up_after: Duration,
    /// How long a node that stopped keeps others from its share of recovery.
    pub lease: Duration,
    /// How often the books are audited.
    pub audit_every: Duration,
    /// How long answers are kept for requests that come again.
    pub answers_kept: Duration,
}

/// Orders with open operations that are looked through for those that wait too long.
const OPEN_SHOWN_MAX: i64 = 10_000;

/// After its deadline a request waits this much longer for the lane to say what became of it.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

impl OrdersConfig {
    pub(crate) const fn limits(&self) -> Limits {
        Limits { expire_after: self.payment_expiry, give_up_after: self.give_up_after }
    }
}

/// The handle of the order service.
#[derive(Clone)]
pub struct Orders {
    lanes: Arc<[Mailbox<Lane>]>,
    recovery: Mailbox<Recovery>,
    leases: Arc<Leases>,
    auditor: Mailbox<Auditor>,
    shadow: Mailbox<Shadow>,
    /// Places of orders that wait to be compared.
    comparisons: Arc<Semaphore>,
    parts: Parts,
    config: OrdersConfig,
    changes: Arc<Changes>,
    edge: Edge,
}

/// Starts the order service, its lanes spread over `homes`.
///
/// # Panics
/// Never: with no home at all there is no lane, and every order is refused.
pub fn start(mut parts: Parts, config: &OrdersConfig, homes: &[Home]) -> Orders {
    let changes = Arc::new(Changes::default());
    let (told, others) = (changes.clone(), parts.committed.clone());
    parts.committed = Arc::new(move |partitions| {
        told.tell(partitions);
        others(partitions);
    });
    let lanes = config.lanes.clamp(1, usize::from(PARTITIONS));
    let lanes: Arc<[Mailbox<Lane>]> = homes
        .iter()
        .cycle()
        .take(if homes.is_empty() { 0 } else { lanes })
        .enumerate()
        .map(|(index, home)| {
            let (parts, config) = (parts.clone(), config.clone());
            let policy = MailboxPolicy::Large(config.waiting_max);
            let name = format!("orders.lane.{index}");
            supervise(&name, home, policy, Supervision::STANDARD, move || {
                Lane::new(parts.clone(), &config)
            })
        })
        .collect();
    let leases = Arc::new(Leases::new(parts.ids.uuid()));
    let shares = leases.clone();
    let (recovering, settings, to) = (parts.clone(), config.clone(), lanes.clone());
    let home = homes.last().cloned().unwrap_or(Home::Here);
    let (policy, supervision) = (MailboxPolicy::Small, Supervision::STANDARD);
    let recovery = supervise("orders.recovery", &home, policy, supervision, move || {
        Recovery::new(recovering.clone(), settings.clone(), to.clone(), shares.clone())
    });
    let (auditing, every) = (parts.clone(), config.audit_every);
    let auditor = supervise("orders.auditor", &home, policy, supervision, move || {
        Auditor::new(auditing.clone(), every)
    });
    let shadow = start_shadow(&parts, &home);
    let (config, edge) = (config.clone(), Edge::unseen());
    let comparisons = Arc::new(Semaphore::new(shadow::WAITING_MAX));
    Orders { lanes, recovery, leases, auditor, shadow, comparisons, parts, config, changes, edge }
}

fn start_shadow(parts: &Parts, home: &Home) -> Mailbox<Shadow> {
    let (db, clock, pricer) = (parts.db.clone(), parts.clock.clone(), parts.pricer.clone());
    let policy = MailboxPolicy::Large(shadow::WAITING_MAX);
    supervise("orders.shadow", home, policy, Supervision::STANDARD, move || {
        Shadow::new(db.clone(), clock.clone(), pricer.clone())
    })
}

/// What is to be compared when the order is placed: what it was priced from, by which engine, and
/// its total.
type Compared = (Arc<Asked>, Which, i128);

/// The lane that owns an order.
pub(crate) fn lane_of(lanes: &[Mailbox<Lane>], order: OrderId) -> Option<&Mailbox<Lane>> {
    let index = usize::from(order.partition()).checked_rem(lanes.len())?;
    lanes.get(index)
}

impl Orders {
    /// The same service for a caller: what it asks is counted on `edge`.
    #[must_use]
    pub fn seen_by(&self, edge: Edge) -> Self {
        Self { edge, ..self.clone() }
    }

    /// Places an order and waits until it is settled, or until the client wants to know.
    ///
    /// # Errors
    /// See [`OrderError`].
    pub async fn place(
        &self,
        placement: Placement,
        context: &RequestContext,
    ) -> Result<Given, OrderError> {
        self.edge.call(self.place_in_lane(placement, context)).await
    }

    async fn place_in_lane(
        &self,
        placement: Placement,
        context: &RequestContext,
    ) -> Result<Given, OrderError> {
        let Placement { key, fingerprint, request, answer_by, respond_async } = placement;
        let method = request.payment_method.clone();
        let trace_id = context.trace_id().to_string();
        let (draft, compared) = match self.priced(request, context).await {
            Ok(priced) => priced,
            // The catalogue may have changed since the request was first made: what was answered
            // then is answered now.
            Err(OrderError::Invalid(faults)) => {
                let known = answered_before(&self.parts, &key, &fingerprint, &trace_id).await;
                return known.unwrap_or(Err(OrderError::Invalid(faults)));
            }
            Err(error) => return Err(error),
        };
        let request_hash = fingerprint_of_key(&key.key);
        let order_id = OrderId::in_partition(self.parts.ids.uuid(), request_hash);
        let place = Place { order_id, key, fingerprint, draft, method, answer_by, respond_async };
        let lane = lane_of(&self.lanes, order_id).ok_or(OrderError::Busy)?;
        let answered = lane.post(place, context)?.answer_within(ANSWER_GRACE).await?;
        if let (Ok(given), Some(compared)) = (&answered, compared)
            && !given.replayed
        {
            self.compare(order_id, compared, context);
        }
        answered
    }

    /// Lets the other engine price an order that was placed, unless too many wait for that already.
    fn compare(&self, order_id: OrderId, compared: Compared, context: &RequestContext) {
        let (asked, engine, total) = compared;
        let trace_id = context.trace_id().to_string();
        let Ok(place) = self.comparisons.clone().try_acquire_owned() else {
            counter!("pricing_shadow_dropped_total", "reason" => "full").increment(1);
            return;
        };
        let compare = Compare { order_id, asked, engine, total, trace_id, place };
        // It outlives its request, whose client does not wait for it.
        self.shadow.deliver(compare, &self.parts.own_context(BATCH_PATIENCE, Span::none()));
    }

    /// Up to `limit` orders of which the other engine would have wanted another total, those of the
    /// newest orders first, of orders before `before`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn mismatches(
        &self,
        before: Option<OrderId>,
        limit: i64,
    ) -> Result<Vec<Mismatch>, StoreError> {
        self.edge.call(mismatches::list(&self.parts.db, before, limit)).await
    }

    /// Prices the request; a SKU that this node has not heard of is looked for in the database.
    async fn priced(
        &self,
        request: crate::OrderRequest,
        context: &RequestContext,
    ) -> Result<(Draft, Option<Compared>), OrderError> {
        let payment_id = PaymentId(self.parts.ids.uuid());
        let lacks = |snapshot: &Snapshot| {
            request.lines.iter().any(|line| snapshot.get(line.sku.as_str()).is_none())
        };
        let learned = self.parts.catalog.learn(lacks, context).await;
        learned.map_err(|error| OrderError::Unavailable { source: error.into() })?;
        let (catalog, at) = (&self.parts.catalog, self.parts.clock.now());
        let (engine, is_shadowed) = self.parts.pricer.choose(&request, at);
        let (snapshot, rules) = (catalog.snapshot(), catalog.rules());
        let asked = Arc::new(Asked { request, snapshot, rules, at });
        let priced =
            self.parts.pricer.price(&asked, engine).await.map_err(|error| match error {
                Unpriced::Refused(faults) => OrderError::Invalid(faults),
                error @ Unpriced::Broken => OrderError::Unavailable { source: error.into() },
            })?;
        let compared = is_shadowed
            .then(|| (asked.clone(), priced.engine, priced.quote.total(&asked.basket())));
        let request = match Arc::try_unwrap(asked) {
            Ok(asked) => asked.request,
            // It is to be compared, or an engine that is late still looks at it.
            Err(shared) => shared.request.clone(),
        };
        let draft = draft(request, priced, payment_id);
        match draft.clone().place() {
            Ok(_) => Ok((draft, compared)),
            Err(error) => Err(OrderError::Invalid(vec![fault_of(error)])),
        }
    }

    /// An order by its id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        self.edge.call(books::get(&self.parts.db, id)).await
    }

    /// Up to `limit` orders, newest first, older than `before`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list(
        &self,
        filter: ListFilter,
        before: Option<OrderId>,
        limit: i64,
    ) -> Result<Vec<Order>, StoreError> {
        if filter.stuck {
            return self.edge.call(self.stuck(before, limit)).await;
        }
        self.edge.call(books::list(&self.parts.db, &filter, before, limit)).await
    }

    /// Orders that wait for longer than they should: their payment is not known, or something that
    /// the provider is to do is not done.
    async fn stuck(&self, before: Option<OrderId>, limit: i64) -> Result<Vec<Order>, StoreError> {
        let age = i64::try_from(self.config.stuck_visible.as_secs()).unwrap_or(i64::MAX);
        let since = self.parts.clock.now().plus_seconds(-age);
        let mut stuck = books::stuck(&self.parts.db, since, before, limit).await?;
        let open = self.parts.payments.open_operations(since, None, OPEN_SHOWN_MAX).await?;
        let mut ids: Vec<OrderId> = open.iter().map(|open| open.operation.order_id).collect();
        ids.retain(|id| before.is_none_or(|before| *id < before));
        stuck.extend(books::by_ids(&self.parts.db, &ids).await?);
        stuck.sort_by_key(|kept| std::cmp::Reverse(kept.order.id));
        stuck.dedup_by_key(|kept| kept.order.id);
        stuck.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(stuck.into_iter().map(|kept| kept.order).collect())
    }

    /// Does what a client wants of an order that exists, and waits until the provider has done its
    /// part, or until the client's deadline.
    ///
    /// # Errors
    /// See [`OrderError`].
    pub async fn operate(&self, ask: Ask, context: &RequestContext) -> Result<Given, OrderError> {
        self.edge.call(self.operate_in_lane(ask, context)).await
    }

    async fn operate_in_lane(
        &self,
        ask: Ask,
        context: &RequestContext,
    ) -> Result<Given, OrderError> {
        let Ask { order_id, command, kind, key, fingerprint, if_match } = ask;
        let step = Step {
            order_id,
            command: Some(command),
            origin: Origin {
                actor: context.actor().to_string(),
                trace_id: context.trace_id().to_string(),
                cause: kind.as_str(),
            },
            wish: Some(Wish { kind, key, fingerprint, if_match }),
            payment: None,
            money: None,
            lease: None,
        };
        let lane = lane_of(&self.lanes, order_id).ok_or(OrderError::Busy)?;
        // Not shed: requests in work are bounded at the edge, and an order that exists must go on.
        lane.post_unshed(Operate(Box::new(step)), context)?.answer_within(ANSWER_GRACE).await?
    }

    /// Takes what the provider tells of its own accord, and looks into the order it is about, in a
    /// task of its own: what is told is a hint, and is not believed (rule D12).
    ///
    /// # Errors
    /// See [`WebhookError`].
    pub async fn provider_told(
        &self,
        raw: &[u8],
        signature: Option<&str>,
        context: &RequestContext,
    ) -> Result<(), WebhookError> {
        let receive = self.parts.payments.receive(raw, signature, context);
        let told = self.edge.call(receive).await?;
        let Some(order_id) = told.order_id.filter(|_| told.is_new) else { return Ok(()) };
        let resolver = Resolver {
            parts: self.parts.clone(),
            limits: self.config.limits(),
            patience: self.config.charge_patience,
            lane: lane_of(&self.lanes, order_id).map(Mailbox::loopback),
            lease: None,
            actor: "provider",
        };
        let context = self.parts.own_context(self.config.charge_patience, Span::current());
        let look = async move {
            resolver.look_at(order_id).await;
            // If this fails, recovery looks once more.
            let _ = resolver.parts.payments.mark_handled(vec![told.id], &context).await;
        };
        actix::spawn(look.in_current_span());
        Ok(())
    }

    /// Rises whenever this node has committed something in the order's partition.
    #[must_use]
    pub fn changes(&self, order: OrderId) -> watch::Receiver<u64> {
        self.changes.of(order)
    }

    /// Events of an order after `version`, at most `limit`, by version.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn history_after(
        &self,
        id: OrderId,
        version: i64,
        limit: i64,
    ) -> Result<Vec<Logged>, StoreError> {
        self.edge.call(outbox::history_after(&self.parts.db, id, version, limit)).await
    }

    /// The timeline of an order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn history(&self, id: OrderId) -> Result<Vec<Logged>, StoreError> {
        self.edge.call(outbox::history(&self.parts.db, id)).await
    }

    /// Compares the books of all services, and those of the provider, at one moment.
    ///
    /// # Errors
    /// See [`AuditError`].
    pub async fn audit(&self, context: &RequestContext) -> Result<AuditReport, AuditError> {
        self.edge.call(audit::run(&self.parts, context)).await
    }

    /// Refuses new orders and waits until those that were taken are answered.
    pub async fn drain(&self) {
        self.auditor.drain().await;
        self.shadow.drain().await;
        self.recovery.drain().await;
        for lane in self.lanes.iter() {
            lane.drain().await;
        }
        // Others need not wait until they end.
        if let Err(error) = self.leases.release(&self.parts).await {
            tracing::info!(
                event = "leases_kept",
                cause = &error as &dyn std::error::Error,
                "the leases of this node end by themselves"
            );
        }
    }

    /// What can be seen of the service's actors.
    #[must_use]
    pub fn vitals(&self) -> Vec<Arc<actors::Vitals>> {
        let lanes = self.lanes.iter().map(|lane| lane.vitals().clone());
        let others = [self.recovery.vitals(), self.auditor.vitals(), self.shadow.vitals()];
        lanes.chain(others.map(Arc::clone)).collect()
    }
}

/// FNV-1a, folded to a byte: requests with the same key go to the same lane.
fn fingerprint_of_key(key: &str) -> u8 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.to_le_bytes().iter().fold(0, |folded, byte| folded ^ byte)
}
