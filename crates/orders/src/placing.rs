//! The first half of an order's way: from the request to a durable order, in one transaction per
//! batch.

use crate::batch::{Part, in_halves};
use crate::books::{self, Kept};
use crate::charging::Charge;
use crate::coupons::{give_coupons_back, take_coupons};
use crate::hops;
use crate::messages::{Fault, Given, OrderError, Outcome, Place};
use crate::operating::Onward;
use crate::pricing::fault_of;
use crate::shop::{BatchError, Parts};
use crate::taken::FirstAnswers;
use actors::{Opened, Reply, RequestContext};
use domain::{
    Command, Demand, EventId, Money, Order, OrderEvent, OrderId, Payment, PaymentStatus, Placed,
    Recorded, ReservationOutcome, Timestamp, decide,
};
use metrics::counter;
use payments::Payee;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use store::answers::{self, RequestKey, Stored};
use store::{StoreError, Tx, outbox};
use tokio::time::Instant;
use tracing::{Instrument, field};

/// What a request for an order becomes before it is written.
struct Candidate {
    kept: Kept,
    placed: Placed,
    answer_by: Instant,
    respond_async: bool,
    context: RequestContext,
    reply: Reply<Result<Given, OrderError>>,
}

/// What became of a candidate in the transaction.
enum Written {
    /// Its key was taken before.
    Taken,
    /// It is settled, and this is its answer.
    Settled { given: Given, outcome: &'static str },
    /// It is durable and its payment is to be asked for; with an answer already if its client
    /// does not wait.
    Awaits { payment: Box<Payment>, told: Option<Given> },
}

/// Places a batch. Everyone in it is answered, or waits for the payment.
pub(crate) async fn place_batch(batch: Vec<Opened<Place>>, onward: Onward) {
    let shop = onward.shop.clone();
    let span =
        tracing::info_span!("orders.place_batch", orders = batch.len(), trace_id = field::Empty);
    let context = shop.batch_context(&span);
    async {
        let candidates = candidates(&shop, batch, &context).await;
        let parts = in_halves("place", &candidates, async |part: &[Candidate]| {
            write(&shop, part, &context).await
        })
        .await;
        let mut candidates = candidates.into_iter();
        for Part { items, result } in parts {
            let part: Vec<Candidate> = candidates.by_ref().take(items).collect();
            match result {
                Ok(written) => go_on(part, written, &onward).await,
                Err(error) => refuse(part, &Arc::new(error)),
            }
        }
    }
    .instrument(span)
    .await;
}

/// Finds who pays for each order; those for whom nobody does are answered and leave.
async fn candidates(
    shop: &Parts,
    batch: Vec<Opened<Place>>,
    context: &RequestContext,
) -> Vec<Candidate> {
    let payees: Vec<Payee> = batch
        .iter()
        .map(|opened| Payee {
            customer_id: opened.message.draft.customer_id,
            method: opened.message.method.clone(),
        })
        .collect();
    let methods = match shop.payments.resolve_payers(payees, context).await {
        Ok(methods) => methods,
        Err(error) => {
            let error = Arc::new(BatchError::from(error));
            for opened in batch {
                opened.reply.send(Err(OrderError::Unavailable { source: error.clone().into() }));
            }
            return Vec::new();
        }
    };
    let now = shop.clock.now();
    batch
        .into_iter()
        .zip(methods)
        .filter_map(|(opened, method)| candidate(opened, method, now))
        .collect()
}

fn candidate(
    opened: Opened<Place>,
    method: Result<String, payments::PayerRefusal>,
    now: Timestamp,
) -> Option<Candidate> {
    let Opened { message, context, reply } = opened;
    let Place { order_id, mut key, fingerprint, mut draft, answer_by, respond_async, .. } = message;
    if faults::planted("key-not-claimed") {
        key.key.push_str(&order_id.to_string());
    }
    // An order that costs nothing needs no means of payment.
    let free = draft
        .items
        .iter()
        .all(|item| item.quantity.checked_mul(item.unit_amount) == Some(item.discount_amount));
    let checked = match method {
        Ok(method) => {
            draft.payment.method = method;
            draft.place().map_err(fault_of)
        }
        Err(payments::PayerRefusal::NoMethod) if free => draft.place().map_err(fault_of),
        Err(refusal) => Err(Fault {
            pointer: match refusal {
                payments::PayerRefusal::UnknownCustomer => "/customer_id".to_owned(),
                payments::PayerRefusal::NoMethod => "/payment/method".to_owned(),
            },
            detail: refusal.to_string(),
        }),
    };
    match checked {
        Ok(placed) => {
            let order = Order::from_placed(order_id, &placed, now);
            let kept = Kept { key, fingerprint, order };
            Some(Candidate { kept, placed, answer_by, respond_async, context, reply })
        }
        Err(fault) => {
            reply.send(Err(OrderError::Invalid(vec![fault])));
            None
        }
    }
}

/// One transaction: orders, reservations, payment intents, answers, events.
async fn write(
    shop: &Parts,
    batch: &[Candidate],
    context: &RequestContext,
) -> Result<Vec<Written>, BatchError> {
    let mut tx = shop.db.begin().await?;
    let orders: Vec<&Kept> = batch.iter().map(|candidate| &candidate.kept).collect();
    let inserted = books::insert(&mut tx, &orders).await?;
    if inserted.is_empty() {
        tx.rollback().await?;
        return Ok(batch.iter().map(|_| Written::Taken).collect());
    }
    let fresh: Vec<&Candidate> =
        batch.iter().filter(|candidate| inserted.contains(&candidate.kept.order.id)).collect();
    let used_up = take_coupons(shop, &mut tx, fresh.iter().map(|c| &c.kept.order)).await?;
    let wants = |order: &Order| !used_up.contains_key(&order.id);
    let demands: Vec<Demand> =
        fresh.iter().map(|c| &c.kept.order).filter(|order| wants(order)).map(demand).collect();
    let (mut tx, reserved) = match demands.is_empty() {
        // Whose coupons are all used up need no goods.
        true => (tx, Vec::new()),
        false => shop.inventory.reserve(tx, demands, context).await?,
    };
    let ledger = Ledger::of(shop, &fresh, reserved, used_up)?;
    give_coupons_back(shop, &mut tx, ledger.moved.iter()).await?;
    let written = ledger.write(shop, tx, context).await?;
    let mut written: HashMap<OrderId, Written> = written.into_iter().collect();
    Ok(batch
        .iter()
        .map(|candidate| written.remove(&candidate.kept.order.id).unwrap_or(Written::Taken))
        .collect())
}

fn demand(order: &Order) -> Demand {
    Demand { order_id: order.id, units: order.units_by_sku() }
}

/// What a batch writes besides the orders themselves.
#[derive(Default)]
struct Ledger {
    /// Orders that moved on within the same transaction.
    moved: Vec<Order>,
    payments: Vec<Payment>,
    answers: Vec<Stored>,
    events: Vec<Recorded>,
    partitions: HashSet<u8>,
    written: Vec<(OrderId, Written)>,
}

impl Ledger {
    /// Decides for every order of the batch what is written.
    fn of(
        shop: &Parts,
        fresh: &[&Candidate],
        reserved: Vec<ReservationOutcome>,
        mut used_up: HashMap<OrderId, Vec<String>>,
    ) -> Result<Self, BatchError> {
        let mut ledger = Self::default();
        let mut reserved = reserved.into_iter();
        for candidate in fresh {
            let order = &candidate.kept.order;
            ledger.partitions.insert(order.id.partition());
            let placed = OrderEvent::Placed(candidate.placed.clone());
            ledger.record(shop, candidate, order, "request", placed);
            match used_up.remove(&order.id) {
                Some(coupons) => {
                    ledger.settle(shop, candidate, Command::RefuseForCoupons(coupons))?;
                }
                // One outcome came for each order that asked for goods, in their order.
                None => match reserved.next() {
                    Some(reservation) => ledger.enter(shop, candidate, reservation)?,
                    None => return Err(missing_outcome().into()),
                },
            }
        }
        Ok(ledger)
    }

