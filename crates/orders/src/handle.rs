//! The handle of the order service.

use crate::audit::{self, AuditError, AuditReport};
use crate::books;
use crate::lane::Lane;
use crate::messages::{Given, ListFilter, Place, PlaceError, Placement};
use crate::pricing::{Price, fault_of, price};
use crate::reconciler::Reconciler;
use crate::shop::Parts;
use crate::taken::answered_before;
use actix::ArbiterHandle;
use actors::{BatchLimits, Mailbox, MailboxPolicy, RequestContext, Supervision, supervise};
use domain::{Draft, Order, OrderId, PARTITIONS, PaymentId};
use std::sync::Arc;
use std::time::Duration;
use store::StoreError;
use store::outbox::{self, Logged};

/// How the order service is set up.
#[derive(Clone, Debug)]
pub struct OrdersConfig {
    /// Number of lanes, 1 to [`PARTITIONS`].
    pub lanes: usize,
    /// Orders that may wait for one lane; the next one is refused.
    pub waiting_max: usize,
    /// Limits of a batch. Its weight is the number of its orders and lines.
    pub batch: BatchLimits,
    /// How long the provider may be asked for one order before the order is left to the
    /// reconciler.
    pub charge_patience: Duration,
    /// How often orders that stand still are looked for.
    pub reconcile_every: Duration,
    /// Age from which a pending order stands still.
    pub stuck_after: Duration,
}

/// After its deadline a request waits this much longer for the lane to say what became of it.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

/// The handle of the order service.
#[derive(Clone)]
pub struct Orders {
    lanes: Arc<[Mailbox<Lane>]>,
    reconciler: Mailbox<Reconciler>,
    parts: Parts,
}

/// Starts the order service, its lanes spread over `arbiters`.
///
/// # Panics
/// Never: with no arbiter at all there is no lane, and every order is refused.
pub fn start(parts: Parts, config: &OrdersConfig, arbiters: &[ArbiterHandle]) -> Orders {
    let lanes = config.lanes.clamp(1, usize::from(PARTITIONS));
    let lanes: Arc<[Mailbox<Lane>]> = arbiters
        .iter()
        .cycle()
        .take(if arbiters.is_empty() { 0 } else { lanes })
        .enumerate()
        .map(|(index, arbiter)| {
            let (parts, config) = (parts.clone(), config.clone());
            let policy = MailboxPolicy::Large(config.waiting_max);
            let name = format!("orders.lane.{index}");
            supervise(&name, arbiter, policy, Supervision::STANDARD, move || {
                Lane::new(parts.clone(), &config)
            })
        })
        .collect();
    let (reconciling, settings, to) = (parts.clone(), config.clone(), lanes.clone());
    let arbiter = arbiters.last().cloned().unwrap_or_else(actix::Arbiter::current);
    let (policy, supervision) = (MailboxPolicy::Small, Supervision::STANDARD);
    let reconciler = supervise("orders.reconciler", &arbiter, policy, supervision, move || {
        Reconciler::new(reconciling.clone(), settings.clone(), to.clone())
    });
    Orders { lanes, reconciler, parts }
}

/// The lane that owns an order.
pub(crate) fn lane_of(lanes: &[Mailbox<Lane>], order: OrderId) -> Option<&Mailbox<Lane>> {
    let index = usize::from(order.partition()).checked_rem(lanes.len())?;
    lanes.get(index)
}

impl Orders {
    /// Places an order and waits until it is settled, or until the client wants to know.
    ///
    /// # Errors
    /// See [`PlaceError`].
    pub async fn place(
        &self,
        placement: Placement,
        context: &RequestContext,
    ) -> Result<Given, PlaceError> {
        let Placement { key, fingerprint, request, answer_by, respond_async } = placement;
        let method = request.payment_method.clone();
        let draft = match self.priced(request, context).await {
            Ok(draft) => draft,
            // The catalogue may have changed since the request was first made: what was answered
            // then is answered now.
            Err(PlaceError::Invalid(faults)) => {
                let known = answered_before(&self.parts.db, &key, &fingerprint).await;
                return known.unwrap_or(Err(PlaceError::Invalid(faults)));
            }
            Err(error) => return Err(error),
        };
        let request_hash = fingerprint_of_key(&key.key);
        let order_id = OrderId::in_partition(self.parts.ids.uuid(), request_hash);
        let place = Place { order_id, key, fingerprint, draft, method, answer_by, respond_async };
        let lane = lane_of(&self.lanes, order_id).ok_or(PlaceError::Busy)?;
        lane.post(place, context)?.answer_within(ANSWER_GRACE).await?
    }

    /// Prices the request; a SKU that this node has not heard of is looked for in the database.
    async fn priced(
        &self,
        request: crate::OrderRequest,
        context: &RequestContext,
    ) -> Result<Draft, PlaceError> {
        let payment_id = PaymentId(self.parts.ids.uuid());
        let snapshot = self.parts.catalog.snapshot();
        if request.lines.iter().any(|line| snapshot.get(line.sku.as_str()).is_none()) {
            let refreshed = self.parts.catalog.refresh(context).await;
            refreshed.map_err(|error| PlaceError::Unavailable { source: error.into() })?;
        }
        let snapshot = self.parts.catalog.snapshot();
        price(request, payment_id, |sku| {
            let product = snapshot.get(sku.as_str())?;
            let (unit_amount, currency) = (product.unit_amount, product.currency);
            Some(Price { unit_amount, currency, active: product.active })
        })
        .and_then(|draft| match draft.clone().place() {
            Ok(_) => Ok(draft),
            Err(error) => Err(vec![fault_of(error)]),
        })
        .map_err(PlaceError::Invalid)
    }

    /// An order by its id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        books::get(&self.parts.db, id).await
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
        books::list(&self.parts.db, &filter, before, limit).await
    }

    /// The timeline of an order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn history(&self, id: OrderId) -> Result<Vec<Logged>, StoreError> {
        outbox::history(&self.parts.db, id).await
    }

    /// Compares the books of all services, and those of the provider, at one moment.
    ///
    /// # Errors
    /// See [`AuditError`].
    pub async fn audit(&self, context: &RequestContext) -> Result<AuditReport, AuditError> {
        audit::run(&self.parts, context).await
    }

    /// Refuses new orders and waits until those that were taken are answered.
    pub async fn drain(&self) {
        self.reconciler.drain().await;
        for lane in self.lanes.iter() {
            lane.drain().await;
        }
    }

    /// What can be seen of the service's actors.
    #[must_use]
    pub fn vitals(&self) -> Vec<Arc<actors::Vitals>> {
        let lanes = self.lanes.iter().map(|lane| lane.vitals().clone());
        lanes.chain([self.reconciler.vitals().clone()]).collect()
    }
}

/// FNV-1a, folded to a byte: requests with the same key go to the same lane.
fn fingerprint_of_key(key: &str) -> u8 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.to_le_bytes().iter().fold(0, |folded, byte| folded ^ byte)
}
