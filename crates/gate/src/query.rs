//! Signals as questions in Prometheus's language.

use crate::signals::{Measure, Signal};
use std::fmt::Write as _;

/// Whose numbers are asked for.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Matchers of labels, as they stand within braces: `track="canary"`. Empty: all nodes.
    pub select: String,
    /// The version that a node must have run for the whole window (`build_info`). `None`: any.
    pub release: Option<String>,
}

/// The two questions about a signal in windows of so many seconds.
#[derive(Clone, Debug)]
pub struct Questions {
    /// Its value.
    pub value: String,
    /// How many requests, calls or scrapes that is made of.
    pub samples: String,
}

impl Scope {
    /// What is asked about a signal.
    #[must_use]
    pub fn questions(&self, signal: &Signal, seconds: u64) -> Questions {
        let over = |function: &str, metric: &str, matchers: &str| {
            self.over(function, metric, matchers, seconds)
        };
        let (value, samples) = match signal.measure {
            Measure::Quantile { quantile, histogram, matchers } => {
                let buckets = over("rate", &format!("{histogram}_bucket"), matchers);
                let count = over("increase", &format!("{histogram}_count"), matchers);
                let value = format!("histogram_quantile({quantile}, sum by (le) ({buckets}))");
                (value, format!("sum({count})"))
            }
            // What never happened has no series.
            Measure::Ratio { part, matchers, whole } => {
                let (part, all) = (over("rate", part, matchers), over("rate", whole, ""));
                let count = over("increase", whole, "");
                (format!("(sum({part}) or vector(0)) / sum({all})"), format!("sum({count})"))
            }
            Measure::Fill { used, matchers, most, most_matchers } => {
                let full = over("avg_over_time", used, matchers);
                let most = over("avg_over_time", most, most_matchers);
                let count = over("count_over_time", used, matchers);
                (format!("sum({full}) / sum({most})"), format!("sum({count})"))
            }
            Measure::PerNode { counter } => {
                let count = over("count_over_time", counter, "");
                (format!("avg({})", over("rate", counter, "")), format!("sum({count})"))
            }
            Measure::Rate { counter } => {
                let count = over("increase", counter, "");
                (format!("sum({})", over("rate", counter, "")), format!("sum({count})"))
            }
        };
        Questions { value, samples }
    }

    /// A function over the window before now, of the nodes that are asked for.
    fn over(&self, function: &str, metric: &str, matchers: &str, seconds: u64) -> String {
        let metric = self.selector(metric, matchers);
        let mut text = format!("{function}({metric}[{seconds}s])");
        if let Some(release) = &self.release {
            // A node may have been restarted with another version within the window.
            let version = format!("version=\"{}\"", escaped(release));
            let build = self.selector("build_info", &version);
            let _ = write!(
                text,
                " and on (job, instance) {build} and on (job, instance) {build} offset {seconds}s"
            );
        }
        text
    }

    fn selector(&self, metric: &str, matchers: &str) -> String {
        let all = [matchers, self.select.as_str()];
        let all: Vec<&str> = all.into_iter().filter(|matchers| !matchers.is_empty()).collect();
        format!("{metric}{{{}}}", all.join(","))
    }
}

/// A text between quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::signal;

    fn questions(scope: &Scope, name: &str) -> Questions {
        scope.questions(signal(name).expect(name), 60)
    }

    #[test]
    fn a_quantile_is_asked_of_the_nodes_that_are_meant() {
        let scope = Scope { select: "track=\"canary\"".to_owned(), release: None };
        let asked = questions(&scope, "bank_p99");
        assert_eq!(
            asked.value,
            "histogram_quantile(0.99, sum by (le) (rate(edge_call_seconds_bucket\
             {callee=\"bank\",track=\"canary\"}[60s])))"
        );
        let count = "sum(increase(edge_call_seconds_count{callee=\"bank\",track=\"canary\"}[60s]))";
        assert_eq!(asked.samples, count);
        assert_eq!(
            questions(&Scope::default(), "errors").value,
            "(sum(rate(http_request_seconds_count{status=\"5xx\"}[60s])) or vector(0)) / \
             sum(rate(http_request_seconds_count{}[60s]))"
        );
    }

    #[test]
    fn a_version_must_have_run_at_both_ends_of_the_window() {
        let scope = Scope { select: String::new(), release: Some("1.\"2".to_owned()) };
        assert_eq!(
            questions(&scope, "cpu").value,
            "avg(rate(process_cpu_seconds{}[60s]) \
             and on (job, instance) build_info{version=\"1.\\\"2\"} \
             and on (job, instance) build_info{version=\"1.\\\"2\"} offset 60s)"
        );
    }
}
