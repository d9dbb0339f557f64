//! The payment service's actor.

use crate::books::{self, events, operations};
use crate::carrying;
use crate::messages::{
    CarryOut, Charge, Charged, HandleEvents, Inquire, KeepEvent, Open, Payee, PayerRefusal,
    PaymentsError, Record, RequestOperations, ResolvePayers, SettleOperations,
};
use crate::provider::PaymentProvider;
use actors::{Desk, Envelope, RequestContext, Serve, Service};
use customers::Customers;
use domain::{
    Capture, ChargeOutcome, Clock, CustomerId, OperationKind, OperationOutcome, Payment,
    PaymentCommand, Timestamp, decide_payment,
};
use std::sync::Arc;
use store::{Db, StoreError};

/// The actor. It has no state of its own: the truth is in the database.
pub struct PaymentsActor {
    db: Db,
    clock: Arc<dyn Clock>,
    customers: Customers,
    provider: Arc<dyn PaymentProvider>,
}

impl PaymentsActor {
    pub(crate) fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        customers: Customers,
        provider: Arc<dyn PaymentProvider>,
    ) -> Self {
        Self { db, clock, customers, provider }
    }
}

impl Service for PaymentsActor {}

impl Serve<ResolvePayers> for PaymentsActor {
    fn serve(&mut self, envelope: Envelope<ResolvePayers>, _: &mut Desk<'_, Self>) {
        let customers = self.customers.clone();
        envelope.answer_with(|ResolvePayers { payees }, context| async move {
            resolve(&customers, payees, &context).await
        });
    }
}

async fn resolve(
    customers: &Customers,
    payees: Vec<Payee>,
    context: &RequestContext,
) -> Result<Vec<Result<String, PayerRefusal>>, PaymentsError> {
    let mut ids: Vec<CustomerId> = payees.iter().filter_map(|payee| payee.customer_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let known = customers.payers(ids, context).await.map_err(PaymentsError::Customers)?;
    let method_of = |payee: Payee| {
        let default = match payee.customer_id {
            Some(id) => match known.get(&id) {
                Some(payer) => payer.default_payment_method.clone(),
                None => return Err(PayerRefusal::UnknownCustomer),
            },
            None => None,
        };
        payee.method.or(default).ok_or(PayerRefusal::NoMethod)
    };
    Ok(payees.into_iter().map(method_of).collect())
}

impl Serve<Open> for PaymentsActor {
    fn serve(&mut self, envelope: Envelope<Open>, _: &mut Desk<'_, Self>) {
        let now = self.clock.now();
        envelope.answer_with(move |Open { mut tx, payments }, _| async move {
            books::open(&mut tx, &payments, now).await?;
            Ok(tx)
        });
    }
}

impl Serve<Charge> for PaymentsActor {
    fn serve(&mut self, envelope: Envelope<Charge>, _: &mut Desk<'_, Self>) {
        let provider = self.provider.clone();
        envelope.answer_with(|Charge { payment }, context| async move {
            faults::point("charge.before_call").await;
            let mut outcome = provider.charge(&payment, context.deadline()).await;
            faults::point("charge.after_call").await;
            if matches!(outcome, ChargeOutcome::Unknown { .. })
                && faults::planted("silence-is-refusal")
            {
                let code = "processing_error".to_owned();
                outcome = ChargeOutcome::Declined { code, provider_ref: None };
            }
            judge(&payment, outcome)
        });
    }
}

/// Lets the payment's own state machine say what the provider's answer means.
fn judge(payment: &Payment, outcome: ChargeOutcome) -> Charged {
    match decide_payment(payment, PaymentCommand::Settle(outcome.clone())) {
        Ok(payment) => Charged::Known { payment, outcome },
        Err(refusal) => Charged::Unknown { why: refusal.to_string() },
    }
}

impl Serve<Record> for PaymentsActor {
    fn serve(&mut self, envelope: Envelope<Record>, _: &mut Desk<'_, Self>) {
        let now = self.clock.now();
        envelope.answer_with(move |Record { mut tx, payments }, _| async move {
            books::record(&mut tx, &payments, now).await?;
            Ok(tx)
        });
    }
}

impl Serve<Inquire> for PaymentsActor {
    fn serve(&mut self, envelope: Envelope<Inquire>, _: &mut Desk<'_, Self>) {
        let provider = self.provider.clone();
        envelope.answer_with(|Inquire { payment }, context| async move {
            provider.inquire(&payment, context.deadline()).await
        });
    }
}

impl Serve<RequestOperations> for PaymentsActor {
    fn serve(&mut self, envelope: Envelope<RequestOperations>, _: &mut Desk<'_, Self>) {
        let now = self.clock.now();
        envelope.answer_with(move |RequestOperations { mut tx, operations }, _| async move {
            operations::request(&mut tx, &operations, now).await?;
            Ok(tx)
        });
    }
}

impl Serve<CarryOut> for PaymentsActor {
    fn serve(&mut self, envelope: Envelope<CarryOut>, _: &mut Desk<'_, Self>) {
        let (provider, db) = (self.provider.clone(), self.db.clone());
        envelope.answer_with(move |CarryOut { operation, payment }, context| async move {
            if operation.kind == OperationKind::Void && faults::planted("void-forgotten") {
                return Ok(OperationOutcome::Done { provider_ref: "forgotten".to_owned() });
            }
            // Money that was taken at once lies in one place, and nothing was captured of it.
            let history = match payment.capture {
                Capture::Automatic => Vec::new(),
                Capture::Manual => operations::of_order(&db, operation.order_id).await?,
            };
            faults::point("money.before_call").await;
            let deadline = context.deadline();
            let outcome =
                carrying::carry_out(&*provider, &operation, &payment, &history, deadline).await;
            faults::point("money.after_call").await;
            Ok(outcome)
        });
    }
}

impl Serve<SettleOperations> for PaymentsActor {
    fn serve(&mut self, envelope: Envelope<SettleOperations>, _: &mut Desk<'_, Self>) {
        let now = self.clock.now();
        envelope.answer_with(move |SettleOperations { mut tx, operations }, _| async move {
            let settled = operations::settle(&mut tx, &operations, now).await?;
            Ok((tx, settled))
        });
    }
}

impl Serve<KeepEvent> for PaymentsActor {
    fn serve(&mut self, envelope: Envelope<KeepEvent>, _: &mut Desk<'_, Self>) {
        let (db, now) = (self.db.clone(), self.clock.now());
        envelope.answer_with(move |KeepEvent { told }, _| async move {
            let mut tx = db.begin().await?;
            let is_new = events::receive(&mut tx, &told, now).await?;
            faults::point("webhook.before_commit").await;
            tx.commit().await?;
            faults::point("webhook.after_commit").await;
            Ok(is_new || faults::planted("webhook-not-deduplicated"))
        });
    }
}

impl Serve<HandleEvents> for PaymentsActor {
    fn serve(&mut self, envelope: Envelope<HandleEvents>, _: &mut Desk<'_, Self>) {
        let (db, now) = (self.db.clone(), self.clock.now());
        envelope.answer_with(move |HandleEvents { ids }, _| async move {
            Ok(handle(&db, ids, now).await?)
        });
    }
}

async fn handle(db: &Db, ids: Vec<String>, now: Timestamp) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    events::handled(&mut tx, ids, now).await?;
    tx.commit().await
}
