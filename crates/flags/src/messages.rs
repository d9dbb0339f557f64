//! What the flags' actor can be asked.

use crate::Definition;
use actors::Request;
use store::StoreError;

/// Set a flag.
pub struct Put {
    /// Names it.
    pub key: String,
    /// How it is to stand, checked.
    pub definition: Definition,
    /// Who sets it.
    pub actor: String,
}

impl Request for Put {
    type Answer = Result<(), StoreError>;
}
