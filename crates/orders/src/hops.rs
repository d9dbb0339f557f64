//! Tells traces which transaction wrote which events of an order.

use domain::OrderId;
use tracing::Span;

/// The transaction of a batch is committed: in it these events of an order were written, for whom
/// `request` is the span. The span of the batch must be current.
pub(crate) fn written(
    request: &Span,
    transaction: &'static str,
    order: OrderId,
    events: &[(i64, &'static str)],
) {
    let order_id = order.0.as_u128();
    tracing::info!(
        name: "transaction",
        target: "hop",
        parent: request,
        label = transaction,
        batched = true,
        order_id,
    );
    for (version, kind) in events {
        let version = *version;
        tracing::info!(
            name: "event",
            target: "hop",
            parent: request,
            label = kind,
            batched = true,
            order_id,
            version,
        );
    }
}
