//! The map as an SVG.

use super::layout::{BOX, Layout, MARGIN, Place, Point, ROW, TEXT, layout};
use super::{colours, measures, promises};
use crate::report::{EdgeReport, Health, NodeKind, NodeReport, Report};
use std::fmt::Write as _;

/// Height of the line that explains the colours.
const LEGEND: f64 = 44.0;
/// The narrowest picture: as wide as the legend.
const NARROWEST: f64 = 620.0;
/// Length of the tip of an arrow.
const TIP: f64 = 8.0;
/// Longest text beside an edge, in characters: as many as fit into [`TEXT`].
const CHARACTERS_MAX: usize = 38;

const STYLE: &str = "text{font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif;\
    fill:#1d2127}.name{font-size:13px;font-weight:600;text-anchor:middle}\
    .state{font-size:10px;text-anchor:middle;fill:#4a4f57}.on{font-size:10.5px}\
    .under{font-size:10px;fill:#4a4f57}.key{font-size:11.5px}";

/// The map as a picture of its own: nodes in layers from left to right, edges coloured by health,
/// each with what was measured on it, and a line that explains the colours.
#[must_use]
pub fn svg(report: &Report) -> String {
    let plan = layout(report);
    let (width, height) = (plan.width.max(NARROWEST), plan.height + LEGEND);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" \
         aria-label=\"Topology of the shop\">\n<style>{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
    );
    tips(&mut text);
    for (edge, way) in report.edges.iter().zip(&plan.ways) {
        draw_edge(&mut text, edge, way);
    }
    for (node, place) in report.nodes.iter().zip(&plan.boxes) {
        draw_node(&mut text, node, *place);
    }
    legend(&mut text, &plan);
    text.push_str("</svg>\n");
    text
}

fn tips(text: &mut String) {
    text.push_str("<defs>");
    for health in Health::ALL {
        let (stroke, _) = colours(health);
        let _ = write!(
            text,
            "<marker id=\"tip-{}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" \
             markerWidth=\"{TIP}\" markerHeight=\"{TIP}\" markerUnits=\"userSpaceOnUse\" \
             orient=\"auto\"><path d=\"M0 0 8 4 0 8z\" fill=\"{stroke}\"/></marker>",
            health.as_str()
        );
    }
    text.push_str("</defs>\n");
}

/// Straight beside its text, then bent to the next place, straight through it, and so on.
fn path(way: &[Point]) -> String {
    let mut path = String::new();
    let Some((first, rest)) = way.split_first() else { return path };
    let mut at = Point { x: first.x + TEXT, y: first.y };
    let _ = write!(path, "M{:.1} {:.1}H{:.1}", first.x, first.y, at.x);
    for (index, point) in rest.iter().enumerate() {
        if index % 2 == 0 {
            let half = (at.x + point.x) / 2.0;
            let _ = write!(
                path,
                "C{half:.1} {:.1} {half:.1} {:.1} {:.1} {:.1}",
                at.y, point.y, point.x, point.y
            );
        } else {
            let _ = write!(path, "H{:.1}", point.x);
        }
        at = *point;
    }
    path
}

fn draw_edge(text: &mut String, edge: &EdgeReport, way: &[Point]) {
    let Some(start) = way.first() else { return };
    let (stroke, _) = colours(edge.health);
    let state = edge.health.as_str();
    let (above, below) = (measures(edge), promises(edge));
    let wide = if edge.health == Health::Down { 2.6 } else { 1.5 };
    let dashes = if edge.health == Health::Idle { " stroke-dasharray=\"5 4\"" } else { "" };
    let _ = writeln!(
        text,
        "<g><title>{} → {}: {state}. {}</title><path d=\"{}\" fill=\"none\" stroke=\"{stroke}\" \
         stroke-width=\"{wide}\"{dashes} marker-end=\"url(#tip-{state})\"/>\
         <text class=\"on\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
         <text class=\"under\" x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
        escaped(edge.from),
        escaped(edge.to),
        escaped(&format!("{above} {below}")),
        path(way),
        start.x + 6.0,
        start.y - 4.0,
        escaped(&short(&above)),
        start.x + 6.0,
        start.y + 12.0,
        escaped(&short(&below)),
    );
}

fn draw_node(text: &mut String, node: &NodeReport, place: Place) {
    let (stroke, fill) = colours(node.health);
    let Place { left, top, height } = place;
    // A box is a little smaller than its rows, so that the first and the last edge meet its side.
    let (top, height) = (top + 2.0, height.max(ROW) - 4.0);
    let round = if node.kind == NodeKind::External { 16.0 } else { 6.0 };
    let dashes = if node.kind == NodeKind::External { " stroke-dasharray=\"6 3\"" } else { "" };
    let (middle, centre) = (left + BOX / 2.0, top + height / 2.0);
    let under = if node.health == Health::Up || node.health == Health::Idle {
        node.kind.as_str().to_owned()
    } else {
        format!("{}: {}", node.kind.as_str(), node.health.as_str())
    };
    let _ = writeln!(
        text,
        "<g><title>{}: {}. {}</title><rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{BOX}\" \
         height=\"{height:.1}\" rx=\"{round}\" fill=\"{fill}\" stroke=\"{stroke}\" \
         stroke-width=\"1.6\"{dashes}/><text class=\"name\" x=\"{middle:.1}\" \
         y=\"{:.1}\">{}</text><text class=\"state\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text></g>",
        escaped(node.name),
        node.health.as_str(),
        escaped(&node.reasons.join("; ")),
        centre - 1.0,
        escaped(node.name),
        centre + 12.0,
        escaped(&under),
    );
}

fn legend(text: &mut String, plan: &Layout) {
    let y = plan.height + LEGEND / 2.0;
    let mut x = MARGIN;
    let meanings = [
        (Health::Up, "up"),
        (Health::Impaired, "impaired: more errors than allowed"),
        (Health::Down, "down"),
        (Health::Idle, "idle"),
    ];
    for (health, meaning) in meanings {
        let (stroke, fill) = colours(health);
        let _ = write!(
            text,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"16\" height=\"11\" rx=\"2\" fill=\"{fill}\" \
             stroke=\"{stroke}\"/><text class=\"key\" x=\"{:.1}\" y=\"{:.1}\">{meaning}</text>",
            y - 9.0,
            x + 22.0,
            y,
        );
        x += 40.0 + 6.6 * meaning.chars().count() as f64;
    }
    let _ = writeln!(
        text,
        "<text class=\"key\" x=\"{x:.1}\" y=\"{y:.1}\">numbers: the last minute of this node</text>"
    );
}

fn short(words: &str) -> String {
    if words.chars().count() <= CHARACTERS_MAX {
        return words.to_owned();
    }
    words.chars().take(CHARACTERS_MAX - 1).chain(['…']).collect()
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
