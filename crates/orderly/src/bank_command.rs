//! `orderly bank`.

use crate::cli::{LogArgs, Verdict};
use crate::serve::init_logs;
use crate::signals::asked_to_stop;
use actors::{SystemClock, SystemIds};
use anyhow::Result;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// What `--help` says after the flags.
const HELP: &str = "\
The bank serves a subset of Stripe's API: payment intents and refunds, form-encoded, with
Idempotency-Key; its own books at GET /ledger (NDJSON); and signed events to a webhook, which
GET, PUT and DELETE /webhook show, set ({\"url\": \"…\", \"secret\": \"…\"}) and take away.

GET /faults shows and PUT /faults sets, as JSON, what goes wrong on purpose; what is left out
is off. GET /faults/fired says how often each fault has happened. Percentages are whole numbers
from 0 to 100, drawn for each call that has an effect, or for each event:

  seed                           where the draws start: same seed, same calls, same faults
  delay_ms, delay_percent        wait before the effect; for this share (100 if left out)
  decline_every                  decline every n-th charge
  at most one of these eight, which add up to at most 100:
  error_before_percent           500 without an effect
  error_after_percent            500 after the effect
  reset_before_percent           connection closed without an effect
  lost_reply_percent             connection closed after the effect
  rate_limit_percent             429 with Retry-After, without an effect
  malformed_percent              200 with a body that is no JSON, after the effect
  oversized_percent              a body over 1 MiB, after the effect
  wrong_amount_percent           the answer names one unit more, after the effect
  authorization_expired_percent  a capture finds its authorisation expired
  expire_authorizations          true: all authorisations of this moment expire, once
  search_lag_ms                  reads do not find an intent until it is so old
  webhook_duplicate_percent      an event is sent two or three times
  webhook_reorder_percent        an event is overtaken by the next
  webhook_delay_ms               every event is so late
  webhook_early                  true: the event is sent before the answer
  webhook_lost_percent           an event is never sent
  webhook_bad_signature_percent  the first attempt is signed with another secret
  webhook_old_timestamp_percent  the first attempt is dated ten minutes back

docs/BANK.md has the details.";

/// Settings of the bank.
#[derive(Args, Debug)]
#[command(after_long_help = HELP)]
pub(crate) struct BankArgs {
    /// Address to listen on; keep it private.
    #[arg(long, env = "ORDERLY_BANK_LISTEN", default_value = "127.0.0.1:4242")]
    listen: SocketAddr,
    /// File of the bank's ledger; made if it is not there.
    #[arg(long, env = "ORDERLY_BANK_LEDGER", default_value = "./data/bank.ledger")]
    ledger: PathBuf,
    /// The only secret key that is accepted [default: any].
    #[arg(long, env = "ORDERLY_BANK_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Where events are sent; can be set at run time too [default: nowhere].
    #[arg(long, env = "ORDERLY_BANK_WEBHOOK_URL", requires = "webhook_secret")]
    webhook_url: Option<String>,
    /// What the events are signed with.
    #[arg(
        long,
        env = "ORDERLY_BANK_WEBHOOK_SECRET",
        hide_env_values = true,
        requires = "webhook_url"
    )]
    webhook_secret: Option<String>,
    #[command(flatten)]
    logs: LogArgs,
}

/// Runs the bank until asked to stop.
pub(crate) fn run(args: BankArgs) -> Result<Verdict> {
    let _ = init_logs(&args.logs)?;
    actix::System::new().block_on(async move {
        let config = bank::BankConfig {
            listen: args.listen,
            ledger: args.ledger,
            api_key: args.key,
            workers: 1,
            webhook: args
                .webhook_url
                .zip(args.webhook_secret)
                .map(|(url, secret)| bank::WebhookConfig { url, secret }),
        };
        let bank = bank::start(config, Arc::new(SystemClock), Arc::new(SystemIds)).await?;
        println!("the bank serves on {}", bank.url());
        asked_to_stop().await?;
        bank.stop().await;
        Ok(Verdict::Good)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    /// As the bank stands in the whole command line.
    #[derive(Parser, Debug)]
    enum Whole {
        /// Run the bank.
        Bank(BankArgs),
    }

    #[test]
    fn the_help_names_every_fault() {
        let help = Whole::command()
            .find_subcommand_mut("bank")
            .expect("the command")
            .render_long_help()
            .to_string();
        let faults = serde_json::to_value(bank::Faults::default()).expect("JSON");
        for fault in faults.as_object().expect("an object").keys() {
            assert!(help.contains(fault.as_str()), "{fault} is not in:\n{help}");
        }
    }

    #[test]
    fn a_webhook_has_an_address_and_a_secret() {
        let parse = |args: &[&str]| {
            Whole::try_parse_from(["orderly", "bank"].iter().chain(args)).map(
                |Whole::Bank(args)| {
                    (args.webhook_url.unwrap_or_default(), args.webhook_secret.unwrap_or_default())
                },
            )
        };
        let both = parse(&["--webhook-url", "http://h/", "--webhook-secret", "s"]);
        assert_eq!(both.ok(), Some(("http://h/".to_owned(), "s".to_owned())));
        assert!(parse(&["--webhook-url", "http://h/"]).is_err());
        assert!(parse(&["--webhook-secret", "s"]).is_err());
    }
}
