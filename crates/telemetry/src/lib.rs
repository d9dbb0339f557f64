//! What the process tells about itself: log lines, metrics, traces and profiles.
//!
//! [`init_logs`] installs the log: one JSON object per line on standard error, or coloured lines
//! when that is a terminal. [`install_metrics`] installs the recorder behind the `metrics` macros.
//! The other crates use the `tracing` and `metrics` macros only; they do not know this crate.
//!
//! # Fields of a JSON line
//!
//! | Field | Meaning |
//! |---|---|
//! | `timestamp` | when the line was written, RFC 3339, UTC, milliseconds |
//! | `level` | `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE` |
//! | `service` | the name given at start |
//! | `trace_id` | 32 hexadecimal digits: the field `trace_id` of the event or of the innermost span that has one; `null` outside a trace |
//! | `span_id` | 16 hexadecimal digits: the innermost span; `null` outside any span |
//! | `event` | the field `event`, a stable snake_case name; the message when the event has none |
//! | `message` | the sentence for people, if there is one |
//! | `target` | what the filter's directives match: as a rule the module |
//! | `parent_span` | on ERROR lines: the span around the innermost one, or `null` |
//! | `code`, `cause` | on lines of errors: the stable code, and the error with its sources, outermost first |
//!
//! After these come the other fields of the event, then those of the spans; the innermost value of
//! a name wins. A field with one of the names above (except `code` and `cause`) that comes from a
//! place not listed is written as `field_<name>`. Texts are cut at 4 KiB.
//!
//! Card numbers, e-mail addresses, phone numbers, keys, tokens and passwords are taken out of every
//! text before it is kept, also out of messages and causes (`scrub.rs`).

mod error;
mod fields;
mod json;
mod levels;
mod line;
mod logs;
mod metrics;
mod metrics_of_parts;
mod metrics_table;
mod pretty;
mod profiles;
mod scrub;
mod slo;
mod spans;
mod traces;

pub use error::TelemetryError;
pub use logs::{LogConfig, LogControl, LogFormat, init_logs, init_logs_and_traces, log_error};
pub use metrics::{Kind, Metric, MetricsHandle, describe, install_metrics, metrics_markdown};
pub use metrics_table::METRICS;
pub use profiles::{Frame, Memory, Profile, ProfileError, Stack, Turn, cpu_profile, memory};
pub use slo::{Indicator, SLOS, Slo, Speed, edge_target, slo_rules};
pub use traces::{HOP, Outgoing, TraceConfig, TracesHandle, outgoing};
