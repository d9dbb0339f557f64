//! Why the log or the metrics could not be set up.

use metrics_exporter_prometheus::BuildError;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;

/// Why the log or the metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter is not a list of directives such as `info,orders=debug`.
    #[error("the log filter {filter:?} cannot be read")]
    Filter {
        /// The text that was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The process already has a log.
    #[error("the process already has a log")]
    LogInstalled {
        /// What refused.
        source: TryInitError,
    },
    /// The log whose filter should change does not exist any more.
    #[error("the log is gone, its filter cannot be changed")]
    LogGone,
    /// Traces cannot be sent there.
    #[error("traces cannot be sent to {endpoint:?}: {why}")]
    Traces {
        /// The address that was given.
        endpoint: String,
        /// What is wrong with it.
        why: String,
    },
    /// The metrics recorder cannot be installed: another one is there already.
    #[error("the metrics recorder cannot be installed")]
    Metrics {
        /// What refused.
        source: BuildError,
    },
}
