//! Numbers in bodies. A client's 1.5, 1e308 or 2^63 is a wrong value, told with its place; never
//! a rounded number, and never a body that "cannot be read".

use crate::problem::Fault;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;

/// Any JSON number, of which only whole ones in the range of `i64` can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "Option<i64>")]
pub(crate) enum WholeNumber {
    /// A whole number, spelt as one.
    Is(i64),
    /// A number with a fraction or an exponent, or outside the range.
    IsNot,
}

impl WholeNumber {
    /// The number, or a fault at `pointer`.
    ///
    /// # Errors
    /// Not a whole number, or outside `least..=most`.
    pub(crate) fn within(
        self,
        least: i64,
        most: i64,
        pointer: impl FnOnce() -> String,
    ) -> Result<i64, Fault> {
        match self {
            Self::Is(number) if number < least => {
                Err(Fault::at(pointer(), format!("must be at least {least}")))
            }
            Self::Is(number) if number > most => {
                Err(Fault::at(pointer(), format!("must be at most {most}")))
            }
            Self::Is(number) => Ok(number),
            Self::IsNot => Err(Fault::at(
                pointer(),
                format!(
                    "must be a whole number from {least} to {most}, without fraction or exponent"
                ),
            )),
        }
    }
}

impl From<WholeNumber> for Option<i64> {
    fn from(number: WholeNumber) -> Self {
        match number {
            WholeNumber::Is(number) => Some(number),
            WholeNumber::IsNot => None,
        }
    }
}

impl<'de> Deserialize<'de> for WholeNumber {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_i64(AnyNumber)
    }
}

struct AnyNumber;

impl de::Visitor<'_> for AnyNumber {
    type Value = WholeNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_i64<E>(self, number: i64) -> Result<WholeNumber, E> {
        Ok(WholeNumber::Is(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<WholeNumber, E> {
        Ok(i64::try_from(number).map_or(WholeNumber::IsNot, WholeNumber::Is))
    }

    fn visit_f64<E>(self, _: f64) -> Result<WholeNumber, E> {
        Ok(WholeNumber::IsNot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<WholeNumber> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn only_whole_numbers_spelt_as_such_can_be_used() {
        for (json, number) in [
            ("0", 0),
            ("-1", -1),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(read(json), Some(WholeNumber::Is(number)), "{json}");
        }
        for json in ["1.5", "1.0", "1e2", "1e308", "-1e308", "9223372036854775808", "1e19"] {
            assert_eq!(read(json), Some(WholeNumber::IsNot), "{json}");
        }
        for json in ["\"1\"", "true", "null", "[1]", "{}", "NaN", "1e999"] {
            assert_eq!(read(json), None, "{json}");
        }
    }

    #[test]
    fn range_is_told() {
        let at = || "/lines/0/quantity".to_owned();
        assert_eq!(WholeNumber::Is(3).within(1, 9, at), Ok(3));
        let detail = |number: WholeNumber| number.within(1, 9, at).expect_err("a fault").detail;
        assert_eq!(detail(WholeNumber::Is(0)), "must be at least 1");
        assert_eq!(detail(WholeNumber::Is(10)), "must be at most 9");
        assert_eq!(
            detail(WholeNumber::IsNot),
            "must be a whole number from 1 to 9, without fraction or exponent"
        );
    }
}