    fn enter(
        &mut self,
        shop: &Parts,
        candidate: &Candidate,
        reservation: ReservationOutcome,
    ) -> Result<(), BatchError> {
        let order = &candidate.kept.order;
        let command = match reservation {
            ReservationOutcome::Short(shortages) => Command::RefuseForStock(shortages),
            ReservationOutcome::Reserved if order.amounts.total == 0 => {
                Command::ConfirmWithoutPayment
            }
            ReservationOutcome::Reserved => {
                self.await_payment(shop, candidate);
                return Ok(());
            }
        };
        self.settle(shop, candidate, command)
    }

    /// An order that needs no payment: it ends here, or costs nothing.
    fn settle(
        &mut self,
        shop: &Parts,
        candidate: &Candidate,
        command: Command,
    ) -> Result<(), BatchError> {
        let order = &candidate.kept.order;
        let (cause, outcome) = match &command {
            Command::RefuseForStock(shortages) => ("out_of_stock", Outcome::OutOfStock(shortages)),
            Command::RefuseForCoupons(coupons) => {
                ("coupon_used_up", Outcome::CouponsUsedUp(coupons))
            }
            _ => ("nothing_to_pay", Outcome::Confirmed),
        };
        let event = decide(order, command.clone())
            .map_err(|refusal| StoreError::Configuration(refusal.to_string()))?;
        let next = order.clone().after(&event, order.created_at);
        self.record(shop, candidate, &next, cause, event);
        let given = self.tell(shop, candidate, &next, &outcome);
        let outcome = match cause {
            "coupon_used_up" => cause,
            _ => outcome_label(given.answer.status),
        };
        self.written.push((order.id, Written::Settled { given, outcome }));
        self.moved.push(next);
        Ok(())
    }

