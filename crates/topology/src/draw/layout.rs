//! Where the parts of the picture go: layers from left to right, so that every edge points right
//! and passes no box that it does not belong to.
//!
//! The method is Sugiyama's: a node's layer is the length of the longest way to it; an edge that
//! crosses layers gets a place of its own in each; within a layer the order follows the mean place
//! of the neighbours. Every end of an edge has a row of its own, so that the texts beside them never
//! meet.

use crate::report::{NodeKind, Report};

/// Width of a node's box.
pub(super) const BOX: f64 = 136.0;
/// Room for the text of an edge, right of the box that it leaves.
pub(super) const TEXT: f64 = 190.0;
/// Room in which edges bend.
const BEND: f64 = 70.0;
/// Height of a row: an edge with a text above and below.
pub(super) const ROW: f64 = 36.0;
/// Space between two boxes of a layer.
const SPACE: f64 = 22.0;
/// Space around everything.
pub(super) const MARGIN: f64 = 24.0;
/// Rounds of putting layers in order; more changes nothing in graphs of this size.
const SWEEPS: usize = 8;

/// A point of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// A node's box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) height: f64,
}

impl Place {
    pub(super) fn middle(self) -> f64 {
        self.top + self.height / 2.0
    }
}

/// Where everything is; in the order of the report.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) boxes: Vec<Place>,
    /// Points of each edge: where it leaves, the two ends of each place that it passes, where it
    /// ends. Between two places it bends, within one it is straight.
    pub(super) ways: Vec<Vec<Point>>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// What stands in a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Node(usize),
    /// An edge that passes.
    Via(usize),
}

struct Graph {
    /// Indices of both ends of each edge; edges with unknown ends are left out.
    edges: Vec<Option<(usize, usize)>>,
    ranks: Vec<usize>,
    layers: Vec<Vec<Item>>,
}

/// Lays out the nodes and edges of a report.
pub(super) fn layout(report: &Report) -> Layout {
    let mut graph = Graph::of(report);
    graph.put_in_order();
    graph.place()
}

impl Graph {
    fn of(report: &Report) -> Self {
        let find = |name| report.nodes.iter().position(|node| node.name == name);
        let edges: Vec<Option<(usize, usize)>> =
            report.edges.iter().map(|edge| find(edge.from).zip(find(edge.to))).collect();
        let ranks = ranks(report, &edges);
        let count = ranks.iter().max().map_or(0, |last| last + 1);
        let mut layers = vec![Vec::new(); count];
        for (node, rank) in ranks.iter().enumerate() {
            layers[*rank].push(Item::Node(node));
        }
        for (index, edge) in edges.iter().enumerate() {
            let Some((from, to)) = *edge else { continue };
            for layer in layers.iter_mut().take(ranks[to]).skip(ranks[from] + 1) {
                layer.push(Item::Via(index));
            }
        }
        Self { edges, ranks, layers }
    }

    /// The items in the neighbouring layer that an item is tied to.
    fn neighbours(&self, item: Item, layer: usize, to_the_right: bool) -> Vec<Item> {
        let step = |edge: usize, from: usize, to: usize| {
            let end = if to_the_right { self.ranks[to] } else { self.ranks[from] };
            let next = if to_the_right { layer + 1 } else { layer.wrapping_sub(1) };
            let node = if to_the_right { to } else { from };
            if next == end { Item::Node(node) } else { Item::Via(edge) }
        };
        let touches = |(index, edge): (usize, &Option<(usize, usize)>)| {
            let (from, to) = (*edge)?;
            let is_tied = match item {
                Item::Via(via) => via == index,
                Item::Node(node) => node == if to_the_right { from } else { to },
            };
            is_tied.then(|| step(index, from, to))
        };
        self.edges.iter().enumerate().filter_map(touches).collect()
    }

    /// Orders each layer by the mean place of the neighbours, from the left and from the right in
    /// turn.
    fn put_in_order(&mut self) {
        for sweep in 0..SWEEPS {
            let to_the_right = sweep % 2 == 1;
            let count = self.layers.len();
            let order: Vec<usize> =
                if to_the_right { (0..count).rev().collect() } else { (0..count).collect() };
            for layer in order {
                let next = if to_the_right { layer + 1 } else { layer.wrapping_sub(1) };
                let Some(beside) = self.layers.get(next) else { continue };
                let mean = |(place, item): (usize, &Item)| {
                    let tied = self.neighbours(*item, layer, to_the_right);
                    let places = tied.iter().filter_map(|n| beside.iter().position(|b| b == n));
                    let (sum, found) = places.fold((0, 0), |(sum, n), at| (sum + at, n + 1));
                    let share = beside.len().max(1) as f64;
                    let own = place as f64 / self.layers[layer].len().max(1) as f64;
                    if found == 0 { own } else { (sum as f64 / found as f64 + 0.5) / share }
                };
                let means: Vec<f64> = self.layers[layer].iter().enumerate().map(mean).collect();
                let mut items: Vec<(f64, Item)> =
                    means.into_iter().zip(self.layers[layer].iter().copied()).collect();
                items.sort_by(|(a, _), (b, _)| a.total_cmp(b));
                self.layers[layer] = items.into_iter().map(|(_, item)| item).collect();
            }
        }
    }

