//! Every metric of the product.

use ::metrics::Unit;

use crate::metrics::{Kind, Metric};
use crate::metrics_of_parts::PARTS;

const fn joined(first: &[Metric], second: &[Metric]) -> [Metric; PARTS.len() + REST.len()] {
    let mut all = [PARTS[0]; PARTS.len() + REST.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    all
}

/// Every metric of the product, by the part that measures it.
pub const METRICS: &[Metric] = &joined(PARTS, REST);

/// Those of this file.
const REST: &[Metric] = &[
    // --- edges
    Metric {
        name: "edge_calls_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["caller", "callee", "outcome"],
        help: "Calls of one part of the shop to another; a batch is one call. Outcome: ok (answered, be it with a refusal), failed (not answered, or nobody knows what was done; a look into the catalogue while it is stale), left (the caller went away first). For store: reads, and transactions from begin to end. For bank: calls with all their tries.",
    },
    Metric {
        name: "edge_call_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: &["caller", "callee"],
        help: "How long a call took. Looks into memory are not timed.",
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
    Metric {
        name: "retry_budget_left",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["dependency"],
        help: "Retries that the budget pays for now.",
    },
    // --- gateway
    Metric {
        name: "timeline_streams",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &[],
        help: "Timelines of orders that are followed live on this node.",
    },
    Metric {
        name: "http_request_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: &["route", "method", "status"],
        help: "How long it took from the head of a request to its answer; the body of a stream is \
               not in it. Route: the pattern that fits the path, or none. Method: other stands for \
               methods that nobody knows. Status: the class, such as 2xx.",
    },
    Metric {
        name: "http_requests_in_work",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &[],
        help: "Requests that were let in and are not answered yet, and writes that go on without \
               their client.",
    },
    Metric {
        name: "http_refusals_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["reason"],
        help: "Requests refused before any work. Reason: quota (429: the client's), \
               failed_authentication (429: the address failed too often), sign_in (429: too many \
               wrong passwords of the account), queue_age (503: orders wait too long), in_work \
               (503: too many requests are in work), database (503: it is away).",
    },
    Metric {
        name: "http_connections_cut_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["reason"],
        help: "Connections ended by the server. Reason: slow_head (the head of a request did not \
               arrive), unread_answer (the client reads nothing), idle (the rest of a request \
               that was answered did not arrive), bad_head (no HTTP), large_head (too many or too \
               long headers), too_many (too many new connections in a second).",
    },
    // --- customers
    Metric {
        name: "api_key_checks_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["outcome"],
        help: "Requests whose API key or token was looked at. Outcome: recalled (seen within the \
               last seconds), looked_up (asked of the database).",
    },
    Metric {
        name: "sign_ins_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["outcome"],
        help: "Passwords that were tried. Outcome: granted, refused.",
    },
    Metric {
        name: "refresh_token_reuses_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[],
        help: "Refresh tokens that came a second time; the session ended.",
    },
    // --- catalog
    Metric {
        name: "catalog_products",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &[],
        help: "Products in the memory of this node, those that cannot be ordered included.",
    },
    Metric {
        name: "catalog_refresh_failures_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[],
        help: "Looks for the changes of other nodes that failed. While they do, prices may be old.",
    },
    // --- flags and prices
    Metric {
        name: "flag_refresh_failures_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["source"],
        help: "Looks for changed flags that failed. Source: store (those of other nodes), \
               file. While they do, flags may be old.",
    },
    Metric {
        name: "flags_expired",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &[],
        help: "Flags that are overdue to be taken out.",
    },
    Metric {
        name: "pricing_fallbacks_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["engine", "reason"],
        help: "Orders that an engine did not price. Reason: panic, late, no_room (too many at \
               work). The other engine priced them.",
    },
    Metric {
        name: "pricing_shadow_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["outcome"],
        help: "Orders priced by both engines. Outcome: same, different (see \
               GET /v1/pricing/mismatches), broken (the other engine gave nothing).",
    },
    Metric {
        name: "pricing_shadow_dropped_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["reason"],
        help: "Orders that were not compared. Reason: full (too many waited), late (waited too \
               long), store (their mismatches could not be kept).",
    },
    // --- orders
    Metric {
        name: "orders_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["outcome"],
        help: "Orders by what became of them. Outcome: confirmed, declined, out_of_stock, \
               coupon_used_up; pending (told accepted at the request of its client; it is counted again when it settles).",
    },
    Metric {
        name: "batch_splits_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["batch"],
        help: "Batches that failed for a reason that one of their orders may have caused, and were \
               tried again in halves.",
    },
    Metric {
        name: "stuck_orders",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &[],
        help: "Orders found at the last look that are pending for longer than they should be; at \
               most 500 are seen at once.",
    },
    Metric {
        name: "orders_by_status",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["status"],
        help: "Orders in each state, as the last audit saw them. 0 on nodes that do not audit: take the largest over the nodes.",
    },
    Metric {
        name: "orders_recovered_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[],
        help: "Orders that stood still and were looked into.",
    },
    Metric {
        name: "operations_recovered_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[],
        help: "Orders whose captures, voids or refunds stood still and were gone on with.",
    },
    Metric {
        name: "recovery_partitions",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &[],
        help: "Partitions whose recovery is this node's.",
    },
    Metric {
        name: "recovery_fenced_off_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[],
        help: "Steps of recovery not written because the lease was held no longer.",
    },
    Metric {
        name: "answers_forgotten_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[],
        help: "Answers older than their time, forgotten.",
    },
    Metric {
        name: "audits_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["outcome"],
        help: "Audits. Outcome: balanced, wrong, failed (not done).",
    },
    Metric {
        name: "audit_violations",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["check"],
        help: "What the last audit of this node found, at most 20 per check. Anything but 0 is an alarm.",
    },
    Metric {
        name: "audit_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: &[],
        help: "How long an audit took.",
    },
    // --- payments
    Metric {
        name: "payment_provider_calls_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["call", "outcome"],
        help: "Calls to the payment provider, every try of each. Call: charge, recharge (a hold \
               lapsed), inquire, search, capture, void, release (the rest of a hold), refund. \
               Outcome: done, refused, unknown, not_made (too many calls, or the circuit breaker \
               is open).",
    },
    // --- inventory
    Metric {
        name: "inventory_short_batches_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &[],
        help: "Batches in which some SKU was short, so that it was decided order by order who gets \
               what is there.",
    },
    // --- broker
    Metric {
        name: "broker_events_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["consumer"],
        help: "Events applied by a consumer group.",
    },
    Metric {
        name: "broker_parked_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["consumer"],
        help: "Events set aside: those that could not be digested, and those of the same order \
               behind them.",
    },
    Metric {
        name: "broker_dead_letters_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["consumer"],
        help: "Events that failed in all their attempts and wait for a person.",
    },
    Metric {
        name: "broker_lag_events",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["consumer"],
        help: "Events that a consumer group has not passed yet.",
    },
    Metric {
        name: "broker_lag_seconds",
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        labels: &["consumer"],
        help: "Age of the oldest event that a consumer group has not passed yet: how late the log of events (the outbox) is read.",
    },
    Metric {
        name: "broker_parked_events",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["consumer"],
        help: "Events set aside that wait for their next attempt, or behind another one of their order.",
    },
    Metric {
        name: "broker_dead_letters",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["consumer"],
        help: "Dead letters that wait for a person. Anything but 0 is an alarm.",
    },
    Metric {
        name: "follower_events_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["follower"],
        help: "Events that a follower of the log took on this node.",
    },
    Metric {
        name: "follower_skipped_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["follower"],
        help: "Events that a follower could not take; it goes on without them.",
    },
    Metric {
        name: "follower_lag_events",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["follower"],
        help: "Events that a follower has not looked at yet, counted up to 1,000 of each partition. \
               What was there before the node started is not among them.",
    },
    // --- recommendations
    Metric {
        name: "recommendations_orders",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &[],
        help: "Confirmed orders in memory, from which recommendations are counted.",
    },
    Metric {
        name: "recommendations_bytes",
        kind: Kind::Gauge,
        unit: Unit::Bytes,
        labels: &[],
        help: "What these orders cost in memory; the bound is a setting.",
    },
    Metric {
        name: "recommendations_degraded_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["reason"],
        help: "Answers that are not what was asked for. Reason: not_informed (the node has not read \
               enough of the log, or cannot read it), late (the deadline passed), unknown_customer \
               (the best sellers, for somebody who has bought nothing).",
    },
    // --- store
    Metric {
        name: "db_statements_total",
        kind: Kind::Counter,
        unit: Unit::Count,
        labels: &["statement"],
        help: "Statements run inside transactions, by the name of their file.",
    },
    Metric {
        name: "db_transaction_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: &[],
        help: "How long a transaction took, from its begin to the answer to its commit. Those that \
               were rolled back are not in it.",
    },
    Metric {
        name: "db_begin_seconds",
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        labels: &[],
        help: "How long it took to begin a transaction: the wait for a connection, and BEGIN.",
    },
    Metric {
        name: "db_pool_connections",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["pool", "state"],
        help: "Open connections. Pool: writers, readers. State: busy, idle.",
    },
    Metric {
        name: "db_pool_connections_max",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["pool"],
        help: "The most connections that may be open.",
    },
    // --- the program
    Metric {
        name: "process_cpu_seconds",
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        labels: &[],
        help: "Processor time that the process has used since its start, by all its threads; looked \
               up every five seconds. It only rises: ask for its `rate`, which is the number of \
               cores in use.",
    },
    Metric {
        name: "build_info",
        kind: Kind::Gauge,
        unit: Unit::Count,
        labels: &["version", "database"],
        help: "Always 1; the labels say which program runs, on which database (postgres, sqlite).",
    },
];
