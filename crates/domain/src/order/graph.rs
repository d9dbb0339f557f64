//! The state graph as a table: what `docs/ORDERS.md` draws and a test compares with the code.

use super::OrderStatus;

/// One arrow of the state graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arrow {
    /// Where the order stands; `None` before it exists.
    pub from: Option<OrderStatus>,
    /// The event.
    pub event: &'static str,
    /// Where it stands then.
    pub to: OrderStatus,
}

const fn arrow(from: OrderStatus, event: &'static str, to: OrderStatus) -> Arrow {
    Arrow { from: Some(from), event, to }
}

use OrderStatus::{Cancelled, Confirmed, Delivered, PartiallyShipped, Pending, Rejected, Shipped};

/// Every change an order can see. A property test walks random histories and finds these arrows,
/// all of them and no other.
pub const STATE_GRAPH: &[Arrow] = &[
    Arrow { from: None, event: "order.placed", to: Pending },
    arrow(Pending, "order.confirmed", Confirmed),
    arrow(Pending, "order.rejected", Rejected),
    arrow(Pending, "order.cancel_requested", Pending),
    arrow(Pending, "order.goods_released", Pending),
    arrow(Pending, "order.cancelled", Cancelled),
    arrow(Confirmed, "order.cancelled", Cancelled),
    arrow(Confirmed, "order.shipped", PartiallyShipped),
    arrow(Confirmed, "order.shipped", Shipped),
    arrow(Confirmed, "order.refunded", Confirmed),
    arrow(Confirmed, "order.refund_failed", Confirmed),
    arrow(PartiallyShipped, "order.shipped", PartiallyShipped),
    arrow(PartiallyShipped, "order.shipped", Shipped),
    arrow(PartiallyShipped, "order.remainder_cancelled", Shipped),
    arrow(PartiallyShipped, "order.refunded", PartiallyShipped),
    arrow(PartiallyShipped, "order.returned", PartiallyShipped),
    arrow(PartiallyShipped, "order.capture_failed", PartiallyShipped),
    arrow(PartiallyShipped, "order.refund_failed", PartiallyShipped),
    arrow(Shipped, "order.delivered", Delivered),
    arrow(Shipped, "order.refunded", Shipped),
    arrow(Shipped, "order.returned", Shipped),
    arrow(Shipped, "order.capture_failed", Shipped),
    arrow(Shipped, "order.refund_failed", Shipped),
    arrow(Delivered, "order.refunded", Delivered),
    arrow(Delivered, "order.returned", Delivered),
    arrow(Delivered, "order.capture_failed", Delivered),
    arrow(Delivered, "order.refund_failed", Delivered),
    arrow(Cancelled, "order.refunded", Cancelled),
    arrow(Cancelled, "order.paid_too_late", Cancelled),
    arrow(Cancelled, "order.refund_failed", Cancelled),
];

/// The graph as a Mermaid state diagram, as it stands in `docs/ORDERS.md`.
#[must_use]
pub fn state_graph_mermaid() -> String {
    let mut text = String::from("stateDiagram-v2\n");
    for Arrow { from, event, to } in STATE_GRAPH {
        let from = from.map_or("[*]", OrderStatus::as_str);
        text.push_str(&format!("    {from} --> {}: {event}\n", to.as_str()));
    }
    for end in [Rejected, Cancelled, Delivered] {
        text.push_str(&format!("    {} --> [*]\n", end.as_str()));
    }
    text
}
