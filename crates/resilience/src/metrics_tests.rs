//! What the guards report, as an operator reads it.

use std::time::Duration;

use metrics::set_default_local_recorder;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::time::{Instant, advance};

use crate::{
    BreakerConfig, BulkheadConfig, Dependency, DependencyConfig, RetryBudgetConfig, RetryPolicy,
    retry,
};

const SECOND: Duration = Duration::from_secs(1);

/// One place and one in the queue, one retry; half of four calls open it for 5 s.
fn bank() -> Dependency {
    let config = DependencyConfig {
        breaker: BreakerConfig {
            slot: SECOND,
            slots: 10,
            calls_min: 4,
            failure_percent: 50,
            slow_call: SECOND,
            open_for: 5 * SECOND,
            probes: 1,
        },
        bulkhead: BulkheadConfig { in_flight_max: 1, waiting_max: 1 },
        retry: RetryPolicy { attempts_max: 3, backoff_first: SECOND, backoff_max: SECOND },
        retry_budget: RetryBudgetConfig { percent: 1, initial: 1, saved_max: 1 },
    };
    Dependency::new("bank", &config).unwrap()
}

#[track_caller]
fn assert_shows(metrics: &PrometheusHandle, lines: &[&str]) {
    let text = metrics.render();
    for line in lines {
        assert!(text.lines().any(|shown| shown == *line), "{line}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_breaker_reports_its_state_and_every_outcome() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _guard = set_default_local_recorder(&recorder);
    let breaker = bank().breaker;
    assert_shows(&metrics, &["breaker_state{dependency=\"bank\"} 0"]);
    breaker.try_acquire().unwrap().success(Duration::ZERO);
    breaker.try_acquire().unwrap().success(Duration::ZERO);
    breaker.try_acquire().unwrap().success(SECOND);
    drop(breaker.try_acquire().unwrap());
    breaker.try_acquire().unwrap().failure(Duration::ZERO);
    assert!(breaker.try_acquire().is_err());
    assert_shows(
        &metrics,
        &[
            "breaker_state{dependency=\"bank\"} 2",
            "breaker_calls_total{dependency=\"bank\",outcome=\"ok\"} 2",
            "breaker_calls_total{dependency=\"bank\",outcome=\"slow\"} 1",
            "breaker_calls_total{dependency=\"bank\",outcome=\"failed\"} 1",
            "breaker_calls_total{dependency=\"bank\",outcome=\"rejected\"} 1",
            "breaker_call_seconds_count{dependency=\"bank\",outcome=\"ok\"} 2",
            "breaker_call_seconds_sum{dependency=\"bank\",outcome=\"slow\"} 1",
        ],
    );
    advance(5 * SECOND).await;
    let probe = breaker.try_acquire().unwrap();
    assert_shows(&metrics, &["breaker_state{dependency=\"bank\"} 1"]);
    probe.success(Duration::ZERO);
    assert_shows(&metrics, &["breaker_state{dependency=\"bank\"} 0"]);
}

#[tokio::test(start_paused = true)]
async fn the_bulkhead_reports_who_runs_who_waits_and_who_is_refused() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _guard = set_default_local_recorder(&recorder);
    let bulkhead = bank().bulkhead;
    let deadline = Instant::now() + SECOND;
    let running = bulkhead.acquire(deadline).await.unwrap();
    {
        let mut waiting = std::pin::pin!(bulkhead.acquire(deadline));
        // Polled once, it stands in the queue.
        assert!(poll_once(&mut waiting).await.is_none());
        assert!(bulkhead.acquire(deadline).await.is_err());
        assert_shows(
            &metrics,
            &[
                "bulkhead_in_flight{dependency=\"bank\"} 1",
                "bulkhead_waiting{dependency=\"bank\"} 1",
                "bulkhead_refusals_total{dependency=\"bank\",reason=\"full\"} 1",
            ],
        );
        assert!(waiting.await.is_err());
    }
    drop(running);
    assert_shows(
        &metrics,
        &[
            "bulkhead_in_flight{dependency=\"bank\"} 0",
            "bulkhead_waiting{dependency=\"bank\"} 0",
            "bulkhead_refusals_total{dependency=\"bank\",reason=\"timed_out\"} 1",
        ],
    );
}

/// The answer of a future if it has one now.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        let polled = std::pin::Pin::new(&mut *future).poll(cx);
        std::task::Poll::Ready(match polled {
            std::task::Poll::Ready(answer) => Some(answer),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn retries_are_counted_and_so_are_those_the_budget_refuses() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _guard = set_default_local_recorder(&recorder);
    let bank = bank();
    let answer: Result<(), &str> = retry(
        &bank.retry,
        &bank.retry_budget,
        Instant::now() + 60 * SECOND,
        || 0.0,
        |_| std::future::ready(Err("down")),
        |_| true,
    )
    .await;
    assert_eq!(answer, Err("down"));
    assert_shows(
        &metrics,
        &[
            "retries_total{dependency=\"bank\"} 1",
            "retry_budget_exhausted_total{dependency=\"bank\"} 1",
        ],
    );
}
