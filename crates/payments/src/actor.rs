//! The payment service's actor.

use crate::books;
use crate::messages::{
    Charge, Charged, Open, Payee, PayerRefusal, PaymentsError, Record, ResolvePayers,
};
use crate::provider::Provider;
use actors::{Desk, Envelope, RequestContext, Serve, Service};
use customers::Customers;
use domain::{ChargeOutcome, Clock, CustomerId, Payment, PaymentCommand, decide_payment};
use std::sync::Arc;

/// The actor. It has no state of its own: the truth is in the database.
pub struct PaymentsActor {
    clock: Arc<dyn Clock>,
    customers: Customers,
    provider: Arc<Provider>,
}

impl PaymentsActor {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        customers: Customers,
        provider: Arc<Provider>,
    ) -> Self {
        Self { clock, customers, provider }
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
            let outcome = provider.charge(&payment, context.deadline()).await;
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
