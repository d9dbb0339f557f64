//! How the shop is at a moment, as data.

use std::time::Duration;

/// How a node or an edge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Nothing was asked of it in the last minute, and nothing is known to be wrong.
    Idle,
    /// It works.
    Up,
    /// It works, but worse than it should.
    Impaired,
    /// It does not work.
    Down,
}

impl Health {
    /// Every state, best first.
    pub const ALL: [Self; 4] = [Self::Up, Self::Impaired, Self::Down, Self::Idle];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Up => "up",
            Self::Impaired => "impaired",
            Self::Down => "down",
        }
    }
}

/// What kind of part a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// The way in.
    Gateway,
    /// A service of ours.
    Service,
    /// Workers that read the log of events.
    Workers,
    /// The database.
    Database,
    /// A third party.
    External,
}

impl NodeKind {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Service => "service",
            Self::Workers => "workers",
            Self::Database => "database",
            Self::External => "external",
        }
    }
}

/// A part of the shop.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeReport {
    /// Its name, that of its crate where it is ours.
    pub name: &'static str,
    /// What it is.
    pub kind: NodeKind,
    /// How it is.
    pub health: Health,
    /// Why it is not up, one sentence each.
    pub reasons: Vec<String>,
}

/// State of a circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Some calls pass, to see how they fare.
    HalfOpen,
    /// No call passes.
    Open,
}

impl BreakerState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// How much of a bulkhead is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Calls that run.
    pub in_flight: u64,
    /// The most that may run.
    pub in_flight_max: u64,
    /// Calls that wait for their turn.
    pub waiting: u64,
    /// The most that may wait.
    pub waiting_max: u64,
}

/// Retries since the process began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Second and third tries that were made.
    pub made: u64,
    /// Those that were not made, because the budget was spent.
    pub refused: u64,
    /// Retries that the budget has left now.
    pub left: u64,
}

/// A service level objective of an edge, and how it fares on this node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SloReport {
    /// Share of the calls that are to go well, 0 to 1.
    pub target: f64,
    /// Share of the error budget that is left: 1 untouched, 0 spent, below 0 overspent.
    pub budget_left: f64,
    /// The time over which it is judged: since the node began, thirty days at most.
    pub over: Duration,
}

/// An arrow of the shop.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeReport {
    /// Who calls.
    pub from: &'static str,
    /// Who is called.
    pub to: &'static str,
    /// How it is.
    pub health: Health,
    /// Calls per minute, over the last minute.
    pub calls_per_min: f64,
    /// Share of failures among the calls of the last minute, 0 to 1; `None` without calls.
    pub error_rate: Option<f64>,
    /// The slowest of a hundred calls of the last minute; `None` when none was timed.
    pub p99: Option<Duration>,
    /// The circuit breaker in front of the callee, if there is one.
    pub breaker: Option<BreakerState>,
    /// The bulkhead in front of the callee, if there is one.
    pub bulkhead: Option<Usage>,
    /// The retries of calls to the callee, if they are retried.
    pub retries: Option<Retries>,
    /// The objective, if it has one.
    pub slo: Option<SloReport>,
}

/// How the shop is at a moment, as one node of it sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The parts.
    pub nodes: Vec<NodeReport>,
    /// The arrows.
    pub edges: Vec<EdgeReport>,
}
