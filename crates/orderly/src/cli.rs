//! The command line. Exit codes: 0 good, 1 the check failed, 2 usage or configuration, or the
//! check could not be made, 3 stopped before all that was begun was finished.

use crate::edge::EdgeArgs;
use crate::recommendation_args::RecommendationArgs;
use crate::tokens::TokenArgs;
use crate::traces::TraceArgs;
use crate::{
    audit_command, bank_command, bench_command, demo, gate_command, import_command,
    reconcile_command, replay_command, serve,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use store::DatabaseUrl;

const EXIT_CODES: &str = "Exit codes: 0 good, 1 the check failed, 2 usage or configuration, or the check could not be made, 3 a \
                          server was stopped before all that was begun was finished.";

/// An order-processing back end: orders, stock and payments that are never wrong.
#[derive(Parser)]
#[command(name = "orderly", version, args_conflicts_with_subcommands = true)]
#[command(after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the REST API (the default). With nothing set: SQLite and bank inside, under ./data.
    Serve(Box<ServeArgs>),
    /// Start everything in a fresh directory, place 2,000 real baskets, show the books.
    Demo(demo::DemoArgs),
    /// Run the third-party bank: a subset of Stripe's API with its own ledger.
    Bank(bank_command::BankArgs),
    /// Bring the database's schema up to date and exit.
    Migrate(StoreArgs),
    /// Put products, stock, customers or prices of a file on a server.
    Import(import_command::ImportArgs),
    /// Replay a file of orders against a server and compare its books with the file.
    Replay(replay_command::ReplayArgs),
    /// Measure how fast orders go, with everything switched on, and compare the books.
    Bench(Box<bench_command::BenchArgs>),
    /// Ask a server to compare the books of all its services and of the bank.
    Audit(audit_command::AuditArgs),
    /// After a backup was restored: find charges of orders that the shop does not know, and give them back.
    Reconcile(Box<reconcile_command::ReconcileArgs>),
    /// Compare what Prometheus sees of the shop with a baseline, to stop a release that is worse.
    Gate(Box<gate_command::GateArgs>),
}

/// Where the data live.
#[derive(Args, Clone, Debug)]
pub(crate) struct StoreArgs {
    /// Directory for the database, the bank's ledger and the admin key.
    #[arg(long, env = "ORDERLY_DATA_DIR", default_value = "./data")]
    pub(crate) data_dir: PathBuf,
    /// postgres://… or sqlite://path [default: sqlite://DATA_DIR/orderly.db].
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    // Text, because clap would repeat a URL that cannot be read, with its password.
    pub(crate) database_url: Option<String>,
}

