//! Orders and their timelines.

use domain::{Line, Order, PaymentSummary, Pricing, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use store::outbox::Logged;
use utoipa::ToSchema;
use uuid::Uuid;

/// An order.
#[derive(Serialize, ToSchema)]
#[schema(as = Order)]
pub(crate) struct OrderView<'a> {
    /// Names it.
    id: Uuid,
    /// The client's own name of it.
    external_ref: Option<&'a str>,
    /// Who ordered.
    customer_id: Option<Uuid>,
    /// pending, confirmed, partially_shipped, shipped, delivered, rejected or cancelled.
    #[schema(examples("confirmed"))]
    status: &'static str,
    /// ISO 4217 currency of every amount.
    #[schema(examples("USD"))]
    currency: &'static str,
    /// Σ quantity × unit_amount, in minor units.
    amount_subtotal: i64,
    /// Σ discount_amount, in minor units.
    amount_discount: i64,
    /// Taxes, in minor units.
    amount_tax: i64,
    /// subtotal − discount + tax, in minor units.
    amount_total: i64,
    /// Money held or taken, in minor units.
    amount_authorized: i64,
    /// Money taken, in minor units.
    amount_captured: i64,
    /// Money given back, in minor units.
    amount_refunded: i64,
    /// What was ordered.
    lines: Vec<LineView<'a>>,
    /// How it is paid.
    payment: PaymentSummaryView<'a>,
    /// The client's own data.
    #[schema(value_type = Object)]
    metadata: &'a Map<String, Value>,
    /// How the order was priced, if not simply by price and quantity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    pricing: Option<PricingView<'a>>,
    /// What could not be done as usual while the order was placed: `payment`, `pricing`.
    degraded: Vec<&'static str>,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Number of its events so far.
    version: i64,
}

/// A line of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderLine)]
pub(crate) struct LineView<'a> {
    sku: &'a str,
    quantity: i64,
    /// Price of one unit, in minor units.
    unit_amount: i64,
    /// Taken off the whole line, in minor units.
    discount_amount: i64,
    /// Tax added to the line, in minor units; absent where there is none.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    tax_amount: i64,
    /// quantity × unit_amount − discount_amount + tax_amount.
    amount_total: i64,
    quantity_shipped: i64,
    quantity_cancelled: i64,
    quantity_returned: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// How an order was priced.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderPricing)]
pub(crate) struct PricingView<'a> {
    /// The engine that worked its price out.
    #[schema(examples("promotional"))]
    engine: &'a str,
    /// Promotions that took something off, in their order.
    promotions: &'a [String],
    /// Coupons that it uses.
    coupons: &'a [String],
    /// Whose taxes it bears.
    jurisdiction: Option<&'a str>,
}

impl<'a> From<&'a Pricing> for PricingView<'a> {
    fn from(pricing: &'a Pricing) -> Self {
        Self {
            engine: &pricing.engine,
            promotions: &pricing.promotions,
            coupons: &pricing.coupons,
            jurisdiction: pricing.jurisdiction.as_deref(),
        }
    }
}

/// What an order knows of its payment.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderPayment)]
pub(crate) struct PaymentSummaryView<'a> {
    id: Uuid,
    /// sending, authorized, captured, declined or not_needed.
    #[schema(examples("captured"))]
    status: &'static str,
    #[schema(examples("pm_card_visa"))]
    method: &'a str,
    /// The provider's name of the payment.
    provider_ref: Option<&'a str>,
    /// Why the provider refused.
    decline_code: Option<&'a str>,
}

impl<'a> OrderView<'a> {
    pub(crate) fn new(order: &'a Order, degraded: &'a [&'static str]) -> Self {
        let amounts = &order.amounts;
        let is_degraded = order.pricing.as_ref().is_some_and(|pricing| pricing.degraded);
        let pricing_degraded = is_degraded.then_some("pricing");
        Self {
            id: order.id.0,
            external_ref: order.external_ref.as_deref(),
            customer_id: order.customer_id.map(|id| id.0),
            status: order.status.as_str(),
            currency: order.currency.code(),
            amount_subtotal: amounts.subtotal,
            amount_discount: amounts.discount,
            amount_tax: amounts.tax,
            amount_total: amounts.total,
            amount_authorized: amounts.authorized,
            amount_captured: amounts.captured,
            amount_refunded: amounts.refunded,
            lines: order.lines.iter().map(LineView::from).collect(),
            payment: PaymentSummaryView::from(&order.payment),
            metadata: &order.metadata,
            pricing: order.pricing.as_deref().map(PricingView::from),
            degraded: degraded.iter().copied().chain(pricing_degraded).collect(),
            created_at: order.created_at,
            updated_at: order.updated_at,
            version: order.version,
        }
    }
}

impl<'a> From<&'a Order> for OrderView<'a> {
    fn from(order: &'a Order) -> Self {
        Self::new(order, &[])
    }
}

impl<'a> From<&'a Line> for LineView<'a> {
    fn from(line: &'a Line) -> Self {
        Self {
            sku: line.sku.as_str(),
            quantity: line.quantity,
            unit_amount: line.unit_amount,
            discount_amount: line.discount_amount,
            tax_amount: line.tax_amount,
            amount_total: line.amount_total,
            quantity_shipped: line.quantity_shipped,
            quantity_cancelled: line.quantity_cancelled,
            quantity_returned: line.quantity_returned,
        }
    }
}

impl<'a> From<&'a PaymentSummary> for PaymentSummaryView<'a> {
    fn from(payment: &'a PaymentSummary) -> Self {
        Self {
            id: payment.id.0,
            status: payment.status.as_str(),
            method: &payment.method,
            provider_ref: payment.provider_ref.as_deref(),
            decline_code: payment.decline_code.as_deref(),
        }
    }
}

/// An event of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventView<'a> {
    id: Uuid,
    /// The order's version after it: 1, 2, 3 …
    version: i64,
    #[serde(rename = "type")]
    #[schema(examples("order.placed"))]
    kind: &'a str,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who caused it.
    actor: &'a str,
    /// What caused it.
    cause: &'a str,
    /// The trace of the request that caused it.
    trace_id: &'a str,
    /// What it tells; depends on the type.
    #[schema(value_type = Object)]
    data: Value,
}

impl<'a> From<&'a Logged> for EventView<'a> {
    fn from(event: &'a Logged) -> Self {
        Self {
            id: event.id.0,
            version: event.version,
            kind: &event.kind,
            at: event.at,
            actor: &event.actor,
            cause: &event.cause,
            trace_id: &event.trace_id,
            // The column holds JSON; a row damaged by hand is shown as `null`.
            data: serde_json::from_str(&event.data).unwrap_or_default(),
        }
    }
}

/// The timeline of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = EventList)]
pub(crate) struct EventList<'a> {
    /// By version.
    pub(crate) data: Vec<EventView<'a>>,
}
