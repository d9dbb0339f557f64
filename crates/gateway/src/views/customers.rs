//! Customers, and whoever signs in.

use customers::{Account, Customer, Grant, Kind, NamedAddress, Principal, Role};
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
    /// When they last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Rises with each change, from 1; it is the entity tag.
    version: i64,
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
            updated_at: customer.updated_at,
            version: customer.version,
        }
    }
}

/// An address of a customer.
#[derive(Serialize, ToSchema)]
#[schema(as = Address)]
pub(crate) struct AddressView<'a> {
    /// The client's name of it.
    #[schema(examples("home"))]
    name: &'a str,
    recipient: &'a str,
    line1: &'a str,
    line2: Option<&'a str>,
    city: &'a str,
    region: Option<&'a str>,
    postal_code: Option<&'a str>,
    /// ISO 3166-1, two capitals.
    #[schema(examples("GB"))]
    country: &'a str,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl<'a> From<&'a NamedAddress> for AddressView<'a> {
    fn from(named: &'a NamedAddress) -> Self {
        let NamedAddress { name, address, updated_at } = named;
        Self {
            name,
            recipient: &address.recipient,
            line1: &address.line1,
            line2: address.line2.as_deref(),
            city: &address.city,
            region: address.region.as_deref(),
            postal_code: address.postal_code.as_deref(),
            country: &address.country,
            updated_at: *updated_at,
        }
    }
}

/// The addresses of a customer, by name.
#[derive(Serialize, ToSchema)]
pub(crate) struct AddressList<'a> {
    pub(crate) data: Vec<AddressView<'a>>,
}

/// An account, without its password.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountView<'a> {
    id: Uuid,
    /// With what they sign in.
    #[schema(examples("ops@shop.example"))]
    email: &'a str,
    /// `customer`, `operator` or `admin`.
    role: &'static str,
    /// Which customer they are; exactly with the role `customer`.
    customer_id: Option<Uuid>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl<'a> From<&'a Account> for AccountView<'a> {
    fn from(account: &'a Account) -> Self {
        Self {
            id: account.id,
            email: account.email.as_str(),
            role: account.role.as_str(),
            customer_id: account.customer_id.map(|id| id.0),
            created_at: account.created_at,
        }
    }
}

/// What somebody gets who signs in (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenGrant {
    /// To be sent as `Authorization: Bearer <access_token>`.
    pub(crate) access_token: String,
    /// `Bearer`
    pub(crate) token_type: &'static str,
    /// Seconds for which the access token is good.
    pub(crate) expires_in: i64,
    /// To be changed for the next grant, once.
    pub(crate) refresh_token: String,
    /// When there will be no next grant, however often this one is changed.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) session_expires_at: Timestamp,
}

impl From<Grant> for TokenGrant {
    fn from(grant: Grant) -> Self {
        Self {
            access_token: grant.access_token,
            token_type: "Bearer",
            expires_in: grant.expires_in,
            refresh_token: grant.refresh_token,
            session_expires_at: grant.session_expires_at,
        }
    }
}

/// Who makes the request.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    /// The id of the key or account.
    id: Uuid,
    /// `key`, `customer`, `operator` or `admin`.
    kind: &'static str,
    /// What people call it: the name of the key, or the role.
    name: String,
    /// Which customer they are.
    customer_id: Option<Uuid>,
    /// What they may do. Customers have none: what they may do is theirs alone.
    #[schema(examples(json!(["orders:read", "orders:write"])))]
    scopes: Vec<String>,
}

impl From<&Principal> for Me {
    fn from(principal: &Principal) -> Self {
        let (kind, customer_id) = match principal.kind {
            Kind::Guest => ("guest", None),
            Kind::Key => ("key", None),
            Kind::Staff(role) => (role.as_str(), None),
            Kind::Customer(id) => (Role::Customer.as_str(), Some(id.0)),
        };
        let (id, name) = (principal.id, principal.name.to_string());
        Self { id, kind, name, customer_id, scopes: principal.scopes.names() }
    }
}
