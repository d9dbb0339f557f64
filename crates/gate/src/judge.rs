//! Whether what runs now is as good as the baseline. Pure.

use crate::signals::{Bound, BoundOverride, SIGNALS, Signal, Unit};
use crate::statistics::{median, spread};
use crate::{Baseline, MIN_WINDOWS, Recorded, Series};
use serde::Serialize;

/// A median may move by so many standard deviations of the baseline's windows before that is more
/// than their noise.
const DEVIATIONS: f64 = 3.0;

/// What is said of the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything was judged, and nothing is out of bounds.
    Good,
    /// Something is out of bounds.
    OutOfBounds,
    /// Nothing is out of bounds as far as can be seen, but not everything could be judged.
    NotJudged,
}

/// What is said of one signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Within its bounds.
    Good,
    /// Above them.
    OutOfBounds,
    /// The baseline has it, and now there are too few windows with enough in them.
    TooFewSamples,
    /// The baseline does not have it.
    NotInBaseline,
    /// It is shown and has no bounds.
    Shown,
}

/// One signal, judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// Its name.
    pub signal: &'static str,
    /// What it tells.
    pub meaning: &'static str,
    /// What the numbers count.
    pub unit: Unit,
    /// What is said of it.
    pub state: State,
    /// The baseline's median.
    pub baseline: Option<f64>,
    /// The most that the median of now may be.
    pub limit: Option<f64>,
    /// The median of now.
    pub now: Option<f64>,
    /// Windows that it is made of.
    pub windows: usize,
    /// If it is out of bounds: when the first window began since which it has been, in seconds
    /// since 1970.
    pub since: Option<f64>,
}

/// All signals, judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What is said of the release.
    pub verdict: Verdict,
    /// In the order of [`SIGNALS`].
    pub signals: Vec<Judged>,
}

/// Judges the series of all signals, in the order of [`SIGNALS`].
///
/// A signal is out of bounds if the median of its windows is above the baseline's median by more
/// than each of these: its relative bound, its absolute one, and three times the noise among the
/// baseline's own windows. Falling is never out of bounds.
#[must_use]
pub fn judge(baseline: &Baseline, series: &[Series], bounds: &[BoundOverride]) -> Report {
    let nothing = Series::default();
    let judged = |(number, signal): (usize, &'static Signal)| {
        // The last override of a signal holds, as with every flag.
        let own = bounds.iter().rev().find(|bound| bound.signal == signal.name);
        let bound = own.map(|own| own.bound).or(signal.bound);
        let series = series.get(number).unwrap_or(&nothing);
        one(signal, bound, baseline.signals.get(signal.name), series)
    };
    let signals: Vec<Judged> = SIGNALS.iter().enumerate().map(judged).collect();
    let has = |state: State| signals.iter().any(|judged| judged.state == state);
    let verdict = if has(State::OutOfBounds) {
        Verdict::OutOfBounds
    } else if has(State::TooFewSamples) {
        Verdict::NotJudged
    } else {
        Verdict::Good
    };
    Report { verdict, signals }
}

fn one(
    signal: &'static Signal,
    bound: Option<Bound>,
    recorded: Option<&Recorded>,
    series: &Series,
) -> Judged {
    let usable = series.usable(signal.min_samples);
    let values: Vec<f64> = usable.iter().map(|(_, value, _)| *value).collect();
    let now = median(&values);
    let limit = recorded.zip(bound).map(|(recorded, bound)| limit(recorded, bound));
    let state = match (recorded, limit, now) {
        (_, _, _) if signal.bound.is_none() => State::Shown,
        (Some(_), Some(limit), Some(now)) if values.len() >= MIN_WINDOWS => {
            if now > limit {
                State::OutOfBounds
            } else {
                State::Good
            }
        }
        (Some(_), _, _) => State::TooFewSamples,
        (None, _, _) => State::NotInBaseline,
    };
    let since = limit.filter(|_| state == State::OutOfBounds);
    Judged {
        signal: signal.name,
        meaning: signal.meaning,
        unit: signal.unit,
        state,
        baseline: recorded.map(|recorded| recorded.median),
        limit,
        now,
        windows: values.len(),
        since: since.and_then(|limit| since_when(&usable, limit)),
    }
}

fn limit(recorded: &Recorded, bound: Bound) -> f64 {
    let noise = DEVIATIONS * spread(recorded.mad);
    let may_rise = (bound.relative * recorded.median).max(bound.absolute).max(noise);
    recorded.median + may_rise
}

/// The begin of the first window of the last run above the limit.
fn since_when(windows: &[(f64, f64, f64)], limit: f64) -> Option<f64> {
    let above = |(_, value, _): &&(f64, f64, f64)| *value > limit;
    let ended = windows.iter().rev().skip_while(|window| !above(window));
    ended.take_while(above).last().map(|(began, _, _)| *began)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
