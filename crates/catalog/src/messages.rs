//! What the catalogue's actor can be asked.

use crate::{Product, ProductChange};
use actors::Request;
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
