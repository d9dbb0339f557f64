//! The order service: takes orders in lanes, in batches, and sees each to its end.
//!
//! A lane is an actor. It owns the orders whose ids fall into its partitions, takes all that waits
//! as one batch, and moves the batch through the services with one transaction that travels by
//! mailbox: claim the keys and write the orders, reserve the goods, record the payments, write the
//! events, commit. Then it asks for the money, order by order, and settles in batches again.

mod audit;
mod auditor;
mod batch;
mod books;
mod changes;
mod charging;
mod coupons;
mod handle;
mod hops;
mod lane;
mod messages;
mod mismatches;
mod operating;
mod placing;
mod pricer;
mod pricing;
mod recovery;
mod settling;
mod shadow;
mod shop;
mod taken;

pub use audit::{AuditCheck, AuditError, AuditReport, CurrencyFigures};
pub use handle::{Orders, OrdersConfig, start};
pub use lane::Lane;
pub use messages::{
    Advance, Ask, AskKind, Fault, Given, LifeOutcome, ListFilter, Operate, OrderError,
    OrderRequest, Outcome, Place, Placement, Render, RenderLife, RequestedLine, Settle,
};
pub use mismatches::Mismatch;
pub use pricer::{FLAGS, Pricer};
pub use shop::{Committed, Parts};
