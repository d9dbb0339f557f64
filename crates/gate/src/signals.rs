//! What is asked of Prometheus, and how far each may move.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// A part of a whole, 0 to 1.
    Ratio,
    /// Processor cores in use.
    Cores,
    /// Per second.
    PerSecond,
}

/// How a value is made of what Prometheus scraped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    /// A quantile of a histogram.
    Quantile { quantile: f64, histogram: &'static str, matchers: &'static str },
    /// How much of one counter is in another, or per each of it.
    Ratio { part: &'static str, matchers: &'static str, whole: &'static str },
    /// How full something is: two gauges, averaged over the window.
    Fill {
        used: &'static str,
        matchers: &'static str,
        most: &'static str,
        most_matchers: &'static str,
    },
    /// The mean over the nodes of what grows.
    PerNode { counter: &'static str },
    /// How often something happens.
    Rate { counter: &'static str },
}

/// How far a signal may rise over its baseline: by whichever of the two is more, and by three times
/// the noise of the baseline in any case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// As a part of the baseline: 0.5 is half as much again.
    pub relative: f64,
    /// In the unit of the signal: what is too little to matter.
    pub absolute: f64,
}

/// One thing that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Signal {
    /// Its name on the command line, in baselines and in reports.
    pub name: &'static str,
    /// What it tells, for people.
    pub meaning: &'static str,
    /// What its numbers count.
    pub unit: Unit,
    /// How far it may rise; `None`: it is shown, not judged.
    pub bound: Option<Bound>,
    /// Fewest requests, calls or scrapes in a window that counts.
    pub min_samples: f64,
    pub(crate) measure: Measure,
}

/// So many requests must be in a window before one in a hundred of them means something.
const ENOUGH_FOR_P99: f64 = 100.0;
/// So many for the rest.
const ENOUGH: f64 = 20.0;
/// So many scrapes for what is averaged.
const SCRAPES: f64 = 2.0;

const fn bound(relative: f64, absolute: f64) -> Option<Bound> {
    Some(Bound { relative, absolute })
}

const fn quantile(quantile: f64, histogram: &'static str, matchers: &'static str) -> Measure {
    Measure::Quantile { quantile, histogram, matchers }
}

const ORDERS: &str = "route=\"/v1/orders\",method=\"POST\",status!=\"5xx\"";
const REQUESTS: &str = "http_request_seconds_count";

/// All that is looked at: latency, errors, saturation, traffic.
///
/// The bounds are ours. A histogram has three buckets a decade, so that a quantile that did not
/// move may be told with a third more or less: no relative bound of a quantile is below a half.
pub const SIGNALS: &[Signal] = &[
    Signal {
        name: "order_p50",
        meaning: "half of the orders are answered within",
        unit: Unit::Seconds,
        bound: bound(0.5, 0.02),
        min_samples: ENOUGH,
        measure: quantile(0.5, "http_request_seconds", ORDERS),
    },
    Signal {
        name: "order_p99",
        meaning: "99 % of the orders are answered within",
        unit: Unit::Seconds,
        bound: bound(0.5, 0.1),
        min_samples: ENOUGH_FOR_P99,
        measure: quantile(0.99, "http_request_seconds", ORDERS),
    },
    Signal {
        name: "request_p99",
        meaning: "99 % of all requests are answered within",
        unit: Unit::Seconds,
        bound: bound(0.5, 0.1),
        min_samples: ENOUGH_FOR_P99,
        measure: quantile(0.99, "http_request_seconds", "status!=\"5xx\""),
    },
    Signal {
        name: "errors",
        meaning: "requests answered with 5xx",
        unit: Unit::Ratio,
        bound: bound(0.5, 0.005),
        min_samples: ENOUGH,
        measure: Measure::Ratio { part: REQUESTS, matchers: "status=\"5xx\"", whole: REQUESTS },
    },
    Signal {
        name: "edge_errors",
        meaning: "calls between parts of the shop that failed",
        unit: Unit::Ratio,
        bound: bound(0.5, 0.005),
        min_samples: ENOUGH,
        measure: Measure::Ratio {
            part: "edge_calls_total",
            matchers: "outcome=\"failed\"",
            whole: "edge_calls_total",
        },
    },
    Signal {
        name: "bank_p99",
        meaning: "99 % of the calls to the bank take at most",
        unit: Unit::Seconds,
        bound: bound(0.5, 0.1),
        min_samples: ENOUGH_FOR_P99,
        measure: quantile(0.99, "edge_call_seconds", "callee=\"bank\""),
    },
    Signal {
        name: "store_p99",
        meaning: "99 % of reads and transactions take at most",
        unit: Unit::Seconds,
        bound: bound(0.5, 0.05),
        min_samples: ENOUGH_FOR_P99,
        measure: quantile(0.99, "edge_call_seconds", "callee=\"store\""),
    },
    Signal {
        name: "begin_p99",
        meaning: "99 % of transactions wait for a connection for at most",
        unit: Unit::Seconds,
        bound: bound(0.5, 0.05),
        min_samples: ENOUGH_FOR_P99,
        measure: quantile(0.99, "db_begin_seconds", ""),
    },
    Signal {
        name: "mailbox_p99",
        meaning: "99 % of messages wait in a mailbox for at most",
        unit: Unit::Seconds,
        bound: bound(0.5, 0.05),
        min_samples: ENOUGH_FOR_P99,
        measure: quantile(0.99, "actor_mailbox_wait_seconds", ""),
    },
    Signal {
        name: "pool_busy",
        meaning: "connections for writing that are in use",
        unit: Unit::Ratio,
        bound: bound(0.5, 0.2),
        min_samples: SCRAPES,
        measure: Measure::Fill {
            used: "db_pool_connections",
            matchers: "pool=\"writers\",state=\"busy\"",
            most: "db_pool_connections_max",
            most_matchers: "pool=\"writers\"",
        },
    },
    Signal {
        name: "cpu",
        meaning: "cores that a node uses",
        unit: Unit::Cores,
        bound: bound(0.5, 0.5),
        min_samples: SCRAPES,
        measure: Measure::PerNode { counter: "process_cpu_seconds" },
    },
    Signal {
        name: "cpu_per_request",
        meaning: "processor time of a request",
        unit: Unit::Seconds,
        bound: bound(0.5, 0.001),
        min_samples: ENOUGH,
        measure: Measure::Ratio { part: "process_cpu_seconds", matchers: "", whole: REQUESTS },
    },
    Signal {
        name: "traffic",
        meaning: "requests a second; shown, because the rest depends on it",
        unit: Unit::PerSecond,
        bound: None,
        min_samples: 1.0,
        measure: Measure::Rate { counter: REQUESTS },
    },
];

