//! What the catalogue's actor can be asked.

use crate::{PriceChange, Product, ProductChange, Rule};
use actors::Request;
use pricing::Flaw;
use std::sync::Arc;
use store::StoreError;

/// Write these changes, each of another SKU. Answered with the resulting products, in any order.
pub struct Put {
    /// The changes, checked.
    pub changes: Vec<ProductChange>,
}

impl Request for Put {
    type Answer = Result<Vec<Arc<Product>>, StoreError>;
}

/// Bring the snapshot up to date.
pub struct Refresh;

impl Request for Refresh {
    type Answer = Result<(), StoreError>;
}

/// Write a rule, unless what it refers to does not exist. Answered with what is wrong, if anything.
pub struct PutRule {
    /// Names it among those of its kind.
    pub id: String,
    /// The rule, checked by itself.
    pub rule: Rule,
}

impl Request for PutRule {
    type Answer = Result<Vec<Flaw>, StoreError>;
}

/// Write prices of a list, each of another SKU. Answered with whether there is such a list.
pub struct PutPrices {
    /// The list.
    pub list: String,
    /// The prices, checked.
    pub changes: Vec<PriceChange>,
}

impl Request for PutPrices {
    type Answer = Result<bool, StoreError>;
}