impl StoreArgs {
    /// The database to use.
    pub(crate) fn url(&self) -> anyhow::Result<DatabaseUrl> {
        match &self.database_url {
            Some(url) => url.parse().map_err(anyhow::Error::msg),
            None => Ok(DatabaseUrl::Sqlite(self.data_dir.join("orderly.db"))),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogStyle {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object per line.
    Json,
    /// For people.
    Pretty,
}

/// What is logged, and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct LogArgs {
    /// How log lines look.
    #[arg(long, env = "ORDERLY_LOG_FORMAT", value_enum, default_value = "auto")]
    pub(crate) log_format: LogStyle,
    /// What is logged, such as `info` or `warn,orders=debug`.
    #[arg(long, env = "ORDERLY_LOG", default_value = "info,actix_server=warn")]
    pub(crate) log: String,
}

/// Settings of a server.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServeArgs {
    /// Address of the REST API.
    #[arg(long, env = "ORDERLY_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Address of metrics and probes; keep it private.
    #[arg(long, env = "ORDERLY_PRIVATE_LISTEN", default_value = "127.0.0.1:9464")]
    pub(crate) private_listen: SocketAddr,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Base URL of the payment provider, without /v1 [default: a bank inside this process].
    #[arg(long, env = "ORDERLY_PAYMENTS_URL")]
    pub(crate) payments_url: Option<String>,
    /// Secret key for the payment provider.
    #[arg(long, env = "ORDERLY_PAYMENTS_KEY", hide_env_values = true)]
    pub(crate) payments_key: Option<String>,
    /// Secrets with which the payment provider signs its events to /v1/webhooks/payments; several,
    /// separated by commas, while one replaces the other [default: events are refused].
    #[arg(
        long,
        env = "ORDERLY_PAYMENTS_WEBHOOK_SECRET",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(crate) payments_webhook_secret: Vec<String>,
    /// What is done when money is to be taken that was held, and the hold has lapsed: charge the same
    /// means of payment again, or give up.
    #[arg(long, env = "ORDERLY_LAPSED_AUTHORIZATION", value_enum, default_value = "reauthorize")]
    pub(crate) lapsed_authorization: LapsedAuthorization,
    /// A fixed first admin key, at least 16 characters [default: made at the first start and kept
    /// in DATA_DIR/admin.key]. Nodes of one shop share it.
    #[arg(long, env = "ORDERLY_ADMIN_KEY", hide_env_values = true)]
    pub(crate) admin_key: Option<String>,
    #[command(flatten)]
    pub(crate) tokens: TokenArgs,
    /// Threads for HTTP, and as many for actors [default: the number of cores].
    #[arg(long, env = "ORDERLY_WORKERS")]
    pub(crate) workers: Option<usize>,
    /// Order lanes, 1 to 8 [default: 1].
    #[arg(long, env = "ORDERLY_LANES")]
    pub(crate) lanes: Option<usize>,
    /// Seconds after which an order whose payment is still unknown gives its goods to others.
    #[arg(long, env = "ORDERLY_PAYMENT_EXPIRY_SECS", default_value = "900")]
    pub(crate) payment_expiry_secs: u64,
    /// Days for which a request that comes again gets the same answer again. (The key of an order
    /// never makes a second one, however late.)
    #[arg(long, env = "ORDERLY_ANSWERS_KEPT_DAYS", default_value = "30",
          value_parser = clap::value_parser!(u64).range(1..=3650))]
    pub(crate) answers_kept_days: u64,
    /// Milliseconds for which a node believes what it remembers of the stock: so long at most may it
    /// refuse an order, or show a level to those who ask for less than the latest, although another
    /// node has changed it [0: nothing is remembered].
    #[arg(long, env = "ORDERLY_STOCK_CACHE_MS", default_value = "500",
          value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub(crate) stock_cache_ms: u64,
    /// Age in seconds from which an order or operation that stands still is looked into.
    #[arg(long, env = "ORDERLY_RECOVER_AFTER_SECS", default_value = "10")]
    pub(crate) recover_after_secs: u64,
    /// Seconds between two looks for what stands still. A node that is gone is missed after three.
    #[arg(long, env = "ORDERLY_RECOVER_EVERY_SECS", default_value = "5",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) recover_every_secs: u64,
    /// Seconds between two audits of the books; a large shop's audits rest for longer.
    #[arg(long, env = "ORDERLY_AUDIT_EVERY_SECS", default_value = "60",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) audit_every_secs: u64,
    /// A file of feature flags in flagd's format, read again when it changes. What it changes is taken
    /// over; what is set through the API afterwards holds until the file says otherwise [default: none].
    #[arg(long, env = "ORDERLY_FLAGS_FILE")]
    pub(crate) flags_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) edge: EdgeArgs,
    #[command(flatten)]
    pub(crate) recommendations: RecommendationArgs,
    /// Seconds to keep serving after a termination signal, while load balancers notice.
    #[arg(long, env = "ORDERLY_DRAIN_DELAY_SECS", default_value = "5")]
    pub(crate) drain_delay_secs: u64,
    #[command(flatten)]
    pub(crate) logs: LogArgs,
    #[command(flatten)]
    pub(crate) traces: TraceArgs,
}

/// What is done about a hold that has lapsed.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum LapsedAuthorization {
    /// Charge the same means of payment again.
    Reauthorize,
    /// Take nothing, and say so.
    Refuse,
}

/// How a command ended well or badly, short of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is as it should be.
    Good,
    /// The check that the command makes has failed.
    Failed,
    /// The check could not be made: too little is known.
    Unknown,
    /// A server was stopped before all that was begun was finished: by a second signal, or because
    /// it took too long. Nothing is lost; the next start finds and finishes it.
    Unfinished,
}

/// The program: reads the command line and the environment, runs, and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    // One provider of cryptography for all TLS; it is set once, at the start of the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    let result = match cli.command {
        None => serve::run(cli.serve),
        Some(Command::Serve(args)) => serve::run(*args),
        Some(Command::Demo(args)) => demo::run(args),
        Some(Command::Bank(args)) => bank_command::run(args),
        Some(Command::Migrate(args)) => serve::migrate(&args),
        Some(Command::Import(args)) => import_command::run(args),
        Some(Command::Replay(args)) => replay_command::run(args),
        Some(Command::Bench(args)) => bench_command::run(*args),
        Some(Command::Audit(args)) => audit_command::run(args),
        Some(Command::Reconcile(args)) => reconcile_command::run(*args),
        Some(Command::Gate(args)) => gate_command::run(*args),
    };
    match result {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::from(1),
        Ok(Verdict::Unknown) => ExitCode::from(2),
        Ok(Verdict::Unfinished) => ExitCode::from(3),
        Err(error) => {
            eprintln!("orderly: {error:#}");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn nothing_given_means_serve_with_everything_inside() {
        let cli = Cli::try_parse_from(["orderly"]).expect("nothing is needed");
        assert!(cli.command.is_none());
        assert_eq!(cli.serve.listen.to_string(), "127.0.0.1:8080");
        let url = DatabaseUrl::Sqlite(PathBuf::from("./data/orderly.db"));
        assert_eq!(cli.serve.store.url().ok(), Some(url));
    }

    #[test]
    fn a_database_url_that_cannot_be_read_is_not_repeated() {
        let args = ["orderly", "serve", "--database-url", "mysql://u:secret@h/d"];
        let Ok(Cli { command: Some(Command::Serve(serve)), .. }) = Cli::try_parse_from(args) else {
            panic!("the text is taken")
        };
        let error = serve.store.url().expect_err("no such database").to_string();
        assert!(error.contains("postgres://") && !error.contains("secret"), "{error}");
    }
}
