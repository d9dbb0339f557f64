//! Scaling the opening stock down, to make products sell out.

use std::collections::HashMap;
use std::str::FromStr;

use super::dataset::Opening;

/// Which stock is multiplied with what. Written `all:0.9` (every SKU) or `top100:0.9` (the 100
/// best sellers); results are rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockScale {
    /// How many best sellers are scaled; `None`: every SKU. Best sellers are the SKUs of which
    /// the orders to be sent ask for most units, ties by SKU as string.
    pub best_sellers: Option<usize>,
    /// The factor in millionths, so that 0.9 is exactly nine tenths.
    pub millionths: u64,
}

/// The text is not a stock scale.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a stock scale: write `all:0.9` or `top100:0.9`, with at most 6 decimals")]
pub struct StockScaleError(String);

impl FromStr for StockScale {
    type Err = StockScaleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (which, factor) = text.split_once(':')?;
            let best_sellers = match which {
                "all" => None,
                top => Some(top.strip_prefix("top")?.parse().ok()?),
            };
            Some(Self { best_sellers, millionths: millionths(factor)? })
        };
        parse().ok_or_else(|| StockScaleError(text.to_owned()))
    }
}

/// A decimal such as `0.9` or `2` in millionths.
fn millionths(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 6 {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(1_000_000)?;
    whole.checked_add(format!("{decimals:0<6}").parse().ok()?)
}

impl StockScale {
    /// The stock after scaling, in the same order. `demand` is the units asked for per SKU.
    pub(super) fn apply(self, stock: &[Opening], demand: &HashMap<String, u64>) -> Vec<Opening> {
        let mut ranked: Vec<(&str, u64)> = demand.iter().map(|(s, n)| (s.as_str(), *n)).collect();
        ranked.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        if let Some(count) = self.best_sellers {
            ranked.truncate(count);
        }
        let hot: HashMap<&str, u64> = ranked.into_iter().collect();
        let scaled = |opening: &Opening| {
            let chosen = self.best_sellers.is_none() || hot.contains_key(opening.sku.as_str());
            let factor = if chosen { self.millionths } else { 1_000_000 };
            let units = u128::from(opening.units) * u128::from(factor) / 1_000_000;
            Opening { sku: opening.sku.clone(), units: u64::try_from(units).unwrap_or(u64::MAX) }
        };
        stock.iter().map(scaled).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(scale: &str) -> Vec<u64> {
        let stock: Vec<Opening> = [("a", 1), ("b", 10), ("c", 100), ("d", 10)]
            .map(|(sku, units)| Opening { sku: sku.into(), units })
            .into();
        let demand = stock.iter().map(|o| (o.sku.clone(), o.units)).collect();
        let scale: StockScale = scale.parse().unwrap();
        scale.apply(&stock, &demand).iter().map(|o| o.units).collect()
    }

    #[test]
    fn scales_all_or_the_best_sellers_and_rounds_down() {
        assert_eq!(scaled("all:0.9"), [0, 9, 90, 9]);
        assert_eq!(scaled("all:0.29"), [0, 2, 29, 2]);
        assert_eq!(scaled("all:2"), [2, 20, 200, 20]);
        assert_eq!(scaled("top1:0.5"), [1, 10, 50, 10]);
        assert_eq!(scaled("top2:0.5"), [1, 5, 50, 10], "ties go to the lower SKU");
    }

    #[test]
    fn refuses_what_it_cannot_mean() {
        for text in ["", "0.9", "top:0.9", "all:", "all:-1", "all:.5", "all:0.1234567", "some:1"] {
            assert!(text.parse::<StockScale>().is_err(), "{text}");
        }
    }
}
