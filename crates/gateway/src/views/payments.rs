//! Payments.

use domain::{Operation, Payment};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A payment attempt, and what was done with it since.
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
    /// Captures, voids and refunds, in the order in which they are done.
    operations: Vec<OperationView<'a>>,
}

/// Something that is to be done with a payment.
#[derive(Serialize, ToSchema)]
#[schema(as = PaymentOperation)]
pub(crate) struct OperationView<'a> {
    /// The order's version of the event that asks for it.
    version: i64,
    /// capture, final_capture, void or refund.
    #[schema(examples("refund"))]
    kind: &'static str,
    /// In minor units; 0 for a void.
    amount: i64,
    /// open, done or refused.
    #[schema(examples("done"))]
    status: &'static str,
    /// The provider's name of what it did.
    provider_ref: Option<&'a str>,
    /// Why the provider refused.
    refusal_code: Option<&'a str>,
}

impl<'a> PaymentView<'a> {
    pub(crate) fn new(payment: &'a Payment, operations: &'a [Operation]) -> Self {
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
            operations: operations.iter().map(OperationView::from).collect(),
        }
    }
}

impl<'a> From<&'a Operation> for OperationView<'a> {
    fn from(operation: &'a Operation) -> Self {
        Self {
            version: operation.leg,
            kind: operation.kind.as_str(),
            amount: operation.amount.minor,
            status: operation.status.as_str(),
            provider_ref: operation.provider_ref.as_deref(),
            refusal_code: operation.refusal_code.as_deref(),
        }
    }
}

/// An event of the payment provider, as far as it is read. It may have other members.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what payments reads for the OpenAPI document")]
pub(crate) struct ProviderEvent {
    /// The provider's name of the event; the same event counts once.
    id: String,
    #[schema(examples("payment_intent.succeeded"))]
    #[schema(rename = "type")]
    kind: String,
    data: ProviderEventData,
}

/// What an event of the payment provider is about.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what payments reads for the OpenAPI document")]
pub(crate) struct ProviderEventData {
    object: ProviderEventObject,
}

/// A payment or a refund, as the provider sees it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what payments reads for the OpenAPI document")]
pub(crate) struct ProviderEventObject {
    metadata: Option<ProviderEventMetadata>,
}

/// What we gave the provider to keep with it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what payments reads for the OpenAPI document")]
pub(crate) struct ProviderEventMetadata {
    /// The order to look into; what is no id of an order is ignored.
    order_id: Option<String>,
}

/// Nothing to tell.
#[derive(ToSchema)]
pub(crate) struct Nothing {}
