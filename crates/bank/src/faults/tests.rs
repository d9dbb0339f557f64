//! The settings, the drawing, the waiting.

use super::*;
use std::time::Duration;

const HEALTHY: Plan = Plan { delay: Duration::ZERO, decline: false, expire: false, outcome: None };

fn on(faults: Faults) -> FaultGate {
    faults.check().unwrap();
    let gate = FaultGate::default();
    gate.set(faults);
    gate
}

async fn outcomes(gate: &FaultGate, calls: usize) -> Vec<Option<Outcome>> {
    let mut drawn = Vec::new();
    for _ in 0..calls {
        drawn.push(gate.suffer(true).await.outcome);
    }
    drawn
}

#[tokio::test]
async fn every_nth_charge_is_declined_and_nothing_else() {
    let gate = FaultGate::default();
    assert_eq!(gate.suffer(true).await, HEALTHY);
    gate.set(Faults { decline_every: 3, ..Faults::default() });
    let mut declined = Vec::new();
    for charge in [true, true, false, true, false, true] {
        declined.push(gate.suffer(charge).await.decline);
    }
    assert_eq!(declined, [false, false, false, true, false, false]);
    gate.set(Faults { decline_every: 1, ..Faults::default() });
    assert!(gate.suffer(true).await.decline);
    gate.set(Faults::default());
    assert_eq!(gate.suffer(true).await, HEALTHY);
}

#[tokio::test]
async fn a_call_that_waits_goes_on_when_the_faults_are_replaced() {
    let gate = on(Faults { delay_ms: DELAY_MS_MAX, decline_every: 1, ..Faults::default() });
    let mut waiting = std::pin::pin!(gate.suffer(true));
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    gate.set(Faults::default());
    assert!(waiting.await.decline, "what was drawn before stays drawn");
    assert_eq!(serde_json::to_value(gate.fired()).unwrap()["delay"], 1);
}

