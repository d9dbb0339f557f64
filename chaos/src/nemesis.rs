//! The one who breaks things: a plan made of one seed, and its execution.

mod fired;
mod lanes;
mod plan;

pub use fired::{Fired, FiredCounts};
pub use lanes::rage;
pub use plan::{BankFault, LinkFault, LinkKind, NodeFault, Plan, Turn, Wanted};
