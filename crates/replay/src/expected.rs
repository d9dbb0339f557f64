//! The figures a file of orders must come to, as its author wrote them down.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Sums over a set of orders. Amounts are in minor units.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Orders.
    pub orders: u64,
    /// Order lines.
    pub lines: u64,
    /// Units over all lines.
    pub units: u64,
    /// Σ quantity × unit price.
    pub gross_minor: i64,
    /// Σ discounts.
    pub discount_minor: i64,
    /// Gross less discounts: what customers pay.
    pub total_minor: i64,
    /// Distinct customers.
    pub customers: u64,
    /// Distinct SKUs.
    pub skus: u64,
}

/// The content of an `expected.json`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Expected {
    /// After all orders of the file.
    pub totals: Totals,
    /// After the first N orders, by N.
    #[serde(default)]
    pub after_first_n_orders: BTreeMap<String, Totals>,
    /// Of the file of returns.
    #[serde(default)]
    pub returns: Option<ExpectedReturns>,
    /// Pairs of SKUs that most orders have, of all orders of the file.
    #[serde(default)]
    pub top_20_pairs: Vec<Pair>,
    /// What most orders have beside a SKU, by that SKU; ties by SKU. Of all orders of the file.
    #[serde(default)]
    pub top_5_companions_of_top_10_skus: BTreeMap<String, Vec<Companion>>,
}

/// Two SKUs that are bought together.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Pair {
    /// The one.
    pub a: String,
    /// The other.
    pub b: String,
    /// Orders that have both.
    pub orders: u64,
    /// How much more often than by chance: orders × all / (orders of a × orders of b).
    pub lift: f64,
}

/// What is bought beside a SKU.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Companion {
    /// What.
    pub sku: String,
    /// Orders that have both.
    pub orders: u64,
}

/// What the file of returns must come to. Its `orders` are credit notes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ExpectedReturns {
    /// Over all credit notes.
    pub totals: Totals,
}

/// The file of expected figures cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExpectedError {
    /// It cannot be read.
    #[error("cannot read {file}")]
    Read {
        /// Name of the file.
        file: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// It is not JSON with `totals`.
    #[error("{file} does not hold the expected figures of a replay")]
    Parse {
        /// Name of the file.
        file: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl Expected {
    /// Reads an `expected.json`.
    ///
    /// # Errors
    /// The file cannot be read or does not hold the figures.
    pub fn open(path: &Path) -> Result<Self, ExpectedError> {
        let file = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Self::parse(&file, &bytes),
            Err(source) => Err(ExpectedError::Read { file, source }),
        }
    }

    /// Parses the content of an `expected.json`; `file` is its name in messages. Members that
    /// a replay has no use for are skipped.
    ///
    /// # Errors
    /// The bytes do not hold the figures.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, ExpectedError> {
        serde_json::from_slice(bytes)
            .map_err(|source| ExpectedError::Parse { file: file.to_owned(), source })
    }

    /// The figures after the first `limit` orders, or after all; `None` when the file has no
    /// entry for that number.
    #[must_use]
    pub fn after(&self, limit: Option<usize>) -> Option<&Totals> {
        match limit {
            Some(limit) if limit as u64 != self.totals.orders => {
                self.after_first_n_orders.get(&limit.to_string())
            }
            _ => Some(&self.totals),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"source":{"name":"x"},
        "totals":{"orders":3,"lines":4,"units":5,"gross_minor":60,"discount_minor":7,"coupon_minor":1,"total_minor":53,"customers":2,"skus":4},
        "after_first_n_orders":{"2":{"orders":2,"lines":2,"units":2,"gross_minor":20,"discount_minor":0,"total_minor":20,"customers":1,"skus":2}}}"#;

    #[test]
    fn picks_the_entry_that_fits_the_limit() {
        let expected = Expected::parse("expected.json", FILE.as_bytes()).unwrap();
        assert_eq!(expected.after(None).unwrap().total_minor, 53);
        assert_eq!(expected.after(Some(3)).unwrap().total_minor, 53);
        assert_eq!(expected.after(Some(2)).unwrap().total_minor, 20);
        assert_eq!(expected.after(Some(1)), None);
    }

    #[test]
    fn a_file_without_totals_is_named() {
        let error = Expected::parse("e.json", b"{}").unwrap_err();
        assert_eq!(error.to_string(), "e.json does not hold the expected figures of a replay");
    }
}
