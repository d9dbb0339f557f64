//! Money as an integer in the currency's minor unit. No floats, and no arithmetic that can wrap.

use iso_currency::Currency;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Largest amount of one order, in minor units. Far above any basket and far below the range of
/// the integer, so that sums over millions of orders stay exact.
pub const AMOUNT_MAX_MINOR: i64 = 1_000_000_000_000;

/// An amount in the smallest unit of its currency: cents for USD, yen for JPY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Amount in minor units.
    pub minor: i64,
    /// ISO 4217 currency.
    #[serde(with = "currency_code")]
    pub currency: Currency,
}

impl Money {
    /// An amount of `minor` smallest units.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The sum; `None` if the currencies differ or the sum leaves the range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        (self.currency == other.currency)
            .then(|| self.minor.checked_add(other.minor))
            .flatten()
            .map(|minor| Self::new(minor, self.currency))
    }

    /// The difference; `None` if the currencies differ or the difference leaves the range.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        (self.currency == other.currency)
            .then(|| self.minor.checked_sub(other.minor))
            .flatten()
            .map(|minor| Self::new(minor, self.currency))
    }

    /// `quantity` times this amount; `None` if it leaves the range.
    #[must_use]
    pub fn checked_mul(self, quantity: i64) -> Option<Self> {
        self.minor.checked_mul(quantity).map(|minor| Self::new(minor, self.currency))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(self.currency.exponent().unwrap_or(0));
        let unit = 10_u64.pow(u32::try_from(digits).unwrap_or(0));
        let sign = if self.minor < 0 { "-" } else { "" };
        let minor = self.minor.unsigned_abs();
        match digits {
            0 => write!(f, "{sign}{minor} {}", self.currency.code()),
            _ => write!(
                f,
                "{sign}{}.{:0digits$} {}",
                minor / unit,
                minor % unit,
                self.currency.code()
            ),
        }
    }
}

/// Reads an ISO 4217 code in capitals; `None` if it is none.
#[must_use]
pub fn parse_currency(code: &str) -> Option<Currency> {
    (code.len() == 3).then(|| Currency::from_code(code)).flatten()
}

/// Serde form of a currency: its ISO 4217 code.
pub mod currency_code {
    use iso_currency::Currency;
    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Writes the code.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(currency: &Currency, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(currency.code())
    }

    /// Reads the code.
    ///
    /// # Errors
    /// Not a string, or no ISO 4217 code.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Currency, D::Error> {
        let code = String::deserialize(from)?;
        super::parse_currency(&code).ok_or_else(|| de::Error::custom("not an ISO 4217 code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn currencies_never_mix() {
        let dollars = Money::new(100, Currency::USD);
        let pounds = Money::new(100, Currency::GBP);
        assert_eq!(dollars.checked_add(pounds), None);
        assert_eq!(dollars.checked_sub(pounds), None);
    }

    #[test]
    fn reads_like_money() {
        assert_eq!(Money::new(177_633_557, Currency::USD).to_string(), "1776335.57 USD");
        assert_eq!(Money::new(-5, Currency::USD).to_string(), "-0.05 USD");
        assert_eq!(Money::new(500, Currency::JPY).to_string(), "500 JPY");
    }

    #[test]
    fn currency_codes_are_exact() {
        assert_eq!(parse_currency("USD"), Some(Currency::USD));
        assert_eq!(parse_currency("usd"), None);
        assert_eq!(parse_currency("US"), None);
    }

    proptest! {
        #[test]
        fn arithmetic_is_exact_or_refused(a: i64, b: i64) {
            let (x, y) = (Money::new(a, Currency::EUR), Money::new(b, Currency::EUR));
            prop_assert_eq!(x.checked_add(y).map(|m| i128::from(m.minor)), in_range(i128::from(a) + i128::from(b)));
            prop_assert_eq!(x.checked_sub(y).map(|m| i128::from(m.minor)), in_range(i128::from(a) - i128::from(b)));
            prop_assert_eq!(x.checked_mul(b).map(|m| i128::from(m.minor)), in_range(i128::from(a) * i128::from(b)));
        }
    }

    fn in_range(wide: i128) -> Option<i128> {
        i64::try_from(wide).ok().map(i128::from)
    }
}
