use super::*;
use crate::call::Outcome;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

const BANK: Guards = Guards {
    breaker: BreakerState::Closed,
    bulkhead: Usage { in_flight: 3, in_flight_max: 512, waiting: 0, waiting_max: 1000 },
    retries: Retries { made: 2, refused: 0, left: 8 },
};

fn named<'a>(report: &'a Report, from: &str, to: &str) -> &'a EdgeReport {
    report.edges.iter().find(|edge| edge.from == from && edge.to == to).unwrap()
}

fn end(edge: &Edge, outcome: Outcome, times: usize) {
    for _ in 0..times {
        edge.begin().end(outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn an_edge_says_how_it_fares() {
    let map = Topology::default();
    let edge = map.edge("orders", "inventory", Some(0.99));
    let report = map.report();
    let idle = named(&report, "orders", "inventory");
    assert_eq!((idle.health, idle.error_rate, idle.p99), (Health::Idle, None, None));
    assert!(idle.slo.is_some_and(|slo| (slo.budget_left - 1.0).abs() < 1e-9));

    end(&edge, Outcome::Ok, 199);
    end(&edge, Outcome::Failed, 1);
    tokio::time::advance(Duration::from_secs(30)).await;
    let report = map.report();
    let good = named(&report, "orders", "inventory");
    assert_eq!(good.health, Health::Up, "half a percent where one is allowed");
    assert!((good.calls_per_min - 400.0).abs() < 1e-6, "{good:?}");
    let slo = good.slo.unwrap();
    assert!((slo.budget_left - 0.5).abs() < 1e-9, "{slo:?}");
    assert_eq!(slo.over, Duration::from_secs(30));

    end(&edge, Outcome::Failed, 10);
    let report = map.report();
    let ill = named(&report, "orders", "inventory");
    assert_eq!(ill.health, Health::Impaired);
    assert!(ill.slo.is_some_and(|slo| slo.budget_left < 0.0), "overspent: {ill:?}");

    end(&edge, Outcome::Failed, 500);
    assert_eq!(named(&map.report(), "orders", "inventory").health, Health::Down);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(named(&map.report(), "orders", "inventory").health, Health::Idle);
}

#[tokio::test(start_paused = true)]
async fn few_failed_calls_are_no_outage() {
    let map = Topology::default();
    end(&map.edge("gateway", "orders", None), Outcome::Failed, 9);
    assert_eq!(named(&map.report(), "gateway", "orders").health, Health::Impaired);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_decides_how_an_edge_is_and_a_foreign_node_is_as_it_is_found() {
    let map = Topology::default();
    map.foreign_node("bank", NodeKind::External);
    let edge = map.edge("payments", "bank", None);
    let state = Arc::new(AtomicU8::new(0));
    let shared = state.clone();
    map.guard(&edge, move || Guards {
        breaker: match shared.load(Ordering::Relaxed) {
            0 => BreakerState::Closed,
            1 => BreakerState::HalfOpen,
            _ => BreakerState::Open,
        },
        ..BANK
    });
    end(&edge, Outcome::Ok, 1);
    let expected = [
        (0, Health::Up, BreakerState::Closed),
        (1, Health::Impaired, BreakerState::HalfOpen),
        (2, Health::Down, BreakerState::Open),
    ];
    for (code, health, breaker) in expected {
        state.store(code, Ordering::Relaxed);
        let report = map.report();
        let bank = named(&report, "payments", "bank");
        assert_eq!((bank.health, bank.breaker), (health, Some(breaker)));
        assert_eq!((bank.bulkhead, bank.retries), (Some(BANK.bulkhead), Some(BANK.retries)));
        assert_eq!(report.nodes[0].health, health);
        assert_eq!(report.nodes[0].reasons.is_empty(), health == Health::Up);
    }
}

#[tokio::test(start_paused = true)]
async fn an_arrow_is_made_once_and_a_node_speaks_for_itself() {
    let map = Topology::default();
    end(&map.edge("gateway", "orders", None), Outcome::Ok, 1);
    end(&map.edge("gateway", "orders", None), Outcome::Ok, 1);
    map.node("orders", NodeKind::Service, || NodeState {
        health: Health::Down,
        reasons: vec!["orders.lane.0 is down".to_owned()],
    });
    let report = map.report();
    assert_eq!(report.edges.len(), 1);
    assert_eq!(report.nodes[0].health, Health::Down);
    assert_eq!(report.nodes[0].reasons, ["orders.lane.0 is down"]);
}

#[test]
fn an_objective_of_everything_has_a_budget_of_nothing() {
    assert!((budget_left(1.0, 0.0) - 1.0).abs() < f64::EPSILON);
    assert!(budget_left(1.0, 0.1).abs() < f64::EPSILON);
}
