//! A customer.

use domain::{CustomerId, Timestamp};

/// Somebody who orders. For now a customer never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Names the customer.
    pub id: CustomerId,
    /// The client's own name of the customer; no two have the same.
    pub external_ref: Option<String>,
    /// What people call them.
    pub name: String,
    /// Where to write to them.
    pub email: Option<String>,
    /// How they pay if an order does not say: the bank's name of a payment method.
    pub default_payment_method: Option<String>,
    /// When they became known.
    pub created_at: Timestamp,
}

/// A customer to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCustomer {
    /// The client's own name of the customer.
    pub external_ref: Option<String>,
    /// What people call them.
    pub name: String,
    /// Where to write to them.
    pub email: Option<String>,
    /// How they pay if an order does not say.
    pub default_payment_method: Option<String>,
}

impl NewCustomer {
    /// Whether every text can be kept by both databases.
    pub(crate) fn can_be_kept(&self) -> bool {
        [&self.external_ref, &self.email, &self.default_payment_method]
            .into_iter()
            .flatten()
            .chain([&self.name])
            .all(|text| !text.contains('\0'))
    }

    pub(crate) fn into_customer(self, id: CustomerId, created_at: Timestamp) -> Customer {
        let Self { external_ref, name, email, default_payment_method } = self;
        Customer { id, external_ref, name, email, default_payment_method, created_at }
    }
}

/// What came of a [`NewCustomer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The customer; with `is_new == false` the one that had the reference before, unchanged.
    pub customer: Customer,
    /// Whether this line made it.
    pub is_new: bool,
}

/// What the payment service needs to know of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payer {
    /// How they pay if an order does not say.
    pub default_payment_method: Option<String>,
}
