//! `orderly import`.

use crate::cli::Verdict;
use crate::replay_command::ServerArgs;
use anyhow::Result;
use clap::{Args, ValueEnum};
use import::{Format, ImportOptions, ImportReport, Kind, run as import};
use std::path::PathBuf;

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum KindName {
    /// sku, name, unit_amount (minor units; also unit_price_minor), currency; category, active.
    Products,
    /// sku, delta (units to add; also opening_stock); reason, location.
    Stock,
    /// external_ref, name; email, default_payment_method.
    Customers,
    /// sku; unit_amount (minor units of the list's currency), off (true takes the price off). With
    /// --list.
    Prices,
}

/// How the rows are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    /// The first record names the columns.
    Csv,
    /// A JSON object on each line, as the API's streams take them.
    Ndjson,
}

/// Settings of an import.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// What the rows are, with their columns: needed ones, then those that may be there.
    #[arg(value_enum)]
    kind: KindName,
    /// The file.
    file: PathBuf,
    /// Of prices: the price list, which exists.
    #[arg(long)]
    list: Option<String>,
    /// How its rows are written [default: what the file's name ends in].
    #[arg(long, value_enum)]
    format: Option<FormatName>,
    #[command(flatten)]
    server: ServerArgs,
    /// Names this import in every idempotency key: the same name again takes each row of stock into
    /// account once, by its place in the file. Give it after bad rows were mended in place [default:
    /// made of the file's bytes].
    #[arg(long)]
    run_id: Option<String>,
    /// Where it is kept how far the import has come, until it is through [default: FILE.import.json].
    #[arg(long)]
    note: Option<PathBuf>,
    /// Where refused rows are written, with line and reason [default: FILE.rejected.ndjson].
    #[arg(long)]
    rejected: Option<PathBuf>,
    /// Print the result as JSON on the last line.
    #[arg(long)]
    json: bool,
}

/// Imports, and tells which rows were refused.
pub(crate) fn run(args: ImportArgs) -> Result<Verdict> {
    let options = ImportOptions {
        kind: match args.kind {
            KindName::Products => Kind::Products,
            KindName::Stock => Kind::Stock,
            KindName::Customers => Kind::Customers,
            KindName::Prices => Kind::Prices,
        },
        list: args.list,
        file: args.file,
        format: args.format.map(|format| match format {
            FormatName::Csv => Format::Csv,
            FormatName::Ndjson => Format::Ndjson,
        }),
        api_key: args.server.key()?,
        target: args.server.target,
        run_id: args.run_id,
        note: args.note,
        bad_rows: args.rejected,
        progress: true,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(import(options))?;
    print(&report);
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(if report.ok { Verdict::Good } else { Verdict::Failed })
}

fn print(report: &ImportReport) {
    let ImportReport { kind, target, rows, accepted, refused, seconds, .. } = report;
    println!(
        "{} of {rows} rows on {target} after {seconds:.1} s: {accepted} accepted, {refused} refused",
        kind.as_str()
    );
    if report.before > 0 {
        println!("went on after the first {} rows", report.before);
    }
    if !report.unused_columns.is_empty() {
        println!("columns that mean nothing here: {}", report.unused_columns.join(", "));
    }
    for row in &report.bad_rows {
        println!("line {}: {} ({})", row.line, row.reason, row.code);
    }
    if let Some(file) = &report.bad_rows_file {
        println!("all refused rows are in {}", file.display());
        println!("to mend them in place and import the file again: --run-id {}", report.run_id);
    }
}
