use super::layout::{BOX, Place, Point, TEXT, layout};
use super::*;
use crate::report::{NodeKind, NodeReport, Report, SloReport};
use proptest::prelude::*;

const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

fn node(name: &'static str, kind: NodeKind, health: Health) -> NodeReport {
    NodeReport { name, kind, health, reasons: Vec::new() }
}

fn edge(from: &'static str, to: &'static str, health: Health) -> EdgeReport {
    EdgeReport {
        from,
        to,
        health,
        calls_per_min: 0.0,
        error_rate: None,
        p99: None,
        breaker: None,
        bulkhead: None,
        retries: None,
        slo: None,
    }
}

/// A shop in which the bank is down.
fn shop() -> Report {
    let bank = EdgeReport {
        calls_per_min: 1234.5,
        error_rate: Some(0.75),
        p99: Some(Duration::from_micros(3_250)),
        breaker: Some(BreakerState::Open),
        slo: Some(SloReport { target: 0.99, budget_left: -1.5, over: Duration::from_secs(60) }),
        ..edge("payments", "bank", Health::Down)
    };
    Report {
        nodes: vec![
            node("gateway", NodeKind::Gateway, Health::Up),
            node("payments", NodeKind::Service, Health::Up),
            node("bank", NodeKind::External, Health::Down),
            node("store", NodeKind::Database, Health::Idle),
        ],
        edges: vec![
            edge("gateway", "payments", Health::Up),
            bank,
            edge("gateway", "store", Health::Idle),
            edge("payments", "store", Health::Impaired),
        ],
    }
}

#[test]
fn words_are_short() {
    let report = shop();
    assert_eq!(measures(&report.edges[0]), "no calls");
    assert_eq!(measures(&report.edges[1]), "1,234/min · 75 % err · p99 3.2 ms");
    assert_eq!(promises(&report.edges[1]), "breaker OPEN · SLO 99 %: -150 % left");
    assert_eq!(promises(&report.edges[0]), "");
    assert_eq!(percent(0.9995), "99.95 %");
    assert_eq!(percent(-0.000_001), "0 %");
    assert_eq!(rounded(1_234_567.8), "1,234,568");
    assert_eq!(milliseconds(Duration::from_millis(1_500)), "1,500 ms");
}

#[test]
fn a_mermaid_chart_names_every_node_and_edge_with_its_colour() {
    let chart = mermaid(&shop());
    assert!(chart.starts_with("flowchart LR\n"));
    for line in [
        "    bank([bank]):::down",
        "    store[(store)]:::idle",
        "    gateway -->|\"no calls\"| payments",
        "    payments -->|\"1,234/min · 75 % err · p99 3.2 ms<br/>breaker OPEN · SLO 99 %: -150 % left\"| bank",
        "    linkStyle 1 stroke:#b2182b",
        "    classDef down stroke:#b2182b,fill:#fbdcdc,color:#1d2127",
    ] {
        assert!(chart.lines().any(|shown| shown == line), "{line}\n{chart}");
    }
}

#[test]
fn a_picture_has_every_node_edge_and_colour() {
    let picture = svg(&shop());
    assert_eq!(picture.matches("marker-end").count(), 4);
    assert_eq!(picture.matches("class=\"name\"").count(), 4);
    assert!(picture.contains("payments → bank: down."));
    assert!(picture.contains("url(#tip-down)") && picture.contains("breaker OPEN"));
    assert_eq!(picture.matches("<g>").count(), picture.matches("</g>").count());
    assert!(picture.ends_with("</svg>\n"));
    // Nothing at all is a picture as well.
    assert!(svg(&Report::default()).ends_with("</svg>\n"));
}

#[test]
fn the_database_and_third_parties_stand_on_the_right() {
    let plan = layout(&shop());
    let right = plan.boxes.iter().map(|place| place.left).fold(0.0, f64::max);
    assert_eq!((plan.boxes[2].left, plan.boxes[3].left), (right, right));
    assert!(plan.boxes[0].left < plan.boxes[1].left && plan.boxes[1].left < right);
}

/// Heights at which a bend or a line crosses the column of boxes that begins at `left`.
fn crossings(way: &[Point], left: f64) -> Vec<f64> {
    way.windows(2)
        .filter(|two| two[0].x <= left && two[1].x >= left + BOX)
        .map(|two| two[0].y)
        .collect()
}

fn overlap(a: Place, b: Place) -> bool {
    a.left == b.left && a.top < b.top + b.height && b.top < a.top + a.height
}

proptest! {
    #[test]
    fn boxes_do_not_overlap_and_edges_point_right_and_pass_no_box(
        count in 1_usize..9,
        ends in prop::collection::vec((0_usize..9, 0_usize..9), 0..20),
    ) {
        let nodes = NAMES[..count].iter().map(|name| node(name, NodeKind::Service, Health::Up));
        // Every edge leads to a later node, so that there is no circle.
        let edges: Vec<EdgeReport> = ends
            .into_iter()
            .filter(|(from, to)| from < to && *to < count)
            .map(|(from, to)| edge(NAMES[from], NAMES[to], Health::Up))
            .collect();
        let report = Report { nodes: nodes.collect(), edges };
        let plan = layout(&report);
        for (index, place) in plan.boxes.iter().enumerate() {
            prop_assert!(place.top >= 0.0 && place.top + place.height <= plan.height);
            prop_assert!(place.left + BOX <= plan.width);
            for other in &plan.boxes[index + 1..] {
                prop_assert!(!overlap(*place, *other));
            }
        }
        let mut starts: Vec<(i64, i64)> = Vec::new();
        for way in &plan.ways {
            prop_assert!(way[0].x + TEXT < way[1].x);
            prop_assert!(way.windows(2).all(|two| two[0].x < two[1].x));
            starts.push((way[0].x as i64, way[0].y as i64));
            for place in &plan.boxes {
                for y in crossings(way, place.left) {
                    prop_assert!(y <= place.top || y >= place.top + place.height);
                }
            }
        }
        // Each edge leaves in a row of its own: its text meets no other.
        let edges = starts.len();
        starts.sort_unstable();
        starts.dedup();
        prop_assert_eq!(starts.len(), edges);
    }
}
