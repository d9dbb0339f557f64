//! What was measured when all was well, kept in a file.

use crate::signals::{SIGNALS, Unit, signal};
use crate::statistics::{mad, median};
use crate::{GateError, MIN_WINDOWS, Series};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The form of the file; another one is refused.
const FORMAT: u32 = 1;

/// What was measured when all was well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    format: u32,
    /// When the last window ended, in RFC 3339.
    pub recorded_at: String,
    /// How long a window was.
    pub window_seconds: u64,
    /// The nodes that were asked for: matchers of labels.
    pub select: String,
    /// The version that was asked for.
    pub release: Option<String>,
    /// By the name of the signal.
    pub signals: BTreeMap<String, Recorded>,
}

/// What one signal was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// What the numbers count.
    pub unit: Unit,
    /// The median of the windows.
    pub median: f64,
    /// Their median absolute deviation.
    pub mad: f64,
    /// How many windows there were.
    pub windows: usize,
    /// How many requests, calls or scrapes were in them.
    pub samples: u64,
}

impl Baseline {
    /// Of the series of all signals, in the order of [`SIGNALS`].
    ///
    /// A signal with too few windows is left out and not judged later; their names are the second
    /// value.
    ///
    /// # Errors
    /// [`GateError::Baseline`] if there was too little traffic for how quick requests are and how
    /// many of them fail: such a baseline would let everything through.
    pub fn record(
        series: &[Series],
        window_seconds: u64,
        recorded_at: String,
        scope: &crate::Scope,
    ) -> Result<(Self, Vec<&'static str>), GateError> {
        let mut signals = BTreeMap::new();
        let mut missing = Vec::new();
        for (signal, series) in SIGNALS.iter().zip(series) {
            match Recorded::of(series, signal.min_samples, signal.unit) {
                Some(recorded) => drop(signals.insert(signal.name.to_owned(), recorded)),
                None => missing.push(signal.name),
            }
        }
        let known = |name: &str| signals.contains_key(name);
        if !known("errors") || !(known("request_p99") || known("order_p50")) {
            return Err(GateError::Baseline(format!(
                "too little traffic to record one: fewer than {MIN_WINDOWS} windows of \
                 {window_seconds} s have enough requests in them"
            )));
        }
        let (select, release) = (scope.select.clone(), scope.release.clone());
        let baseline =
            Self { format: FORMAT, recorded_at, window_seconds, select, release, signals };
        Ok((baseline, missing))
    }

    /// The file as text.
    ///
    /// # Errors
    /// [`GateError::Baseline`] if a number cannot be written.
    pub fn to_json(&self) -> Result<String, GateError> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n").map_err(|error| GateError::Baseline(error.to_string()))
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// [`GateError::Baseline`] if it is none, of another form, or names what this program does not
    /// measure: a signal must not be left out in silence.
    pub fn from_json(text: &str) -> Result<Self, GateError> {
        let baseline: Self =
            serde_json::from_str(text).map_err(|error| GateError::Baseline(error.to_string()))?;
        if baseline.format != FORMAT {
            let message = format!("its format is {}, and {FORMAT} is known", baseline.format);
            return Err(GateError::Baseline(message));
        }
        for (name, recorded) in &baseline.signals {
            let known = signal(name).is_some_and(|signal| signal.unit == recorded.unit);
            let sound = [recorded.median, recorded.mad].iter().all(|n| n.is_finite() && *n >= 0.0);
            if !known || !sound {
                let message =
                    format!("this program does not measure its signal {name}: record anew");
                return Err(GateError::Baseline(message));
            }
        }
        if baseline.window_seconds == 0 || !baseline.signals.contains_key("errors") {
            return Err(GateError::Baseline("it is empty".to_owned()));
        }
        Ok(baseline)
    }
}

impl Recorded {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, from 0")]
    fn of(series: &Series, min_samples: f64, unit: Unit) -> Option<Self> {
        let usable = series.usable(min_samples);
        let values: Vec<f64> = usable.iter().map(|(_, value, _)| *value).collect();
        let samples = usable.iter().map(|(_, _, samples)| *samples).sum::<f64>().round() as u64;
        (values.len() >= MIN_WINDOWS).then_some(())?;
        Some(Self {
            unit,
            median: median(&values)?,
            mad: mad(&values)?,
            windows: values.len(),
            samples,
        })
    }
}
