use proptest::prelude::*;

use super::*;

/// A window of 3 slots of 1 s; opens at half of at least 4 calls, for 5 s; 2 probes.
fn config() -> BreakerConfig {
    BreakerConfig {
        slot: Duration::from_secs(1),
        slots: 3,
        calls_min: 4,
        failure_percent: 50,
        slow_call: Duration::from_secs(2),
        open_for: Duration::from_secs(5),
        probes: 2,
    }
}

/// Plays a script, one step a line, and checks what is expected of each:
/// `<time in ms> call <name> <pass | refused after ms>` and
/// `<time in ms> <name> <ok | failed | unknown> -> <phase>`.
fn check(script: &str) {
    let mut breaker = BreakerState::new(config()).unwrap();
    let mut running = std::collections::HashMap::new();
    for step in script.lines().map(str::trim).filter(|step| !step.is_empty()) {
        let words: Vec<_> = step.split_whitespace().collect();
        let now = Duration::from_millis(words[0].parse().unwrap());
        match words[1..] {
            ["call", name, "pass"] => {
                let admission = breaker.admit(now).unwrap_or_else(|open| panic!("{step}: {open}"));
                running.insert(name, admission);
            }
            ["call", "refused", after] => {
                let retry_after = Duration::from_millis(after.parse().unwrap());
                assert_eq!(breaker.admit(now), Err(Open { retry_after }), "{step}");
            }
            [name, verdict, "->", phase] => {
                let verdict = match verdict {
                    "ok" => Verdict::Success,
                    "failed" => Verdict::Failure,
                    "unknown" => Verdict::Unknown,
                    _ => panic!("{step}"),
                };
                let admission = running.remove(name).expect(step);
                breaker.settle(admission, verdict, now);
                assert_eq!(format!("{:?}", breaker.phase()), phase, "{step}");
            }
            _ => panic!("cannot read {step:?}"),
        }
    }
}

/// Four calls of which two fail: open from 100 ms to 5,100 ms.
const OPENED: &str = "
    0 call a pass
    0 call b pass
    0 call c pass
    0 call d pass
    0 call late pass
    0 a ok -> Closed
    0 b failed -> Closed
    0 c ok -> Closed
    100 d failed -> Open
";

#[test]
fn opens_when_half_of_enough_calls_failed_and_refuses_until_its_time_is_over() {
    check(&format!(
        "{OPENED}
        100 call refused 5000
        5099 call refused 1
        5100 call p pass"
    ));
}

#[test]
fn stays_closed_with_few_calls_or_few_failures() {
    check(
        "0 call a pass
        0 call b pass
        0 call c pass
        0 a failed -> Closed
        0 b failed -> Closed
        0 c failed -> Closed",
    );
    check(
        "0 call a pass
        0 call b pass
        0 call c pass
        0 call d pass
        0 call e pass
        0 a failed -> Closed
        0 b ok -> Closed
        0 c ok -> Closed
        0 d ok -> Closed
        0 e failed -> Closed",
    );
}

#[test]
fn a_success_that_makes_the_calls_enough_opens_too() {
    check(
        "0 call a pass
        0 call b pass
        0 call c pass
        0 call d pass
        0 a failed -> Closed
        0 b failed -> Closed
        0 c failed -> Closed
        0 d ok -> Open",
    );
}

#[test]
fn forgets_calls_that_left_the_window() {
    // Slot 0 is in the window of slot 2, not in that of slot 3.
    for (time, phase) in [(2999, "Open"), (3000, "Closed"), (30_000, "Closed")] {
        check(&format!(
            "0 call a pass
            0 call b pass
            0 call c pass
            0 call d pass
            0 a failed -> Closed
            0 b failed -> Closed
            0 c failed -> Closed
            {time} d failed -> {phase}"
        ));
    }
}

#[test]
fn closes_after_enough_probes_and_starts_with_an_empty_window() {
    check(&format!(
        "{OPENED}
        5100 call p pass
        5100 call q pass
        5100 call refused 2000
        5200 p ok -> HalfOpen
        5200 call refused 2000
        5300 q ok -> Closed
        5300 call e pass
        5300 call f pass
        5300 call g pass
        5300 e failed -> Closed
        5300 f failed -> Closed
        5300 g failed -> Closed"
    ));
}

#[test]
fn one_failed_probe_opens_again_for_the_full_time() {
    check(&format!(
        "{OPENED}
        6000 call p pass
        6000 call q pass
        6100 p ok -> HalfOpen
        6500 q failed -> Open
        6500 call refused 5000"
    ));
}

#[test]
fn a_probe_without_a_verdict_frees_its_place() {
    check(&format!(
        "{OPENED}
        6000 call p pass
        6000 call q pass
        6100 p unknown -> HalfOpen
        6100 call r pass
        6100 call refused 2000
        6200 q ok -> HalfOpen
        6200 r ok -> Closed"
    ));
}

#[test]
fn verdicts_from_an_earlier_phase_say_nothing() {
    check(&format!(
        "{OPENED}
        200 late failed -> Open
        200 call refused 4900"
    ));
    check(&format!(
        "{OPENED}
        6000 call p pass
        6000 late failed -> HalfOpen
        6000 call q pass
        6000 p failed -> Open
        6000 q failed -> Open
        12000 call r pass
        12000 call s pass
        12000 call refused 2000"
    ));
}

