//! Where traces go.

use crate::cli::LogArgs;
use crate::serve::log_config;
use anyhow::Result;
use clap::Args;
use std::time::Duration;
use telemetry::{LogControl, TraceConfig, TracesHandle};

/// Where traces go, and which.
#[derive(Args, Clone, Debug)]
pub(crate) struct TraceArgs {
    /// Address of a collector that takes OpenTelemetry's traces over HTTP, such as
    /// http://127.0.0.1:4318 [default: no traces].
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub(crate) otlp_endpoint: Option<String>,
    /// Share of all traces that is kept, 0 to 1. Those that fail or are slow are kept besides, up to
    /// 200 a second.
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value = "0.01", value_parser = share)]
    pub(crate) trace_ratio: f64,
    /// Milliseconds after which a request is slow.
    #[arg(long, env = "ORDERLY_TRACE_SLOW_MS", default_value = "1000")]
    pub(crate) trace_slow_ms: u64,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "give a number from 0 to 1".to_owned())
}

impl Default for TraceArgs {
    fn default() -> Self {
        Self { otlp_endpoint: None, trace_ratio: 0.01, trace_slow_ms: 1_000 }
    }
}

impl TraceArgs {
    /// Sets up the log of this process, and its traces if they go anywhere. `instance` tells this
    /// node from others.
    pub(crate) fn install(
        &self,
        logs: &LogArgs,
        instance: String,
    ) -> Result<(LogControl, Option<TracesHandle>)> {
        let config = log_config(logs);
        let Some(endpoint) = self.otlp_endpoint.clone().filter(|endpoint| !endpoint.is_empty())
        else {
            return Ok((telemetry::init_logs(&config)?, None));
        };
        let traces = TraceConfig {
            endpoint,
            service: config.service.clone(),
            instance,
            ratio: self.trace_ratio,
            slow: Duration::from_millis(self.trace_slow_ms),
        };
        let (control, handle) = telemetry::init_logs_and_traces(&config, traces)?;
        Ok((control, Some(handle)))
    }
}

/// What the payment provider is told of the current trace.
pub(crate) fn outgoing() -> Option<(u64, String)> {
    let told = telemetry::outgoing()?;
    Some((told.span_id, told.traceparent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_from_0_to_1() {
        assert_eq!(share("0.25"), Ok(0.25));
        for wrong in ["2", "-0.1", "NaN", "", "all"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
