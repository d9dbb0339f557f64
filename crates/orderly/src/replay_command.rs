//! `orderly replay`.

use crate::cli::Verdict;
use crate::keys::ADMIN_KEY_FILE;
use anyhow::{Context, Result};
use clap::Args;
use replay::{
    DEFAULT_CONNECTIONS, Dataset, Expected, ReplayOptions, StockScale, print, run as replay,
};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Which server, and who asks.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServerArgs {
    /// Base URL of the server.
    #[arg(long, env = "ORDERLY_TARGET", default_value = "http://127.0.0.1:8080")]
    pub(crate) target: String,
    /// API key [default: that of ORDERLY_ADMIN_KEY, else the one in DATA_DIR/admin.key].
    #[arg(long, env = "ORDERLY_ADMIN_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Directory of the server's data, for its admin key.
    #[arg(long, env = "ORDERLY_DATA_DIR", default_value = "./data")]
    data_dir: PathBuf,
}

impl ServerArgs {
    /// The API key to use.
    pub(crate) fn key(&self) -> Result<String> {
        if let Some(key) = &self.api_key {
            return Ok(key.clone());
        }
        let path = self.data_dir.join(ADMIN_KEY_FILE);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!("no --api-key was given, and {} cannot be read", path.display())
        })?;
        Ok(text.trim().to_owned())
    }
}

/// Settings of a replay.
#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// Products: CSV with sku, name, category, unit_price_minor, currency.
    #[arg(long)]
    products: PathBuf,
    /// Opening stock: CSV with sku, opening_stock.
    #[arg(long)]
    stock: PathBuf,
    /// Orders: NDJSON, plain or gzip.
    #[arg(long)]
    orders: PathBuf,
    /// Cancellations to give back after the orders: NDJSON in the form of the orders, a credit note
    /// a line. Each is placed on orders of the same customer and SKU, as far as there are any; these
    /// are shipped, the units returned to the shelf, and what was paid for them refunded.
    #[arg(long)]
    returns: Option<PathBuf>,
    /// Figures that the books must show [default: expected.json beside the orders, if it is there].
    #[arg(long)]
    expected: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
    /// Requests in flight.
    #[arg(long, default_value_t = DEFAULT_CONNECTIONS)]
    connections: usize,
    /// Orders per second [default: as fast as the server answers].
    #[arg(long)]
    rate: Option<f64>,
    /// Only the first so many orders.
    #[arg(long)]
    limit: Option<usize>,
    /// Make products sell out: `all:0.9` or `top100:0.9` of the opening stock.
    #[arg(long)]
    stock_scale: Option<StockScale>,
    /// Names this replay in every idempotency key; the same name again repeats or resumes it
    /// [default: made of the orders file].
    #[arg(long)]
    run_id: Option<String>,
    /// Print the result as JSON on the last line.
    #[arg(long)]
    json: bool,
}

/// Replays and compares.
pub(crate) fn run(args: ReplayArgs) -> Result<Verdict> {
    let api_key = args.server.key()?;
    let mut dataset = Dataset::open(&args.products, &args.stock, &args.orders)?;
    if let Some(returns) = &args.returns {
        dataset = dataset.with_returns(returns)?;
    }
    let expected = expected(&args)?;
    let run_id = match args.run_id {
        Some(run_id) => run_id,
        None => run_id_of(&args.orders)?,
    };
    let options = ReplayOptions {
        target: args.server.target,
        api_key,
        connections: args.connections,
        rate: args.rate,
        progress: true,
        stock_scale: args.stock_scale,
        limit: args.limit,
        run_id,
        expected,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(replay(dataset, options))?;
    print(&report, &mut std::io::stdout().lock())?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(if report.ok { Verdict::Good } else { Verdict::Failed })
}

fn expected(args: &ReplayArgs) -> Result<Option<Expected>> {
    if let Some(path) = &args.expected {
        return Ok(Some(Expected::open(path)?));
    }
    let beside = args.orders.with_file_name("expected.json");
    Ok(if beside.exists() { Some(Expected::open(&beside)?) } else { None })
}

/// The same file is the same replay.
fn run_id_of(orders: &Path) -> Result<String> {
    let bytes = std::fs::read(orders).with_context(|| orders.display().to_string())?;
    let digest = Sha256::digest(&bytes);
    let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("replay-{hex}"))
}
