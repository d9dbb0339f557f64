//! Customers.

use customers::Customer;
use domain::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

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
