//! What follows a step's commit: its client is answered, and the provider is asked to do what was
//! recorded.

use super::entry::Verdict;
use crate::books;
use crate::lane::Lane;
use crate::messages::{Advance, Asked, Given, MoneySettled, OrderError, Origin, Step, Waits};
use crate::shop::Parts;
use actors::{Loopback, Reply, RequestContext};
use domain::{
    Command, LineUnits, Operation, OperationKind, OperationOutcome, OperationStatus, OrderEvent,
    OrderId,
};
use std::sync::Arc;
use std::time::Duration;
use store::{StoreError, outbox};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

/// What is needed to go on after a commit.
#[derive(Clone)]
pub(crate) struct Onward {
    pub(crate) shop: Arc<Parts>,
    pub(crate) lane: Loopback<Lane>,
    /// How long the provider may be asked for one thing.
    pub(crate) patience: Duration,
}

impl Onward {
    /// Answers everyone, and sets the provider to work where there is something to do.
    pub(super) fn answer(&self, part: Vec<Asked>, verdicts: Vec<Verdict>) {
        for (Asked { step, waits }, verdict) in part.into_iter().zip(verdicts) {
            match (verdict, waits) {
                (Verdict::Answered { given, money: true }, Waits::Client { reply, deadline }) => {
                    self.answer_with_money(step, given, reply, deadline);
                }
                (Verdict::Answered { given, .. }, Waits::Client { reply, .. }) => {
                    reply.send(Ok(given));
                }
                (Verdict::Without(error), waits) => waits.fail(error),
                (Verdict::Quiet { money }, waits) => {
                    if let Waits::Task(written) = waits {
                        // A task that is gone needs no answer.
                        let _ = written.send(true);
                    }
                    if money {
                        self.set_to_work(step.order_id, step.origin);
                    }
                }
                // Only clients have wishes, and only wishes are answered.
                (Verdict::Answered { .. }, Waits::Task(_) | Waits::Nobody) => {}
            }
        }
    }

    /// The client is told when the provider has done it, or at its deadline: the answer is the same,
    /// and what was promised is done either way.
    fn answer_with_money(
        &self,
        step: Step,
        given: Given,
        reply: Reply<Result<Given, OrderError>>,
        deadline: Instant,
    ) {
        let work = carry_out_money(self.clone(), step.order_id, step.origin);
        let mut work = actix::spawn(work.in_current_span());
        actix::spawn(async move {
            // Late or failed, the recovery goes on with it.
            let _ = timeout_at(deadline, &mut work).await;
            reply.send(Ok(given));
        });
    }

    fn set_to_work(&self, order_id: OrderId, origin: Origin) {
        actix::spawn(carry_out_money(self.clone(), order_id, origin).in_current_span());
    }

    fn context(&self) -> RequestContext {
        self.shop.own_context(self.patience, tracing::Span::current())
    }
}

/// Asks the provider for all that is open of one order, one after the other, until nothing is or
/// the outcome of something is not known: then the recovery asks again, with the same key.
pub(crate) async fn carry_out_money(onward: Onward, order_id: OrderId, origin: Origin) {
    while let Some(settled) = next(&onward, order_id).await {
        let Some(steps) = steps_of(&onward, settled, &origin).await else { return };
        for step in steps {
            let (written, told) = oneshot::channel();
            let advance = Advance { step: Box::new(step), written: Some(written) };
            onward.lane.deliver(advance, &onward.context());
            if !told.await.unwrap_or(false) {
                return;
            }
        }
    }
}

/// The next operation of the order, done or refused; `None` when there is none or it is not known.
async fn next(onward: &Onward, order_id: OrderId) -> Option<Operation> {
    let payments = &onward.shop.payments;
    let read = async {
        let operation = payments.next_operation(order_id).await?;
        let payment = payments.payment_of(order_id).await?;
        Ok::<_, StoreError>(operation.zip(payment))
    };
    let (operation, payment) = match read.await {
        Ok(found) => found?,
        Err(error) => {
            tracing::warn!(event = "money_postponed", order_id = %order_id,
                cause = &error as &dyn std::error::Error, "the open operations cannot be read");
            return None;
        }
    };
    match payments.carry_out(operation.clone(), payment, &onward.context()).await {
        Ok(OperationOutcome::Done { provider_ref }) => Some(Operation {
            status: OperationStatus::Done,
            provider_ref: Some(provider_ref),
            ..operation
        }),
        Ok(OperationOutcome::Refused { code }) => Some(Operation {
            status: OperationStatus::Refused,
            refusal_code: Some(code),
            ..operation
        }),
        Ok(OperationOutcome::Unknown { .. }) | Err(_) => None,
    }
}

