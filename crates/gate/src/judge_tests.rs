//! Awkward series: gaps, `NaN`, resets, tiny traffic, noise.

use super::*;
use crate::{GateError, Scope, Window};
use std::collections::BTreeMap;

const AT: f64 = 1_700_000_000.0;

/// Windows of a minute with these values, each of so many samples.
fn series(values: &[Option<f64>], samples: f64) -> Series {
    let window = |(number, value): (usize, &Option<f64>)| {
        let number = u32::try_from(number).map_or(0.0, f64::from);
        Window { began: AT + 60.0 * number, value: *value, samples }
    };
    Series { windows: values.iter().enumerate().map(window).collect() }
}

fn all(value: f64) -> Vec<Option<f64>> {
    vec![Some(value); 5]
}

/// A release whose `order_p99` is so, and all else calm.
fn release(order_p99: &[Option<f64>], samples: f64) -> Vec<Series> {
    let of = |signal: &Signal| {
        if signal.name == "order_p99" {
            series(order_p99, samples)
        } else {
            series(&all(0.01), 1_000.0)
        }
    };
    SIGNALS.iter().map(of).collect()
}

fn baseline(order_p99: &[Option<f64>]) -> Baseline {
    let recorded = Baseline::record(
        &release(order_p99, 1_000.0),
        60,
        "2026-01-01T00:00:00Z".to_owned(),
        &Scope::default(),
    );
    recorded.expect("there is enough").0
}

fn order_p99(report: &Report) -> &Judged {
    report.signals.iter().find(|judged| judged.signal == "order_p99").expect("it is judged")
}

#[test]
fn the_same_again_is_good() {
    let calm = all(0.2);
    let report = judge(&baseline(&calm), &release(&calm, 1_000.0), &[]);
    assert_eq!(report.verdict, Verdict::Good);
    let judged = order_p99(&report);
    assert_eq!((judged.state, judged.since, judged.windows), (State::Good, None, 5));
    let shown: Vec<&str> =
        report.signals.iter().filter(|j| j.state == State::Shown).map(|j| j.signal).collect();
    assert_eq!(shown, ["traffic"]);
}

#[test]
fn a_release_that_is_slow_is_stopped_and_told_since_when() {
    let slow = [Some(0.2), Some(0.2), Some(0.9), Some(0.8), Some(0.9)];
    let report = judge(&baseline(&all(0.2)), &release(&slow, 1_000.0), &[]);
    assert_eq!(report.verdict, Verdict::OutOfBounds);
    let judged = order_p99(&report);
    assert_eq!(judged.state, State::OutOfBounds);
    assert_eq!((judged.now, judged.since), (Some(0.8), Some(AT + 120.0)));
    let stopped: Vec<&str> =
        report.signals.iter().filter(|j| j.since.is_some()).map(|j| j.signal).collect();
    assert_eq!(stopped, ["order_p99"]);
}

#[test]
fn one_bad_window_stops_nothing_and_one_good_one_saves_nothing() {
    let base = baseline(&all(0.2));
    let hiccup = [Some(0.2), Some(9.0), Some(0.2), Some(0.2), Some(0.2)];
    assert_eq!(judge(&base, &release(&hiccup, 1_000.0), &[]).verdict, Verdict::Good);
    let slow = [Some(0.9), Some(0.9), Some(0.2), Some(0.9), Some(0.9)];
    let report = judge(&base, &release(&slow, 1_000.0), &[]);
    assert_eq!(report.verdict, Verdict::OutOfBounds);
    assert_eq!(order_p99(&report).since, Some(AT + 180.0));
    // It got better at the end, but not enough.
    let better = [Some(0.2), Some(0.9), Some(0.9), Some(0.9), Some(0.2)];
    assert_eq!(order_p99(&judge(&base, &release(&better, 1e3), &[])).since, Some(AT + 60.0));
}

#[test]
fn both_bounds_must_be_crossed() {
    // Three times as slow, but by 8 ms: the absolute bound is 100 ms.
    let report = judge(&baseline(&all(0.004)), &release(&all(0.012), 1_000.0), &[]);
    assert_eq!(report.verdict, Verdict::Good);
    // 400 ms slower, but by a fifth: the relative bound is a half.
    let report = judge(&baseline(&all(2.0)), &release(&all(2.4), 1_000.0), &[]);
    assert_eq!(report.verdict, Verdict::Good);
    assert_eq!(order_p99(&report).limit, Some(3.0));
    let report = judge(&baseline(&all(2.0)), &release(&all(3.001), 1_000.0), &[]);
    assert_eq!(report.verdict, Verdict::OutOfBounds);
    // Getting faster is never bad.
    let report = judge(&baseline(&all(2.0)), &release(&all(0.0), 1_000.0), &[]);
    assert_eq!(report.verdict, Verdict::Good);
}

