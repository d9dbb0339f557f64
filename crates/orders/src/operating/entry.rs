//! What a batch of steps writes: decided step by step, written at once.

use crate::books::{self, Kept};
use crate::coupons::give_coupons_back;
use crate::messages::{Given, LifeOutcome, OrderError, Outcome, Step, Wish};
use crate::shop::{BatchError, Parts};
use actors::RequestContext;
use domain::{
    Command, Effects, EventId, Money, MoneyMove, Operation, OperationId, OperationKind,
    OperationStatus, Order, OrderEvent, OrderStatus, Payment, Recorded, Refusal, decide, effects,
};
use inventory::GoodsMove;
use std::collections::HashSet;
use store::answers::Stored;
use store::{StoreError, Tx};

/// What became of a step.
pub(super) enum Verdict {
    /// Its client has an answer, which is durable now.
    Answered {
        given: Given,
        /// Whether the provider has something to do now.
        money: bool,
    },
    /// There is none, and nothing happened.
    Without(OrderError),
    /// Nobody waits.
    Quiet {
        /// Whether the provider has something to do now.
        money: bool,
    },
}

/// All that a batch of steps writes.
pub(super) struct Book<'a> {
    shop: &'a Parts,
    moved: Vec<Order>,
    goods: Vec<GoodsMove>,
    operations: Vec<Operation>,
    payments: Vec<Payment>,
    /// To the clients who want the steps; each must be new.
    pub(super) answers: Vec<Stored>,
    /// To the requests that made the orders; where one was answered, that stays.
    pub(super) first_answers: Vec<Stored>,
    pub(super) events: Vec<Recorded>,
    pub(super) verdicts: Vec<Verdict>,
    /// A step that cannot be written as it is; the batch is taken apart to find it.
    pub(super) contradiction: Option<Refusal>,
}

impl<'a> Book<'a> {
    pub(super) const fn new(shop: &'a Parts) -> Self {
        Self {
            shop,
            moved: Vec::new(),
            goods: Vec::new(),
            operations: Vec::new(),
            payments: Vec::new(),
            answers: Vec::new(),
            first_answers: Vec::new(),
            events: Vec::new(),
            verdicts: Vec::new(),
            contradiction: None,
        }
    }

    pub(super) fn partitions(&self) -> Vec<u8> {
        let all: HashSet<u8> = self.moved.iter().map(|order| order.id.partition()).collect();
        all.into_iter().collect()
    }

    /// Enters one step. `goods` says whether the order's goods are, or could again be, promised;
    /// `moved_on` that the step comes too late and nothing is to be written.
    pub(super) fn enter(
        &mut self,
        step: &Step,
        kept: Option<&Kept>,
        replay: Option<&Stored>,
        goods: bool,
        moved_on: bool,
    ) {
        let verdict = match (kept, replay, &step.wish) {
            (None, _, _) => Verdict::Without(OrderError::NotFound),
            (_, Some(stored), Some(wish)) => again(stored, wish),
            (Some(_), _, None) if moved_on => Verdict::Quiet { money: false },
            (Some(kept), _, wish) => match version_mismatch(&kept.order, wish.as_ref()) {
                Some(error) => Verdict::Without(error),
                None => self.take(step, kept, goods),
            },
        };
        self.verdicts.push(verdict);
    }

    fn take(&mut self, step: &Step, kept: &Kept, goods: bool) -> Verdict {
        let order = &kept.order;
        let Some(command) = step.command.clone() else { return Verdict::Quiet { money: false } };
        let command = match command {
            Command::SettlePayment { outcome, .. } => Command::SettlePayment { outcome, goods },
            other => other,
        };
        match decide(order, command) {
            Ok(event) => self.record(step, kept, event),
            Err(refusal) if step.money.is_some() => {
                // What the provider refused must not be recorded without its event.
                self.contradiction = Some(refusal);
                Verdict::Quiet { money: false }
            }
            Err(refusal) => self.refuse(step, order, &refusal),
        }
    }

    fn record(&mut self, step: &Step, kept: &Kept, event: OrderEvent) -> Verdict {
        let order = &kept.order;
        let next = order.clone().after(&event, self.shop.clock.now().max(order.updated_at));
        let moves = effects(order, &event);
        let money = moves.money.is_some();
        self.note_moves(&next, moves);
        if let Some(payment) = &step.payment {
            self.payments.push(payment.clone());
        }
        self.tell_the_first_client(step, kept, &next);
        let verdict = match &step.wish {
            Some(wish) => self.tell(step, wish, &next, &LifeOutcome::Done(&event), money),
            None => Verdict::Quiet { money },
        };
        self.events.push(Recorded {
            id: EventId(self.shop.ids.uuid()),
            order_id: next.id,
            version: next.version,
            at: next.updated_at,
            actor: step.origin.actor.clone(),
            cause: step.origin.cause.to_owned(),
            trace_id: step.origin.trace_id.clone(),
            event,
        });
        self.moved.push(next);
        verdict
    }