/// The steps that record what became of an operation; `None` when that cannot be told now. A refund
/// of money that was never taken is refused with its capture, and before it, the latest first: the
/// books must balance after each step. (Should another refund come in between, the step of the
/// capture is not written, and the next look finds both.)
async fn steps_of(onward: &Onward, settled: Operation, origin: &Origin) -> Option<Vec<Step>> {
    let read = async {
        let doomed = match settled.kind {
            OperationKind::Capture | OperationKind::FinalCapture
                if settled.status == OperationStatus::Refused =>
            {
                doomed_refunds(&onward.shop, &settled).await?
            }
            _ => Vec::new(),
        };
        let mut steps = Vec::with_capacity(doomed.len() + 1);
        for operation in doomed.into_iter().chain([settled.clone()]) {
            let lines = lines_of(&onward.shop, &operation).await?;
            steps.push(step_of(operation, lines, origin));
        }
        Ok::<_, StoreError>(steps)
    };
    match read.await {
        Ok(steps) => Some(steps),
        Err(error) => {
            tracing::warn!(event = "money_postponed", order_id = %settled.order_id,
                cause = &error as &dyn std::error::Error, "an operation cannot be recorded");
            None
        }
    }
}

/// The open refunds, latest first, that cannot be paid when `capture` is refused.
async fn doomed_refunds(shop: &Parts, capture: &Operation) -> Result<Vec<Operation>, StoreError> {
    let Some(order) = books::get(&shop.db, capture.order_id).await? else { return Ok(Vec::new()) };
    let mut missing = order.amounts.refunded - (order.amounts.captured - capture.amount.minor);
    let mut open = shop.payments.operations_of(capture.order_id).await?;
    open.retain(|operation| {
        operation.status == OperationStatus::Open && operation.kind == OperationKind::Refund
    });
    open.reverse();
    let doomed = open.into_iter().take_while(|refund| {
        let is_doomed = missing > 0;
        missing -= refund.amount.minor;
        is_doomed
    });
    let refused = doomed.map(|refund| Operation {
        status: OperationStatus::Refused,
        refusal_code: capture.refusal_code.clone(),
        ..refund
    });
    Ok(refused.collect())
}

/// The units for which a refused operation was asked, as the event that asked for it tells.
async fn lines_of(shop: &Parts, operation: &Operation) -> Result<Vec<LineUnits>, StoreError> {
    if operation.status != OperationStatus::Refused {
        return Ok(Vec::new());
    }
    let asked = outbox::history_after(&shop.db, operation.order_id, operation.leg - 1, 1).await?;
    Ok(match asked.first().and_then(|logged| logged.event().ok()) {
        Some(OrderEvent::Shipped(data)) => data.lines,
        Some(OrderEvent::Refunded(data)) => data.lines,
        _ => Vec::new(),
    })
}

fn step_of(operation: Operation, lines: Vec<LineUnits>, origin: &Origin) -> Step {
    let code = operation.refusal_code.clone().unwrap_or_default();
    let amount = operation.amount.minor;
    let command = match (operation.status, operation.kind) {
        (OperationStatus::Refused, OperationKind::Capture | OperationKind::FinalCapture) => {
            Some(Command::CaptureFailed { amount, lines, code })
        }
        (OperationStatus::Refused, OperationKind::Refund) => {
            Some(Command::RefundFailed { amount, lines, code })
        }
        (OperationStatus::Refused, OperationKind::Void) => {
            tracing::error!(event = "void_refused", code = "VOID_REFUSED", cause = %code,
                order_id = %operation.order_id, "the provider did not let the money go");
            None
        }
        _ => None,
    };
    Step {
        order_id: operation.order_id,
        command,
        origin: Origin { cause: "provider_refused", ..origin.clone() },
        wish: None,
        payment: None,
        money: Some(MoneySettled { operation }),
        lease: None,
    }
}
