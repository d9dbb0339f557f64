//! The payment service: records what is to be paid before the provider is asked, asks with a key
//! derived from the order, and knows three answers: paid (or held), refused, and *unknown*.

mod actor;
mod books;
mod messages;
mod provider;

pub use actor::PaymentsActor;
pub use messages::{
    Charge, Charged, Open, Payee, PayerRefusal, PaymentsError, Record, ResolvePayers,
};
pub use provider::{LedgerEntry, Provider, ProviderConfig, ProviderError};

use actix::ArbiterHandle;
use actors::{Mailbox, MailboxPolicy, RequestContext, Supervision, supervise};
use customers::Customers;
use domain::{Clock, Payment, PaymentId};
use std::sync::Arc;
use store::{Db, StoreError, Tx};

/// The payments of all orders in flight may wait here; their number is bounded by the orders that
/// were admitted.
const MAILBOX: MailboxPolicy = MailboxPolicy::Large(100_000);

/// The handle of the payment service.
#[derive(Clone)]
pub struct Payments {
    mailbox: Mailbox<PaymentsActor>,
    provider: Arc<Provider>,
    db: Db,
}

/// Starts the payment service on `arbiter`.
///
/// # Errors
/// [`ProviderError`] if the way to the provider cannot be set up.
pub fn start(
    db: Db,
    clock: Arc<dyn Clock>,
    customers: Customers,
    provider: ProviderConfig,
    arbiter: &ArbiterHandle,
) -> Result<Payments, ProviderError> {
    let provider = Arc::new(Provider::new(provider)?);
    let bank = provider.clone();
    let mailbox = supervise("payments", arbiter, MAILBOX, Supervision::STANDARD, move || {
        PaymentsActor::new(clock.clone(), customers.clone(), bank.clone())
    });
    Ok(Payments { mailbox, provider, db })
}

impl Payments {
    /// The means of payment for each payee: the one asked for, or the customer's default.
    ///
    /// # Errors
    /// See [`PaymentsError`].
    pub async fn resolve_payers(
        &self,
        payees: Vec<Payee>,
        context: &RequestContext,
    ) -> Result<Vec<Result<String, PayerRefusal>>, PaymentsError> {
        self.mailbox.ask(ResolvePayers { payees }, context).await?
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
        self.mailbox.ask(Open { tx, payments }, context).await?
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
        Ok(self.mailbox.ask(Charge { payment }, context).await?)
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
        self.mailbox.ask(Record { tx, payments }, context).await?
    }

    /// A payment by its id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn get(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        books::get(&self.db, id).await
    }

    /// All payments as the transaction sees them, for the audit.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn take_payments(&self, tx: &mut Tx) -> Result<Vec<Payment>, StoreError> {
        books::all(tx).await
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
