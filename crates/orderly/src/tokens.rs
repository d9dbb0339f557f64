//! Settings of the access tokens.

use anyhow::{Result, ensure};
use clap::Args;
use customers::CustomersConfig;
use std::fmt;

/// Fewest characters of a secret that signs tokens.
const KEY_LENGTH_MIN: usize = 32;

/// How access tokens are made.
#[derive(Args, Clone)]
pub(crate) struct TokenArgs {
    /// Secrets that sign access tokens, at least 32 characters each; several, separated by commas,
    /// while one replaces the other: the first one signs [default: one is made and kept in the
    /// database]. Nodes of one shop share them.
    #[arg(long, env = "ORDERLY_TOKEN_KEY", hide_env_values = true, value_delimiter = ',')]
    pub(crate) token_key: Vec<String>,
    /// Who makes the tokens; a token of another issuer is refused.
    #[arg(long, env = "ORDERLY_TOKEN_ISSUER", default_value = "orderly")]
    pub(crate) token_issuer: String,
    /// Seconds for which an access token is good.
    #[arg(long, env = "ORDERLY_TOKEN_SECS", default_value = "600",
          value_parser = clap::value_parser!(u32).range(10..=3600))]
    pub(crate) token_secs: u32,
}

impl TokenArgs {
    /// How the customers' service is set up.
    ///
    /// # Errors
    /// A secret is too short.
    pub(crate) fn config(&self) -> Result<CustomersConfig> {
        let long = self.token_key.iter().all(|key| key.chars().count() >= KEY_LENGTH_MIN);
        ensure!(long, "a token key must have at least {KEY_LENGTH_MIN} characters");
        let mut config = CustomersConfig::new(rand::random);
        config.tokens.issuer.clone_from(&self.token_issuer);
        config.tokens.life_seconds = self.token_secs;
        config.tokens.keys = self.token_key.iter().map(|key| key.clone().into_bytes()).collect();
        Ok(config)
    }
}

impl Default for TokenArgs {
    fn default() -> Self {
        Self { token_key: Vec::new(), token_issuer: "orderly".to_owned(), token_secs: 600 }
    }
}

impl fmt::Debug for TokenArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the secrets.
        f.debug_struct("TokenArgs")
            .field("token_issuer", &self.token_issuer)
            .field("token_secs", &self.token_secs)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        tokens: TokenArgs,
    }

    fn config(args: &[&str]) -> Result<CustomersConfig> {
        let alone = Alone::try_parse_from(["orderly"].iter().chain(args))?;
        alone.tokens.config()
    }

    #[test]
    fn nothing_given_means_ten_minutes_and_a_key_of_the_database() {
        for config in [config(&[]), TokenArgs::default().config()] {
            let tokens = config.expect("is good").tokens;
            assert_eq!((tokens.issuer.as_str(), tokens.life_seconds), ("orderly", 600));
            assert!(tokens.keys.is_empty());
        }
    }

    #[test]
    fn keys_are_long_and_may_be_several() {
        let (one, two) = ("1".repeat(32), "2".repeat(40));
        let tokens = config(&["--token-key", &format!("{one},{two}"), "--token-secs=60"]);
        let tokens = tokens.expect("is good").tokens;
        assert_eq!(tokens.keys, [one.clone().into_bytes(), two.into_bytes()]);
        assert_eq!(tokens.life_seconds, 60);
        for bad in [&["--token-key", "short"][..], &["--token-secs=9"], &["--token-secs=3601"]] {
            assert!(config(bad).is_err(), "{bad:?}");
        }
        let shown = format!("{:?}", TokenArgs { token_key: vec![one], ..TokenArgs::default() });
        assert!(!shown.contains("111"), "{shown}");
    }
}
