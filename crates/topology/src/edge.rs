//! An arrow from a caller to a callee.

use crate::call::{Call, Failure, Outcome};
use crate::window::{Minute, Tally, Window};
use metrics::{Counter, Histogram, counter, histogram};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// An arrow from a caller to a callee. Clones count into the same arrow; the default one counts
/// nothing.
#[derive(Clone, Debug, Default)]
pub struct Edge(Option<Arc<Arrow>>);

#[derive(Debug)]
struct Arrow {
    caller: &'static str,
    callee: &'static str,
    since: Instant,
    ok: Counter,
    failed: Counter,
    left: Counter,
    seconds: Histogram,
    window: Mutex<Window>,
}

impl std::fmt::Display for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} → {}", self.caller(), self.callee())
    }
}

impl Edge {
    /// An arrow of its own; as a rule it is made by [`crate::Topology::edge`]. Make it after the
    /// metrics recorder is installed: its metrics are found once, here.
    #[must_use]
    pub fn new(caller: &'static str, callee: &'static str) -> Self {
        let calls = |outcome: Outcome| {
            counter!("edge_calls_total", "caller" => caller, "callee" => callee,
                "outcome" => outcome.as_str())
        };
        Self(Some(Arc::new(Arrow {
            caller,
            callee,
            since: Instant::now(),
            ok: calls(Outcome::Ok),
            failed: calls(Outcome::Failed),
            left: calls(Outcome::Left),
            seconds: histogram!("edge_call_seconds", "caller" => caller, "callee" => callee),
            window: Mutex::new(Window::new()),
        })))
    }

    /// An arrow that counts nothing.
    #[must_use]
    pub const fn unseen() -> Self {
        Self(None)
    }

    /// Who calls; empty for an arrow that counts nothing.
    #[must_use]
    pub fn caller(&self) -> &'static str {
        self.0.as_ref().map_or("", |arrow| arrow.caller)
    }

    /// Who is called; empty for an arrow that counts nothing.
    #[must_use]
    pub fn callee(&self) -> &'static str {
        self.0.as_ref().map_or("", |arrow| arrow.callee)
    }

    /// Makes a call and counts how it ends.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn call<T, E: Failure>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut call = self.begin();
        let result = work.await;
        call.end(Outcome::of(&result));
        result
    }

    /// A call begins; whoever makes it says how it ends.
    pub fn begin(&self) -> Call {
        match self.0 {
            Some(_) => Call::running(self.clone(), Instant::now()),
            None => Call::unseen(),
        }
    }

    /// Counts a look into memory, which takes no time worth measuring.
    pub fn looked(&self, outcome: Outcome) {
        if self.0.is_some() {
            self.count(outcome, Instant::now(), None);
        }
    }

    pub(crate) fn count(&self, outcome: Outcome, now: Instant, took: Option<Duration>) {
        let Some(arrow) = &self.0 else { return };
        match outcome {
            Outcome::Ok => arrow.ok.increment(1),
            Outcome::Failed => arrow.failed.increment(1),
            Outcome::Left => arrow.left.increment(1),
        }
        if let Some(took) = took {
            tracing::info!(
                name: "call",
                target: "hop",
                from = arrow.caller,
                to = arrow.callee,
                took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
                failed = outcome == Outcome::Failed,
            );
            arrow.seconds.record(took);
        }
        arrow.window().count(now.saturating_duration_since(arrow.since), outcome, took);
    }

    /// The calls of the last minute, and those of the last thirty days with the time they cover.
    pub(crate) fn seen(&self) -> (Minute, Tally, Duration) {
        let Some(arrow) = &self.0 else { return Default::default() };
        let age = arrow.since.elapsed();
        let mut window = arrow.window();
        let (tally, covered) = window.budget(age);
        (window.minute(age), tally, covered)
    }
}

impl Arrow {
    fn window(&self) -> MutexGuard<'_, Window> {
        // Nothing in there panics half-way.
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::set_default_local_recorder;
    use metrics_exporter_prometheus::PrometheusBuilder;

    struct No;
    struct Broken;

    impl Failure for No {
        fn is_failure(&self) -> bool {
            false
        }
    }

    impl Failure for Broken {
        fn is_failure(&self) -> bool {
            true
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_call_is_counted_once_by_how_it_ended() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let metrics = recorder.handle();
        let _guard = set_default_local_recorder(&recorder);
        let edge = Edge::new("orders", "inventory");
        let work = |result| async {
            tokio::time::advance(Duration::from_millis(20)).await;
            result
        };
        assert!(edge.call(work(Ok::<_, Broken>(()))).await.is_ok());
        assert!(edge.call(async { Err::<(), _>(No) }).await.is_err());
        assert!(edge.call(async { Err::<(), _>(Broken) }).await.is_err());
        drop(edge.begin());
        edge.clone().looked(Outcome::Ok);
        let text = metrics.render();
        for (outcome, count) in [("ok", 3), ("failed", 1), ("left", 1)] {
            let line = format!(
                "edge_calls_total{{caller=\"orders\",callee=\"inventory\",outcome=\"{outcome}\"}} {count}"
            );
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
        assert!(text.contains("edge_call_seconds_count{caller=\"orders\",callee=\"inventory\"} 4"));
        let (minute, ..) = edge.seen();
        assert_eq!(minute.tally, Tally { ok: 3, failed: 1, left: 1 });
        assert!(minute.p99.is_some_and(|p99| p99 < Duration::from_millis(21)), "{minute:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_whose_caller_leaves_is_left() {
        let edge = Edge::new("gateway", "orders");
        let never = edge.call(std::future::pending::<Result<(), Broken>>());
        assert!(tokio::time::timeout(Duration::from_secs(1), never).await.is_err());
        let (minute, ..) = edge.seen();
        assert_eq!(minute.tally, Tally { ok: 0, failed: 0, left: 1 });
    }

    #[tokio::test]
    async fn an_unseen_edge_lets_calls_pass() {
        let edge = Edge::unseen();
        assert!(edge.call(async { Ok::<_, Broken>(1) }).await.is_ok_and(|one| one == 1));
        edge.looked(Outcome::Ok);
        assert_eq!(edge.seen().0, Minute::default());
    }
}
