//! Metrics of what all parts are made of: actors, batches, memories.

use ::metrics::Unit;

use crate::metrics::{Kind, Metric};

/// They come first in [`crate::METRICS`].
pub(crate) const PARTS: &[Metric] = &[
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
    // --- caches
    Metric {
        name: "cache_lookups_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["cache", "outcome"],
        help: "Questions to a memory of this node. Cache: sold_out (may an order be refused without \
               a look at the shelves), stock (levels, for readers who say how old an answer may be), \
               payers (how customers pay). Outcome: hit, miss.",
    },
    Metric {
        name: "cache_age_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: &["cache"],
        help: "How old what a memory answered with was. Cache: sold_out, stock.",
    },
    // --- traces
    Metric {
        name: "traces_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["outcome"],
        help: "Traces that were kept, by why: sampled (by their id, or because their caller keeps \
               them), wanted (a batch with a sampled order in it), failed, slow. too_many: failed or \
               slow, and not kept, because 200 others were in the same second.",
    },
    Metric {
        name: "trace_spans_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["outcome"],
        help: "Spans by what became of them: exported; lost: queue_full (the collector is too slow, \
               or away), not_taken (it did not answer, or refused).",
    },
];
