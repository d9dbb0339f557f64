//! The map as a Mermaid flowchart.

use super::{colours, measures, promises};
use crate::report::{Health, NodeKind, Report};
use std::fmt::Write as _;

/// The map as a Mermaid flowchart, from left to right: every node and every edge, coloured by
/// health, each edge with what was measured on it.
#[must_use]
pub fn mermaid(report: &Report) -> String {
    let mut text = String::from("flowchart LR\n");
    // Writing to a string cannot fail.
    for node in &report.nodes {
        let (name, class) = (node.name, node.health.as_str());
        let shape = match node.kind {
            NodeKind::Database => format!("[({name})]"),
            NodeKind::External => format!("([{name}])"),
            NodeKind::Gateway => format!("{{{{{name}}}}}"),
            NodeKind::Service | NodeKind::Workers => format!("[{name}]"),
        };
        let _ = writeln!(text, "    {name}{shape}:::{class}");
    }
    for edge in &report.edges {
        let below = promises(edge);
        let below = if below.is_empty() { below } else { format!("<br/>{below}") };
        let label = measures(edge);
        let _ = writeln!(text, "    {} -->|\"{label}{below}\"| {}", edge.from, edge.to);
    }
    for (index, edge) in report.edges.iter().enumerate() {
        let (stroke, _) = colours(edge.health);
        let _ = writeln!(text, "    linkStyle {index} stroke:{stroke}");
    }
    for health in Health::ALL {
        let (stroke, fill) = colours(health);
        let class = health.as_str();
        let _ = writeln!(text, "    classDef {class} stroke:{stroke},fill:{fill},color:#1d2127");
    }
    text
}
