//! Every metric of the product.

use ::metrics::Unit;

use crate::metrics::{Kind, Metric};

/// Every metric of the product, by the part that measures it.
pub const METRICS: &[Metric] = &[
    // --- actors
    Metric {
        name: "actor_mailbox_depth",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["actor"],
        help: "Messages waiting in the mailbox.",
    },
    Metric {
        name: "actor_mailbox_wait_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: &["actor"],
        help: "How long a message waited before the actor took it up.",
    },
    Metric {
        name: "actor_handling_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: &["actor"],
        help: "How long the actor worked on a message.",
    },
    Metric {
        name: "actor_refusals_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["actor", "reason"],
        help: "Messages not handled. Reason: full (no room in the mailbox), expired (deadline \
               passed while waiting), abandoned (the sender went away), stopped (the actor ended).",
    },
    Metric {
        name: "actor_panics_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["actor"],
        help: "Panics caught by the supervisor.",
    },
    Metric {
        name: "actor_restarts_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["actor"],
        help: "Restarts after a panic.",
    },
    Metric {
        name: "actor_health",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["actor"],
        help: "1: up. 0.5: backing off before a restart. 0: given up.",
    },
    Metric {
        name: "batch_items",
        kind: Kind::Histogram,
        unit: Unit::Count,
        labels: &["batch"],
        help: "Items handled together in one batch.",
    },
    Metric {
        name: "batch_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: &["batch"],
        help: "How long one batch took.",
    },
    // --- resilience
    Metric {
        name: "breaker_state",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["dependency"],
        help: "Circuit breaker. 0: closed, calls pass. 1: half-open, probes pass. 2: open, calls \
               are refused.",
    },
    Metric {
        name: "breaker_calls_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["dependency", "outcome"],
        help: "Calls seen by the circuit breaker. Outcome: ok, failed, slow (succeeded, but took \
               too long), rejected (not made).",
    },
    Metric {
        name: "breaker_call_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: &["dependency", "outcome"],
        help: "How long a call took. Outcome: ok, failed, slow.",
    },
    Metric {
        name: "bulkhead_in_flight",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["dependency"],
        help: "Calls running now.",
    },
    Metric {
        name: "bulkhead_waiting",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["dependency"],
        help: "Calls waiting for their turn.",
    },
    Metric {
        name: "bulkhead_refusals_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["dependency", "reason"],
        help: "Calls that were not let through. Reason: full (too many wait already), timed_out \
               (the deadline passed first).",
    },
    Metric {
        name: "retries_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["dependency"],
        help: "Second and third tries of a call.",
    },
    Metric {
        name: "retry_budget_exhausted_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["dependency"],
        help: "Retries that were not made because the budget was spent.",
    },
];
