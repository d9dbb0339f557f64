//! The parts of the shop and the calls between them.

use serde::Serialize;
use topology::{BreakerState, EdgeReport, Health, NodeReport, Report, Retries, SloReport, Usage};
use utoipa::ToSchema;

/// The parts of the shop and the calls between them, as one node sees them.
#[derive(Serialize, ToSchema)]
#[schema(as = Topology)]
pub(crate) struct TopologyView {
    nodes: Vec<NodeView>,
    edges: Vec<EdgeView>,
}

/// A part of the shop.
#[derive(Serialize, ToSchema)]
#[schema(as = TopologyNode)]
pub(crate) struct NodeView {
    #[schema(examples("orders"))]
    name: &'static str,
    /// `gateway`, `service`, `workers`, `database` or `external`.
    #[schema(examples("service"))]
    kind: &'static str,
    /// `up`, `impaired`, `down`, or `idle` when nothing was asked of it in the last minute.
    #[schema(examples("up"))]
    health: &'static str,
    /// Why it is not up.
    reasons: Vec<String>,
}

/// The calls from one part to another in the last minute. A batch of orders is one call.
#[derive(Serialize, ToSchema)]
#[schema(as = TopologyEdge)]
pub(crate) struct EdgeView {
    /// Who calls.
    #[schema(examples("orders"))]
    from: &'static str,
    /// Who is called.
    #[schema(examples("inventory"))]
    to: &'static str,
    /// `up`; `impaired`: more errors than allowed, or a breaker that probes; `down`: half of at
    /// least ten calls failed, or the breaker is open; `idle`: no calls.
    #[schema(examples("up"))]
    health: &'static str,
    calls_per_min: f64,
    /// Share of failures, 0 to 1; `null` without calls.
    error_rate: Option<f64>,
    /// The slowest of a hundred calls, in milliseconds; `null` when none was timed: looks into
    /// memory are not.
    p99_ms: Option<f64>,
    /// State of the circuit breaker: `closed`, `half_open` or `open`; `null` where there is none.
    breaker: Option<&'static str>,
    /// How many calls may run and wait at once; `null` where there is no bound of that kind.
    bulkhead: Option<BulkheadView>,
    /// Retries since the node began; `null` where there are none.
    retries: Option<RetriesView>,
    /// The objective: the share of calls that are to go well; `null` without one.
    slo: Option<f64>,
    /// What is left of its error budget: 1 untouched, 0 spent, below 0 overspent; `null` without
    /// an objective.
    budget_left: Option<f64>,
    /// The seconds over which the budget is judged: since the node began, thirty days at most.
    budget_over_seconds: Option<u64>,
}

/// How much of a bulkhead is used.
#[derive(Serialize, ToSchema)]
#[schema(as = TopologyBulkhead)]
pub(crate) struct BulkheadView {
    in_flight: u64,
    in_flight_max: u64,
    waiting: u64,
    waiting_max: u64,
}

/// Retries since the node began.
#[derive(Serialize, ToSchema)]
#[schema(as = TopologyRetries)]
pub(crate) struct RetriesView {
    made: u64,
    /// Not made, because the budget was spent.
    refused: u64,
    /// What the budget pays for now.
    left: u64,
}

impl From<Report> for TopologyView {
    fn from(report: Report) -> Self {
        Self {
            nodes: report.nodes.into_iter().map(NodeView::from).collect(),
            edges: report.edges.into_iter().map(EdgeView::from).collect(),
        }
    }
}

impl From<NodeReport> for NodeView {
    fn from(node: NodeReport) -> Self {
        let NodeReport { name, kind, health, reasons } = node;
        Self { name, kind: kind.as_str(), health: Health::as_str(health), reasons }
    }
}

impl From<EdgeReport> for EdgeView {
    fn from(edge: EdgeReport) -> Self {
        Self {
            from: edge.from,
            to: edge.to,
            health: edge.health.as_str(),
            calls_per_min: rounded(edge.calls_per_min, 10.0),
            error_rate: edge.error_rate.map(|rate| rounded(rate, 1e6)),
            p99_ms: edge.p99.map(|p99| rounded(p99.as_secs_f64() * 1e3, 1e3)),
            breaker: edge.breaker.map(BreakerState::as_str),
            bulkhead: edge.bulkhead.map(BulkheadView::from),
            retries: edge.retries.map(RetriesView::from),
            slo: edge.slo.map(|slo: SloReport| slo.target),
            budget_left: edge.slo.map(|slo| rounded(slo.budget_left, 1e4)),
            budget_over_seconds: edge.slo.map(|slo| slo.over.as_secs()),
        }
    }
}

impl From<Usage> for BulkheadView {
    fn from(usage: Usage) -> Self {
        let Usage { in_flight, in_flight_max, waiting, waiting_max } = usage;
        Self { in_flight, in_flight_max, waiting, waiting_max }
    }
}

impl From<Retries> for RetriesView {
    fn from(retries: Retries) -> Self {
        let Retries { made, refused, left } = retries;
        Self { made, refused, left }
    }
}

/// A number with no more digits than say something.
fn rounded(number: f64, parts: f64) -> f64 {
    (number * parts).round() / parts
}