    /// A refusal is an answer too, and the same request is to get it again. But a cancellation that
    /// waits for the payment already is what the client wants.
    fn refuse(&mut self, step: &Step, order: &Order, refusal: &Refusal) -> Verdict {
        match &step.wish {
            Some(wish) => self.tell(step, wish, order, &LifeOutcome::Refused(refusal), false),
            None => {
                tracing::info!(
                    event = "step_refused",
                    order_id = %order.id,
                    cause = refusal as &dyn std::error::Error,
                    "an order does not take a step"
                );
                Verdict::Quiet { money: false }
            }
        }
    }

    fn tell(
        &mut self,
        step: &Step,
        wish: &Wish,
        order: &Order,
        outcome: &LifeOutcome<'_>,
        money: bool,
    ) -> Verdict {
        let answer = (self.shop.render_life)(wish.kind, order, outcome, &step.origin.trace_id);
        self.answers.push(Stored {
            key: wish.key.clone(),
            fingerprint: wish.fingerprint,
            answer: answer.clone(),
            created_at: self.shop.clock.now(),
        });
        Verdict::Answered { given: Given { answer, replayed: false }, money }
    }

    /// The request that made the order has no answer yet if its payment was not known: now it is.
    /// If it was told "accepted" before, that stays.
    fn tell_the_first_client(&mut self, step: &Step, kept: &Kept, next: &Order) {
        if kept.order.status != OrderStatus::Pending || next.status == OrderStatus::Pending {
            return;
        }
        let code = next.payment.decline_code.clone().unwrap_or_default();
        let outcome = match next.status {
            OrderStatus::Confirmed => Outcome::Confirmed,
            OrderStatus::Rejected => Outcome::Declined { code: &code },
            _ => Outcome::Cancelled,
        };
        self.first_answers.push(Stored {
            key: kept.key.clone(),
            fingerprint: kept.fingerprint,
            answer: (self.shop.render)(next, &outcome, &step.origin.trace_id),
            created_at: next.updated_at,
        });
    }

    fn note_moves(&mut self, next: &Order, moves: Effects) {
        let order_id = next.id;
        if moves.release && !faults::planted("cancel-keeps-the-goods") {
            self.goods.push(GoodsMove::Release { order_id });
        }
        if !moves.ship.is_empty() {
            self.goods.push(GoodsMove::Ship { order_id, units: moves.ship });
        }
        for (units, restock) in [(moves.restock, true), (moves.discard, false)] {
            if !units.is_empty() {
                self.goods.push(GoodsMove::TakeBack { order_id, units, restock });
            }
        }
        let forgotten = match moves.money {
            Some(MoneyMove::Refund { .. }) => faults::planted("refund-not-asked-for"),
            Some(MoneyMove::Capture { .. }) => faults::planted("capture-not-asked-for"),
            _ => false,
        };
        if let Some(what) = moves.money.filter(|_| !forgotten) {
            self.operations.push(operation(self.shop, next, what));
        }
    }

    /// Writes all but the answers and the events.
    pub(super) async fn move_goods_and_money(
        &mut self,
        shop: &Parts,
        mut tx: Tx,
        context: &RequestContext,
    ) -> Result<Tx, BatchError> {
        let moved: Vec<&Order> = self.moved.iter().collect();
        if books::advance(&mut tx, &moved).await? != moved.len() as u64 {
            // Locked, read, and yet of another version: not to be.
            return Err(StoreError::Overtaken { statement: "advance_orders" }.into());
        }
        give_coupons_back(shop, &mut tx, self.moved.iter()).await?;
        let goods = std::mem::take(&mut self.goods);
        if !goods.is_empty() {
            tx = shop.inventory.carry_out(tx, goods, context).await?;
        }
        let payments = std::mem::take(&mut self.payments);
        if !payments.is_empty() {
            tx = shop.payments.record(tx, payments, context).await?;
        }
        let operations = std::mem::take(&mut self.operations);
        if !operations.is_empty() {
            tx = shop.payments.request(tx, operations, context).await?;
        }
        Ok(tx)
    }
}

fn again(stored: &Stored, wish: &Wish) -> Verdict {
    if stored.fingerprint == wish.fingerprint {
        let given = Given { answer: stored.answer.clone(), replayed: true };
        Verdict::Answered { given, money: false }
    } else {
        Verdict::Without(OrderError::KeyReused)
    }
}

fn version_mismatch(order: &Order, wish: Option<&Wish>) -> Option<OrderError> {
    let wanted = wish?.if_match?;
    (wanted != order.version).then_some(OrderError::VersionMismatch { current: order.version })
}

fn operation(shop: &Parts, next: &Order, what: MoneyMove) -> Operation {
    let (kind, amount) = match what {
        MoneyMove::Capture { amount, is_final: false } => (OperationKind::Capture, amount),
        MoneyMove::Capture { amount, is_final: true } => (OperationKind::FinalCapture, amount),
        MoneyMove::Void => (OperationKind::Void, 0),
        MoneyMove::Refund { amount } => {
            let more = i64::from(faults::planted("refund-of-one-more"));
            (OperationKind::Refund, amount + more)
        }
    };
    Operation {
        id: OperationId(shop.ids.uuid()),
        order_id: next.id,
        payment_id: next.payment.id,
        leg: next.version,
        kind,
        amount: Money::new(amount, next.currency),
        status: OperationStatus::Open,
        provider_ref: None,
        refusal_code: None,
    }
}
