//! The order set that ships inside the program; where it comes from is told in
//! `sample/README.md` beside the crate's sources.

use super::dataset::{Dataset, DatasetError, Source};
use super::expected::{Expected, ExpectedError};

const PRODUCTS: Source = Source::Memory {
    name: "sample/products.csv.gz",
    bytes: include_bytes!("../sample/products.csv.gz"),
};
const STOCK: Source =
    Source::Memory { name: "sample/stock.csv.gz", bytes: include_bytes!("../sample/stock.csv.gz") };
const ORDERS: Source = Source::Memory {
    name: "sample/orders.ndjson.gz",
    bytes: include_bytes!("../sample/orders.ndjson.gz"),
};

/// The embedded sample: 2,000 grocery baskets, the 9,745 products in them and just enough stock
/// for all of them.
///
/// # Errors
/// The embedded files are damaged, which a test rules out.
pub fn sample() -> Result<Dataset, DatasetError> {
    Dataset::from_sources(&PRODUCTS, &STOCK, ORDERS)
}

/// What the books must show after the whole sample (or its first 100 or 1,000 orders).
///
/// # Errors
/// The embedded file is damaged, which a test rules out.
pub fn sample_expected() -> Result<Expected, ExpectedError> {
    Expected::parse("sample/expected.json", include_bytes!("../sample/expected.json"))
}

#[cfg(test)]
mod tests {
    use super::super::scan::Scan;
    use super::*;

    #[test]
    fn the_sample_has_the_figures_it_promises() {
        let dataset = sample().unwrap();
        let expected = sample_expected().unwrap();
        let scan = Scan::of(&dataset, None).unwrap();
        assert_eq!(scan.totals, expected.totals);
        assert_eq!(scan.totals.orders, 2_000);
        assert_eq!(scan.totals.lines, 22_054);
        assert_eq!(scan.totals.units, 29_092);
        assert_eq!(scan.totals.gross_minor, 7_364_229);
        assert_eq!(scan.totals.discount_minor, 1_116_936);
        assert_eq!(scan.totals.total_minor, 6_247_293);
        assert_eq!(scan.totals.customers, 1_125);
        assert_eq!(scan.totals.skus, 9_745);
        assert_eq!(dataset.products.len(), 9_745);
    }

    #[test]
    fn the_sample_holds_exactly_the_stock_its_orders_need() {
        let dataset = sample().unwrap();
        let scan = Scan::of(&dataset, None).unwrap();
        assert_eq!(dataset.stock.len(), scan.demand.len());
        for opening in &dataset.stock {
            assert_eq!(scan.demand.get(&opening.sku), Some(&opening.units), "{}", opening.sku);
        }
    }

    #[test]
    fn the_first_orders_have_the_figures_of_their_entries() {
        let dataset = sample().unwrap();
        let expected = sample_expected().unwrap();
        for first in [100, 1_000] {
            let scan = Scan::of(&dataset, Some(first)).unwrap();
            assert_eq!(Some(&scan.totals), expected.after(Some(first)));
        }
    }
}
