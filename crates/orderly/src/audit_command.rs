//! `orderly audit`.

use crate::cli::Verdict;
use crate::replay_command::ServerArgs;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

/// Settings of the audit.
#[derive(Args, Debug)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Print the server's answer as JSON on the last line.
    #[arg(long)]
    json: bool,
}

/// What of the server's answer is shown.
#[derive(Deserialize)]
struct Audit {
    balanced: bool,
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    ok: bool,
    checked: u64,
    violations: Vec<String>,
}

/// Asks the server for its audit and prints it.
pub(crate) fn run(args: AuditArgs) -> Result<Verdict> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (url, key) = (args.server.target.clone(), args.server.key()?);
    let text = runtime.block_on(fetch(&url, &key))?;
    let audit: Audit = serde_json::from_str(&text).context("the server's answer")?;
    print_table(&audit);
    if args.json {
        println!("{text}");
    }
    Ok(if audit.balanced { Verdict::Good } else { Verdict::Failed })
}

/// The audit of the server at `url`, as JSON text.
pub(crate) async fn fetch(url: &str, key: &str) -> Result<String> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}/v1/audit", url.trim_end_matches('/'));
    let response = client
        .get(&url)
        .bearer_auth(key)
        .header("X-Request-Timeout-Ms", "60000")
        .send()
        .await
        .with_context(|| url.clone())?;
    let status = response.status();
    let text = response.text().await?;
    if !status.is_success() {
        bail!("{url} answered {status}: {text}");
    }
    Ok(text)
}

fn print_table(audit: &Audit) {
    for check in &audit.checks {
        let mark = if check.ok { "ok  " } else { "FAIL" };
        println!("  {mark} {:<36} {:>9} checked", check.name, check.checked);
        for violation in &check.violations {
            println!("         {violation}");
        }
    }
    println!("{}", if audit.balanced { "The books balance." } else { "The books do NOT balance." });
}

/// Prints the audit that a server gave as JSON text; whether it is balanced.
pub(crate) fn print_json(text: &str) -> Result<bool> {
    let audit: Audit = serde_json::from_str(text)?;
    print_table(&audit);
    Ok(audit.balanced)
}
