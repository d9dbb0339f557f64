//! The release gate: is what runs now as good as what ran before?
//!
//! A Prometheus knows how quick requests were, how many failed, and how full the shop was. This
//! crate asks it for each of these [signals](SIGNALS) in several windows of time, one after the
//! other, and compares them with a [`Baseline`] that was recorded when all was well.
//!
//! One bad second must not stop a release, and one good one must not let it through. So windows
//! are compared by their median, and how far a median may move is judged by how much the windows
//! of the baseline differed among themselves (their median absolute deviation), besides a relative
//! and an absolute bound: see [`judge`].
//!
//! Begin with [`signals`](SIGNALS) (what is asked), then `judge.rs` (pure), then `prometheus.rs`
//! (the only I/O).

mod baseline;
mod error;
mod judge;
mod prometheus;
mod query;
mod signals;
mod statistics;
mod table;

pub use baseline::{Baseline, Recorded};
pub use error::GateError;
pub use judge::{Judged, Report, State, Verdict, judge};
pub use prometheus::Prometheus;
pub use query::{Questions, Scope};
pub use signals::{Bound, BoundOverride, SIGNALS, Signal, Unit};
pub use table::{rfc3339, table};

/// Fewest windows with enough in them from which something is concluded.
pub const MIN_WINDOWS: usize = 3;

/// What one signal was in each of a row of windows, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// One entry a window.
    pub windows: Vec<Window>,
}

/// What one signal was in one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// When it began, in seconds since 1970.
    pub began: f64,
    /// The value in the unit of the signal; `None` where Prometheus has none.
    pub value: Option<f64>,
    /// How many requests, calls or scrapes the value is made of.
    pub samples: f64,
}

impl Series {
    /// The windows that say something: a number that can be, made of at least `min_samples`.
    ///
    /// A window without traffic gives `NaN`; a Prometheus that was away gives none.
    fn usable(&self, min_samples: f64) -> Vec<(f64, f64, f64)> {
        let says = |window: &Window| {
            let value = window.value.filter(|value| value.is_finite() && *value >= 0.0)?;
            (window.samples.is_finite() && window.samples >= min_samples).then_some((
                window.began,
                value,
                window.samples,
            ))
        };
        self.windows.iter().filter_map(says).collect()
    }
}
