//! Installs the log of the process and changes its levels while it runs.

use std::error::Error;
use std::io::{IsTerminal, Write as _};

use time::OffsetDateTime;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::TelemetryError;
use crate::levels::{Levels, LevelsHandle};
use crate::line::Line;
use crate::spans::SpanLayer;
use crate::traces::{self, Exporter, HOP, TraceConfig, TraceLayer, TracesHandle};
use crate::{json, pretty};

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// [`LogFormat::Pretty`] when standard error is a terminal, else [`LogFormat::Json`].
    Auto,
    /// One JSON object per line, for machines.
    Json,
    /// One line for people; with colours when standard error is a terminal.
    Pretty,
}

/// What the log of a process needs to know.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// The value of `service` in every line.
    pub service: String,
    /// How a line looks.
    pub format: LogFormat,
    /// Which spans and events are kept: `info`, or `info,orders=debug`. An empty text keeps errors
    /// only.
    pub filter: String,
}

/// Changes the running log. Clones control the same log.
#[derive(Debug, Clone)]
pub struct LogControl {
    levels: LevelsHandle,
}

impl LogControl {
    /// Replaces the filter, from the next span and event on.
    ///
    /// Libraries that log through the `log` crate stay limited to the most detailed level of the
    /// filter which [`init_logs`] was given.
    ///
    /// # Errors
    /// [`TelemetryError::Filter`] when the directives cannot be read; the old filter stays.
    /// [`TelemetryError::LogGone`] when the log was torn down, which only tests do.
    pub fn set_filter(&self, filter: &str) -> Result<(), TelemetryError> {
        self.levels.set(filter)
    }

    /// The filter as it was set last.
    ///
    /// # Errors
    /// [`TelemetryError::LogGone`].
    pub fn filter(&self) -> Result<String, TelemetryError> {
        self.levels.directives().ok_or(TelemetryError::LogGone)
    }
}

/// Installs the log of this process. It writes to standard error.
///
/// # Errors
/// [`TelemetryError::Filter`] when the directives cannot be read.
/// [`TelemetryError::LogInstalled`] when the process already has a log.
pub fn init_logs(config: &LogConfig) -> Result<LogControl, TelemetryError> {
    install(config, None)
}

/// [`init_logs`], and sends traces to a collector.
///
/// # Errors
/// As [`init_logs`], and [`TelemetryError::Traces`].
pub fn init_logs_and_traces(
    config: &LogConfig,
    traces: TraceConfig,
) -> Result<(LogControl, TracesHandle), TelemetryError> {
    let (exporter, handle) = traces::start(&traces)?;
    Ok((install(config, Some((traces, exporter)))?, handle))
}

/// Nanoseconds since 1970, by the same clock.
pub(crate) fn wall_ns() -> u64 {
    u64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos()).unwrap_or(0)
}

fn install(
    config: &LogConfig,
    traces: Option<(TraceConfig, Exporter)>,
) -> Result<LogControl, TelemetryError> {
    let is_terminal = std::io::stderr().is_terminal();
    let (format, colours) = match config.format {
        LogFormat::Auto if is_terminal => (LogFormat::Pretty, true),
        LogFormat::Auto | LogFormat::Json => (LogFormat::Json, false),
        LogFormat::Pretty => (LogFormat::Pretty, is_terminal),
    };
    let style = match format {
        LogFormat::Pretty => Style::Pretty { colours },
        LogFormat::Auto | LogFormat::Json => Style::Json { service: config.service.clone() },
    };
    let layer = LogLayer {
        style,
        // A log line tells when it was written by the wall clock, also when a test owns the time.
        now: OffsetDateTime::now_utc,
        // One write per line, so that lines of several threads do not mix. There is nowhere to
        // report that the log cannot be written.
        write: |line: &str| drop(std::io::stderr().write_all(line.as_bytes())),
    };
    let (subscriber, control) = assemble(&config.filter, SpanLayer::random_seed(), layer, traces)?;
    subscriber.try_init().map_err(|source| TelemetryError::LogInstalled { source })?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(control)
}

/// Logs where a panic began, so that it is a line like any other. Whoever catches it logs what it
/// means, once, as an error.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let said = panic.payload_as_str().unwrap_or("a panic without a message");
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    tracing::warn!(event = "panicked", thread, cause = said, "panicked at {place}");
}

/// Logs an error once, at ERROR: `code` as it is, `event` as the code in lower case, `cause` as
/// the error and its sources, and `what` as the message.
///
/// `code` is a stable SCREAMING_SNAKE name; `what` says in a sentence what could not be done.
pub fn log_error(code: &str, error: &(dyn Error + 'static), what: &str) {
    tracing::error!(event = code.to_ascii_lowercase(), code, cause = error, "{what}");
}

/// Stacks the levels, the span ids, the traces and the writer.
fn assemble<W>(
    filter: &str,
    seed: u64,
    layer: LogLayer<W>,
    traces: Option<(TraceConfig, Exporter)>,
) -> Result<(impl Subscriber + Send + Sync, LogControl), TelemetryError>
where
    W: Fn(&str) + Send + Sync + 'static,
{
    let levels = Levels::parse(filter, traces.is_some())?;
    let control = LogControl { levels: levels.handle() };
    let subscriber = tracing_subscriber::registry()
        .with(levels)
        .with(SpanLayer::new(seed))
        .with(TraceLayer::new(traces, seed))
        .with(layer);
    Ok((subscriber, control))
}

#[derive(Debug)]
enum Style {
    Json { service: String },
    Pretty { colours: bool },
}

/// The layer that writes a line for each event.
struct LogLayer<W> {
    style: Style,
    now: fn() -> OffsetDateTime,
    /// Takes a whole line with its line feed.
    write: W,
}

impl<S, W> Layer<S> for LogLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&str) + 'static,
{
    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        if event.metadata().target() == HOP {
            return;
        }
        let line = Line::of(event, &ctx, (self.now)());
        let mut text = String::with_capacity(512);
        match &self.style {
            Style::Json { service } => json::push_line(&mut text, &line, service),
            Style::Pretty { colours } => pretty::push_line(&mut text, &line, *colours),
        }
        (self.write)(&text);
    }
}

#[cfg(test)]
#[path = "logs_tests.rs"]
mod tests;
