//! The switchboard: draws what each call and each event is to suffer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::Faults;
use super::dice::Dice;
use super::fired::{Fault, Fired};

/// What happens instead of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// It is answered 500.
    Error,
    /// The connection is closed.
    Reset,
    /// It is answered 429.
    RateLimit,
}

/// What happens to the answer of a call that had its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It becomes 500.
    Error,
    /// The connection is closed instead.
    LostReply,
    /// It becomes something that is no JSON.
    Malformed,
    /// It grows beyond a mebibyte.
    Oversized,
    /// It names another amount.
    WrongAmount,
}

/// What goes wrong with a call; at most one of these does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The call has no effect.
    Unheard(Before),
    /// The call has its effect, and its caller cannot tell.
    Spoiled(After),
}

impl Outcome {
    /// Its name in the counts.
    pub(crate) const fn fault(self) -> Fault {
        match self {
            Self::Unheard(Before::Error) => Fault::ErrorBefore,
            Self::Unheard(Before::Reset) => Fault::ResetBefore,
            Self::Unheard(Before::RateLimit) => Fault::RateLimit,
            Self::Spoiled(After::Error) => Fault::ErrorAfter,
            Self::Spoiled(After::LostReply) => Fault::LostReply,
            Self::Spoiled(After::Malformed) => Fault::Malformed,
            Self::Spoiled(After::Oversized) => Fault::Oversized,
            Self::Spoiled(After::WrongAmount) => Fault::WrongAmount,
        }
    }
}

/// What one call is to suffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Wait this long before the effect.
    pub delay: Duration,
    /// Decline the charge, whatever its payment method.
    pub decline: bool,
    /// Let the authorisation expire before it is captured.
    pub expire: bool,
    /// What else goes wrong.
    pub outcome: Option<Outcome>,
}

/// What one webhook event is to suffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventPlan {
    /// Never send it.
    pub lost: bool,
    /// How often to send it, at least once.
    pub copies: u8,
    /// Let the next event overtake it.
    pub held: bool,
    /// Wait this long before sending it.
    pub delay: Duration,
    /// Send it before the API's answer; it is neither held nor delayed then.
    pub early: bool,
    /// Sign the first attempt with another secret.
    pub bad_signature: bool,
    /// Date the first attempt ten minutes back.
    pub old_timestamp: bool,
}

/// The switchboard.
#[derive(Debug)]
pub(crate) struct FaultGate {
    drawn: Mutex<Drawn>,
    fired: Fired,
    /// Tells the calls and events that wait that the faults were replaced.
    replaced: watch::Sender<()>,
}

#[derive(Debug)]
struct Drawn {
    faults: Faults,
    /// Charges since the faults were set.
    charges: u64,
    calls: Dice,
    /// Events are drawn apart, so that a webhook that comes or goes changes no call's luck.
    events: Dice,
}

impl Default for FaultGate {
    fn default() -> Self {
        Self {
            drawn: Mutex::new(Drawn::new(Faults::default())),
            fired: Fired::default(),
            replaced: watch::Sender::default(),
        }
    }
}

impl FaultGate {
    /// The faults that are on.
    pub(crate) fn faults(&self) -> Faults {
        self.lock().faults
    }

    /// Replaces the faults. The generator and the count towards `decline_every` start anew, and
    /// the calls that wait go on.
    pub(crate) fn set(&self, faults: Faults) {
        let faults = Faults { expire_authorizations: false, ..faults };
        *self.lock() = Drawn::new(faults);
        self.replaced.send_replace(());
    }

    /// Makes the next call suffer its delay, and says what else it is to suffer; `charge` if it is
    /// one.
    pub(crate) async fn suffer(&self, charge: bool) -> Plan {
        let (plan, replaced) = {
            let mut drawn = self.lock();
            // Subscribed under the lock: from here on a replacement ends the wait.
            (drawn.call(charge), self.replaced.subscribe())
        };
        if !plan.delay.is_zero() {
            self.count(Fault::Delay);
            wait(plan.delay, replaced).await;
        }
        plan
    }

    /// What the next event is to suffer.
    pub(crate) fn event(&self) -> EventPlan {
        self.lock().event()
    }

    /// Waits for `delay`, or until the faults are replaced.
    pub(crate) async fn wait(&self, delay: Duration) {
        wait(delay, self.replaced.subscribe()).await;
    }

    /// Counts a fault that has happened.
    pub(crate) fn count(&self, fault: Fault) {
        self.fired.add(fault, 1);
    }

    /// Counts a fault that has happened `times` times.
    pub(crate) fn count_many(&self, fault: Fault, times: u64) {
        self.fired.add(fault, times);
    }

    /// How often each fault has happened since the bank started.
    pub(crate) const fn fired(&self) -> &Fired {
        &self.fired
    }

    fn lock(&self) -> MutexGuard<'_, Drawn> {
        // Plain numbers: a panic elsewhere cannot leave them half changed.
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn wait(delay: Duration, mut replaced: watch::Receiver<()>) {
    // Either the time is over or the faults were replaced: it goes on all the same.
    let _ = tokio::time::timeout(delay, replaced.changed()).await;
}

impl Drawn {
    const fn new(faults: Faults) -> Self {
        Self { faults, charges: 0, calls: Dice::new(faults.seed), events: Dice::new(!faults.seed) }
    }

    /// Each call throws as often, whatever is on: a fault that is switched on alone hits the calls
    /// that it would have hit together with others drawn after it.
    fn call(&mut self, charge: bool) -> Plan {
        self.charges += u64::from(charge);
        let every = self.faults.decline_every;
        let outcome = self.calls.percent();
        let is_delayed = self.calls.percent() < self.faults.delay_percent;
        let expire = self.calls.percent() < self.faults.authorization_expired_percent;
        let delay_ms = if is_delayed { self.faults.delay_ms } else { 0 };
        Plan {
            delay: Duration::from_millis(delay_ms),
            decline: charge && every > 0 && self.charges.is_multiple_of(every),
            expire,
            outcome: self.outcome(outcome),
        }
    }

    /// The outcome whose part of the hundred `thrown` falls into.
    fn outcome(&self, thrown: u8) -> Option<Outcome> {
        let mut end = 0_u32;
        self.faults.outcomes().into_iter().find_map(|(_, percent, outcome)| {
            end += u32::from(percent);
            (u32::from(thrown) < end).then_some(outcome)
        })
    }

    fn event(&mut self) -> EventPlan {
        let faults = self.faults;
        let mut hits = |percent: u8| self.events.percent() < percent;
        let lost = hits(faults.webhook_lost_percent);
        let is_doubled = hits(faults.webhook_duplicate_percent);
        let is_tripled = hits(50);
        let held = hits(faults.webhook_reorder_percent);
        let bad_signature = hits(faults.webhook_bad_signature_percent);
        let old_timestamp = hits(faults.webhook_old_timestamp_percent);
        let early = faults.webhook_early;
        let delay_ms = if early { 0 } else { faults.webhook_delay_ms };
        EventPlan {
            lost,
            copies: if is_doubled { 2 + u8::from(is_tripled) } else { 1 },
            held: held && !early,
            delay: Duration::from_millis(delay_ms),
            early,
            bad_signature,
            old_timestamp,
        }
    }
}