#[test]
fn time_that_runs_backwards_counts_as_standing_still() {
    check(&format!(
        "{OPENED}
        50 call refused 5000"
    ));
}

#[test]
fn calls_without_a_verdict_are_not_counted() {
    check(
        "0 call a pass
        0 call b pass
        0 call c pass
        0 call d pass
        0 a failed -> Closed
        0 b failed -> Closed
        0 c failed -> Closed
        0 d unknown -> Closed",
    );
}

/// The same rules written as plainly as possible: every verdict is kept for ever.
#[derive(Default)]
struct Model {
    /// Slot and whether it failed, since the breaker was last closed.
    seen: Vec<(u64, bool)>,
    phase: ModelPhase,
}

#[derive(Default, Clone, Copy, Debug, PartialEq)]
enum ModelPhase {
    #[default]
    Closed,
    Open {
        since_ms: u64,
    },
    HalfOpen {
        running: u32,
        succeeded: u32,
    },
}

impl Model {
    fn admits(&mut self, now_ms: u64) -> bool {
        if let ModelPhase::Open { since_ms } = self.phase
            && now_ms - since_ms >= 5000
        {
            self.phase = ModelPhase::HalfOpen { running: 0, succeeded: 0 };
        }
        match &mut self.phase {
            ModelPhase::Closed => true,
            ModelPhase::Open { .. } => false,
            ModelPhase::HalfOpen { running, succeeded } => {
                let passes = *running + *succeeded < 2;
                *running += u32::from(passes);
                passes
            }
        }
    }

    fn settle(&mut self, verdict: Verdict, now_ms: u64) {
        match &mut self.phase {
            ModelPhase::Closed => self.count(verdict, now_ms),
            ModelPhase::Open { .. } => {}
            ModelPhase::HalfOpen { running, succeeded } => {
                *running -= 1;
                if verdict == Verdict::Success {
                    *succeeded += 1;
                }
                if verdict == Verdict::Failure {
                    self.phase = ModelPhase::Open { since_ms: now_ms };
                } else if *succeeded == 2 {
                    *self = Self::default();
                }
            }
        }
    }

    fn count(&mut self, verdict: Verdict, now_ms: u64) {
        if verdict == Verdict::Unknown {
            return;
        }
        let slot = now_ms / 1000;
        self.seen.push((slot, verdict == Verdict::Failure));
        let window = self.seen.iter().filter(|(seen, _)| slot - seen < 3);
        let (calls, failures) = window.fold((0, 0), |(calls, failures), (_, failed)| {
            (calls + 1, failures + u32::from(*failed))
        });
        if calls >= 4 && failures * 2 >= calls {
            self.phase = ModelPhase::Open { since_ms: now_ms };
        }
    }

    fn phase(&self) -> BreakerPhase {
        match self.phase {
            ModelPhase::Closed => BreakerPhase::Closed,
            ModelPhase::Open { .. } => BreakerPhase::Open,
            ModelPhase::HalfOpen { .. } => BreakerPhase::HalfOpen,
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Call,
    /// Settles one of the running calls.
    Settle(prop::sample::Index, Verdict),
}

fn any_step() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        3 => Just(Verdict::Success),
        3 => Just(Verdict::Failure),
        1 => Just(Verdict::Unknown),
    ];
    prop_oneof![
        2 => (0_u64..4000).prop_map(Step::Wait),
        4 => Just(Step::Call),
        4 => (any::<prop::sample::Index>(), verdict).prop_map(|(of, how)| Step::Settle(of, how)),
    ]
}

proptest! {
    #[test]
    fn agrees_with_the_plain_model(steps in prop::collection::vec(any_step(), 0..120)) {
        let mut breaker = BreakerState::new(config()).unwrap();
        let mut model = Model::default();
        let mut running = Vec::new();
        let mut now_ms = 0;
        // Counts the model's changes of phase, to tell which calls are too old to matter.
        let (mut epoch, mut phase) = (0, BreakerPhase::Closed);
        for step in steps {
            let now = Duration::from_millis(now_ms);
            match step {
                Step::Wait(ms) => now_ms += ms,
                Step::Call => {
                    let admitted = breaker.admit(now);
                    prop_assert_eq!(admitted.is_ok(), model.admits(now_ms));
                    epoch += u32::from(model.phase() != phase);
                    phase = model.phase();
                    match admitted {
                        Ok(admission) => running.push((admission, epoch)),
                        Err(open) => prop_assert!(open.retry_after > Duration::ZERO),
                    }
                }
                Step::Settle(of, verdict) if !running.is_empty() => {
                    let (admission, began) = running.swap_remove(of.index(running.len()));
                    breaker.settle(admission, verdict, now);
                    if began == epoch {
                        model.settle(verdict, now_ms);
                        epoch += u32::from(model.phase() != phase);
                        phase = model.phase();
                    }
                }
                Step::Settle(..) => {}
            }
            prop_assert_eq!(breaker.phase(), model.phase());
        }
    }
}
