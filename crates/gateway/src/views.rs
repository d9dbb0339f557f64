//! How things are told to clients. Every member is always there; what is not known is `null`.

use crate::problem::Fault;
use customers::Customer;
use domain::{Line, Order, Payment, PaymentSummary, Timestamp};
use inventory::StockView as Level;
use recommendations::Recommendation;
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
    /// What could not be done as usual while the order was placed.
    degraded: &'a [&'static str],
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
    /// quantity × unit_amount − discount_amount.
    amount_total: i64,
    quantity_shipped: i64,
    quantity_cancelled: i64,
    quantity_returned: i64,
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
            degraded,
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

/// A product of the catalogue.
#[derive(Serialize, ToSchema)]
#[schema(as = Product)]
pub(crate) struct ProductView<'a> {
    sku: &'a str,
    name: &'a str,
    category: &'a str,
    /// Price of one unit, in minor units.
    unit_amount: i64,
    /// ISO 4217 currency.
    currency: &'static str,
    /// Whether it can be ordered.
    active: bool,
    /// Rises with every change of any product.
    revision: i64,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl<'a> From<&'a catalog::Product> for ProductView<'a> {
    fn from(product: &'a catalog::Product) -> Self {
        Self {
            sku: product.sku.as_str(),
            name: &product.name,
            category: &product.category,
            unit_amount: product.unit_amount,
            currency: product.currency.code(),
            active: product.active,
            revision: product.revision,
            updated_at: product.updated_at,
        }
    }
}

/// The stock of a SKU. `available = on_hand − reserved`, never negative.
#[derive(Serialize, ToSchema)]
#[schema(as = Stock)]
pub(crate) struct StockView<'a> {
    sku: &'a str,
    /// Units on the shelf.
    on_hand: i64,
    /// Units of those promised to orders.
    reserved: i64,
    /// Units that can still be promised.
    available: i64,
    /// Rises with every change.
    version: i64,
}

impl<'a> From<&'a Level> for StockView<'a> {
    fn from(level: &'a Level) -> Self {
        let Level { sku, on_hand, reserved, available, version } = level;
        Self {
            sku: sku.as_str(),
            on_hand: *on_hand,
            reserved: *reserved,
            available: *available,
            version: *version,
        }
    }
}

/// A customer.
#[derive(Serialize, ToSchema)]
#[schema(as = Customer)]
pub(crate) struct CustomerView<'a> {
    id: Uuid,
    /// The client's own name of the customer; no two customers share one.
    external_ref: Option<&'a str>,
    name: &'a str,
    email: Option<&'a str>,
    /// Used for orders that name no payment method.
    default_payment_method: Option<&'a str>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl<'a> From<&'a Customer> for CustomerView<'a> {
    fn from(customer: &'a Customer) -> Self {
        Self {
            id: customer.id.0,
            external_ref: customer.external_ref.as_deref(),
            name: &customer.name,
            email: customer.email.as_deref(),
            default_payment_method: customer.default_payment_method.as_deref(),
            created_at: customer.created_at,
        }
    }
}

/// A payment attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = Payment)]
pub(crate) struct PaymentView<'a> {
    id: Uuid,
    order_id: Uuid,
    /// In minor units.
    amount: i64,
    currency: &'static str,
    /// automatic or manual.
    capture: &'static str,
    method: &'a str,
    /// sending, authorized, captured, declined or not_needed.
    status: &'static str,
    provider_ref: Option<&'a str>,
    decline_code: Option<&'a str>,
}

impl<'a> From<&'a Payment> for PaymentView<'a> {
    fn from(payment: &'a Payment) -> Self {
        Self {
            id: payment.id.0,
            order_id: payment.order_id.0,
            amount: payment.amount.minor,
            currency: payment.amount.currency.code(),
            capture: payment.capture.as_str(),
            method: &payment.method,
            status: payment.status.as_str(),
            provider_ref: payment.provider_ref.as_deref(),
            decline_code: payment.decline_code.as_deref(),
        }
    }
}

/// A product that is often bought together with another.
#[derive(Serialize, ToSchema)]
#[schema(as = Recommendation)]
pub(crate) struct RecommendationView {
    sku: String,
    /// How much more often than by chance (lift); above 1 means together.
    score: f64,
}

impl From<Recommendation> for RecommendationView {
    fn from(found: Recommendation) -> Self {
        Self { sku: found.sku.into(), score: found.score }
    }
}

/// An error (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The stable name of the kind of problem.
    #[serde(rename = "type")]
    #[schema(examples("urn:orderly:problem:out-of-stock"))]
    kind: String,
    title: String,
    status: u16,
    /// The stable code, for programs.
    #[schema(examples("OUT_OF_STOCK"))]
    code: String,
    /// What happened, for people.
    message: String,
    /// More about it; depends on the code.
    #[schema(value_type = Object)]
    details: Value,
    /// The trace, for support.
    trace_id: String,
    /// Whether the very same request may succeed when it is sent again.
    retryable: bool,
    /// The places in the body that are wrong.
    #[schema(required = false)]
    errors: Vec<Fault>,
}

macro_rules! page_schema {
    ($($name:ident of $row:ty as $schema:ident, $what:literal;)*) => {$(
        #[doc = concat!("A page of ", $what, ".")]
        #[derive(ToSchema)]
        #[schema(as = $schema)]
        #[expect(dead_code, reason = "describes Page for the OpenAPI document")]
        pub(crate) struct $name {
            /// The rows of this page.
            data: Vec<$row>,
            /// Whether there are more.
            has_more: bool,
            /// The cursor of the next page; `null` at the end.
            next_cursor: Option<String>,
        }
    )*};
}

page_schema! {
    OrderPage of OrderView<'static> as OrderPage, "orders";
    ProductPage of ProductView<'static> as ProductPage, "products";
    StockPage of StockView<'static> as StockPage, "stock";
    CustomerPage of CustomerView<'static> as CustomerPage, "customers";
}

/// The timeline of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = EventList)]
pub(crate) struct EventList<'a> {
    /// By version.
    pub(crate) data: Vec<EventView<'a>>,
}

/// What is bought together with a product.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecommendationList {
    /// Most frequent first.
    pub(crate) data: Vec<RecommendationView>,
    /// Recommendations could not be read; `data` is empty for that reason.
    pub(crate) degraded: bool,
}

/// The result of the audit.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes orders::AuditReport for the OpenAPI document")]
pub(crate) struct Audit {
    /// Whether every check is ok.
    balanced: bool,
    checks: Vec<AuditCheck>,
}

/// One check of the audit.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes orders::AuditReport for the OpenAPI document")]
pub(crate) struct AuditCheck {
    name: String,
    ok: bool,
    /// How many things were looked at.
    checked: i64,
    /// What is wrong, the first of them.
    #[schema(value_type = Vec<Object>)]
    violations: Vec<Value>,
    /// Sums that were compared, by currency.
    #[schema(value_type = Object, required = false)]
    figures: Value,
}
