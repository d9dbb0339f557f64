//! How clients wait for their turn.

use rand::Rng;
use std::time::Duration;

/// The wait of a client before its next try, after this many: as long as it was told to, or ever
/// longer; spread, so that clients that were refused together do not come back together.
pub fn wait(rng: &mut impl Rng, tries: usize, retry_after: Option<u64>) -> Duration {
    let most = match retry_after {
        Some(seconds) => seconds.saturating_mul(1_000).min(5_000),
        None => (50_u64 << tries.min(5)).min(1_000),
    };
    Duration::from_millis(rng.random_range(most / 4..=most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_those_that_were_told_or_grow() {
        let mut rng = rand::rng();
        for (tries, told, most) in [
            (1, None, 100),
            (3, None, 400),
            (99, None, 1_000),
            (1, Some(2), 2_000),
            (9, Some(60), 5_000),
        ] {
            let wait = wait(&mut rng, tries, told).as_millis();
            assert!((most / 4..=most).contains(&wait), "{tries} {told:?}: {wait}");
        }
    }
}
