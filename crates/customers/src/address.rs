//! Where a customer is to be found.

use domain::Timestamp;

/// A postal address as a client gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Who receives what is sent there.
    pub recipient: String,
    /// Street and number.
    pub line1: String,
    /// What else is needed to find it.
    pub line2: Option<String>,
    /// Town.
    pub city: String,
    /// State or province.
    pub region: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// ISO 3166-1 country code, two capitals.
    pub country: String,
}

/// An address in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedAddress {
    /// The client's name of it, such as `home`.
    pub name: String,
    /// The address.
    pub address: Address,
    /// When it was last written.
    pub updated_at: Timestamp,
}
