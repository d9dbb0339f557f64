//! A consumer whose batches are counted on an edge.

use crate::{ConsumeError, Consumer};
use async_trait::async_trait;
use std::sync::Arc;
use store::outbox::{Kinds, Logged};
use store::{StoreError, Tx};
use topology::{Edge, Failure};

/// A consumer whose batches are counted on an edge, each as one call. An event that it cannot digest
/// is a failure, and so is a database that fails it.
pub struct WatchedConsumer {
    inner: Arc<dyn Consumer>,
    edge: Edge,
}

impl WatchedConsumer {
    /// The same consumer, watched.
    #[must_use]
    pub const fn new(inner: Arc<dyn Consumer>, edge: Edge) -> Self {
        Self { inner, edge }
    }
}

impl Failure for ConsumeError {
    fn is_failure(&self) -> bool {
        match self {
            Self::Store(error) => !matches!(error, StoreError::Conflict(_)),
            Self::Event(_) => true,
        }
    }
}

#[async_trait]
impl Consumer for WatchedConsumer {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn kinds(&self) -> Option<Kinds> {
        self.inner.kinds()
    }

    async fn apply(&self, tx: Tx, events: &[Logged]) -> Result<Tx, ConsumeError> {
        self.edge.call(self.inner.apply(tx, events)).await
    }

    fn committed(&self, events: &[Logged]) {
        self.inner.committed(events);
    }
}
