//! Settings of recommendations.

use clap::Args;
use recommendations::RecommendationsConfig;
use std::time::Duration;

/// What recommendations may cost, and how soon they forget.
#[derive(Args, Clone, Debug)]
pub(crate) struct RecommendationArgs {
    /// MiB of memory for the baskets of the latest orders, from which it is counted what is bought
    /// together; about 290,000 orders of ten lines in 64 MiB. [0: no recommendations].
    #[arg(long, env = "ORDERLY_RECOMMENDATIONS_MEMORY_MIB", default_value = "64",
          value_parser = clap::value_parser!(u32).range(..=65_536))]
    pub(crate) recommendations_memory_mib: u32,
    /// Days after which an order counts half for recommendations [0: all count the same].
    #[arg(long, env = "ORDERLY_RECOMMENDATIONS_HALF_LIFE_DAYS", default_value = "30",
          value_parser = clap::value_parser!(u32).range(..=36_500))]
    pub(crate) recommendations_half_life_days: u32,
}

impl RecommendationArgs {
    /// The limits that were asked for.
    pub(crate) fn config(&self) -> RecommendationsConfig {
        let days = u64::from(self.recommendations_half_life_days);
        let memory = usize::try_from(self.recommendations_memory_mib).unwrap_or(usize::MAX);
        RecommendationsConfig {
            memory: memory.saturating_mul(1 << 20),
            half_life: (days > 0).then(|| Duration::from_secs(days * 86_400)),
            ..RecommendationsConfig::default()
        }
    }
}

impl Default for RecommendationArgs {
    fn default() -> Self {
        Self { recommendations_memory_mib: 64, recommendations_half_life_days: 30 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        args: RecommendationArgs,
    }

    fn config(args: &[&str]) -> RecommendationsConfig {
        let alone = Alone::try_parse_from(["orderly"].iter().chain(args)).expect("are read");
        alone.args.config()
    }

    #[test]
    fn nothing_given_means_the_defaults_of_the_service() {
        for config in [config(&[]), RecommendationArgs::default().config()] {
            let defaults = RecommendationsConfig::default();
            assert_eq!((config.memory, config.half_life), (defaults.memory, defaults.half_life));
        }
    }

    #[test]
    fn what_is_given_counts() {
        let set = config(&["--recommendations-memory-mib=3", "--recommendations-half-life-days=0"]);
        assert_eq!((set.memory, set.half_life), (3 << 20, None));
    }
}