    fn await_payment(&mut self, shop: &Parts, candidate: &Candidate) {
        let order = &candidate.kept.order;
        let payment = payment_of(order);
        self.payments.push(payment.clone());
        let told = candidate
            .respond_async
            .then(|| self.tell(shop, candidate, order, &Outcome::Pending { degraded: &[] }));
        self.written.push((order.id, Written::Awaits { payment: Box::new(payment), told }));
    }

    fn record(
        &mut self,
        shop: &Parts,
        candidate: &Candidate,
        after: &Order,
        cause: &str,
        event: OrderEvent,
    ) {
        self.events.push(Recorded {
            id: EventId(shop.ids.uuid()),
            order_id: after.id,
            version: after.version,
            at: after.updated_at,
            actor: candidate.context.actor().to_string(),
            cause: cause.to_owned(),
            trace_id: candidate.context.trace_id().to_string(),
            event,
        });
    }

    fn tell(
        &mut self,
        shop: &Parts,
        candidate: &Candidate,
        order: &Order,
        outcome: &Outcome<'_>,
    ) -> Given {
        let trace_id = candidate.context.trace_id().to_string();
        let answer = (shop.render)(order, outcome, &trace_id);
        self.answers.push(Stored {
            key: candidate.kept.key.clone(),
            fingerprint: candidate.kept.fingerprint,
            answer: answer.clone(),
            created_at: order.updated_at,
        });
        Given { answer, replayed: false }
    }

