//! Statistics that a few wild values do not move.

/// Times the median absolute deviation, this is the standard deviation where values are spread
/// normally: 1 / Φ⁻¹(3/4).
const NORMAL: f64 = 1.4826;

/// The middle of the values, or the mean of the middle two. `None` without values; all must be
/// finite.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get(middle - 1)?;
    Some(f64::midpoint(lower, upper))
}

/// The median distance from the median.
pub(crate) fn mad(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    median(&distances)
}

/// An estimate of the standard deviation from the median absolute deviation.
pub(crate) fn spread(mad: f64) -> f64 {
    NORMAL * mad
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn one_wild_value_moves_neither() {
        let calm = [1.0, 1.1, 0.9, 1.0, 1.05];
        let wild = [1.0, 1.1, 0.9, 1.0, 1_000.0];
        assert_eq!(median(&calm), median(&wild));
        let moved = mad(&wild).zip(mad(&calm)).map(|(wild, calm)| (wild - calm).abs());
        assert!(moved.is_some_and(|moved| moved < 0.1), "{moved:?}");
        assert_eq!(mad(&[2.0, 2.0, 2.0]), Some(0.0));
        assert_eq!(mad(&[]), None);
    }
}
