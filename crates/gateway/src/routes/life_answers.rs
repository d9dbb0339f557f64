//! What became of a step of an order's life, as it is told: made once, kept by idempotency key,
//! sent byte for byte for ever.

use super::answers::{etag, json};
use crate::problem::{Code, ProblemBody};
use crate::views::{
    OrderView, RefundView, RefundedView, ReturnView, ReturnedView, ShipmentView, ShippedView,
};
use domain::{Line, Order, OrderEvent, PartRequest, Refusal};
use orders::{AskKind, LifeOutcome};
use serde_json::{Map, Value};
use store::answers::Answer;

/// How the outcome of a step is told to the client that asked for it. Pure: the answer is stored
/// in the transaction that makes it true, and replayed byte for byte.
#[must_use]
pub fn render_life_answer(
    kind: AskKind,
    order: &Order,
    outcome: &LifeOutcome<'_>,
    trace_id: &str,
) -> Answer {
    match outcome {
        LifeOutcome::Done(event) => done(order, event),
        // What the client wants is under way already: the answer is that of whoever came first.
        LifeOutcome::Refused(Refusal::CancelPending) => told(202, order, plain(order)),
        LifeOutcome::Refused(refusal) => refused(kind, order, refusal, trace_id),
    }
}

fn done(order: &Order, event: &OrderEvent) -> Answer {
    let version = order.version;
    let view = OrderView::from(order);
    let (status, body) = match event {
        OrderEvent::Shipped(event) => {
            let shipment = ShipmentView::new(version, event);
            (201, json(&ShippedView { order: view, shipment }))
        }
        OrderEvent::Refunded(event) => {
            let refund = RefundView::new(version, event);
            (201, json(&RefundedView { order: view, refund }))
        }
        OrderEvent::Returned(event) => {
            let taken_back = ReturnView::new(version, event);
            (201, json(&ReturnedView { order: view, taken_back }))
        }
        OrderEvent::CancelRequested(_) => (202, json(&view)),
        OrderEvent::Cancelled(_)
        | OrderEvent::RemainderCancelled(_)
        | OrderEvent::Delivered(_)
        // No step of a client's leads to these.
        | OrderEvent::Placed(_)
        | OrderEvent::Confirmed(_)
        | OrderEvent::Rejected(_)
        | OrderEvent::GoodsReleased(_)
        | OrderEvent::CaptureFailed(_)
        | OrderEvent::RefundFailed(_)
        | OrderEvent::PaidTooLate(_) => (200, json(&view)),
    };
    told(status, order, body)
}

fn plain(order: &Order) -> String {
    json(&OrderView::from(order))
}

fn told(status: u16, order: &Order, body: String) -> Answer {
    let location = Some(format!("/v1/orders/{}", order.id));
    Answer { status, location, etag: Some(etag(order.version)), body }
}

/// A refusal as it is told: one code and one sentence for each.
struct Told {
    code: Code,
    message: String,
    details: Map<String, Value>,
}

fn refused(kind: AskKind, order: &Order, refusal: &Refusal, trace_id: &str) -> Answer {
    let Told { code, message, mut details } = tell(kind, order, refusal);
    details.insert("order_id".to_owned(), order.id.to_string().into());
    details.insert("status".to_owned(), order.status.as_str().into());
    let body = ProblemBody::new(code, &message, details, trace_id).json();
    Answer { status: code.status(), location: None, etag: Some(etag(order.version)), body }
}

fn tell(kind: AskKind, order: &Order, refusal: &Refusal) -> Told {
    let status = order.status.as_str();
    let only = |code, message: String| Told { code, message, details: Map::new() };
    match refusal {
        Refusal::WrongStatus(_) if kind == AskKind::Cancel => {
            let message = format!("An order that is {status} cannot be cancelled.");
            only(Code::OrderNotCancellable, message)
        }
        Refusal::NothingToShip(part) => {
            let left = left_of(order, part, Line::units_open);
            let message = format!("Of {} only {left} units are left to ship.", part.sku);
            Told { code: Code::NothingToShip, message, details: short_of(part, left) }
        }
        Refusal::AllShipped => {
            only(Code::NothingToShip, "No units of the order are left to ship.".to_owned())
        }
        Refusal::NothingToReturn(part) => {
            let left = left_of(order, part, |line| line.quantity_shipped - line.quantity_returned);
            let message = format!("Of {} only {left} units can come back.", part.sku);
            Told { code: Code::NothingToReturn, message, details: short_of(part, left) }
        }
        Refusal::AllReturned => {
            only(Code::NothingToReturn, "No units of the order can come back.".to_owned())
        }
        Refusal::RefundExceedsCaptured { .. } => {
            let left = order.amounts.captured - order.amounts.refunded;
            let message = format!("At most {left} of what was captured can be refunded.");
            let details = Map::from_iter([("left".to_owned(), left.into())]);
            Told { code: Code::RefundExceedsCaptured, message, details }
        }
        Refusal::NotHeld => {
            only(Code::MoneyNotHeld, "The money for these units is not held any more.".to_owned())
        }
        Refusal::WrongStatus(_)
        | Refusal::NotFree
        | Refusal::PaymentUnknown(_)
        | Refusal::PaymentMismatch
        | Refusal::CancelPending
        | Refusal::MovedOn => {
            only(Code::InvalidState, format!("An order that is {status} does not allow this."))
        }
    }
}

/// Units of the SKU over all lines.
fn left_of(order: &Order, part: &PartRequest, count: impl Fn(&Line) -> i64) -> i64 {
    order.lines.iter().filter(|line| line.sku == part.sku).map(count).sum()
}

fn short_of(part: &PartRequest, left: i64) -> Map<String, Value> {
    Map::from_iter([
        ("sku".to_owned(), part.sku.as_str().into()),
        ("requested".to_owned(), part.quantity.into()),
        ("left".to_owned(), left.into()),
    ])
}

#[cfg(test)]
#[path = "life_answers_tests.rs"]
mod tests;