    async fn write(
        self,
        shop: &Parts,
        mut tx: Tx,
        context: &RequestContext,
    ) -> Result<Vec<(OrderId, Written)>, BatchError> {
        let moved: Vec<&Order> = self.moved.iter().collect();
        books::update(&mut tx, &moved).await?;
        if !self.payments.is_empty() {
            tx = shop.payments.open(tx, self.payments, context).await?;
        }
        // These orders have just taken their keys.
        answers::store_new(&mut tx, &self.answers).await?;
        outbox::append(&mut tx, &self.events).await?;
        faults::point("place.before_commit").await;
        if faults::planted("place-tells-before-commit") {
            // Gone when it is dropped, and yet everybody is told.
            tx.rollback().await?;
        } else {
            tx.commit().await?;
        }
        faults::point("place.after_commit").await;
        let partitions: Vec<u8> = self.partitions.into_iter().collect();
        (shop.committed)(&partitions);
        Ok(self.written)
    }
}

/// The error of an order for whose goods nothing was said.
fn missing_outcome() -> StoreError {
    StoreError::Configuration("an order's goods were asked for, and nothing was said".to_owned())
}

/// The payment attempt of an order that is pending.
pub(crate) fn payment_of(order: &Order) -> Payment {
    Payment {
        id: order.payment.id,
        order_id: order.id,
        amount: Money::new(order.amounts.total, order.currency),
        capture: order.capture,
        method: order.payment.method.clone(),
        status: PaymentStatus::Sending,
        provider_ref: None,
        decline_code: None,
    }
}

/// After the commit: answers whom it can, asks for the money of the others.
async fn go_on(part: Vec<Candidate>, written: Vec<Written>, onward: &Onward) {
    let mut taken = Vec::new();
    for (candidate, written) in part.into_iter().zip(written) {
        if !matches!(written, Written::Taken) {
            name_order(&candidate, &written);
        }
        match written {
            Written::Settled { given, outcome } => {
                counter!("orders_total", "outcome" => outcome).increment(1);
                candidate.reply.send(Ok(given));
            }
            Written::Awaits { payment, told } => start_charge(onward, candidate, *payment, told),
            Written::Taken => taken.push(candidate),
        }
    }
    if !taken.is_empty() {
        answer_taken(&onward.shop, taken).await;
    }
}

/// From here on the log lines of the request tell which order it made, and of what amount.
fn name_order(candidate: &Candidate, written: &Written) {
    let order = &candidate.kept.order;
    let span = candidate.context.span();
    span.record("order_id", tracing::field::display(order.id));
    span.record("amount", order.amounts.total);
    let placed = (order.version, "order.placed");
    let events: &[_] = match written {
        Written::Settled { given, .. } if given.answer.status == 201 => {
            &[placed, (order.version + 1, "order.confirmed")]
        }
        Written::Settled { .. } => &[placed, (order.version + 1, "order.rejected")],
        _ => &[placed],
    };
    hops::written(span, "orders.place_batch", order.id, events);
}

pub(crate) const fn outcome_label(status: u16) -> &'static str {
    match status {
        201 => "confirmed",
        202 => "pending",
        402 => "declined",
        _ => "out_of_stock",
    }
}

/// The keys of these requests were taken before: each is told what the first one was told.
async fn answer_taken(shop: &Parts, taken: Vec<Candidate>) {
    let keys: Vec<RequestKey> = taken.iter().map(|candidate| candidate.kept.key.clone()).collect();
    let first = FirstAnswers::of(shop, &keys).await.map_err(Arc::new);
    for candidate in taken {
        let Kept { key, fingerprint, .. } = &candidate.kept;
        let trace_id = candidate.context.trace_id().to_string();
        candidate.reply.send(match &first {
            Ok(first) => {
                first.again(key, fingerprint, &trace_id).unwrap_or(Err(OrderError::InProgress))
            }
            Err(error) => Err(OrderError::Unavailable { source: error.clone().into() }),
        });
    }
}

fn refuse(part: Vec<Candidate>, error: &Arc<BatchError>) {
    tracing::error!(
        event = "batch_failed",
        code = "BATCH_FAILED",
        orders = part.len(),
        cause = &**error as &dyn std::error::Error,
        "orders could not be written"
    );
    for candidate in part {
        let source = error.clone().into();
        candidate.reply.send(Err(if error.is_certainly_aborted() {
            OrderError::Unavailable { source }
        } else {
            OrderError::Unknown { source }
        }));
    }
}

/// Asks for the money of one order, in a task of its own that outlives the client's patience.
fn start_charge(onward: &Onward, candidate: Candidate, payment: Payment, told: Option<Given>) {
    let Candidate { kept, context, reply, answer_by, .. } = candidate;
    let reply = match told {
        Some(given) => {
            counter!("orders_total", "outcome" => "pending").increment(1);
            reply.send(Ok(given));
            None
        }
        None => Some(reply),
    };
    let span = context.span().clone();
    let charge = Charge { onward: onward.clone(), kept, context };
    actix::spawn(charge.run(payment, reply, answer_by).instrument(span));
}