#[test]
fn a_baseline_that_was_restless_allows_more() {
    let restless = [Some(0.1), Some(0.5), Some(0.9), Some(0.2), Some(0.8)];
    let base = baseline(&restless);
    // Median 0.5, median deviation 0.3: 0.5 + 3 · 1.4826 · 0.3.
    let limit = order_p99(&judge(&base, &release(&all(1.2), 1_000.0), &[])).limit;
    assert!(limit.is_some_and(|limit| (limit - 1.834_34).abs() < 1e-9), "{limit:?}");
    assert_eq!(judge(&base, &release(&all(1.8), 1_000.0), &[]).verdict, Verdict::Good);
    assert_eq!(judge(&base, &release(&all(1.9), 1_000.0), &[]).verdict, Verdict::OutOfBounds);
}

#[test]
fn gaps_and_what_is_no_number_are_left_out() {
    let base = baseline(&all(0.2));
    // No traffic, an overflow, a counter that seems to run backwards, a scrape that was missed.
    let odd = [Some(f64::NAN), Some(f64::INFINITY), Some(-1.0), None, Some(0.2)];
    let report = judge(&base, &release(&odd, 1_000.0), &[]);
    assert_eq!(report.verdict, Verdict::NotJudged);
    assert_eq!((order_p99(&report).state, order_p99(&report).windows), (State::TooFewSamples, 1));
    let enough = [Some(0.2), None, Some(0.2), Some(f64::NAN), Some(0.2)];
    assert_eq!(judge(&base, &release(&enough, 1_000.0), &[]).verdict, Verdict::Good);
    let slow = [Some(0.9), None, Some(0.9), Some(f64::NAN), Some(0.9)];
    assert_eq!(judge(&base, &release(&slow, 1_000.0), &[]).verdict, Verdict::OutOfBounds);
}

#[test]
fn tiny_traffic_is_not_judged_however_bad_it_looks() {
    let base = baseline(&all(0.2));
    let report = judge(&base, &release(&all(30.0), 99.0), &[]);
    assert_eq!(report.verdict, Verdict::NotJudged);
    assert_eq!(judge(&base, &release(&all(30.0), f64::NAN), &[]).verdict, Verdict::NotJudged);
    assert_eq!(judge(&base, &release(&all(30.0), 100.0), &[]).verdict, Verdict::OutOfBounds);
    // Nothing at all, as from a Prometheus that scrapes nobody.
    assert_eq!(judge(&base, &[], &[]).verdict, Verdict::NotJudged);
}

#[test]
fn what_is_bad_is_told_although_something_else_is_not_known() {
    let mut now = release(&all(9.0), 1_000.0);
    now[0] = Series::default();
    let report = judge(&baseline(&all(0.2)), &now, &[]);
    assert_eq!(report.verdict, Verdict::OutOfBounds);
    assert_eq!(report.signals[0].state, State::TooFewSamples);
}

#[test]
fn a_bound_of_ones_own_holds_and_of_two_the_last() {
    let (base, now) = (baseline(&all(0.2)), release(&all(0.9), 1_000.0));
    let read = |text: &str| text.parse::<BoundOverride>().expect(text);
    let loose = read("order_p99=0.5,10");
    assert_eq!(judge(&base, &now, std::slice::from_ref(&loose)).verdict, Verdict::Good);
    let report = judge(&base, &now, &[loose, read("order_p99=0,0")]);
    assert_eq!(report.verdict, Verdict::OutOfBounds);
    assert_eq!(order_p99(&report).limit, Some(0.2));
}

#[test]
fn a_signal_that_the_baseline_lacks_is_not_asked_for() {
    let few = [Some(0.2), None, None, Some(0.2), None];
    let (base, missing) =
        Baseline::record(&release(&few, 1_000.0), 60, "then".to_owned(), &Scope::default())
            .expect("the rest is there");
    assert_eq!(missing, ["order_p99"]);
    let report = judge(&base, &release(&all(9.0), 1_000.0), &[]);
    assert_eq!((report.verdict, order_p99(&report).state), (Verdict::Good, State::NotInBaseline));
}

#[test]
fn a_baseline_of_silence_is_refused() {
    let silent: Vec<Series> = SIGNALS.iter().map(|_| series(&all(f64::NAN), 0.0)).collect();
    let error = Baseline::record(&silent, 60, "then".to_owned(), &Scope::default());
    let error = error.expect_err("it would let everything through").to_string();
    assert!(error.contains("too little traffic"), "{error}");
}

#[test]
fn a_file_is_read_back_and_a_strange_one_refused() {
    let base = baseline(&all(0.2));
    let text = base.to_json().expect("it is plain");
    assert_eq!(Baseline::from_json(&text).ok(), Some(base.clone()));
    let refused = |text: &str| match Baseline::from_json(text) {
        Err(GateError::Baseline(message)) => message,
        other => panic!("{other:?}"),
    };
    assert!(refused("{}").contains("format"), "{}", refused("{}"));
    assert!(refused(&text.replace("\"format\": 1", "\"format\": 2")).contains("format is 2"));
    assert!(refused(&text.replace("order_p99", "order_p98")).contains("order_p98"));
    assert!(refused(&text.replace("\"ratio\"", "\"seconds\"")).contains("errors"));
    let mut empty = base;
    empty.signals = BTreeMap::new();
    assert!(refused(&empty.to_json().expect("it is plain")).contains("empty"));
}