    /// Height of an item: a row for each end on its busier side.
    fn height(&self, item: Item) -> f64 {
        let Item::Node(node) = item else { return ROW };
        let ends = |from: bool| {
            let edges = self.edges.iter().flatten();
            edges.filter(|edge| if from { edge.0 == node } else { edge.1 == node }).count()
        };
        ends(true).max(ends(false)).max(1) as f64 * ROW
    }

    fn place(&self) -> Layout {
        let stacked = |layer: &Vec<Item>| {
            let heights = layer.iter().map(|item| self.height(*item) + SPACE);
            heights.sum::<f64>() - SPACE
        };
        let tallest = self.layers.iter().map(stacked).fold(0.0, f64::max);
        let column = BOX + TEXT + BEND;
        let mut boxes = vec![Place { left: 0.0, top: 0.0, height: 0.0 }; self.ranks.len()];
        let mut passes: Vec<Vec<Place>> = vec![Vec::new(); self.edges.len()];
        for (rank, layer) in self.layers.iter().enumerate() {
            let left = MARGIN + rank as f64 * column;
            let mut top = MARGIN + (tallest - stacked(layer)) / 2.0;
            for item in layer {
                let height = self.height(*item);
                let place = Place { left, top, height };
                match item {
                    Item::Node(node) => boxes[*node] = place,
                    Item::Via(edge) => passes[*edge].push(place),
                }
                top += height + SPACE;
            }
        }
        let ways = self.ways(&boxes, &passes);
        let columns = self.layers.len().max(1) as f64 - 1.0;
        let width = 2.0 * MARGIN + columns * column + BOX;
        Layout { boxes, ways, width, height: tallest + 2.0 * MARGIN }
    }

    fn ways(&self, boxes: &[Place], passes: &[Vec<Place>]) -> Vec<Vec<Point>> {
        let way = |(index, edge): (usize, &Option<(usize, usize)>)| {
            let Some((from, to)) = *edge else { return Vec::new() };
            let mut points = Vec::new();
            let leave = self.row(index, from, boxes, passes, true);
            points.push(Point { x: boxes[from].left + BOX, y: leave });
            for place in &passes[index] {
                points.push(Point { x: place.left, y: place.middle() });
                points.push(Point { x: place.left + BOX + TEXT, y: place.middle() });
            }
            let enter = self.row(index, to, boxes, passes, false);
            points.push(Point { x: boxes[to].left, y: enter });
            points
        };
        self.edges.iter().enumerate().map(way).collect()
    }

    /// The height at which an edge leaves or enters a node: its ends are in the order of where the
    /// edges go to or come from, so that they do not cross at the box.
    fn row(
        &self,
        edge: usize,
        node: usize,
        boxes: &[Place],
        passes: &[Vec<Place>],
        leaves: bool,
    ) -> f64 {
        let beyond = |index: usize, (from, to): (usize, usize)| {
            let via = if leaves { passes[index].first() } else { passes[index].last() };
            via.copied().unwrap_or(boxes[if leaves { to } else { from }]).middle()
        };
        let mut ends: Vec<(f64, usize)> = self
            .edges
            .iter()
            .enumerate()
            .filter_map(|(index, edge)| edge.map(|ends| (index, ends)))
            .filter(|(_, (from, to))| node == if leaves { *from } else { *to })
            .map(|(index, ends)| (beyond(index, ends), index))
            .collect();
        ends.sort_by(|(a, i), (b, j)| a.total_cmp(b).then(i.cmp(j)));
        let place = boxes[node];
        let row = place.height / ends.len().max(1) as f64;
        let number = ends.iter().position(|(_, index)| *index == edge).unwrap_or(0);
        place.top + row * (number as f64 + 0.5)
    }
}

/// The layer of each node: the length of the longest way to it. What others keep for us stands in
/// the last one.
fn ranks(report: &Report, edges: &[Option<(usize, usize)>]) -> Vec<usize> {
    let count = report.nodes.len();
    let mut ranks = vec![0; count];
    // Bounded, so that a circle cannot make it go on for ever.
    for _ in 0..count {
        for (from, to) in edges.iter().flatten() {
            ranks[*to] = ranks[*to].max(ranks[*from] + 1).min(count - 1);
        }
    }
    let last = ranks.iter().copied().max().unwrap_or(0);
    for (node, rank) in report.nodes.iter().zip(&mut ranks) {
        if matches!(node.kind, NodeKind::Database | NodeKind::External) {
            *rank = last;
        }
    }
    ranks
}
