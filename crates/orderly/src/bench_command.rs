//! `orderly bench`.

use crate::cli::Verdict;
use anyhow::{Context, Result};
use bench::{Options, OwnStack, Scenario, Target};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of a bench.
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// What is done: uniform (orders over many SKUs), hot (all orders on one SKU), baskets (the
    /// orders of a data set), mixed (orders and their later life, and reads), overload (three times
    /// what the shop can take), restart (the server dies with orders in flight), inflight (many
    /// orders wait for the bank), stored (many orders in the tables), start (from the start of the
    /// process to the first order), two-nodes, counts (what an order costs in statements, rows and
    /// bytes of the log).
    #[arg(long, default_value = "uniform")]
    scenario: Scenario,
    /// Base URL of a server that runs already [default: a whole stack of the bench's own].
    #[arg(long)]
    url: Option<String>,
    /// API key for that server; it must be allowed to do everything.
    #[arg(long, env = "ORDERLY_ADMIN_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// For a stack of the bench's own: postgres://… of a server where it may create a database, or
    /// `sqlite` [default: sqlite].
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Where the files of the bench's own stack go; they stay there [default: a temporary folder].
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Program whose `serve` and `bank` are measured, to compare two of them with the same generator
    /// [default: this one].
    #[arg(long)]
    program: Option<PathBuf>,
    /// One more argument for the servers of the bench's own stack, such as `--lanes=4`; repeat it.
    #[arg(long, allow_hyphen_values = true)]
    serve_arg: Vec<String>,
    /// How often to measure.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Seconds that are measured in each run.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Seconds before that which are not.
    #[arg(long, default_value_t = 3.0)]
    warm_up: f64,
    /// Connections at the same time; each has one order under way.
    #[arg(long, default_value_t = 512)]
    connections: usize,
    /// Orders that are due in a second, whatever the answers do; latency counts from when an order
    /// was due [default: the next order goes out when an answer comes in].
    #[arg(long)]
    rate: Option<f64>,
    /// SKUs on the shelf.
    #[arg(long, default_value_t = 5_000)]
    skus: usize,
    /// Lines of an order.
    #[arg(long, default_value_t = 3)]
    lines: usize,
    /// Orders in flight or stored [default: restart 10,000, inflight 100,000, stored 1,000,000].
    #[arg(long)]
    orders: Option<u64>,
    /// Where the choice of SKUs starts.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder of a data set for `baskets`: products.csv, stock.csv and orders.ndjson, each with or
    /// without .gz [default: the 2,000 orders inside the program].
    #[arg(long)]
    data: Option<PathBuf>,
    /// Milliseconds that the bank of the bench's own stack waits before each charge.
    #[arg(long, default_value_t = 0)]
    bank_delay_ms: u64,
    /// Measure the same orders written by SQL alone as well (with pgbench, on the same server, after
    /// each run), and tell how many times as fast we are.
    #[arg(long, value_enum)]
    baseline: Option<Rivals>,
    /// Draw latency by percentile into this file, as SVG.
    #[arg(long)]
    plot: Option<PathBuf>,
    /// Print the result as JSON on the last line.
    #[arg(long)]
    json: bool,
}

/// With what to compare.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Rivals {
    /// SQL alone, one order at a time: in two transactions, and in one statement.
    Sql,
}

/// Measures.
pub(crate) fn run(args: BenchArgs) -> Result<Verdict> {
    let (json, plot) = (args.json, args.plot.clone());
    let options = options(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(bench::run(options))?;
    bench::print(&report, &mut std::io::stdout().lock())?;
    if let Some(path) = plot {
        std::fs::write(&path, bench::plot(&report)).with_context(|| path.display().to_string())?;
    }
    if json {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(if report.ok { Verdict::Good } else { Verdict::Failed })
}

fn options(args: BenchArgs) -> Result<Options> {
    let target = match args.url {
        Some(url) => {
            let api_key = args.api_key.context("--url needs --api-key")?;
            Target::Running { url, api_key }
        }
        None => Target::Own(OwnStack {
            program: match args.program {
                Some(program) => program,
                None => std::env::current_exe().context("this program cannot be found")?,
            },
            postgres: postgres(args.database_url)?,
            folder: args.folder,
            serve_args: args.serve_arg,
        }),
    };
    let time = |seconds: f64| {
        Duration::try_from_secs_f64(seconds).with_context(|| format!("{seconds} is no time"))
    };
    Ok(Options {
        scenario: args.scenario,
        target,
        runs: args.runs,
        measured: time(args.seconds)?,
        warm_up: time(args.warm_up)?,
        connections: args.connections,
        rate: args.rate,
        skus: args.skus,
        lines: args.lines,
        orders: args.orders,
        seed: args.seed,
        data: args.data,
        bank_delay: Duration::from_millis(args.bank_delay_ms),
        baseline: args.baseline.is_some(),
        progress: true,
    })
}

/// The Postgres server that was named, if it was.
fn postgres(url: Option<String>) -> Result<Option<String>> {
    match url {
        Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
            Ok(Some(url))
        }
        Some(url) if url != "sqlite" && !url.starts_with("sqlite:") => {
            // Not repeated, as it may hold a password.
            anyhow::bail!("the database URL must begin with postgres://, or be `sqlite`")
        }
        _ => Ok(None),
    }
}
