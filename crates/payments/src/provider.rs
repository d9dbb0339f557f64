//! The provider, as the payment service sees it: somebody outside of the process whose answers
//! may be late, lost or wrong.

mod answer;
mod charge;
mod config;
mod http;
mod inquiry;
mod ledger;
mod operations;
#[cfg(test)]
mod tests;
#[cfg(feature = "simulation")]
mod wire;

pub use config::{AuthorizationExpiry, ProviderConfig};
pub use http::{HttpProvider, Outgoing};
pub use ledger::LedgerEntry;
#[cfg(feature = "simulation")]
pub use wire::{Wire, WireRequest};

use async_trait::async_trait;
use domain::{
    ChargeOutcome, Operation, OperationKind, OperationOutcome, Payment, PaymentCommand,
    decide_payment,
};
use resilience::ConfigError;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// Why the provider cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The HTTP client cannot be made, or a call failed.
    #[error("the payment provider cannot be reached")]
    Http(#[from] reqwest::Error),
    /// Its address is none.
    #[error("the address of the payment provider cannot be read: {0}")]
    BaseUrl(String),
    /// A limit makes no sense.
    #[error("a limit of the payment provider makes no sense")]
    Limits(#[from] ConfigError),
    /// A secret for webhooks is empty: everybody could sign with it.
    #[error("a webhook secret of the payment provider is empty")]
    EmptyWebhookSecret,
    /// The provider's books cannot be read.
    #[error("the provider's ledger cannot be read: {0}")]
    Ledger(String),
}

/// What the provider says when it is asked what became of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inquiry {
    /// It knows the payment.
    Known {
        /// The payment, settled.
        payment: Payment,
        /// What became of it.
        outcome: ChargeOutcome,
    },
    /// It does not know of any. It may not know *yet*: this counts only some time after the
    /// payment was last asked for (rule D3).
    Absent,
    /// It cannot be learned at present, or the answer does not fit.
    Unknown {
        /// What was seen, for people.
        why: String,
    },
}

impl Inquiry {
    /// What `outcome` says about `payment`, judged by the payment's own state machine.
    #[must_use]
    pub fn judged(payment: &Payment, outcome: ChargeOutcome) -> Self {
        match decide_payment(payment, PaymentCommand::Settle(outcome.clone())) {
            Ok(payment) => Self::Known { payment, outcome },
            Err(refusal) => Self::Unknown { why: refusal.to_string() },
        }
    }
}

/// Somebody who takes money for us. Asking for the same thing twice is safe: each thing has a key
/// of its own, [`charge_key`] or [`operation_key`], by which the provider knows it again.
///
/// Whatever is not a definite answer is `Unknown`, never a refusal. A call may begin until its
/// deadline; how long it then takes is for the implementation to bound.
#[async_trait]
pub trait PaymentProvider: Send + Sync {
    /// Asks for the money.
    async fn charge(&self, payment: &Payment, deadline: Instant) -> ChargeOutcome;

    /// Asks what became of the payment, without asking for the money.
    async fn inquire(&self, payment: &Payment, deadline: Instant) -> Inquiry;

    /// Asks to do something with a payment that was made.
    async fn carry_out(
        &self,
        operation: &Operation,
        payment: &Payment,
        deadline: Instant,
    ) -> OperationOutcome;

    /// [`Self::carry_out`] for somebody who knows how much of this payment was captured before, in
    /// minor units. With this a provider can tell a hold that lapsed from one that was used up.
    async fn carry_out_after(
        &self,
        operation: &Operation,
        payment: &Payment,
        taken: i64,
        deadline: Instant,
    ) -> OperationOutcome {
        let _ = taken;
        self.carry_out(operation, payment, deadline).await
    }

    /// The provider's own books, if it shows them.
    ///
    /// # Errors
    /// [`ProviderError`] if it cannot be reached or its books cannot be read.
    async fn ledger(&self) -> Result<Option<Vec<LedgerEntry>>, ProviderError>;

    /// The secrets with which its events may be signed: none, one, or while they are being
    /// changed several.
    fn webhook_secrets(&self) -> &[String] {
        &[]
    }
}

/// The provider's key of a charge: derived from the order, never random, never used for another
/// amount. An order has one attempt to charge (`1`).
#[must_use]
pub fn charge_key(payment: &Payment) -> String {
    let key = format!("orderly-{}-1-charge", payment.order_id);
    if faults::planted("charge-with-a-new-key") { never_the_same(&key) } else { key }
}

/// The provider's key of an operation.
#[must_use]
pub fn operation_key(operation: &Operation) -> String {
    let key = operation.provider_key();
    let is_refund = operation.kind == OperationKind::Refund;
    if is_refund && faults::planted("refund-with-a-new-key") { never_the_same(&key) } else { key }
}

/// For planted bugs: another key each time.
fn never_the_same(key: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{key}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
