//! What the process offers to those who look into it, on the private listener.

use gateway::Diagnostics;
use telemetry::{LogControl, MetricsHandle};

/// What clients send that is not HTTP at all is theirs to know, not an error of ours.
const ALWAYS: &str = ",actix_http::h1=off";

/// The log and the metrics of this process.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) metrics: MetricsHandle,
    pub(crate) logs: LogControl,
}

/// The filter of the log, of the part of it that may be chosen.
pub(crate) fn whole_filter(chosen: &str) -> String {
    format!("{chosen}{ALWAYS}")
}

impl Diagnostics for Own {
    fn log_filter(&self) -> Option<String> {
        let whole = self.logs.filter().ok()?;
        Some(whole.strip_suffix(ALWAYS).unwrap_or(&whole).to_owned())
    }

    fn set_log_filter(&self, filter: &str) -> Result<(), String> {
        self.logs.set_filter(&whole_filter(filter)).map_err(|error| {
            let source = std::error::Error::source(&error);
            source.map_or_else(|| error.to_string(), ToString::to_string)
        })
    }
}
