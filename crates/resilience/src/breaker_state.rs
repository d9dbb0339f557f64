//! The circuit breaker as a pure state machine: time comes in, decisions come out.
//!
//! ```text
//!            enough calls failed                 open_for has passed
//!   closed ──────────────────────▶ open ───────────────────────────▶ half-open
//!     ▲                              ▲         one probe failed          │ │
//!     │                              └───────────────────────────────────┘ │
//!     └────────────────────────────────────────────────────────────────────┘
//!                            `probes` probes succeeded
//! ```

use std::time::Duration;

use crate::{BreakerConfig, ConfigError};

/// Whether calls pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerPhase {
    /// Calls pass and are counted.
    Closed,
    /// A few calls pass, to find out whether the dependency is well again.
    HalfOpen,
    /// Calls are refused.
    Open,
}

/// A call was refused because the breaker is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the circuit breaker is open, try again in {retry_after:?}")]
pub struct Open {
    /// When it may be worth trying again. Exact while the breaker is open; while its probes run,
    /// the time after which a probe counts as slow.
    pub retry_after: Duration,
}

/// The right to make one call. Its verdict is to be given back with
/// [`settle`](BreakerState::settle), exactly once.
#[derive(Debug, PartialEq, Eq)]
pub struct Admission {
    /// Calls that began before the last change of phase say nothing about the present one.
    epoch: u64,
}

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It succeeded in time.
    Success,
    /// It failed, or succeeded too late.
    Failure,
    /// It was not made or not finished: nothing is known.
    Unknown,
}

/// Calls that ended during one slot of time.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    number: u128,
    calls: u64,
    failures: u64,
}

#[derive(Debug)]
enum Phase {
    /// One entry per slot of the window, each at `number % slots`.
    Closed(Vec<Slot>),
    Open {
        until: Duration,
    },
    HalfOpen {
        running: u32,
        succeeded: u32,
    },
}

/// The circuit breaker of one dependency. `now` is the time since any fixed moment; a `now` earlier
/// than one seen before counts as the later one.
#[derive(Debug)]
pub struct BreakerState {
    config: BreakerConfig,
    phase: Phase,
    epoch: u64,
    latest: Duration,
}

impl BreakerState {
    /// A closed breaker.
    ///
    /// # Errors
    /// The first limit that makes no sense.
    pub fn new(config: BreakerConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { phase: Self::closed(&config), config, epoch: 0, latest: Duration::ZERO })
    }

    fn closed(config: &BreakerConfig) -> Phase {
        Phase::Closed(vec![Slot::default(); config.slots as usize])
    }

    /// Whether calls pass. An open breaker turns half-open only when the next call asks.
    pub fn phase(&self) -> BreakerPhase {
        match self.phase {
            Phase::Closed(_) => BreakerPhase::Closed,
            Phase::Open { .. } => BreakerPhase::Open,
            Phase::HalfOpen { .. } => BreakerPhase::HalfOpen,
        }
    }

    /// Asks for the right to make a call.
    ///
    /// # Errors
    /// [`Open`]: the call must not be made.
    pub fn admit(&mut self, now: Duration) -> Result<Admission, Open> {
        let now = self.advance(now);
        if matches!(self.phase, Phase::Open { until } if until <= now) {
            self.enter(Phase::HalfOpen { running: 0, succeeded: 0 });
        }
        match &mut self.phase {
            Phase::Closed(_) => {}
            Phase::Open { until } => {
                let retry_after = until.saturating_sub(now);
                return Err(Open { retry_after });
            }
            Phase::HalfOpen { running, succeeded } => {
                if *running + *succeeded >= self.config.probes {
                    let retry_after = self.config.slow_call;
                    return Err(Open { retry_after });
                }
                *running += 1;
            }
        }
        Ok(Admission { epoch: self.epoch })
    }

    /// Takes in how an admitted call went.
    pub fn settle(&mut self, admission: Admission, verdict: Verdict, now: Duration) {
        let now = self.advance(now);
        if admission.epoch != self.epoch {
            return;
        }
        match &mut self.phase {
            Phase::Closed(slots) => {
                if verdict != Verdict::Unknown {
                    let failed = verdict == Verdict::Failure;
                    count(slots, slot_number(now, self.config.slot), failed);
                    if must_open(slots, &self.config, now) {
                        self.open(now);
                    }
                }
            }
            // Nothing is admitted while open, so no admission has the epoch of an open phase.
            Phase::Open { .. } => {}
            Phase::HalfOpen { running, succeeded } => {
                *running = running.saturating_sub(1);
                match verdict {
                    Verdict::Unknown => {}
                    Verdict::Failure => self.open(now),
                    Verdict::Success => {
                        *succeeded += 1;
                        if *succeeded >= self.config.probes {
                            self.enter(Self::closed(&self.config));
                        }
                    }
                }
            }
        }
    }

    fn advance(&mut self, now: Duration) -> Duration {
        self.latest = self.latest.max(now);
        self.latest
    }

    fn open(&mut self, now: Duration) {
        let until = now.saturating_add(self.config.open_for);
        self.enter(Phase::Open { until });
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch += 1;
    }
}

fn slot_number(now: Duration, slot: Duration) -> u128 {
    now.as_nanos() / slot.as_nanos()
}

fn count(slots: &mut [Slot], number: u128, failed: bool) {
    let index = (number % slots.len() as u128) as usize;
    let slot = &mut slots[index];
    if slot.number != number {
        *slot = Slot { number, ..Slot::default() };
    }
    slot.calls += 1;
    slot.failures += u64::from(failed);
}

fn must_open(slots: &[Slot], config: &BreakerConfig, now: Duration) -> bool {
    let current = slot_number(now, config.slot);
    let (calls, failures) = slots
        .iter()
        // A slot is forgotten when its place is due again, used or not.
        .filter(|slot| slot.number + slots.len() as u128 > current)
        .fold((0, 0), |(calls, failures), slot| (calls + slot.calls, failures + slot.failures));
    calls >= u64::from(config.calls_min)
        && failures * 100 >= calls * u64::from(config.failure_percent)
}

#[cfg(test)]
#[path = "breaker_state_tests.rs"]
mod tests;
