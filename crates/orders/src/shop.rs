//! What every part of the order service works with.

use crate::messages::{Render, RenderLife};
use crate::pricer::Pricer;
use actors::{RequestContext, TraceId};
use catalog::Catalog;
use domain::{Clock, IdSource};
use inventory::Inventory;
use payments::Payments;
use std::sync::Arc;
use std::time::Duration;
use store::{Db, StoreError};
use tokio::time::Instant;
use tracing::Span;

/// Told after each commit which partitions of the log have new events.
pub type Committed = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// The services and tools that the order service uses.
#[derive(Clone)]
pub struct Parts {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn IdSource>,
    /// Products, and the rules of price.
    pub catalog: Catalog,
    /// Prices.
    pub pricer: Pricer,
    /// Goods.
    pub inventory: Inventory,
    /// Money.
    pub payments: Payments,
    /// How an order is told to its client.
    pub render: Render,
    /// How the outcome of a client's wish for an order is told.
    pub render_life: RenderLife,
    /// Called after each commit.
    pub committed: Committed,
}

/// Longest time that a batch's transaction may take with all its asks.
pub(crate) const BATCH_PATIENCE: Duration = Duration::from_secs(30);

impl Parts {
    /// The context of work that the service does of its own accord, or for a batch of requests.
    pub(crate) fn own_context(&self, patience: Duration, span: Span) -> RequestContext {
        let trace = TraceId::new(self.ids.uuid());
        RequestContext::new(Instant::now() + patience, trace, span, "orders".into())
    }

    /// The context of a batch of requests. Its trace is its own: those of the requests are linked.
    pub(crate) fn batch_context(&self, span: &Span) -> RequestContext {
        let context = self.own_context(BATCH_PATIENCE, span.clone());
        span.record("trace_id", tracing::field::display(context.trace_id()));
        context
    }
}

/// Why a batch was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Catalog(#[from] catalog::CatalogError),
    #[error(transparent)]
    Inventory(#[from] inventory::InventoryError),
    #[error(transparent)]
    Payments(#[from] payments::PaymentsError),
    #[error("what the provider did does not fit the order any more")]
    Overtaken(#[from] domain::Refusal),
    #[error("working on the batch {0}")]
    Panicked(#[from] actors::Panicked),
}

impl BatchError {
    fn store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error)
            | Self::Catalog(catalog::CatalogError::Store(error))
            | Self::Inventory(inventory::InventoryError::Store(error))
            | Self::Payments(payments::PaymentsError::Store(error)) => Some(error),
            _ => None,
        }
    }

    /// Whether the same batch may well succeed if tried again at once.
    pub(crate) fn is_conflict(&self) -> bool {
        self.store().is_some_and(StoreError::is_conflict)
    }

    /// Whether one order may be to blame, so that the others deserve a try without it.
    pub(crate) fn may_be_one_orders_fault(&self) -> bool {
        use actors::AskError::Crashed;
        match self {
            Self::Inventory(error) => error.may_be_one_orders_fault(),
            Self::Overtaken(_)
            | Self::Panicked(_)
            | Self::Payments(payments::PaymentsError::Ask(Crashed)) => true,
            _ => self.store().is_some_and(StoreError::may_be_one_rows_fault),
        }
    }

    /// Whether the transaction certainly did not happen. All but the commit happens in a
    /// transaction that was rolled back.
    pub(crate) fn is_certainly_aborted(&self) -> bool {
        self.store().is_none_or(StoreError::is_certainly_aborted)
    }
}
