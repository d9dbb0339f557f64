//! Baskets, and a log to put them in.

use crate::{Found, Recommendations, RecommendationsConfig};
use domain::{
    Confirmed, CustomerId, EventId, Line, OrderEvent, OrderId, PARTITIONS, PaymentId,
    PaymentStatus, PaymentSummary, Sku, Timestamp,
};
use std::sync::Arc;
use std::time::Duration;
use store::outbox::Logged;
use uuid::Uuid;

/// When the first basket is bought.
pub(super) const MOMENT: Timestamp = Timestamp::from_micros(1_767_323_045_678_901);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn sku(name: &str) -> Sku {
    Sku::parse(name).expect("a SKU")
}

pub(super) fn customer(number: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(number))
}

/// The order number `number`, in partition `number % PARTITIONS`.
pub(super) fn order(number: usize) -> OrderId {
    let partition = u8::try_from(number % usize::from(PARTITIONS)).expect("small");
    OrderId::in_partition(Uuid::from_u128((number as u128) << 64), partition)
}

fn line(sku: &str) -> Line {
    Line {
        sku: Sku::parse(sku).expect("a SKU"),
        quantity: 2,
        unit_amount: 5,
        discount_amount: 0,
        tax_amount: 0,
        amount_total: 10,
        quantity_shipped: 0,
        quantity_cancelled: 0,
        quantity_returned: 0,
        quantity_refunded: 0,
    }
}

/// An order of these products is paid.
pub(super) fn confirmed(customer_id: Option<CustomerId>, skus: &[&str]) -> OrderEvent {
    let payment = PaymentSummary {
        id: PaymentId(Uuid::from_u128(1)),
        status: PaymentStatus::Captured,
        method: "card".to_owned(),
        provider_ref: None,
        decline_code: None,
    };
    OrderEvent::Confirmed(Confirmed {
        payment,
        amount_authorized: 10,
        amount_captured: 10,
        customer_id,
        lines: skus.iter().map(|name| line(name)).collect(),
    })
}

/// The event as the log has it at place `seq`.
pub(super) fn logged(seq: i64, at: Timestamp, event: &OrderEvent) -> Logged {
    let order_id = order(usize::try_from(seq).expect("a place"));
    Logged {
        partition: order_id.partition(),
        seq,
        id: EventId(order_id.0),
        order_id,
        version: 2,
        kind: event.name().to_owned(),
        at,
        actor: "test".to_owned(),
        cause: "test".to_owned(),
        trace_id: "0".repeat(32),
        data: event.data_json().expect("JSON"),
    }
}

/// Without decay and with a deadline that no test machine misses.
pub(super) fn config() -> RecommendationsConfig {
    RecommendationsConfig {
        half_life: None,
        deadline: Duration::from_secs(60),
        silence_max: Duration::from_secs(3_600),
        ..RecommendationsConfig::default()
    }
}

pub(super) fn recommendations(config: RecommendationsConfig) -> Recommendations {
    Recommendations::new(Arc::new(|_| true), config)
}

/// Names and numbers of orders.
pub(super) fn rows(found: &Found) -> Vec<(&str, u64)> {
    found.data.iter().map(|row| (row.sku.as_str(), row.orders)).collect()
}

/// Runs a test on a runtime of its own.
pub(super) fn run(test: impl Future<Output = ()>) {
    actix::System::new().block_on(test);
}
