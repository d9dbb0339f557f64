//! What a service would otherwise take from its surroundings: the time and fresh identifiers.

use crate::Timestamp;
use uuid::Uuid;

/// The wall clock, as a parameter.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The source of fresh identifiers, as a parameter.
pub trait IdSource: Send + Sync {
    /// A new UUIDv7, never given out before.
    fn uuid(&self) -> Uuid;
}