#[test]
fn unknown_faults_are_refused_and_left_out_ones_are_off() {
    let parsed: Faults = serde_json::from_str(r#"{"decline_every": 2}"#).unwrap();
    assert_eq!(parsed, Faults { decline_every: 2, ..Faults::default() });
    assert_eq!(serde_json::from_str::<Faults>("{}").unwrap(), Faults::default());
    let error = serde_json::from_str::<Faults>(r#"{"explode": true}"#).unwrap_err();
    assert!(error.to_string().contains("explode"));
}

#[test]
fn settings_that_cannot_be_are_named() {
    let off = Faults::default;
    for (faults, wrong) in [
        (Faults { delay_percent: 101, ..off() }, FaultsError::Percent("delay_percent")),
        (Faults { lost_reply_percent: 101, ..off() }, FaultsError::Percent("lost_reply_percent")),
        (
            Faults { webhook_lost_percent: 200, ..off() },
            FaultsError::Percent("webhook_lost_percent"),
        ),
        (Faults { lost_reply_percent: 60, error_before_percent: 41, ..off() }, FaultsError::Sum),
        (Faults { search_lag_ms: DELAY_MS_MAX + 1, ..off() }, FaultsError::Time("search_lag_ms")),
    ] {
        assert_eq!(faults.check(), Err(wrong));
    }
    let full = Faults {
        error_before_percent: 10,
        error_after_percent: 10,
        reset_before_percent: 10,
        lost_reply_percent: 10,
        rate_limit_percent: 10,
        malformed_percent: 10,
        oversized_percent: 10,
        wrong_amount_percent: 30,
        delay_percent: 100,
        webhook_lost_percent: 100,
        delay_ms: DELAY_MS_MAX,
        ..off()
    };
    assert_eq!(full.check(), Ok(()));
}

#[tokio::test]
async fn a_call_suffers_at_most_one_outcome_each_as_often_as_asked_for() {
    let gate = on(Faults {
        seed: 11,
        error_before_percent: 5,
        error_after_percent: 10,
        reset_before_percent: 15,
        lost_reply_percent: 20,
        rate_limit_percent: 5,
        malformed_percent: 10,
        oversized_percent: 5,
        wrong_amount_percent: 10,
        ..Faults::default()
    });
    let drawn = outcomes(&gate, 20_000).await;
    for (outcome, percent) in [
        (Some(Outcome::Unheard(Before::Error)), 5),
        (Some(Outcome::Spoiled(After::Error)), 10),
        (Some(Outcome::Unheard(Before::Reset)), 15),
        (Some(Outcome::Spoiled(After::LostReply)), 20),
        (Some(Outcome::Unheard(Before::RateLimit)), 5),
        (Some(Outcome::Spoiled(After::Malformed)), 10),
        (Some(Outcome::Spoiled(After::Oversized)), 5),
        (Some(Outcome::Spoiled(After::WrongAmount)), 10),
        (None, 20),
    ] {
        let count = drawn.iter().filter(|other| **other == outcome).count();
        let expected = percent * 200;
        assert!(count.abs_diff(expected) < expected / 5, "{outcome:?}: {count}");
    }
}

#[tokio::test]
async fn a_hundred_percent_is_every_call_and_none_is_no_call() {
    let gate = on(Faults { lost_reply_percent: 100, ..Faults::default() });
    let lost = Some(Outcome::Spoiled(After::LostReply));
    assert_eq!(outcomes(&gate, 1_000).await, vec![lost; 1_000]);
    gate.set(Faults { seed: 3, ..Faults::default() });
    assert_eq!(outcomes(&gate, 1_000).await, vec![None; 1_000]);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_faults_and_another_seed_others() {
    let faults = |seed| Faults {
        seed,
        lost_reply_percent: 30,
        rate_limit_percent: 30,
        authorization_expired_percent: 50,
        webhook_duplicate_percent: 50,
        webhook_reorder_percent: 50,
        ..Faults::default()
    };
    let run = async |gate: &FaultGate, with_events: bool| {
        let (mut plans, mut events) = (Vec::new(), Vec::new());
        for call in 0..200 {
            plans.push(gate.suffer(call % 3 == 0).await);
            if with_events {
                events.push(gate.event());
            }
        }
        (plans, events)
    };
    let gate = on(faults(42));
    let first = run(&gate, true).await;
    gate.set(faults(42));
    assert_eq!(run(&gate, true).await, first);
    gate.set(faults(42));
    assert_eq!(run(&gate, false).await.0, first.0, "events change no call's luck");
    gate.set(faults(43));
    let other = run(&gate, true).await;
    assert_ne!(other.0, first.0);
    assert_ne!(other.1, first.1);
}

#[tokio::test]
async fn only_a_share_of_the_calls_is_delayed() {
    let gate = on(Faults { delay_ms: 1, delay_percent: 25, ..Faults::default() });
    let mut delayed = 0;
    for _ in 0..400 {
        delayed += u32::from(!gate.suffer(false).await.delay.is_zero());
    }
    assert!((60..140).contains(&delayed), "{delayed}");
}

#[test]
fn an_event_suffers_what_is_on() {
    let gate = FaultGate::default();
    let healthy = EventPlan {
        lost: false,
        copies: 1,
        held: false,
        delay: Duration::ZERO,
        early: false,
        bad_signature: false,
        old_timestamp: false,
    };
    assert_eq!(gate.event(), healthy);
    gate.set(Faults {
        webhook_duplicate_percent: 100,
        webhook_reorder_percent: 100,
        webhook_delay_ms: 7,
        webhook_lost_percent: 100,
        webhook_bad_signature_percent: 100,
        webhook_old_timestamp_percent: 100,
        ..Faults::default()
    });
    let plans: Vec<EventPlan> = (0..100).map(|_| gate.event()).collect();
    assert!(plans.iter().all(|plan| plan.lost && plan.held && !plan.early));
    assert!(plans.iter().all(|plan| plan.bad_signature && plan.old_timestamp));
    assert!(plans.iter().all(|plan| plan.delay == Duration::from_millis(7)));
    for copies in [2, 3] {
        assert!(plans.iter().any(|plan| plan.copies == copies), "{copies}");
    }
    gate.set(Faults {
        webhook_early: true,
        webhook_delay_ms: 7,
        webhook_reorder_percent: 100,
        ..Faults::default()
    });
    assert_eq!(gate.event(), EventPlan { early: true, ..healthy });
}
