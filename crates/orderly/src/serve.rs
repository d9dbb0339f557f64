//! `orderly serve` and `orderly migrate`.

use crate::app::{App, Ended};
use crate::cli::{LogArgs, LogStyle, ServeArgs, StoreArgs, Verdict};
use crate::keys::ADMIN_KEY_FILE;
use crate::own::{Own, whole_filter};
use crate::signals::Signals;
use anyhow::Result;
use std::time::Duration;
use store::{Db, StoreConfig};
use telemetry::{LogConfig, LogControl, LogFormat};

/// Serves until asked to stop, then drains.
pub(crate) fn run(args: ServeArgs) -> Result<Verdict> {
    let instance = format!("{}#{}", args.listen, std::process::id());
    let (logs, traces) = args.traces.install(&args.logs, instance)?;
    let metrics = telemetry::install_metrics()?;
    telemetry::describe(telemetry::METRICS);
    let ended = actix::System::new().block_on(async move {
        let app = App::start(&args, Own { metrics, logs }).await?;
        let mut signals = Signals::listen()?;
        greet(&app, &args);
        signals.next().await;
        tracing::info!(event = "draining", "asked to stop; finishing what was begun");
        let drain_delay = Duration::from_secs(args.drain_delay_secs);
        let ended = tokio::select! {
            ended = app.stop(drain_delay) => ended,
            // A second signal: stop at once, as a crash would. Nothing that was answered is lost,
            // and starting again finds and finishes what was begun.
            () = signals.next() => Ended::Unfinished("a second signal"),
        };
        match ended {
            Ended::Finished => {
                tracing::info!(event = "stopped", "stopped");
                Ok(Verdict::Good)
            }
            Ended::Unfinished(why) => {
                tracing::warn!(
                    event = "stopped_unfinished",
                    why,
                    "stopped before all was finished"
                );
                Ok(Verdict::Unfinished)
            }
        }
    });
    if let Some(traces) = traces {
        traces.flush();
    }
    ended
}

fn greet(app: &App, args: &ServeArgs) {
    let public = app.gateway.public_address();
    tracing::info!(
        event = "serving",
        address = %public,
        private_address = %app.gateway.private_address(),
        "serving"
    );
    // On standard output, so that a script can read where the server is.
    println!("orderly serves on http://{public} (API documents: http://{public}/docs)");
    println!("metrics and probes on http://{}", app.gateway.private_address());
    if app.admin_key.is_new {
        let path = args.store.data_dir.join(ADMIN_KEY_FILE);
        println!("admin key, shown once and kept in {}: {}", path.display(), app.admin_key.secret);
    }
}

/// Brings the schema up to date.
pub(crate) fn migrate(args: &StoreArgs) -> Result<Verdict> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let db = Db::open(&StoreConfig::new(args.url()?)).await?;
        let migrated = db.migrate().await?;
        db.close().await;
        println!("the database has all {} migrations", migrated.known);
        Ok(Verdict::Good)
    })
}

/// Sets up the log of this process.
pub(crate) fn init_logs(args: &LogArgs) -> Result<LogControl> {
    Ok(telemetry::init_logs(&log_config(args))?)
}

/// The log as it was asked for.
pub(crate) fn log_config(args: &LogArgs) -> LogConfig {
    let format = match args.log_format {
        LogStyle::Auto => LogFormat::Auto,
        LogStyle::Json => LogFormat::Json,
        LogStyle::Pretty => LogFormat::Pretty,
    };
    let filter = whole_filter(&args.log);
    LogConfig { service: "orderly".to_owned(), format, filter }
}
