//! The metrics recorder: its buckets, and how it is read.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{METRICS, TelemetryError};

/// Upper bounds of the `*_seconds` histograms: 0.1 ms to 10 s, three a decade, so that a quantile
/// is at most a factor of 2.5 off at any scale.
pub(crate) const SECONDS_BUCKETS: [f64; 16] = [
    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
    10.0,
];

/// Upper bounds of the `*_items` and `*_rows` histograms.
const COUNT_BUCKETS: [f64; 12] =
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0];

/// The endings a histogram's name may have, each with its buckets. A histogram with another
/// ending would come out as a summary, which cannot be added up over nodes.
const BUCKETS_BY_ENDING: [(&str, &[f64]); 3] =
    [("_seconds", &SECONDS_BUCKETS), ("_items", &COUNT_BUCKETS), ("_rows", &COUNT_BUCKETS)];

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only goes up, from zero at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often values fell below each of a row of bounds.
    Histogram,
}

impl Kind {
    /// The word for it in documents.
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What one metric means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The name, in snake_case, with its unit last; counters end in `_total`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What is counted or measured.
    pub unit: Unit,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// One or more sentences: what it tells, and the meaning of its values.
    pub help: &'static str,
}

/// Reads the metrics of this process. Clones read the same metrics.
#[derive(Clone)]
pub struct MetricsHandle {
    recorder: PrometheusHandle,
}

impl std::fmt::Debug for MetricsHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetricsHandle").finish_non_exhaustive()
    }
}

impl MetricsHandle {
    /// All metrics in the Prometheus text format.
    pub fn render(&self) -> String {
        self.recorder.render()
    }

    /// Moves the values of histograms out of the buffers into which they are recorded.
    ///
    /// Call it about every 5 seconds: between two calls the buffers only grow, also when nobody
    /// reads the metrics.
    pub fn upkeep(&self) {
        self.recorder.run_upkeep();
    }
}

/// Installs the recorder of this process and describes [`METRICS`].
///
/// A second call returns a handle to the same recorder. Install it before the parts that measure
/// are built: what was measured earlier is lost.
///
/// # Errors
/// [`TelemetryError::Metrics`] when the process already has a recorder that is not ours.
pub fn install_metrics() -> Result<MetricsHandle, TelemetryError> {
    static INSTALLED: Mutex<Option<MetricsHandle>> = Mutex::new(None);
    // The handle is written in one step, so a poisoned lock guards nothing half done.
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let recorder = builder()
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|source| TelemetryError::Metrics { source })?;
    let handle = MetricsHandle { recorder };
    describe(METRICS);
    // Descriptions show up after the first upkeep.
    handle.upkeep();
    *installed = Some(handle.clone());
    Ok(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    BUCKETS_BY_ENDING.iter().try_fold(PrometheusBuilder::new(), |builder, (ending, buckets)| {
        builder.set_buckets_for_metric(Matcher::Suffix((*ending).to_owned()), buckets)
    })
}

/// Tells the recorder what the metrics mean, for the `# HELP` lines.
pub fn describe(metrics: &[Metric]) {
    for metric in metrics {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.unit, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.unit, metric.help),
            Kind::Histogram => describe_histogram!(metric.name, metric.unit, metric.help),
        }
    }
}

/// [`METRICS`] as a table in Markdown.
pub fn metrics_markdown() -> String {
    let mut table =
        String::from("| Metric | Kind | Unit | Labels | Meaning |\n|---|---|---|---|---|\n");
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} | {} |",
            metric.name,
            metric.kind.as_str(),
            metric.unit.as_str(),
            labels.join(", "),
            metric.help
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn is_snake_case(name: &str) -> bool {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    }

    #[test]
    fn every_metric_follows_the_rules_of_naming() {
        let mut names = HashSet::new();
        for metric in METRICS {
            let name = metric.name;
            assert!(names.insert(name), "{name} is listed twice");
            assert!(is_snake_case(name), "{name}");
            assert!(metric.labels.iter().all(|label| is_snake_case(label)), "{name}");
            let is_counter = metric.kind == Kind::Counter;
            assert_eq!(name.ends_with("_total"), is_counter, "{name}");
            assert!(
                metric.kind != Kind::Histogram
                    || BUCKETS_BY_ENDING.iter().any(|(ending, _)| name.ends_with(ending)),
                "{name} has no buckets"
            );
            assert_eq!(name.ends_with("_seconds"), metric.unit == Unit::Seconds, "{name}");
            assert!(metric.help.ends_with('.'), "{name}: help is a sentence");
            assert!(!metric.help.contains(['|', '\n']), "{name}: would break the table");
        }
    }

    #[test]
    fn buckets_rise() {
        for (ending, buckets) in BUCKETS_BY_ENDING {
            assert!(buckets.is_sorted_by(|a, b| a < b), "{ending}");
        }
    }

    #[test]
    fn the_table_has_a_row_for_every_metric() {
        let table = metrics_markdown();
        assert_eq!(table.lines().count(), METRICS.len() + 2);
        for metric in METRICS {
            assert!(table.contains(&format!("| `{}` |", metric.name)));
        }
        assert!(table.lines().all(|row| row.matches('|').count() == 6));
    }

    #[test]
    fn histograms_have_buckets_and_every_metric_its_help() {
        let handle = install_metrics().unwrap();
        let labels = [("case", "render")];
        for metric in METRICS {
            match metric.kind {
                Kind::Counter => ::metrics::counter!(metric.name, &labels).increment(1),
                Kind::Gauge => ::metrics::gauge!(metric.name, &labels).set(2.0),
                Kind::Histogram => ::metrics::histogram!(metric.name, &labels).record(0.004),
            }
        }
        ::metrics::histogram!("handful_items", &labels).record(3.0);
        ::metrics::histogram!("handful_rows", &labels).record(4000.0);
        handle.upkeep();
        let text = handle.render();
        for metric in METRICS {
            let name = metric.name;
            assert!(text.contains(&format!("# HELP {name} {}", metric.help)), "{name}");
            assert!(text.contains(&format!("# TYPE {name} {}", metric.kind.as_str())), "{name}");
        }
        for line in [
            "actor_handling_seconds_bucket{case=\"render\",le=\"0.002\"} 0",
            "actor_handling_seconds_bucket{case=\"render\",le=\"0.005\"} 1",
            "actor_handling_seconds_bucket{case=\"render\",le=\"10\"} 1",
            "handful_items_bucket{case=\"render\",le=\"2\"} 0",
            "handful_items_bucket{case=\"render\",le=\"5\"} 1",
            "handful_rows_bucket{case=\"render\",le=\"2000\"} 0",
            "handful_rows_bucket{case=\"render\",le=\"5000\"} 1",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_second_installation_reads_the_same_metrics() {
        let first = install_metrics().unwrap();
        let second = install_metrics().unwrap();
        ::metrics::counter!("second_installation_total").increment(3);
        for handle in [first, second] {
            assert!(handle.render().contains("second_installation_total 3"));
        }
    }
}
