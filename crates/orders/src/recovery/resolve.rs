//! Finding out what became of a payment, and doing what follows.

use super::plan::{IfAbsent, Limits, plan};
use crate::books;
use crate::lane::Lane;
use crate::messages::{Advance, Origin, Step};
use crate::placing::payment_of;
use crate::settling::settle_step;
use crate::shop::Parts;
use actors::{Loopback, RequestContext};
use domain::{Command, Order, OrderId, OrderStatus, PaymentStatus};
use payments::{Charged, Inquiry};
use std::time::Duration;
use store::leases::Held;
use tokio::sync::oneshot;

/// Resolves one order.
pub(crate) struct Resolver {
    pub(crate) parts: Parts,
    pub(crate) limits: Limits,
    /// How long the provider may be asked for one thing.
    pub(crate) patience: Duration,
    pub(crate) lane: Option<Loopback<Lane>>,
    /// The lease under which this is done, if it is recovery.
    pub(crate) lease: Option<Held>,
    pub(crate) actor: &'static str,
}

impl Resolver {
    /// Reads the order and resolves it, if its payment is not known.
    pub(crate) async fn look_at(&self, order: OrderId) {
        match books::get(&self.parts.db, order).await {
            Ok(Some(order)) if is_open(&order) => {
                self.resolve(&order).await;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(event = "order_unread", order_id = %order,
                cause = &error as &dyn std::error::Error, "an order cannot be read"),
        }
    }

    /// Asks the provider what became of the payment, and sends the order on its way. Its goods are
    /// given to others only when nobody knows of a payment: whoever paid gets them. Whether the order
    /// went on.
    pub(crate) async fn resolve(&self, order: &Order) -> bool {
        let inquiry = self.parts.payments.inquire(payment_of(order), &self.context()).await;
        match inquiry {
            Ok(Inquiry::Known { payment, outcome }) => self.settle(payment, outcome).await,
            Ok(Inquiry::Absent) => self.go_on_without(order, true).await,
            Ok(Inquiry::Unknown { .. }) => self.go_on_without(order, false).await,
            Err(error) => {
                tracing::warn!(event = "inquiry_failed", order_id = %order.id,
                    cause = &error as &dyn std::error::Error, "the provider could not be asked");
                self.go_on_without(order, false).await
            }
        }
    }

    /// No payment is known; `is_absent` if the provider says that there is none.
    async fn go_on_without(&self, order: &Order, is_absent: bool) -> bool {
        if order.status != OrderStatus::Pending {
            return false;
        }
        let plan = plan(order, self.parts.clock.now(), &self.limits);
        if plan.release_goods && !self.step(order, Command::ReleaseGoods).await {
            return false;
        }
        match plan.if_absent {
            IfAbsent::Charge if is_absent => self.charge(order).await,
            IfAbsent::GiveUp if is_absent => self.step(order, Command::GiveUpPayment).await,
            // Its goods are free: that was all there was to do.
            _ => plan.release_goods,
        }
    }

    async fn charge(&self, order: &Order) -> bool {
        let charged = self.parts.payments.charge(payment_of(order), &self.context()).await;
        match charged {
            Ok(Charged::Known { payment, outcome }) => self.settle(payment, outcome).await,
            _ => false,
        }
    }

    async fn settle(&self, payment: domain::Payment, outcome: domain::ChargeOutcome) -> bool {
        let origin = self.origin("payment_settled");
        self.advance(settle_step(payment, outcome, origin, self.lease.clone())).await
    }

    async fn step(&self, order: &Order, command: Command) -> bool {
        let cause = match command {
            Command::ReleaseGoods => "payment_expired",
            _ => "payment_absent",
        };
        self.advance(Step {
            order_id: order.id,
            command: Some(command),
            origin: self.origin(cause),
            wish: None,
            payment: None,
            money: None,
            lease: self.lease.clone(),
        })
        .await
    }

    /// Whether the step was written (or was not needed any more).
    async fn advance(&self, step: Step) -> bool {
        let Some(lane) = &self.lane else { return false };
        let (written, told) = oneshot::channel();
        let advance = Advance { step: Box::new(step), written: Some(written) };
        lane.deliver(advance, &self.context());
        told.await.unwrap_or(false)
    }

    fn origin(&self, cause: &'static str) -> Origin {
        let trace_id = self.context().trace_id().to_string();
        Origin { actor: self.actor.to_owned(), trace_id, cause }
    }

    fn context(&self) -> RequestContext {
        self.parts.own_context(self.patience, tracing::Span::current())
    }
}

/// Whether the order's payment may still change what becomes of it.
fn is_open(order: &Order) -> bool {
    match order.status {
        OrderStatus::Pending => true,
        OrderStatus::Cancelled => order.payment.status == PaymentStatus::Sending,
        _ => false,
    }
}
