//! `orderly demo`: everything in a fresh directory, 2,000 real baskets, and the books.

use crate::app::{App, Ended};
use crate::audit_command;
use crate::cli::{LapsedAuthorization, LogArgs, LogStyle, ServeArgs, StoreArgs, Verdict};
use crate::edge::EdgeArgs;
use crate::own::Own;
use crate::recommendation_args::RecommendationArgs;
use crate::serve::init_logs;
use crate::signals::asked_to_stop;
use crate::tokens::TokenArgs;
use crate::traces::TraceArgs;
use anyhow::{Context, Result, bail};
use clap::Args;
use replay::{self, ReplayOptions, ReplayReport};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Settings of the demo.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Address of the REST API; another port is taken if this one is in use.
    #[arg(long, env = "ORDERLY_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// End when the books have been shown, instead of going on to serve.
    #[arg(long)]
    exit: bool,
    /// What is logged.
    #[arg(long, env = "ORDERLY_LOG", default_value = "error")]
    log: String,
    /// Print the result as JSON on the last line.
    #[arg(long)]
    json: bool,
}

/// A directory that is gone when this is dropped.
struct FreshDirectory(PathBuf);

impl FreshDirectory {
    fn new() -> Result<Self> {
        let name = format!("orderly-demo-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for FreshDirectory {
    fn drop(&mut self) {
        // A directory that cannot be removed is left to the system's own tidying.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the demo.
pub(crate) fn run(args: DemoArgs) -> Result<Verdict> {
    let directory = FreshDirectory::new()?;
    let logs = LogArgs { log_format: LogStyle::Auto, log: args.log.clone() };
    let control = init_logs(&logs)?;
    let metrics = telemetry::install_metrics()?;
    telemetry::describe(telemetry::METRICS);
    let serve = settings(&args, &directory.0, logs);
    actix::System::new().block_on(async move {
        println!("Starting order, stock, payment, user and catalogue services, a broker with its");
        println!("workers, a SQLite database and a bank, all in {}", directory.0.display());
        let app = App::start(&serve, Own { metrics, logs: control }).await?;
        let verdict = show(&app, &args).await?;
        if !args.exit {
            println!("\nStill serving. Ctrl-C ends the demo and removes its directory.");
            asked_to_stop().await?;
        }
        match app.stop(Duration::ZERO).await {
            Ended::Finished => Ok(verdict),
            Ended::Unfinished(why) => bail!("the demo did not end in order: {why}"),
        }
    })
}

fn settings(args: &DemoArgs, directory: &Path, logs: LogArgs) -> ServeArgs {
    ServeArgs {
        listen: free_address(args.listen),
        private_listen: ([127, 0, 0, 1], 0).into(),
        store: StoreArgs { data_dir: directory.to_owned(), database_url: None },
        payments_url: None,
        payments_key: None,
        payments_webhook_secret: Vec::new(),
        lapsed_authorization: LapsedAuthorization::Reauthorize,
        admin_key: None,
        workers: None,
        lanes: None,
        flags_file: None,
        payment_expiry_secs: 900,
        answers_kept_days: 30,
        recover_after_secs: 10,
        recover_every_secs: 5,
        stock_cache_ms: 500,
        audit_every_secs: 60,
        edge: EdgeArgs::default(),
        recommendations: RecommendationArgs::default(),
        tokens: TokenArgs::default(),
        drain_delay_secs: 0,
        logs,
        traces: TraceArgs::default(),
    }
}

/// The wanted address, or one with a free port when somebody else listens there.
fn free_address(wanted: SocketAddr) -> SocketAddr {
    match TcpListener::bind(wanted) {
        Ok(_) => wanted,
        Err(_) => SocketAddr::new(wanted.ip(), 0),
    }
}

async fn show(app: &App, args: &DemoArgs) -> Result<Verdict> {
    let url = format!("http://{}", app.gateway.public_address());
    let key = app.admin_key.secret.clone();
    println!("Serving on {url}; placing 2,000 real baskets through the REST API.\n");
    let report = place_sample(url.clone(), key.clone()).await?;
    replay::print(&report, &mut std::io::stdout().lock())?;
    while !app.broker.caught_up().await? {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("\nWorkers have handled every event. The audit, over all services and the bank:");
    let text = audit_command::fetch(&url, &key).await?;
    let balanced = audit_command::print_json(&text)?;
    print_tour(&url, &key);
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(if report.ok && balanced { Verdict::Good } else { Verdict::Failed })
}

/// The client runs on a thread of its own, as a client would.
async fn place_sample(target: String, api_key: String) -> Result<ReplayReport> {
    let (send, receive) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("demo-client".to_owned()).spawn(move || {
        let result = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(anyhow::Error::from)
            .and_then(|runtime| {
                runtime.block_on(async {
                    let options = ReplayOptions {
                        target,
                        api_key,
                        connections: replay::DEFAULT_CONNECTIONS,
                        rate: None,
                        progress: true,
                        stock_scale: None,
                        limit: None,
                        run_id: "demo".to_owned(),
                        expected: Some(replay::sample_expected()?),
                    };
                    replay::run(replay::sample()?, options).await
                })
            });
        // If the demo is gone there is nobody to tell.
        let _ = send.send(result);
    })?;
    match receive.await {
        Ok(result) => result,
        Err(_) => bail!("the demo's client ended without a result"),
    }
}

fn print_tour(url: &str, key: &str) {
    println!("\nTry:");
    println!("  export ORDERLY={url} KEY={key}");
    println!("  curl -s $ORDERLY/v1/orders?limit=1 -H \"Authorization: Bearer $KEY\"");
    println!("  curl -s $ORDERLY/v1/stock/1082185 -H \"Authorization: Bearer $KEY\"");
    println!("  curl -s $ORDERLY/v1/audit -H \"Authorization: Bearer $KEY\"");
    println!("API documents: {url}/docs");
}
