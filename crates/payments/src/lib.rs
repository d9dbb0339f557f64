//! The payment service: records what is to be paid before the provider is asked, asks with a key
//! derived from the order, and knows three answers: paid (or held), refused, and *unknown*. So it
//! does with all that comes later: captures, voids, refunds.
//!
//! The provider is a [`PaymentProvider`]; [`HttpProvider`] is the one that speaks as Stripe does.
//! What it tells of its own accord is only ever a reason to ask it ([`Payments::receive`]).

mod actor;
mod books;
mod carrying;
mod messages;
mod provider;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod tests;
mod watched;
mod webhook;

pub use actor::PaymentsActor;
pub use books::events::ProviderEvent;
pub use books::operations::OpenOperation;
pub use messages::{
    CarryOut, Charge, Charged, HandleEvents, Inquire, KeepEvent, Open, Payee, PayerRefusal,
    PaymentsError, Record, RequestOperations, ResolvePayers, SettleOperations,
};
pub use provider::{
    AuthorizationExpiry, HttpProvider, Inquiry, LedgerEntry, Outgoing, PaymentProvider,
    ProviderConfig, ProviderError, charge_key, operation_key,
};
#[cfg(feature = "simulation")]
pub use provider::{Wire, WireRequest};
pub use watched::WatchedProvider;
pub use webhook::{Received, WebhookError};

use actors::{
    Home, Mailbox, MailboxPolicy, Request, RequestContext, Serve, Supervision, supervise,
};
use books::{events, operations};
use customers::Customers;
use domain::{
    Clock, Operation, OperationId, OperationOutcome, OrderId, Payment, PaymentId, Timestamp,
};
use std::sync::Arc;
use store::{Db, StoreError, Tx};
use topology::Edge;

/// The payments of all orders in flight may wait here; their number is bounded by the orders that
/// were admitted.
const MAILBOX: MailboxPolicy = MailboxPolicy::Large(100_000);

/// The handle of the payment service.
#[derive(Clone)]
pub struct Payments {
    mailbox: Mailbox<PaymentsActor>,
    provider: Arc<dyn PaymentProvider>,
    clock: Arc<dyn Clock>,
    db: Db,
    edge: Edge,
}

/// Starts the payment service at `home`.
pub fn start(
    db: Db,
    clock: Arc<dyn Clock>,
    customers: Customers,
    provider: Arc<dyn PaymentProvider>,
    home: &Home,
) -> Payments {
    let (books, time, bank) = (db.clone(), clock.clone(), provider.clone());
    let mailbox = supervise("payments", home, MAILBOX, Supervision::STANDARD, move || {
        PaymentsActor::new(books.clone(), time.clone(), customers.clone(), bank.clone())
    });
    Payments { mailbox, provider, clock, db, edge: Edge::unseen() }
}

impl Payments {
    /// The same service for a caller: what it asks is counted on `edge`, a batch as one call.
    #[must_use]
    pub fn seen_by(&self, edge: Edge) -> Self {
        Self { edge, ..self.clone() }
    }

    /// Asks the actor, and counts the call.
    async fn ask<M, T>(&self, message: M, context: &RequestContext) -> Result<T, PaymentsError>
    where
        M: Request<Answer = Result<T, PaymentsError>>,
        PaymentsActor: Serve<M>,
    {
        self.edge.call(async { self.mailbox.ask(message, context).await? }).await
    }

    /// Like [`Self::ask`], for what has an answer in any case.
    async fn ask_surely<M>(
        &self,
        message: M,
        context: &RequestContext,
    ) -> Result<M::Answer, PaymentsError>
    where
        M: Request,
        PaymentsActor: Serve<M>,
    {
        self.edge.call(async { Ok(self.mailbox.ask(message, context).await?) }).await
    }

    /// The means of payment for each payee: the one asked for, or the customer's default.
    ///
    /// # Errors
    /// See [`PaymentsError`].
    pub async fn resolve_payers(
        &self,
        payees: Vec<Payee>,
        context: &RequestContext,
    ) -> Result<Vec<Result<String, PayerRefusal>>, PaymentsError> {
        self.ask(ResolvePayers { payees }, context).await
    }

    /// Records the intent of these payments in the transaction.
    ///
    /// # Errors
    /// See [`PaymentsError`]; the transaction is rolled back.
    pub async fn open(
        &self,
        tx: Tx,
        payments: Vec<Payment>,
        context: &RequestContext,
    ) -> Result<Tx, PaymentsError> {
        self.ask(Open { tx, payments }, context).await
    }

    /// Asks the provider to take or hold the money. The intent must be committed before. Asking
    /// again for the same payment is safe: the provider gets the same key.
    ///
    /// # Errors
    /// See [`PaymentsError`]; the outcome is then unknown, as with [`Charged::Unknown`].
    pub async fn charge(
        &self,
        payment: Payment,
        context: &RequestContext,
    ) -> Result<Charged, PaymentsError> {
        self.ask_surely(Charge { payment }, context).await
    }

    /// Records how these payments settled, in the transaction.
    ///
    /// # Errors
    /// See [`PaymentsError`]; the transaction is rolled back.
    pub async fn record(
        &self,
        tx: Tx,
        payments: Vec<Payment>,
        context: &RequestContext,
    ) -> Result<Tx, PaymentsError> {
        self.ask(Record { tx, payments }, context).await
    }

    /// Asks the provider what became of a payment, without asking for the money again.
    ///
    /// # Errors
    /// See [`PaymentsError`]; nothing was learned.
    pub async fn inquire(
        &self,
        payment: Payment,
        context: &RequestContext,
    ) -> Result<Inquiry, PaymentsError> {
        self.ask_surely(Inquire { payment }, context).await
    }

