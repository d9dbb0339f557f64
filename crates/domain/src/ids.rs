//! Identifiers. Each is its own type, so that one cannot stand where another belongs.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Number of partitions of the event log. An order's events all lie in one partition, in order.
///
/// Fixed for the life of a database: consumers keep one position per partition. Eight is enough to
/// occupy the cores of one machine and few enough that an idle node polls little.
pub const PARTITIONS: u8 = 8;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }
    };
}

uuid_id! {
    /// Names one order; made by [`OrderId::in_partition`].
    OrderId
}
uuid_id! {
    /// Names one customer.
    CustomerId
}
uuid_id! {
    /// Names one payment attempt. The provider's idempotency key is derived from it.
    PaymentId
}
uuid_id! {
    /// Names one committed event.
    EventId
}

impl OrderId {
    /// Makes an order's id out of a fresh UUIDv7 and the hash of what identifies the request.
    ///
    /// The last byte carries the hash, so that two requests with the same idempotency key get ids
    /// of the same partition, hence the same lane: on one node they can never run side by side.
    #[must_use]
    pub fn in_partition(fresh: Uuid, request_hash: u8) -> Self {
        let mut bytes = *fresh.as_bytes();
        bytes[15] = request_hash;
        Self(Uuid::from_bytes(bytes))
    }

    /// The partition of the event log that holds this order's events: `0..PARTITIONS`.
    #[must_use]
    pub fn partition(self) -> u8 {
        self.0.as_bytes()[15] % PARTITIONS
    }
}

/// Stock keeping unit: the shop's own name of an article.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Sku(String);

/// Why a text is no SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkuError {
    /// Empty.
    #[error("a SKU may not be empty")]
    Empty,
    /// Longer than [`Sku::LENGTH_MAX`] bytes.
    #[error("a SKU has at most 64 bytes")]
    TooLong,
    /// Contains a control character, or begins or ends with a space.
    #[error("a SKU is printable text without surrounding spaces")]
    NotPrintable,
}

impl Sku {
    /// Longest SKU, in bytes of UTF-8: roomy for GTIN, supplier codes and composed codes alike.
    pub const LENGTH_MAX: usize = 64;

    /// Checks and takes a text as a SKU.
    ///
    /// # Errors
    /// See [`SkuError`].
    pub fn parse(text: impl Into<String>) -> Result<Self, SkuError> {
        let text = text.into();
        if text.is_empty() {
            return Err(SkuError::Empty);
        }
        if text.len() > Self::LENGTH_MAX {
            return Err(SkuError::TooLong);
        }
        if text.chars().any(char::is_control) || text.trim() != text {
            return Err(SkuError::NotPrintable);
        }
        Ok(Self(text))
    }

    /// The SKU as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Sku> for String {
    fn from(sku: Sku) -> Self {
        sku.0
    }
}

impl<'de> Deserialize<'de> for Sku {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl std::borrow::Borrow<str> for Sku {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sku_accepts_printable_text_only() {
        assert_eq!(Sku::parse("SKU-1").map(String::from), Ok("SKU-1".to_owned()));
        assert_eq!(Sku::parse(""), Err(SkuError::Empty));
        assert_eq!(Sku::parse("x".repeat(65)), Err(SkuError::TooLong));
        assert_eq!(Sku::parse("a\nb"), Err(SkuError::NotPrintable));
        assert_eq!(Sku::parse(" a"), Err(SkuError::NotPrintable));
    }

    #[test]
    fn same_request_hash_means_same_partition() {
        let first = OrderId::in_partition(Uuid::from_u128(u128::MAX), 13);
        let second = OrderId::in_partition(Uuid::from_u128(77), 13);
        assert_eq!(first.partition(), second.partition());
        assert_eq!(first.partition(), 13 % PARTITIONS);
        assert_ne!(first, second);
    }
}
