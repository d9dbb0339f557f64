//! A customer.

use domain::{CustomerId, Timestamp};

/// Somebody who orders.
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
    /// When they last changed.
    pub updated_at: Timestamp,
    /// Rises with each change, from 1.
    pub version: i64,
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
        let (updated_at, version) = (created_at, 1);
        Customer {
            id,
            external_ref,
            name,
            email,
            default_payment_method,
            created_at,
            updated_at,
            version,
        }
    }
}

/// What is to become of a customer; `None` leaves a thing as it is, `Some(None)` takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerChange {
    /// What people call them.
    pub name: Option<String>,
    /// Where to write to them.
    pub email: Option<Option<String>>,
    /// How they pay if an order does not say.
    pub default_payment_method: Option<Option<String>>,
}

impl CustomerChange {
    /// The customer after the change. The version is not touched.
    pub(crate) fn apply(self, mut customer: Customer) -> Customer {
        if let Some(name) = self.name {
            customer.name = name;
        }
        if let Some(email) = self.email {
            customer.email = email;
        }
        if let Some(method) = self.default_payment_method {
            customer.default_payment_method = method;
        }
        customer
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

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_change_touches_what_it_names_and_can_take_away() {
        let new = NewCustomer {
            external_ref: Some("h-1".into()),
            name: "Ada".into(),
            email: Some("a@b".into()),
            default_payment_method: Some("pm_card_visa".into()),
        };
        let before = new.into_customer(CustomerId(Uuid::from_u128(1)), Timestamp::from_micros(5));
        assert_eq!(CustomerChange::default().apply(before.clone()), before);
        let change = CustomerChange {
            name: Some("Ada L".into()),
            email: Some(None),
            default_payment_method: None,
        };
        let after = change.apply(before.clone());
        assert_eq!(after, Customer { name: "Ada L".into(), email: None, ..before });
    }
}
