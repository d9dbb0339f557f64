//! What the customers' actors can be asked.

use crate::keys::KeyHash;
use crate::{Address, Created, Customer, CustomerChange, CustomersError, NewCustomer};
use crate::{Payer, Principal};
use actors::Request;
use domain::CustomerId;
use std::collections::HashMap;
use store::StoreError;
use uuid::Uuid;

/// Write these customers. Answered line by line.
pub struct Create {
    /// The customers, checked.
    pub customers: Vec<NewCustomer>,
}

impl Request for Create {
    type Answer = Result<Vec<Created>, CustomersError>;
}

/// Change a customer.
pub struct Change {
    /// Which.
    pub id: CustomerId,
    /// How.
    pub change: CustomerChange,
    /// The version that it is about; any when absent.
    pub if_match: Option<i64>,
}

impl Request for Change {
    type Answer = Result<Customer, CustomersError>;
}

/// Forget a person. Answered with the sessions that ended.
pub struct Erase {
    /// Which.
    pub id: CustomerId,
}

impl Request for Erase {
    type Answer = Result<Vec<Uuid>, CustomersError>;
}

/// Write an address of a customer.
pub struct PutAddress {
    /// Whose.
    pub id: CustomerId,
    /// The client's name of it.
    pub name: String,
    /// The address.
    pub address: Address,
}

impl Request for PutAddress {
    type Answer = Result<crate::NamedAddress, CustomersError>;
}

/// Remove an address of a customer.
pub struct RemoveAddress {
    /// Whose.
    pub id: CustomerId,
    /// The client's name of it.
    pub name: String,
}

impl Request for RemoveAddress {
    type Answer = Result<(), CustomersError>;
}

/// Read how these customers pay. Answered for those that exist.
pub struct ReadPayers {
    /// Each once.
    pub ids: Vec<CustomerId>,
}

impl Request for ReadPayers {
    type Answer = Result<HashMap<CustomerId, Payer>, StoreError>;
}

/// What somebody shows to be let in, checked as far as that needs no database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// The hash of an API key.
    Key(KeyHash),
    /// The session of an access token that was signed by us.
    Session(Uuid),
}

/// Find out whose credential this is.
pub struct Recognise {
    /// The credential.
    pub credential: Credential,
}

impl Request for Recognise {
    type Answer = Result<Option<Principal>, StoreError>;
}
