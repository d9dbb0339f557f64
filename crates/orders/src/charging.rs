//! One order's payment, in a task of its own.

use crate::books::Kept;
use crate::messages::{Given, OrderError, Settle, Settled, Settlement};
use crate::operating::Onward;
use actors::{Reply, RequestContext};
use domain::Payment;
use payments::Charged;
use tokio::time::{Instant, timeout_at};

/// One order on its way to the provider.
#[derive(Clone)]
pub(crate) struct Charge {
    pub(crate) onward: Onward,
    pub(crate) kept: Kept,
    pub(crate) context: RequestContext,
}

impl Charge {
    /// Asks, and hands what came of it to the lane; whoever waits is told by `answer_by`.
    pub(crate) async fn run(
        self,
        payment: Payment,
        mut reply: Option<Reply<Result<Given, OrderError>>>,
        answer_by: Instant,
    ) {
        let (context, shop) = (self.own_context(), self.onward.shop.clone());
        let charge = shop.payments.charge(payment, &context);
        tokio::pin!(charge);
        let charged = match timeout_at(answer_by, &mut charge).await {
            Ok(charged) => charged,
            Err(_) => {
                if reply.is_some() {
                    self.clone().settle(Settled::Waiting { degraded: false }, reply.take());
                }
                charge.await
            }
        };
        match charged {
            Ok(Charged::Known { payment, outcome }) => {
                self.settle(Settled::Known { payment, outcome }, reply);
            }
            // Recovery will ask again, with the same key.
            Ok(Charged::Unknown { .. }) | Err(_) => {
                if reply.is_some() {
                    self.settle(Settled::Waiting { degraded: true }, reply);
                }
            }
        }
    }

    /// The order goes on whether its client waits or not: a life of its own, in the same trace.
    fn own_context(&self) -> RequestContext {
        RequestContext::new(
            Instant::now() + self.onward.patience,
            self.context.trace_id(),
            self.context.span().clone(),
            self.context.actor().clone(),
        )
    }

    fn settle(self, what: Settled, reply: Option<Reply<Result<Given, OrderError>>>) {
        let context = self.own_context();
        let settlement = Settlement {
            kept: self.kept,
            trace_id: self.context.trace_id().to_string(),
            actor: self.context.actor().to_string(),
            span: self.context.span().clone(),
            what,
            reply,
        };
        self.onward.lane.deliver(Settle(Box::new(settlement)), &context);
    }
}
