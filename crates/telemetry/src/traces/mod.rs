//! Traces: which requests took which way, and how long each part of it took.
//!
//! A trace begins with a span that has none around it: a request, or a batch of orders. What is done
//! for it on the way is told by *hops*: events of `tracing` with the target [`HOP`], sent when the
//! hop ends. They are remembered in memory that is used again, and become spans of OpenTelemetry only
//! if the trace is kept. So it is known at the end whether it failed or was slow, and a trace that is
//! not kept costs some tens of nanoseconds per hop. Nothing at all is remembered unless traces are
//! exported.
//!
//! # Fields of a hop
//!
//! The event's name says what it is (`mailbox`, `call`, `transaction`, `event`, `http`, `consume`).
//!
//! | Field | Meaning |
//! |---|---|
//! | `label`, or `from` and `to` | whose mailbox, who calls whom |
//! | `took_ns` | how long it took, up to now |
//! | `batched` | it was done for many at once, in the span that is current: the two are linked |
//! | `failed` | it did not end well |
//! | `span_id` | the id that somebody outside was told |
//! | `order_id`, `version` | the order's event that was written, or read |
//! | `trace_id` | the trace it belongs to, where no span is around it |

mod export;
mod layer;
mod otlp;
mod trail;

use std::time::Duration;

pub use export::TracesHandle;
pub(crate) use export::{Exporter, start};
pub(crate) use layer::TraceLayer;
pub use layer::{Outgoing, outgoing};

/// Target of the events that tell of a hop.
pub const HOP: &str = "hop";

/// Where traces go, and which.
#[derive(Clone, Debug)]
pub struct TraceConfig {
    /// Base address of a collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`.
    pub endpoint: String,
    /// The value of `service.name`.
    pub service: String,
    /// The value of `service.instance.id`: tells the nodes of a shop apart.
    pub instance: String,
    /// Share of the traces that are kept whatever becomes of them, 0 to 1. The decision follows from
    /// the trace's id, so that all nodes agree.
    pub ratio: f64,
    /// A trace that takes longer is kept.
    pub slow: Duration,
}
