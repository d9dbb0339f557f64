//! A provider whose calls are counted on an edge.

use crate::provider::{Inquiry, LedgerEntry, PaymentProvider, ProviderError};
use async_trait::async_trait;
use domain::{ChargeOutcome, Operation, OperationOutcome, Payment};
use std::sync::Arc;
use tokio::time::Instant;
use topology::{Edge, Failure, Outcome};

/// A provider whose calls are counted on an edge, each with its retries and its wait for a place as
/// one call. An answer that is not known is a failure; a refusal is an answer.
pub struct WatchedProvider {
    inner: Arc<dyn PaymentProvider>,
    edge: Edge,
}

impl WatchedProvider {
    /// The same provider, watched.
    #[must_use]
    pub const fn new(inner: Arc<dyn PaymentProvider>, edge: Edge) -> Self {
        Self { inner, edge }
    }

    async fn watched<T>(&self, call: impl Future<Output = T>, is_unknown: fn(&T) -> bool) -> T {
        let mut watched = self.edge.begin();
        let answer = call.await;
        watched.end(if is_unknown(&answer) { Outcome::Failed } else { Outcome::Ok });
        answer
    }
}

impl Failure for ProviderError {
    fn is_failure(&self) -> bool {
        true
    }
}

#[async_trait]
impl PaymentProvider for WatchedProvider {
    async fn charge(&self, payment: &Payment, deadline: Instant) -> ChargeOutcome {
        let is_unknown = |answer: &_| matches!(answer, ChargeOutcome::Unknown { .. });
        self.watched(self.inner.charge(payment, deadline), is_unknown).await
    }

    async fn inquire(&self, payment: &Payment, deadline: Instant) -> Inquiry {
        let is_unknown = |answer: &_| matches!(answer, Inquiry::Unknown { .. });
        self.watched(self.inner.inquire(payment, deadline), is_unknown).await
    }

    async fn carry_out(
        &self,
        operation: &Operation,
        payment: &Payment,
        deadline: Instant,
    ) -> OperationOutcome {
        let is_unknown = |answer: &_| matches!(answer, OperationOutcome::Unknown { .. });
        self.watched(self.inner.carry_out(operation, payment, deadline), is_unknown).await
    }

    async fn carry_out_after(
        &self,
        operation: &Operation,
        payment: &Payment,
        taken: i64,
        deadline: Instant,
    ) -> OperationOutcome {
        let is_unknown = |answer: &_| matches!(answer, OperationOutcome::Unknown { .. });
        let call = self.inner.carry_out_after(operation, payment, taken, deadline);
        self.watched(call, is_unknown).await
    }

    async fn ledger(&self) -> Result<Option<Vec<LedgerEntry>>, ProviderError> {
        self.edge.call(self.inner.ledger()).await
    }

    fn webhook_secrets(&self) -> &[String] {
        self.inner.webhook_secrets()
    }
}
