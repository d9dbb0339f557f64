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

/// Settings of the bank.
///
/// It serves a subset of Stripe's API: payment intents and refunds, form-encoded, with
/// `Idempotency-Key`; and its own books at `GET /ledger` (NDJSON). `GET /faults` shows and
/// `PUT /faults` sets, as JSON, what goes wrong on purpose: `{"delay_ms": 0, "decline_every": 0}`
/// is the healthy bank; `delay_ms` waits before the effect of each call, `decline_every` refuses
/// every n-th charge.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
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
    #[command(flatten)]
    logs: LogArgs,
}

/// Runs the bank until asked to stop.
pub(crate) fn run(args: BankArgs) -> Result<Verdict> {
    init_logs(&args.logs)?;
    actix::System::new().block_on(async move {
        let config = bank::BankConfig {
            listen: args.listen,
            ledger: args.ledger,
            api_key: args.key,
            workers: 1,
        };
        let bank = bank::start(config, Arc::new(SystemClock), Arc::new(SystemIds)).await?;
        println!("the bank serves on {}", bank.url());
        asked_to_stop().await?;
        bank.stop().await;
        Ok(Verdict::Good)
    })
}
