//! What the audit gathers before it judges.

use domain::{
    Goods, Operation, OperationKind, OperationStatus, Order, OrderId, OrderStatus, Payment,
    PaymentStatus, Sku,
};
use inventory::SkuAudit;
use std::collections::{BTreeMap, HashMap};
use store::outbox::End;

/// What the audit keeps of an order.
#[derive(Clone, Debug)]
pub(super) struct OrderFact {
    pub(super) status: OrderStatus,
    pub(super) version: i64,
    pub(super) currency: &'static str,
    pub(super) total: i64,
    pub(super) captured: i64,
    pub(super) refunded: i64,
    pub(super) held: i64,
    pub(super) payment: PaymentStatus,
    /// Whether lines and sums fit together.
    pub(super) adds_up: bool,
}

/// What the operations of an order's payment add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// Taken later than with the payment, done or to be done.
    pub(super) captured: i64,
    /// Of that, done.
    pub(super) captured_done: i64,
    /// Given back, done or to be done.
    pub(super) refunded: i64,
    /// Of that, done.
    pub(super) refunded_done: i64,
    /// Whether the provider did not let go of what it holds.
    pub(super) void_refused: bool,
}

impl Moved {
    pub(super) fn add(&mut self, operation: &Operation) {
        let amount = operation.amount.minor;
        let (all, done) = match operation.status {
            OperationStatus::Open => (amount, 0),
            OperationStatus::Done => (amount, amount),
            OperationStatus::Refused => (0, 0),
        };
        match operation.kind {
            OperationKind::Capture | OperationKind::FinalCapture => {
                self.captured += all;
                self.captured_done += done;
            }
            OperationKind::Refund => {
                self.refunded += all;
                self.refunded_done += done;
            }
            OperationKind::Void => {
                self.void_refused |= operation.status == OperationStatus::Refused;
            }
        }
    }
}

pub(super) struct Facts {
    pub(super) stock: Vec<SkuAudit>,
    pub(super) payments: HashMap<OrderId, Payment>,
    pub(super) moved: HashMap<OrderId, Moved>,
    pub(super) orders: HashMap<OrderId, OrderFact>,
    /// Units that orders hold, per SKU.
    pub(super) wanted: BTreeMap<Sku, i64>,
    pub(super) ends: HashMap<OrderId, End>,
}

impl Facts {
    pub(super) fn new(
        stock: Vec<SkuAudit>,
        payments: Vec<Payment>,
        operations: &[Operation],
    ) -> Self {
        let mut moved: HashMap<OrderId, Moved> = HashMap::new();
        for operation in operations {
            moved.entry(operation.order_id).or_default().add(operation);
        }
        let payments = payments.into_iter().map(|payment| (payment.order_id, payment)).collect();
        Self {
            stock,
            payments,
            moved,
            orders: HashMap::new(),
            wanted: BTreeMap::new(),
            ends: HashMap::new(),
        }
    }

    pub(super) fn add_order(&mut self, order: &Order) {
        let may_hold = matches!(
            order.status,
            OrderStatus::Pending | OrderStatus::Confirmed | OrderStatus::PartiallyShipped
        );
        if may_hold && order.goods == Goods::Held {
            for (sku, units) in order.open_units_by_sku() {
                *self.wanted.entry(sku).or_default() += units;
            }
        }
        let lines: i64 = order.lines.iter().map(|line| line.amount_total).sum();
        let fact = OrderFact {
            status: order.status,
            version: order.version,
            currency: order.currency.code(),
            total: order.amounts.total,
            captured: order.amounts.captured,
            refunded: order.amounts.refunded,
            held: order.amounts.authorized - order.amounts.captured,
            payment: order.payment.status,
            adds_up: order.amounts.are_sane()
                && order.lines.iter().all(domain::Line::is_sane)
                && lines == order.amounts.total
                && order.lines.iter().map(|line| line.tax_amount).sum::<i64>() == order.amounts.tax,
        };
        self.orders.insert(order.id, fact);
    }

    /// Number of orders in each state.
    pub(super) fn states(&self) -> Vec<(OrderStatus, usize)> {
        let in_state = |state| self.orders.values().filter(|order| order.status == state).count();
        OrderStatus::ALL.into_iter().map(|state| (state, in_state(state))).collect()
    }

    pub(super) fn add_end(&mut self, end: End) {
        self.ends.insert(end.order_id, end);
    }
}
