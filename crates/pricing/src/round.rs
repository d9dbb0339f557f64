//! Whole minor units out of fractions.

use crate::Rounding;

/// A millionth: rates are whole numbers of these, so that 8.875 % is 88,750.
pub(crate) const MILLION: i128 = 1_000_000;

/// `rate_ppm` millionths of `amount`, both not negative, rounded to a whole minor unit.
#[must_use]
pub fn per_million(amount: i64, rate_ppm: i64, rounding: Rounding) -> i64 {
    let exact = i128::from(amount.max(0)) * i128::from(rate_ppm.max(0));
    let (whole, rest) = (exact / MILLION, exact % MILLION);
    let up = match rounding {
        Rounding::HalfUp => rest * 2 >= MILLION,
        Rounding::HalfEven => rest * 2 > MILLION || (rest * 2 == MILLION && whole % 2 == 1),
        Rounding::Down => false,
    };
    i64::try_from(whole + i128::from(up)).unwrap_or(i64::MAX)
}

/// Shares `total` out in proportion to `weights` by largest remainder: each gets the whole part of
/// its exact share, and the units that are left go to the largest fractions, the first ones first
/// where fractions are equal. The shares always add up to `total`, unless all weights are 0: then
/// nobody gets anything. If `total` is at most the sum of the weights, no share is above its weight.
///
/// Negative weights and totals count as 0.
#[must_use]
pub fn share(total: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i128 = weights.iter().map(|weight| i128::from((*weight).max(0))).sum();
    let total = i128::from(total.max(0));
    if sum == 0 || total == 0 {
        return vec![0; weights.len()];
    }
    let exact = |weight: &i64| total * i128::from((*weight).max(0));
    let mut shares: Vec<i64> = weights
        .iter()
        .map(|weight| i64::try_from(exact(weight) / sum).unwrap_or(i64::MAX))
        .collect();
    let given: i128 = shares.iter().map(|share| i128::from(*share)).sum();
    let left = usize::try_from(total - given).unwrap_or(0);
    if left > 0 {
        let mut order: Vec<usize> = (0..weights.len()).collect();
        // A stable sort: of equal fractions the first line comes first.
        order.sort_by_key(|place| {
            std::cmp::Reverse(weights.get(*place).map(exact).unwrap_or(0) % sum)
        });
        for place in order.into_iter().take(left) {
            if let Some(share) = shares.get_mut(place) {
                *share += 1;
            }
        }
    }
    shares
}
