//! Faults that tests switch on at run time.

use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// Longest delay that can be asked for, in milliseconds: ten minutes.
pub const DELAY_MS_MAX: u64 = 600_000;

/// Which faults are on. What is left out is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Time that each call with an effect waits before it has it, in milliseconds. A call that
    /// waits goes on at once when the faults are replaced.
    pub delay_ms: u64,
    /// Every n-th charge is declined with `generic_decline`; 0 is never.
    pub decline_every: u64,
}

/// What one call is to suffer. More modes become more fields here and in [`Faults`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Wait this long before the effect.
    pub delay: Duration,
    /// Decline the charge, whatever its payment method.
    pub decline: bool,
}

/// The switchboard.
#[derive(Debug, Default)]
pub struct FaultGate(Mutex<Drawn>);

#[derive(Debug, Default)]
struct Drawn {
    faults: Faults,
    /// Charges since the faults were set.
    charges: u64,
    /// Tells the calls that wait that the faults were replaced.
    replaced: watch::Sender<()>,
}

impl FaultGate {
    /// The faults that are on.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.lock().faults
    }

    /// Replaces the faults. The count towards `decline_every` starts anew, and the calls that wait
    /// go on.
    pub fn set(&self, faults: Faults) {
        let mut drawn = self.lock();
        drawn.faults = faults;
        drawn.charges = 0;
        drawn.replaced.send_replace(());
    }

    /// Makes the next call suffer its delay, and says what else it is to suffer; `charge` if it is
    /// one.
    pub async fn suffer(&self, charge: bool) -> Plan {
        let (plan, mut replaced) = {
            let mut drawn = self.lock();
            let plan = drawn.draw(charge);
            let replaced = (!plan.delay.is_zero()).then(|| drawn.replaced.subscribe());
            (plan, replaced)
        };
        if let Some(replaced) = &mut replaced {
            // Either the time is over or the faults were replaced: the call goes on all the same.
            let _ = tokio::time::timeout(plan.delay, replaced.changed()).await;
        }
        plan
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Drawn> {
        // Plain numbers: a panic elsewhere cannot leave them half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drawn {
    fn draw(&mut self, charge: bool) -> Plan {
        self.charges += u64::from(charge);
        let every = self.faults.decline_every;
        Plan {
            delay: Duration::from_millis(self.faults.delay_ms),
            decline: charge && every > 0 && self.charges.is_multiple_of(every),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_nth_charge_is_declined_and_nothing_else() {
        let gate = FaultGate::default();
        assert_eq!(gate.suffer(true).await, Plan { delay: Duration::ZERO, decline: false });
        gate.set(Faults { delay_ms: 0, decline_every: 3 });
        let mut declined = Vec::new();
        for charge in [true, true, false, true, false, true] {
            declined.push(gate.suffer(charge).await.decline);
        }
        assert_eq!(declined, [false, false, false, true, false, false]);
        gate.set(Faults { delay_ms: 0, decline_every: 1 });
        assert!(gate.suffer(true).await.decline);
        gate.set(Faults::default());
        assert!(!gate.suffer(true).await.decline);
    }

    #[tokio::test]
    async fn a_call_that_waits_goes_on_when_the_faults_are_replaced() {
        let gate = FaultGate::default();
        gate.set(Faults { delay_ms: DELAY_MS_MAX, decline_every: 1 });
        let mut waiting = std::pin::pin!(gate.suffer(true));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        gate.set(Faults::default());
        assert!(waiting.await.decline, "what was drawn before stays drawn");
    }

    #[test]
    fn unknown_faults_are_refused() {
        let parsed: Faults = serde_json::from_str(r#"{"decline_every": 2}"#).unwrap();
        assert_eq!(parsed, Faults { delay_ms: 0, decline_every: 2 });
        let error = serde_json::from_str::<Faults>(r#"{"explode": true}"#).unwrap_err();
        assert!(error.to_string().contains("explode"));
    }
}
