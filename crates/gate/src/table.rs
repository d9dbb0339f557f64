//! The report for people.

use crate::judge::{Judged, Report, State, Verdict};
use crate::signals::Unit;
use std::fmt::Write as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The report as a table, with a sentence for each signal that is out of bounds.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut text = format!(
        "  {:<16} {:>12} {:>12} {:>12} {:>8}  state\n",
        "signal", "baseline", "limit", "now", "windows"
    );
    for judged in &report.signals {
        let number = |number: Option<f64>| number.map_or("-".to_owned(), |n| shown(n, judged.unit));
        let _ = writeln!(
            text,
            "  {:<16} {:>12} {:>12} {:>12} {:>8}  {}",
            judged.signal,
            number(judged.baseline),
            number(judged.limit),
            number(judged.now),
            judged.windows,
            word(judged.state),
        );
    }
    for judged in report.signals.iter().filter(|judged| judged.state == State::OutOfBounds) {
        let _ = writeln!(text, "{}", moved(judged));
    }
    let end = match report.verdict {
        Verdict::Good => "As good as the baseline.",
        Verdict::OutOfBounds => "OUT OF BOUNDS: stop, and take the release back.",
        Verdict::NotJudged => "Not judged: too few samples. Wait, or send it more traffic.",
    };
    text + end
}

/// What moved, since when.
fn moved(judged: &Judged) -> String {
    let number = |number: Option<f64>| shown(number.unwrap_or_default(), judged.unit);
    let since = judged.since.map_or(String::new(), |at| format!(", since {}", rfc3339(at)));
    format!(
        "{}: {} {} instead of {} (at most {}){since}",
        judged.signal,
        judged.meaning,
        number(judged.now),
        number(judged.baseline),
        number(judged.limit),
    )
}

/// A time in seconds since 1970 as people write it.
#[expect(clippy::cast_possible_truncation, reason = "whole seconds are enough")]
#[must_use]
pub fn rfc3339(at: f64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(at.round() as i64);
    at.ok().and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

fn word(state: State) -> &'static str {
    match state {
        State::Good => "good",
        State::OutOfBounds => "OUT OF BOUNDS",
        State::TooFewSamples => "too few samples",
        State::NotInBaseline => "not in the baseline",
        State::Shown => "shown only",
    }
}

fn shown(number: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds if number < 1.0 => format!("{:.2} ms", number * 1_000.0),
        Unit::Seconds => format!("{number:.2} s"),
        Unit::Ratio => format!("{:.2} %", number * 100.0),
        Unit::Cores => format!("{number:.2} cores"),
        Unit::PerSecond => format!("{number:.1}/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(state: State, since: Option<f64>) -> Judged {
        Judged {
            signal: "order_p99",
            meaning: "99 % of the orders are answered within",
            unit: Unit::Seconds,
            state,
            baseline: Some(0.2),
            limit: Some(0.3),
            now: Some(1.25),
            windows: 5,
            since,
        }
    }

    #[test]
    fn what_moved_is_said_in_a_sentence() {
        let signals = vec![judged(State::OutOfBounds, Some(1_700_000_000.0))];
        let text = table(&Report { verdict: Verdict::OutOfBounds, signals });
        let sentence = "order_p99: 99 % of the orders are answered within 1.25 s instead of \
                        200.00 ms (at most 300.00 ms), since 2023-11-14T22:13:20Z";
        assert!(text.contains(sentence), "{text}");
        assert!(text.ends_with("take the release back."), "{text}");
    }

    #[test]
    fn what_is_good_is_not_talked_about() {
        let signals = vec![judged(State::Good, None)];
        let text = table(&Report { verdict: Verdict::Good, signals });
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.ends_with("As good as the baseline."), "{text}");
    }

    #[test]
    fn numbers_have_their_units() {
        let units =
            [(Unit::Ratio, "1.25 %"), (Unit::Cores, "0.01 cores"), (Unit::PerSecond, "0.0/s")];
        for (unit, text) in units {
            assert_eq!(shown(0.0125, unit), text);
        }
    }
}
