//! The map as a picture.

mod layout;
mod mermaid;
mod svg;

pub use mermaid::mermaid;
pub use svg::svg;

use crate::report::{BreakerState, EdgeReport, Health};
use std::time::Duration;

/// The colour of a state: stroke and fill. They differ in lightness as well, for those who see red
/// and green alike.
const fn colours(health: Health) -> (&'static str, &'static str) {
    match health {
        Health::Up => ("#1b7837", "#e3f4e6"),
        Health::Impaired => ("#b35806", "#fdebd3"),
        Health::Down => ("#b2182b", "#fbdcdc"),
        Health::Idle => ("#7a7f87", "#f1f2f4"),
    }
}

/// What is measured on an edge, in a few words.
fn measures(edge: &EdgeReport) -> String {
    if edge.calls_per_min <= 0.0 {
        return "no calls".to_owned();
    }
    let mut words = vec![format!("{}/min", rounded(edge.calls_per_min))];
    words.extend(edge.error_rate.map(|rate| format!("{} err", percent(rate))));
    words.extend(edge.p99.map(|p99| format!("p99 {}", milliseconds(p99))));
    words.join(" · ")
}

/// What stands in front of the callee, and what is left of the objective's budget, in a few words;
/// empty without either.
fn promises(edge: &EdgeReport) -> String {
    let breaker = edge.breaker.map(|state| match state {
        BreakerState::Closed => "breaker closed".to_owned(),
        BreakerState::HalfOpen => "breaker half-open".to_owned(),
        BreakerState::Open => "breaker OPEN".to_owned(),
    });
    let slo = edge.slo.map(|slo| {
        format!("SLO {}: {} left", percent(slo.target), percent(slo.budget_left.max(-9.99)))
    });
    breaker.into_iter().chain(slo).collect::<Vec<_>>().join(" · ")
}

/// A number of at most three digits before the point, or with its thousands apart.
fn rounded(number: f64) -> String {
    if number < 10.0 {
        return format!("{number:.1}");
    }
    let whole = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in percent, with as many digits as say something.
fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    let short = text.trim_end_matches('0').trim_end_matches('.');
    format!("{} %", if short == "-0" { "0" } else { short })
}

fn milliseconds(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{} ms", rounded(ms)) }
}

#[cfg(test)]
#[path = "draw/tests.rs"]
mod tests;
