//! The order after one more event: its row is the fold of its events (INV-FOLD).

use super::{Capture, Goods, Line, LineUnits, Order, OrderStatus};
use crate::Timestamp;
use crate::event::{Cancelled, Confirmed, OrderEvent, RemainderCancelled};

impl Order {
    /// This order after one more event. A second `Placed` leaves it as it is: [`super::decide()`]
    /// never makes one.
    #[must_use]
    pub fn after(mut self, event: &OrderEvent, at: Timestamp) -> Self {
        if matches!(event, OrderEvent::Placed(_)) {
            return self;
        }
        self.apply(event);
        self.version += 1;
        self.updated_at = at;
        self
    }

    fn apply(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::Placed(_) => {}
            OrderEvent::Confirmed(data) => self.confirm(data),
            OrderEvent::Rejected(data) => {
                self.end(OrderStatus::Rejected);
                if let Some(payment) = &data.payment {
                    self.payment = payment.clone();
                }
            }
            OrderEvent::CancelRequested(data) => self.cancel_requested = Some(data.reason.clone()),
            OrderEvent::GoodsReleased(_) => self.goods = Goods::Free,
            OrderEvent::Cancelled(data) => self.cancel(data),
            OrderEvent::RemainderCancelled(data) => self.cancel_remainder(data),
            OrderEvent::Shipped(data) => {
                self.each(&data.lines, |line, units| line.quantity_shipped += units);
                self.amounts.captured += data.amount_captured;
                self.status = OrderStatus::PartiallyShipped;
                if data.is_last {
                    self.status = OrderStatus::Shipped;
                    self.goods = Goods::Free;
                }
            }
            OrderEvent::Delivered(_) => self.status = OrderStatus::Delivered,
            OrderEvent::Refunded(data) => {
                self.each(&data.lines, |line, units| line.quantity_refunded += units);
                self.amounts.refunded += data.amount;
            }
            OrderEvent::Returned(data) => {
                let capture = self.capture;
                self.each(&data.lines, |line, units| {
                    line.quantity_refunded += line.refunded_by_returning(units, capture);
                    line.quantity_returned += units;
                });
                self.amounts.refunded += data.amount_refunded;
            }
            OrderEvent::CaptureFailed(data) => {
                // Nobody paid for these units: when they come back, nothing is given back.
                self.each(&data.lines, |line, units| {
                    let unpaid = (line.quantity_refunded + units).min(line.quantity_shipped);
                    line.quantity_refunded = unpaid.max(line.quantity_refunded);
                });
                self.amounts.captured -= data.amount;
                // What was held besides is let go with it.
                self.amounts.authorized = self.amounts.captured;
            }
            OrderEvent::RefundFailed(data) => {
                self.each(&data.lines, |line, units| line.quantity_refunded -= units);
                self.amounts.refunded -= data.amount;
            }
            OrderEvent::PaidTooLate(data) => {
                self.payment = data.payment.clone();
                self.amounts.authorized = data.amount_captured;
                self.amounts.captured = data.amount_captured;
                self.amounts.refunded = data.amount_refunded;
            }
        }
    }

    fn confirm(&mut self, data: &Confirmed) {
        self.status = OrderStatus::Confirmed;
        self.goods = Goods::Held;
        self.payment = data.payment.clone();
        self.amounts.authorized = data.amount_authorized;
        self.amounts.captured = data.amount_captured;
    }

    fn cancel(&mut self, data: &Cancelled) {
        self.end(OrderStatus::Cancelled);
        self.cancel_requested = Some(data.reason.clone());
        if let Some(payment) = &data.payment {
            self.payment = payment.clone();
        }
        self.amounts.captured = data.amount_captured;
        self.amounts.authorized = data.amount_captured;
        self.amounts.refunded += data.amount_refunded;
        for line in &mut self.lines {
            line.quantity_cancelled = line.quantity - line.quantity_shipped;
        }
    }

    fn cancel_remainder(&mut self, data: &RemainderCancelled) {
        self.status = OrderStatus::Shipped;
        self.goods = Goods::Free;
        let is_taken = self.capture == Capture::Automatic;
        self.each(&data.lines, |line, units| {
            if is_taken {
                line.quantity_refunded += line.refunded_by_cancelling(units);
            }
            line.quantity_cancelled += units;
        });
        if !is_taken {
            self.amounts.authorized = self.amounts.captured;
        }
        self.amounts.refunded += data.amount_refunded;
    }

    fn end(&mut self, status: OrderStatus) {
        self.status = status;
        self.goods = Goods::Free;
    }

    fn each(&mut self, parts: &[LineUnits], change: impl Fn(&mut Line, i64)) {
        for part in parts {
            if let Some(line) = self.lines.get_mut(part.line) {
                change(line, part.quantity);
            }
        }
    }
}
