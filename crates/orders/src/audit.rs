//! The audit: the books of all services, and those of the provider, compared at one moment.
//!
//! Everything of ours is read in one snapshot that travels from service to service. The provider's
//! books are read before and after it, because money may move meanwhile: what the earlier reading
//! shows must be known to us, and what we hold for taken must be in the later one.

mod checks;
mod facts;

pub use checks::{AuditCheck, CurrencyFigures};

use crate::books;
use crate::shop::Parts;
use actors::RequestContext;
use domain::OrderStatus;
use facts::Facts;
use inventory::InventoryError;
use payments::{PaymentsError, ProviderError};
use serde::Serialize;
use store::{StoreError, outbox};
use topology::Failure;
use uuid::Uuid;

/// Rows read at once.
const PAGE_ROWS: i64 = 5_000;

/// What the audit found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// Whether every check is good.
    pub balanced: bool,
    /// The checks.
    pub checks: Vec<AuditCheck>,
    /// Number of orders in each state.
    #[serde(skip)]
    pub states: Vec<(OrderStatus, usize)>,
}

/// Why there is no audit.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database failed.
    #[error("the audit could not read the books")]
    Store(#[from] StoreError),
    /// The inventory failed.
    #[error("the audit could not read the stock's books")]
    Inventory(#[from] InventoryError),
    /// The payment service failed.
    #[error("the audit could not read the payments' books")]
    Payments(#[from] PaymentsError),
    /// The provider failed.
    #[error("the audit could not read the provider's books")]
    Provider(#[from] ProviderError),
}

impl Failure for AuditError {
    /// The books of every part are needed: without one of them there is no audit.
    fn is_failure(&self) -> bool {
        true
    }
}

pub(crate) async fn run(shop: &Parts, context: &RequestContext) -> Result<AuditReport, AuditError> {
    let ledger_before = shop.payments.provider_ledger().await?;
    let tx = shop.db.snapshot().await?;
    let (mut tx, stock) = shop.inventory.take_stock(tx, context).await?;
    let payments = shop.payments.take_payments(&mut tx).await?;
    let operations = shop.payments.take_operations(&mut tx).await?;
    let mut facts = Facts::new(stock, payments, &operations);
    let mut after = Uuid::nil();
    loop {
        let orders = books::page(&mut tx, after, PAGE_ROWS).await?;
        let Some(last) = orders.last() else { break };
        after = last.id.0;
        orders.iter().for_each(|order| facts.add_order(order));
    }
    let mut after = Uuid::nil();
    loop {
        let ends = outbox::ends(&mut tx, after, PAGE_ROWS).await?;
        let Some(last) = ends.last() else { break };
        after = last.order_id.0;
        ends.iter().for_each(|end| facts.add_end(*end));
    }
    tx.rollback().await?;
    let ledger_after = shop.payments.provider_ledger().await?;
    let checks = checks::all(&facts, ledger_before.as_deref(), ledger_after.as_deref());
    let balanced = checks.iter().all(|check| check.ok);
    Ok(AuditReport { balanced, checks, states: facts.states() })
}
