//! What the audit gathers before it judges.

use domain::{Order, OrderId, OrderStatus, Payment, PaymentStatus, Sku};
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
    pub(super) payment: PaymentStatus,
    /// Whether lines and sums fit together.
    pub(super) adds_up: bool,
}

pub(super) struct Facts {
    pub(super) stock: Vec<SkuAudit>,
    pub(super) payments: HashMap<OrderId, Payment>,
    pub(super) orders: HashMap<OrderId, OrderFact>,
    /// Units that orders hold, per SKU.
    pub(super) wanted: BTreeMap<Sku, i64>,
    pub(super) ends: HashMap<OrderId, End>,
}

impl Facts {
    pub(super) fn new(stock: Vec<SkuAudit>, payments: Vec<Payment>) -> Self {
        let payments = payments.into_iter().map(|payment| (payment.order_id, payment)).collect();
        Self {
            stock,
            payments,
            orders: HashMap::new(),
            wanted: BTreeMap::new(),
            ends: HashMap::new(),
        }
    }

    pub(super) fn add_order(&mut self, order: &Order) {
        if matches!(order.status, OrderStatus::Pending | OrderStatus::Confirmed) {
            for (sku, units) in order.units_by_sku() {
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
            payment: order.payment.status,
            adds_up: order.amounts.are_sane() && lines + order.amounts.tax == order.amounts.total,
        };
        self.orders.insert(order.id, fact);
    }

    pub(super) fn add_end(&mut self, end: End) {
        self.ends.insert(end.order_id, end);
    }
}
