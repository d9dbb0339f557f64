//! Who calls whom, how often, how well: the arrows of the shop, measured where a service's handle
//! is called.
//!
//! An [`Edge`] is one arrow, from a caller to a callee. The program makes each of them once
//! ([`Topology::edge`]) and gives the callee's handle, with the edge in it, to the caller. The handle
//! says of each call how it ended ([`Edge::call`]); a batch is one call, however many orders are in
//! it. That moves the metrics `edge_calls_total` and `edge_call_seconds`, and a window of the last
//! minute in memory, from which [`Topology::report`] tells how the shop is now.
//!
//! **Invariant:** it names no crate of ours and makes no call itself. What a call costs here is two
//! looks at the clock, two metrics and one short lock.

mod call;
mod draw;
mod edge;
mod map;
mod report;
mod window;

pub use call::{Call, Failure, Outcome};
pub use draw::{mermaid, svg};
pub use edge::Edge;
pub use map::{Guards, NodeState, Topology};
pub use report::{
    BreakerState, EdgeReport, Health, NodeKind, NodeReport, Report, Retries, SloReport, Usage,
};
