//! Recovery is the normal path: orders that stand still, because the provider did not answer or
//! because a process ended, are found and sent on their way again, with the same messages and the
//! same provider key. Several nodes may do this at once: the order's version lets one of them win.

use crate::books::{self, Kept};
use crate::handle::{OrdersConfig, lane_of};
use crate::lane::Lane;
use crate::messages::{Settle, Settled, Settlement};
use crate::placing::payment_of;
use crate::shop::Parts;
use actors::{Desk, Mailbox, Service};
use futures_util::StreamExt;
use metrics::{counter, gauge};
use payments::Charged;
use std::sync::Arc;
use store::StoreError;
use uuid::Uuid;

/// Orders read at once.
const PAGE_ROWS: i64 = 500;

/// Orders asked about at once; the provider has others to serve.
const AT_ONCE: usize = 64;

/// The actor that looks for orders that stand still.
pub struct Reconciler {
    parts: Parts,
    config: OrdersConfig,
    lanes: Arc<[Mailbox<Lane>]>,
    busy: bool,
}

impl Reconciler {
    pub(crate) fn new(parts: Parts, config: OrdersConfig, lanes: Arc<[Mailbox<Lane>]>) -> Self {
        Self { parts, config, lanes, busy: false }
    }

    fn round(&mut self, desk: &mut Desk<'_, Self>) {
        if self.busy {
            return;
        }
        self.busy = true;
        let work = reconcile(self.parts.clone(), self.config.clone(), self.lanes.clone());
        desk.run(work, |reconciler, result, _| {
            reconciler.busy = false;
            if let Ok(Err(error)) = result {
                tracing::warn!(
                    event = "reconcile_failed",
                    cause = &error as &dyn std::error::Error,
                    "orders that stand still could not be looked for"
                );
            }
        });
    }
}

impl Service for Reconciler {
    fn started(&mut self, desk: &mut Desk<'_, Self>) {
        self.round(desk);
        desk.every(self.config.reconcile_every, Self::round);
    }
}

async fn reconcile(
    parts: Parts,
    config: OrdersConfig,
    lanes: Arc<[Mailbox<Lane>]>,
) -> Result<(), StoreError> {
    let age = i64::try_from(config.stuck_after.as_secs()).unwrap_or(i64::MAX);
    let before = parts.clock.now().plus_seconds(-age);
    let (parts, config, lanes) = (&parts, &config, &lanes);
    let mut after = Uuid::nil();
    let mut seen = 0;
    loop {
        let stuck = books::pending(&parts.db, before, after, PAGE_ROWS).await?;
        let Some(last) = stuck.last() else { break };
        after = last.order.id.0;
        seen += stuck.len();
        gauge!("stuck_orders").set(seen as f64);
        futures_util::stream::iter(stuck)
            .for_each_concurrent(AT_ONCE, |kept| async move {
                send_on(parts, config, lanes, kept).await;
            })
            .await;
    }
    gauge!("stuck_orders").set(seen as f64);
    Ok(())
}

async fn send_on(parts: &Parts, config: &OrdersConfig, lanes: &[Mailbox<Lane>], kept: Kept) {
    let span = tracing::info_span!("orders.reconcile", order_id = %kept.order.id);
    let context = parts.own_context(config.charge_patience, span);
    let charged = parts.payments.charge(payment_of(&kept.order), &context).await;
    let Ok(Charged::Known { payment, outcome }) = charged else { return };
    let Some(lane) = lane_of(lanes, kept.order.id) else { return };
    counter!("orders_reconciled_total").increment(1);
    let settlement = Settlement {
        kept,
        trace_id: context.trace_id().to_string(),
        actor: "reconciler".to_owned(),
        what: Settled::Known { payment, outcome },
        reply: None,
    };
    // The charge may have used up its time; settling has its own.
    let context = parts.own_context(config.charge_patience, context.span().clone());
    lane.deliver(Settle(Box::new(settlement)), &context);
}
