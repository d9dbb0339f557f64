//! What the customers' actors can be asked.

use crate::keys::KeyHash;
use crate::{Created, NewCustomer, Payer, Principal};
use actors::Request;
use domain::CustomerId;
use std::collections::HashMap;
use store::StoreError;

/// Write these customers. Answered line by line.
pub struct Create {
    /// The customers, checked.
    pub customers: Vec<NewCustomer>,
}

impl Request for Create {
    type Answer = Result<Vec<Created>, StoreError>;
}

/// Read how these customers pay. Answered for those that exist.
pub struct ReadPayers {
    /// Each once.
    pub ids: Vec<CustomerId>,
}

impl Request for ReadPayers {
    type Answer = Result<HashMap<CustomerId, Payer>, StoreError>;
}

/// Find out whose key this is.
pub struct Recognise {
    /// The key's hash.
    pub hash: KeyHash,
}

impl Request for Recognise {
    type Answer = Result<Option<Principal>, StoreError>;
}
