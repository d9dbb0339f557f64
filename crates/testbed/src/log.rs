//! Orders, and what happens to them, for tests of those who read the log.

use domain::{
    Confirmed, EventId, Line, OrderEvent, OrderId, PaymentId, PaymentStatus, PaymentSummary,
    Recorded, RejectReason, Rejected, Sku, Timestamp,
};
use std::collections::HashMap;
use store::{Db, outbox};
use uuid::Uuid;

/// When everything here happened.
pub const MOMENT: Timestamp = Timestamp::from_micros(1_767_323_045_678_901);

/// The order number `number`, in partition `number % PARTITIONS`.
#[must_use]
pub fn order(number: u8) -> OrderId {
    OrderId::in_partition(Uuid::from_u128(u128::from(number) << 64), number)
}

/// A line of this many units, of which nothing has left yet.
///
/// # Panics
/// `sku` is no SKU.
#[must_use]
pub fn line(sku: &str, quantity: i64) -> Line {
    Line {
        sku: Sku::parse(sku).expect("a SKU"),
        quantity,
        unit_amount: 5,
        discount_amount: 0,
        tax_amount: 0,
        amount_total: 5,
        quantity_shipped: 0,
        quantity_cancelled: 0,
        quantity_returned: 0,
        quantity_refunded: 0,
    }
}

/// An order of these lines is paid.
#[must_use]
pub fn confirmed(lines: Vec<Line>) -> OrderEvent {
    let payment = PaymentSummary {
        id: PaymentId(Uuid::from_u128(1)),
        status: PaymentStatus::Captured,
        method: "card".to_owned(),
        provider_ref: None,
        decline_code: None,
    };
    let (amount_authorized, amount_captured) = (5, 5);
    OrderEvent::Confirmed(Confirmed {
        payment,
        amount_authorized,
        amount_captured,
        customer_id: None,
        lines,
    })
}

/// An order came to nothing.
#[must_use]
pub fn rejected() -> OrderEvent {
    let reason = RejectReason::PaymentDeclined { decline_code: "none".to_owned() };
    OrderEvent::Rejected(Rejected { reason, payment: None })
}

/// Writes events to the log in one transaction. The versions of an order count from 1.
///
/// # Panics
/// The log does not take them.
pub async fn append(db: &Db, events: impl IntoIterator<Item = (OrderId, OrderEvent)>) {
    let mut versions: HashMap<OrderId, i64> = HashMap::new();
    let numbered = events.into_iter().map(|(order_id, event)| {
        let version = versions.entry(order_id).or_insert(0);
        *version += 1;
        (order_id, *version, event)
    });
    append_versions(db, numbered).await;
}

/// Writes events of these versions to the log in one transaction.
///
/// # Panics
/// The log does not take them.
pub async fn append_versions(
    db: &Db,
    events: impl IntoIterator<Item = (OrderId, i64, OrderEvent)>,
) {
    let recorded = |(order_id, version, event): (OrderId, i64, OrderEvent)| Recorded {
        id: EventId(Uuid::from_u128(
            order_id.0.as_u128() ^ (u128::from(version.unsigned_abs()) << 96),
        )),
        order_id,
        version,
        at: MOMENT,
        actor: "test".to_owned(),
        cause: "test".to_owned(),
        trace_id: "0".repeat(32),
        event,
    };
    let events: Vec<_> = events.into_iter().map(recorded).collect();
    let mut tx = db.begin().await.expect("begins");
    outbox::append(&mut tx, &events).await.expect("appends");
    tx.commit().await.expect("commits");
}
