//! All arrows of the program, and what is known of their ends.

use crate::edge::Edge;
use crate::report::{
    BreakerState, EdgeReport, Health, NodeKind, NodeReport, Report, Retries, SloReport, Usage,
};
use std::sync::{Mutex, PoisonError};

/// Without an objective, an edge with a larger share of failures than this is impaired.
const FAILURES_TOLERATED: f64 = 0.01;

/// From this share of failures on an edge counts as down…
const FAILURES_DOWN: f64 = 0.5;
/// … when there were at least so many calls in the last minute.
const CALLS_TO_JUDGE: u64 = 10;

/// How a node is, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeState {
    /// How it is.
    pub health: Health,
    /// Why it is not up.
    pub reasons: Vec<String>,
}

/// What stands in front of a callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guards {
    /// The circuit breaker.
    pub breaker: BreakerState,
    /// The bulkhead.
    pub bulkhead: Usage,
    /// The retries.
    pub retries: Retries,
}

type Ask<T> = Box<dyn Fn() -> T + Send + Sync>;

struct Arrow {
    edge: Edge,
    target: Option<f64>,
    guards: Option<Ask<Guards>>,
}

struct Part {
    name: &'static str,
    kind: NodeKind,
    /// `None` when it cannot be asked: then it is as its callers find it.
    state: Option<Ask<NodeState>>,
}

#[derive(Default)]
struct Parts {
    nodes: Vec<Part>,
    arrows: Vec<Arrow>,
}

/// The map of the program: filled while it is wired together, read by whoever wants to see it.
#[derive(Default)]
pub struct Topology(Mutex<Parts>);

impl Topology {
    fn parts(&self) -> std::sync::MutexGuard<'_, Parts> {
        // What is written in here is whole at every moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The arrow between two nodes, made when it is first asked for. `target` is the share of its
    /// calls that are to go well, if there is an objective.
    pub fn edge(&self, caller: &'static str, callee: &'static str, target: Option<f64>) -> Edge {
        let mut parts = self.parts();
        let known = parts.arrows.iter().map(|arrow| &arrow.edge);
        if let Some(edge) = known.into_iter().find(|e| (e.caller(), e.callee()) == (caller, callee))
        {
            return edge.clone();
        }
        let edge = Edge::new(caller, callee);
        parts.arrows.push(Arrow { edge: edge.clone(), target, guards: None });
        edge
    }

    /// Says what stands in front of the callee of an arrow that was made before.
    pub fn guard(&self, edge: &Edge, guards: impl Fn() -> Guards + Send + Sync + 'static) {
        let ends = (edge.caller(), edge.callee());
        let mut parts = self.parts();
        let arrow = parts.arrows.iter_mut().find(|a| (a.edge.caller(), a.edge.callee()) == ends);
        if let Some(arrow) = arrow {
            arrow.guards = Some(Box::new(guards));
        }
    }

    /// Adds a node that says how it is. `state` is called for each report: it must be quick.
    pub fn node(
        &self,
        name: &'static str,
        kind: NodeKind,
        state: impl Fn() -> NodeState + Send + Sync + 'static,
    ) {
        self.parts().nodes.push(Part { name, kind, state: Some(Box::new(state)) });
    }

    /// Adds a node that cannot be asked: it is as its callers find it.
    pub fn foreign_node(&self, name: &'static str, kind: NodeKind) {
        self.parts().nodes.push(Part { name, kind, state: None });
    }

    /// How everything is now.
    #[must_use]
    pub fn report(&self) -> Report {
        let parts = self.parts();
        let edges: Vec<EdgeReport> = parts.arrows.iter().map(Arrow::report).collect();
        let nodes = parts.nodes.iter().map(|part| part.report(&edges)).collect();
        Report { nodes, edges }
    }
}

impl Part {
    fn report(&self, edges: &[EdgeReport]) -> NodeReport {
        let state = match &self.state {
            Some(state) => state(),
            None => self.as_found(edges),
        };
        let NodeState { health, reasons } = state;
        NodeReport { name: self.name, kind: self.kind, health, reasons }
    }

    /// As those find it who call it: as the worst of its arrows.
    fn as_found(&self, edges: &[EdgeReport]) -> NodeState {
        let to_it = edges.iter().filter(|edge| edge.to == self.name);
        let health = to_it.clone().map(|edge| edge.health).max().unwrap_or(Health::Idle);
        let ill = to_it.filter(|edge| edge.health >= Health::Impaired);
        let reasons = ill.map(|edge| format!("calls from {} fail", edge.from)).collect();
        NodeState { health, reasons }
    }
}

impl Arrow {
    fn report(&self) -> EdgeReport {
        let (minute, month, over) = self.edge.seen();
        let guards = self.guards.as_ref().map(|guards| guards());
        let error_rate = minute.tally.error_rate();
        let slo = self.target.map(|target| SloReport {
            target,
            budget_left: budget_left(target, month.error_rate().unwrap_or(0.0)),
            over,
        });
        let breaker = guards.map(|guards| guards.breaker);
        let ended = minute.tally.ok + minute.tally.failed;
        EdgeReport {
            from: self.edge.caller(),
            to: self.edge.callee(),
            health: health(breaker, error_rate.map(|rate| (rate, ended)), self.target),
            calls_per_min: minute.per_minute,
            error_rate,
            p99: minute.p99,
            breaker,
            bulkhead: guards.map(|guards| guards.bulkhead),
            retries: guards.map(|guards| guards.retries),
            slo,
        }
    }
}

/// What is left of the error budget, when a share of all calls failed.
fn budget_left(target: f64, failed: f64) -> f64 {
    let allowed = 1.0 - target;
    if allowed > 0.0 { 1.0 - failed / allowed } else { f64::from(u8::from(failed <= 0.0)) }
}

/// How an edge is; `seen` is the share of failures and the number of calls of the last minute.
fn health(breaker: Option<BreakerState>, seen: Option<(f64, u64)>, target: Option<f64>) -> Health {
    let tolerated = target.map_or(FAILURES_TOLERATED, |target| 1.0 - target);
    let by_calls = match seen {
        None => Health::Idle,
        Some((rate, calls)) if rate >= FAILURES_DOWN && calls >= CALLS_TO_JUDGE => Health::Down,
        Some((rate, _)) if rate > tolerated => Health::Impaired,
        Some(_) => Health::Up,
    };
    let by_breaker = match breaker {
        Some(BreakerState::Open) => Health::Down,
        Some(BreakerState::HalfOpen) => Health::Impaired,
        Some(BreakerState::Closed) | None => Health::Idle,
    };
    by_calls.max(by_breaker)
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