    /// Records in the transaction what is to be done with payments. Status, reference and refusal
    /// of the operations are not looked at: they begin as open.
    ///
    /// # Errors
    /// See [`PaymentsError`]; the transaction is rolled back.
    pub async fn request(
        &self,
        tx: Tx,
        operations: Vec<Operation>,
        context: &RequestContext,
    ) -> Result<Tx, PaymentsError> {
        self.ask(RequestOperations { tx, operations }, context).await
    }

    /// Asks the provider to do something with a payment. The operation must be committed before.
    /// Asking again for the same operation is safe: the provider gets the same key. While an
    /// earlier operation of a payment that was held is open, the outcome is unknown.
    ///
    /// # Errors
    /// See [`PaymentsError`]; the outcome is then unknown, as with [`OperationOutcome::Unknown`].
    pub async fn carry_out(
        &self,
        operation: Operation,
        payment: Payment,
        context: &RequestContext,
    ) -> Result<OperationOutcome, PaymentsError> {
        self.ask(CarryOut { operation, payment }, context).await
    }

    /// Records in the transaction what became of these operations, where they are still open, and
    /// gives those that were: a second settler gets none. An operation whose own status is open is
    /// passed over.
    ///
    /// # Errors
    /// See [`PaymentsError`]; the transaction is rolled back.
    pub async fn settle_operations(
        &self,
        tx: Tx,
        operations: Vec<Operation>,
        context: &RequestContext,
    ) -> Result<(Tx, Vec<OperationId>), PaymentsError> {
        self.ask(SettleOperations { tx, operations }, context).await
    }

    /// Takes an event of the provider: `raw_body` as it came over the wire, byte for byte, and the
    /// header `Stripe-Signature`. When this returns, the event is kept, or was before. It is not
    /// believed: whoever cares asks the provider ([`Payments::inquire`]).
    ///
    /// # Errors
    /// See [`WebhookError`].
    pub async fn receive(
        &self,
        raw_body: &[u8],
        signature_header: Option<&str>,
        context: &RequestContext,
    ) -> Result<Received, WebhookError> {
        let secrets = self.provider.webhook_secrets();
        webhook::verify(secrets, signature_header, raw_body, self.clock.now())?;
        let told = webhook::parse(raw_body)?;
        let (id, order_id) = (told.id.clone(), told.order_id);
        let is_new = self.ask(KeepEvent { told }, context).await?;
        Ok(Received { id, order_id, is_new })
    }

    /// Events of the provider that nobody has handled, oldest first, at most `limit`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn unhandled_events(&self, limit: i64) -> Result<Vec<ProviderEvent>, StoreError> {
        self.edge.call(events::unhandled(&self.db, limit)).await
    }

    /// Records that these events were handled; handling one again changes nothing.
    ///
    /// # Errors
    /// See [`PaymentsError`].
    pub async fn mark_handled(
        &self,
        ids: Vec<String>,
        context: &RequestContext,
    ) -> Result<(), PaymentsError> {
        self.ask(HandleEvents { ids }, context).await
    }

    /// A payment by its id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn get(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.edge.call(books::get(&self.db, id)).await
    }

    /// A payment by its id, and what is done with it, by leg.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn get_with_operations(
        &self,
        id: PaymentId,
    ) -> Result<Option<(Payment, Vec<Operation>)>, StoreError> {
        let Some(payment) = self.get(id).await? else { return Ok(None) };
        let operations = self.operations_of(payment.order_id).await?;
        Ok(Some((payment, operations)))
    }

    /// The payment of an order, if something was to be paid.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn payment_of(&self, order_id: OrderId) -> Result<Option<Payment>, StoreError> {
        self.edge.call(books::of_order(&self.db, order_id)).await
    }

    /// All that is done with the payment of an order, by leg.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn operations_of(&self, order_id: OrderId) -> Result<Vec<Operation>, StoreError> {
        self.edge.call(operations::of_order(&self.db, order_id)).await
    }

    /// What is to be done next with the payment of an order: the lowest leg that is open.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn next_operation(&self, order_id: OrderId) -> Result<Option<Operation>, StoreError> {
        self.edge.call(operations::next(&self.db, order_id)).await
    }

    /// Operations recorded before `before` that are still open, oldest first, at most `limit`,
    /// from the one after `after` on ([`OpenOperation::cursor`]).
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open_operations(
        &self,
        before: Timestamp,
        after: Option<(Timestamp, OperationId)>,
        limit: i64,
    ) -> Result<Vec<OpenOperation>, StoreError> {
        self.edge.call(operations::open(&self.db, before, after, limit)).await
    }

    /// All operations as the transaction sees them, by order and leg, for the audit.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn take_operations(&self, tx: &mut Tx) -> Result<Vec<Operation>, StoreError> {
        self.edge.call(operations::all(tx)).await
    }

    /// All payments as the transaction sees them, for the audit.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn take_payments(&self, tx: &mut Tx) -> Result<Vec<Payment>, StoreError> {
        self.edge.call(books::all(tx)).await
    }

    /// The provider's own books, if it shows them (the bank that ships with the product does;
    /// Stripe does not).
    ///
    /// # Errors
    /// [`ProviderError`] if it cannot be reached or its books cannot be read.
    pub async fn provider_ledger(&self) -> Result<Option<Vec<LedgerEntry>>, ProviderError> {
        self.provider.ledger().await
    }

    /// What can be seen of the service's actor.
    #[must_use]
    pub fn mailbox(&self) -> &Mailbox<PaymentsActor> {
        &self.mailbox
    }
}
