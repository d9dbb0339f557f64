//! The objectives as rules of Prometheus: multi-window, multi-burn-rate alerts as in Google's *Site
//! Reliability Workbook*, chapter 5.

use super::{Indicator, SLOS, Slo};
use std::fmt::Write as _;

/// How fast time runs for the rules: 1 as they are meant; more in tests, where an hour may be some
/// seconds. Every window is divided by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed(pub u32);

/// A window, by its name and its length in seconds.
#[derive(Clone, Copy)]
struct Window(&'static str, u32);

const MINUTES_5: Window = Window("5m", 300);
const MINUTES_30: Window = Window("30m", 1_800);
const HOUR: Window = Window("1h", 3_600);
const HOURS_2: Window = Window("2h", 7_200);
const HOURS_6: Window = Window("6h", 21_600);
const DAY: Window = Window("1d", 86_400);
const DAYS_3: Window = Window("3d", 259_200);
const DAYS_30: Window = Window("30d", 2_592_000);

const WINDOWS: [Window; 7] = [MINUTES_5, MINUTES_30, HOUR, HOURS_2, HOURS_6, DAY, DAYS_3];

/// When to alert: the budget burns at least so many times too fast, over the long window and, so
/// that the alert ends soon after the trouble, over the short one.
struct Burn {
    factor: &'static str,
    long: Window,
    short: Window,
}

/// A fiftieth of the budget in an hour, a twentieth in six: somebody is to be woken.
const FAST: [Burn; 2] = [
    Burn { factor: "14.4", long: HOUR, short: MINUTES_5 },
    Burn { factor: "6", long: HOURS_6, short: MINUTES_30 },
];

/// A tenth of the budget in a day, or in three: somebody is to look at it tomorrow.
const SLOW: [Burn; 2] = [
    Burn { factor: "3", long: DAY, short: HOURS_2 },
    Burn { factor: "1", long: DAYS_3, short: HOURS_6 },
];

/// Fewest calls in the long window: of three calls at night one that failed is no outage.
const CALLS_MIN: u32 = 30;

/// How often Prometheus evaluates the rules, in seconds; what is left of a budget reads thirty days
/// of samples, and changes slowly.
const EVALUATE_SECONDS: u32 = 30;
const EVALUATE_BUDGET_SECONDS: u32 = 300;

impl Speed {
    /// A length of time as Prometheus writes it.
    fn time(self, seconds: u32) -> String {
        let ms = u64::from(seconds) * 1_000 / u64::from(self.0.max(1));
        if ms.is_multiple_of(1_000) { format!("{}s", ms / 1_000) } else { format!("{ms}ms") }
    }

    fn range(self, window: Window) -> String {
        self.time(window.1)
    }

    /// The seconds that a window has.
    fn seconds(self, window: Window) -> f64 {
        f64::from(window.1) / f64::from(self.0.max(1))
    }
}

impl Slo {
    /// All calls that count, and those of them that went wrong, per second over `range`.
    fn calls_and_errors(&self, range: &str) -> (String, String) {
        match self.indicator {
            Indicator::Edge { caller, callee } => {
                let calls = |outcome: &str| {
                    format!(
                        "sum(rate(edge_calls_total{{caller=\"{caller}\",callee=\"{callee}\",\
                         outcome=~\"{outcome}\"}}[{range}]))"
                    )
                };
                (calls("ok|failed"), calls("failed"))
            }
            Indicator::Answered => {
                let calls = |status: &str| {
                    format!(
                        "sum(rate(http_request_seconds_count{{route!~\"/livez|/readyz|/metrics\",\
                         status=~\"{status}\"}}[{range}]))"
                    )
                };
                // Without a single error there is no such series.
                (calls("[1-5]xx"), format!("({} or vector(0))", calls("5xx")))
            }
            Indicator::Quick { route, method, within_seconds } => {
                let labels = format!("route=\"{route}\",method=\"{method}\",status!=\"5xx\"");
                let all = format!("sum(rate(http_request_seconds_count{{{labels}}}[{range}]))");
                let quick = format!(
                    "sum(rate(http_request_seconds_bucket{{{labels},le=\"{within_seconds}\"}}[{range}]))"
                );
                (all.clone(), format!("({all} - {quick})"))
            }
        }
    }
}

/// The rules that watch over [`SLOS`], as a file of Prometheus.
#[must_use]
pub fn slo_rules(speed: Speed) -> String {
    let mut text = String::from(HEAD);
    // Writing to a string cannot fail.
    let evaluate = speed.time(EVALUATE_SECONDS);
    let _ = write!(text, "groups:\n  - name: slo\n    interval: {evaluate}\n    rules:\n");
    for slo in SLOS {
        recordings(&mut text, slo, speed);
    }
    alert(&mut text, "SloBurnsFast", "page", &FAST, speed);
    alert(&mut text, "SloBurnsSlowly", "ticket", &SLOW, speed);
    let _ = write!(
        text,
        "  - name: slo_budget\n    interval: {}\n    rules:\n",
        speed.time(EVALUATE_BUDGET_SECONDS)
    );
    for slo in SLOS {
        let (calls, errors) = slo.calls_and_errors(&speed.range(DAYS_30));
        let left = format!("1 - ({errors}) / ({calls}) / {}", budget(slo));
        record(&mut text, "slo:budget_left:30d", slo, &left);
    }
    text
}

const HEAD: &str = "# Made from the table in crates/telemetry/src/slo.rs by\n\
    # `UPDATE_DOCS=1 cargo test -p orderly-tests --test it house`; a test keeps both equal.\n\
    #\n\
    # slo:error_ratio:rate<window>  share of calls that went wrong\n\
    # slo:calls:rate<window>        calls per second\n\
    # slo:error_budget              share of calls that may go wrong\n\
    # slo:budget_left:30d           share of the budget that is left: 1 untouched, below 0 overspent\n";

/// The share that may go wrong, written without the noise of binary fractions.
fn budget(slo: &Slo) -> String {
    let text = format!("{:.6}", 1.0 - slo.target);
    text.trim_end_matches('0').to_owned()
}

fn recordings(text: &mut String, slo: &Slo, speed: Speed) {
    let _ = writeln!(text, "      # {}", slo.help);
    record(text, "slo:error_budget", slo, &format!("vector({})", budget(slo)));
    for window in WINDOWS {
        let (calls, errors) = slo.calls_and_errors(&speed.range(window));
        let name = window.0;
        record(text, &format!("slo:error_ratio:rate{name}"), slo, &format!("{errors} / {calls}"));
        let is_long = [&FAST, &SLOW].into_iter().flatten().any(|burn| burn.long.0 == name);
        if is_long {
            record(text, &format!("slo:calls:rate{name}"), slo, &calls);
        }
    }
}

fn record(text: &mut String, name: &str, slo: &Slo, expression: &str) {
    let _ = writeln!(
        text,
        "      - record: {name}\n        labels: {{slo: {}}}\n        expr: {expression}",
        slo.name
    );
}

fn alert(text: &mut String, name: &str, severity: &str, burns: &[Burn], speed: Speed) {
    let burning = |burn: &Burn| {
        let Burn { factor, long, short } = burn;
        let over = |window: &Window| {
            format!("slo:error_ratio:rate{} / on (slo) slo:error_budget > {factor}", window.0)
        };
        format!(
            "({}\n            and on (slo) {}\n            and on (slo) slo:calls:rate{} * {} >= \
             {CALLS_MIN})",
            over(long),
            over(short),
            long.0,
            speed.seconds(*long)
        )
    };
    let either: Vec<String> = burns.iter().map(burning).collect();
    let _ = writeln!(
        text,
        "      - alert: {name}\n        expr: |\n          {}\n        for: {}\n        \
         labels: {{severity: {severity}}}\n        annotations:\n          \
         summary: \"{{{{ $labels.slo }}}} burns its error budget {{{{ printf \\\"%.1f\\\" $value }}}} \
         times too fast\"\n          runbook: docs/OPERATIONS.md#{}",
        either.join("\n          or on (slo)\n          "),
        speed.time(60),
        name.to_lowercase()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_objective_has_its_recordings() {
        let rules = slo_rules(Speed(1));
        for slo in SLOS {
            let label = format!("labels: {{slo: {}}}", slo.name);
            // A budget, a ratio per window, calls per long window, what is left.
            assert_eq!(rules.matches(&label).count(), 1 + WINDOWS.len() + 4 + 1, "{}", slo.name);
        }
        assert!(rules.contains("vector(0.0005)"), "{rules}");
        assert!(rules.contains("slo:error_ratio:rate1h / on (slo) slo:error_budget > 14.4"));
        assert!(rules.contains("and on (slo) slo:calls:rate1h * 3600 >= 30"));
    }

    #[test]
    fn time_may_run_faster() {
        assert_eq!(Speed(1).time(300), "300s");
        assert_eq!(Speed(300).time(300), "1s");
        assert_eq!(Speed(300).time(60), "200ms");
        let rules = slo_rules(Speed(300));
        assert!(rules.contains("slo:calls:rate1h * 12 >= 30"), "{rules}");
        assert!(!rules.contains("[3600s]") && rules.contains("[12s]"));
    }
}