/// The signal of this name.
pub(crate) fn signal(name: &str) -> Option<&'static Signal> {
    SIGNALS.iter().find(|signal| signal.name == name)
}

/// Another bound for one signal: `order_p99=0.5,0.2` lets it rise by half or by 0.2 seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundOverride {
    /// Which signal.
    pub signal: &'static str,
    /// Its bound.
    pub bound: Bound,
}

impl FromStr for BoundOverride {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').and_then(|(name, bounds)| {
            let (relative, absolute) = bounds.split_once(',')?;
            Some((name.trim(), relative.trim(), absolute.trim()))
        });
        let Some((name, relative, absolute)) = parts else {
            return Err("a bound is NAME=RELATIVE,ABSOLUTE, such as order_p99=0.5,0.2".to_owned());
        };
        let Some(judged) = signal(name).filter(|signal| signal.bound.is_some()) else {
            let names: Vec<&str> =
                SIGNALS.iter().filter(|s| s.bound.is_some()).map(|signal| signal.name).collect();
            return Err(format!("{name} is not judged; what is: {}", names.join(", ")));
        };
        let number = |text: &str| {
            let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
            number.ok_or_else(|| format!("{text} is no number from 0 up"))
        };
        let bound = Bound { relative: number(relative)?, absolute: number(absolute)? };
        Ok(Self { signal: judged.name, bound })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_what_is_judged_has_a_bound_that_can_be_crossed() {
        let names: BTreeSet<&str> = SIGNALS.iter().map(|signal| signal.name).collect();
        assert_eq!(names.len(), SIGNALS.len());
        for signal in SIGNALS {
            assert!(signal.min_samples > 0.0 && !signal.meaning.is_empty(), "{}", signal.name);
            if let Some(bound) = signal.bound {
                assert!(bound.relative > 0.0 && bound.absolute > 0.0, "{}", signal.name);
                assert!(signal.unit != Unit::Ratio || bound.absolute < 1.0, "{}", signal.name);
            }
        }
    }

    #[test]
    fn a_bound_is_read_or_refused_with_a_sentence() {
        let read = "order_p99=0.5,0.2".parse();
        let bound = Bound { relative: 0.5, absolute: 0.2 };
        assert_eq!(read, Ok(BoundOverride { signal: "order_p99", bound }));
        for (text, says) in [
            ("order_p99", "NAME=RELATIVE,ABSOLUTE"),
            ("order_p99=1", "NAME=RELATIVE,ABSOLUTE"),
            ("order_p98=1,1", "order_p98 is not judged"),
            ("traffic=1,1", "traffic is not judged"),
            ("order_p99=x,1", "x is no number"),
            ("order_p99=1,-1", "-1 is no number"),
            ("order_p99=1,NaN", "NaN is no number"),
        ] {
            let error = text.parse::<BoundOverride>().expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
