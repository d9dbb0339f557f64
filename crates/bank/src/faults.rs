//! Faults that tests switch on at run time: what they are. `gate` draws them, `fired` counts them.

mod dice;
mod fired;
mod gate;

use serde::{Deserialize, Serialize};

pub(crate) use fired::Fault;
pub(crate) use gate::{After, Before, EventPlan, FaultGate, Outcome, Plan};

/// Longest delay that can be asked for, in milliseconds: ten minutes.
pub const DELAY_MS_MAX: u64 = 600_000;

/// Which faults are on. What is left out is off.
///
/// A `_percent` is the share of calls with an effect (or of webhook events) that suffer the fault,
/// from 0 to 100. Whether a call suffers is drawn from [`Faults::seed`], by the place of the call
/// in the order of calls since the faults were set: the same seed and the same order give the same
/// faults.
///
/// Of the faults from [`Faults::error_before_percent`] to [`Faults::wrong_amount_percent`] a call
/// suffers at most one, so they must not add up to more than 100. The others are drawn apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Where the generator starts.
    pub seed: u64,
    /// Time that a call with an effect waits before it has it, in milliseconds. A call that waits
    /// goes on at once when the faults are replaced.
    pub delay_ms: u64,
    /// Share of the calls that [`Faults::delay_ms`] is for; all of them if left out.
    pub delay_percent: u8,
    /// Every n-th charge is declined with `generic_decline`; 0 is never.
    pub decline_every: u64,
    /// 500, without an effect.
    pub error_before_percent: u8,
    /// 500, after the effect was made durable.
    pub error_after_percent: u8,
    /// The connection is closed without an answer and without an effect.
    pub reset_before_percent: u8,
    /// The connection is closed without an answer, after the effect was made durable.
    pub lost_reply_percent: u8,
    /// 429 with `Retry-After`, without an effect.
    pub rate_limit_percent: u8,
    /// 200 with a body that is no JSON, after the effect.
    pub malformed_percent: u8,
    /// A body of more than a mebibyte, after the effect.
    pub oversized_percent: u8,
    /// The answer names one minor unit more than was asked for, after the effect.
    pub wrong_amount_percent: u8,
    /// Share of the capture calls that find the authorisation expired. It has, durably.
    pub authorization_expired_percent: u8,
    /// Expires every authorisation that waits for a capture at this moment, durably. Done once: it
    /// is always read as off.
    pub expire_authorizations: bool,
    /// Time for which a new intent is not found by reading, listing or searching, in milliseconds.
    pub search_lag_ms: u64,
    /// Share of the events that are sent two or three times.
    pub webhook_duplicate_percent: u8,
    /// Share of the events that are held back until the next event has been sent.
    pub webhook_reorder_percent: u8,
    /// Time that each event waits before it is sent, in milliseconds.
    pub webhook_delay_ms: u64,
    /// Sends the event before the API's answer: the answer waits for the end of the first attempt.
    pub webhook_early: bool,
    /// Share of the events that are never sent.
    pub webhook_lost_percent: u8,
    /// Share of the events whose first attempt is signed with another secret.
    pub webhook_bad_signature_percent: u8,
    /// Share of the events whose first attempt was signed ten minutes ago.
    pub webhook_old_timestamp_percent: u8,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            seed: 0,
            delay_ms: 0,
            delay_percent: 100,
            decline_every: 0,
            error_before_percent: 0,
            error_after_percent: 0,
            reset_before_percent: 0,
            lost_reply_percent: 0,
            rate_limit_percent: 0,
            malformed_percent: 0,
            oversized_percent: 0,
            wrong_amount_percent: 0,
            authorization_expired_percent: 0,
            expire_authorizations: false,
            search_lag_ms: 0,
            webhook_duplicate_percent: 0,
            webhook_reorder_percent: 0,
            webhook_delay_ms: 0,
            webhook_early: false,
            webhook_lost_percent: 0,
            webhook_bad_signature_percent: 0,
            webhook_old_timestamp_percent: 0,
        }
    }
}

/// Why settings of the faults cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultsError {
    /// A share above the whole.
    #[error("{0} is at most 100")]
    Percent(&'static str),
    /// A call would suffer two outcomes.
    #[error("a call suffers at most one outcome, so their percentages add up to at most 100")]
    Sum,
    /// A longer time than [`DELAY_MS_MAX`].
    #[error("{0} is at most {DELAY_MS_MAX}")]
    Time(&'static str),
}

impl FaultsError {
    /// The setting that is wrong, if it is a single one.
    #[must_use]
    pub const fn setting(&self) -> Option<&'static str> {
        match self {
            Self::Percent(name) | Self::Time(name) => Some(name),
            Self::Sum => None,
        }
    }
}

impl Faults {
    /// Whether the settings can be.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn check(&self) -> Result<(), FaultsError> {
        let others = [
            ("delay_percent", self.delay_percent),
            ("authorization_expired_percent", self.authorization_expired_percent),
            ("webhook_duplicate_percent", self.webhook_duplicate_percent),
            ("webhook_reorder_percent", self.webhook_reorder_percent),
            ("webhook_lost_percent", self.webhook_lost_percent),
            ("webhook_bad_signature_percent", self.webhook_bad_signature_percent),
            ("webhook_old_timestamp_percent", self.webhook_old_timestamp_percent),
        ];
        let outcomes = self.outcomes().map(|(name, percent, _)| (name, percent));
        for (name, percent) in outcomes.into_iter().chain(others) {
            if percent > 100 {
                return Err(FaultsError::Percent(name));
            }
        }
        if outcomes.iter().map(|(_, percent)| u32::from(*percent)).sum::<u32>() > 100 {
            return Err(FaultsError::Sum);
        }
        let times = [
            ("delay_ms", self.delay_ms),
            ("search_lag_ms", self.search_lag_ms),
            ("webhook_delay_ms", self.webhook_delay_ms),
        ];
        match times.into_iter().find(|(_, time_ms)| *time_ms > DELAY_MS_MAX) {
            Some((name, _)) => Err(FaultsError::Time(name)),
            None => Ok(()),
        }
    }

    /// The outcomes of which a call suffers at most one, with their shares.
    const fn outcomes(&self) -> [(&'static str, u8, Outcome); 8] {
        use Outcome::{Spoiled, Unheard};
        [
            ("error_before_percent", self.error_before_percent, Unheard(Before::Error)),
            ("error_after_percent", self.error_after_percent, Spoiled(After::Error)),
            ("reset_before_percent", self.reset_before_percent, Unheard(Before::Reset)),
            ("lost_reply_percent", self.lost_reply_percent, Spoiled(After::LostReply)),
            ("rate_limit_percent", self.rate_limit_percent, Unheard(Before::RateLimit)),
            ("malformed_percent", self.malformed_percent, Spoiled(After::Malformed)),
            ("oversized_percent", self.oversized_percent, Spoiled(After::Oversized)),
            ("wrong_amount_percent", self.wrong_amount_percent, Spoiled(After::WrongAmount)),
        ]
    }
}

#[cfg(test)]
mod tests;
