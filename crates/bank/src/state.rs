//! The books: plain data, and two functions on them. [`State::decide`] says what a command comes
//! to, [`State::apply`] enters a fact. Neither performs I/O, reads a clock or draws an id.
//!
//! **Invariant:** for every intent `0 ≤ refunded ≤ captured ≤ amount`. Only an intent that
//! [`Status::Succeeded`], or that still [`Status::RequiresCapture`] of the rest, has captured
//! anything; one that succeeded has.

mod entries;
mod rules;

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::fact::{CancelReason, Charged, Entry, Fact, KeyUse, Refunded, Refusal, Status};
use rules::{cancellable, capturable, order_id, refundable};

pub use entries::{Answer, Capture, Charge, Command, Contradiction, Intent, Kept, Refund};

/// The books of the bank.
#[derive(Debug, Default, PartialEq)]
pub struct State {
    intents: Vec<Intent>,
    intent_by_id: HashMap<Uuid, usize>,
    intents_by_order: HashMap<Box<str>, Vec<usize>>,
    captures: Vec<Capture>,
    refunds: Vec<Refund>,
    refund_by_id: HashMap<Uuid, usize>,
    kept: HashMap<Arc<str>, Kept>,
    last_seq: u64,
}

impl State {
    /// Place of the last fact in the ledger; 0 if there is none.
    #[must_use]
    pub const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// All intents, oldest first.
    #[must_use]
    pub fn intents(&self) -> &[Intent] {
        &self.intents
    }

    /// Position of the intent `id`.
    #[must_use]
    pub fn position(&self, id: Uuid) -> Option<usize> {
        self.intent_by_id.get(&id).copied()
    }

    /// The intent `id`.
    #[must_use]
    pub fn intent(&self, id: Uuid) -> Option<&Intent> {
        self.intents.get(self.position(id)?)
    }

    /// The intents with `order_id` in their metadata, oldest first.
    pub fn intents_of(&self, order_id: &str) -> impl DoubleEndedIterator<Item = &Intent> {
        let positions = self.intents_by_order.get(order_id).map_or(&[][..], Vec::as_slice);
        positions.iter().filter_map(|position| self.intents.get(*position))
    }

    /// Whether the intent `id` waits for a capture.
    #[must_use]
    pub fn is_authorised(&self, id: Uuid) -> bool {
        self.intent(id).is_some_and(|found| found.status == Status::RequiresCapture)
    }

    /// The intents whose authorisation waits for a capture, oldest first.
    pub fn authorised(&self) -> impl Iterator<Item = Uuid> {
        let waiting = self.intents.iter().filter(|found| found.status == Status::RequiresCapture);
        waiting.map(|found| found.id)
    }

    /// The capture at a position.
    #[must_use]
    pub fn capture_at(&self, position: usize) -> Option<&Capture> {
        self.captures.get(position)
    }

    /// The refund at a position.
    #[must_use]
    pub fn refund_at(&self, position: usize) -> Option<&Refund> {
        self.refunds.get(position)
    }

    /// Position of the refund `id`.
    #[must_use]
    pub fn refund_position(&self, id: Uuid) -> Option<usize> {
        self.refund_by_id.get(&id).copied()
    }

    /// The answer kept for an idempotency key.
    #[must_use]
    pub fn kept(&self, key: &str) -> Option<Kept> {
        self.kept.get(key).copied()
    }

    /// What `command` comes to; `fresh` is the id of whatever it makes.
    ///
    /// # Errors
    /// The reason why the books do not allow it.
    pub fn decide(&self, command: Command, fresh: Uuid) -> Result<Fact, Refusal> {
        Ok(match command {
            Command::Charge(charge) => Fact::Charged(Charged {
                intent: fresh,
                amount: charge.amount,
                currency: charge.currency,
                method: charge.method,
                capture: charge.capture,
                metadata: charge.metadata,
                decline: charge.decline,
            }),
            Command::Capture { intent, amount, keeps_rest } => {
                let found = self.intent(intent).ok_or(Refusal::NoSuchIntent)?;
                let amount = capturable(found, amount, keeps_rest)?;
                Fact::Captured { intent, amount, keeps_rest }
            }
            Command::Cancel { intent, reason } => {
                cancellable(self.intent(intent).ok_or(Refusal::NoSuchIntent)?)?;
                Fact::Canceled { intent, reason }
            }
            Command::Refund { intent, amount, reason, metadata } => {
                let found = self.intent(intent).ok_or(Refusal::NoSuchIntent)?;
                let amount = refundable(found, amount)?;
                Fact::Refunded(Refunded { refund: fresh, intent, amount, reason, metadata })
            }
        })
    }

    /// Enters a fact. On an error nothing has changed.
    ///
    /// # Errors
    /// The fact does not follow from the facts before it. Never for a fact that
    /// [`State::decide`] has just given with a fresh id and an unused key.
    pub fn apply(&mut self, entry: Entry) -> Result<Answer, Contradiction> {
        let Entry { seq, at_us, key, fact } = entry;
        let wrong = |why: String| Contradiction { seq, why };
        if seq != self.last_seq + 1 {
            return Err(wrong(format!("fact {} was to come next", self.last_seq + 1)));
        }
        if let Some(KeyUse { key, .. }) = &key
            && self.kept.contains_key(key.as_str())
        {
            return Err(wrong(format!("the idempotency key {key:?} has an answer already")));
        }
        let (key, request) = match key {
            Some(KeyUse { key, request }) => (Some(Arc::from(key)), Some(request)),
            None => (None, None),
        };
        let at = Moment { seq, at_us };
        let answer = self.enter(at, key.clone(), fact).map_err(wrong)?;
        if let (Some(key), Some(request)) = (key, request) {
            self.kept.insert(key, Kept { seq, request, answer });
        }
        self.last_seq = seq;
        Ok(answer)
    }

    fn enter(&mut self, at: Moment, key: Option<Arc<str>>, fact: Fact) -> Result<Answer, String> {
        match fact {
            Fact::Charged(charged) => self.enter_charge(at, key, charged),
            Fact::Captured { intent, amount, keeps_rest } => {
                let (position, found) = self.touch(intent)?;
                found.captured += capturable(found, Some(amount), keeps_rest).map_err(text)?;
                if !keeps_rest {
                    found.status = Status::Succeeded;
                }
                found.last_seq = at.seq;
                let (captured, status) = (found.captured, found.status);
                self.captures.push(Capture { intent: position, captured, status });
                Ok(Answer::Capture(self.captures.len() - 1))
            }
            Fact::Canceled { intent, reason } => {
                let (position, found) = self.touch(intent)?;
                cancellable(found).map_err(text)?;
                found.status = Status::Canceled;
                found.canceled = Some((at.second(), reason));
                found.last_seq = at.seq;
                Ok(Answer::Cancel(position))
            }
            Fact::Expired { intent } => self.enter_expiry(at, intent),
            Fact::Refunded(refunded) => self.enter_refund(at, refunded),
            Fact::Refused { intent, refusal } => {
                let (position, _) = self.touch(intent)?;
                Ok(Answer::Refused(position, refusal))
            }
        }
    }

    fn enter_charge(
        &mut self,
        at: Moment,
        key: Option<Arc<str>>,
        charged: Charged,
    ) -> Result<Answer, String> {
        if charged.amount < 1 {
            return Err(format!("a charge of {}", charged.amount));
        }
        if self.intent_by_id.contains_key(&charged.intent) {
            return Err(format!("the payment intent {} exists already", charged.intent));
        }
        let position = self.intents.len();
        self.intent_by_id.insert(charged.intent, position);
        if let Some(order_id) = order_id(&charged.metadata) {
            self.intents_by_order.entry(order_id.into()).or_default().push(position);
        }
        let mut intent = Intent {
            id: charged.intent,
            created_us: at.at_us,
            amount: charged.amount,
            currency: charged.currency,
            method: charged.method.into_boxed_str(),
            capture: charged.capture,
            metadata: charged.metadata.into_boxed_slice(),
            decline: charged.decline,
            status: Status::Succeeded,
            captured: 0,
            refunded: 0,
            canceled: None,
            key,
            last_seq: at.seq,
        };
        intent.status = intent.first_status();
        if intent.status == Status::Succeeded {
            intent.captured = intent.amount;
        }
        self.intents.push(intent);
        Ok(Answer::Charge(position))
    }

    fn enter_expiry(&mut self, at: Moment, intent: Uuid) -> Result<Answer, String> {
        let (position, found) = self.touch(intent)?;
        if found.status != Status::RequiresCapture {
            return Err(format!("an authorisation expired whose status is {}", found.status));
        }
        if found.captured > 0 {
            found.status = Status::Succeeded;
        } else {
            found.status = Status::Canceled;
            found.canceled = Some((at.second(), Some(CancelReason::Automatic)));
        }
        found.last_seq = at.seq;
        Ok(Answer::Expired(position))
    }

    fn enter_refund(&mut self, at: Moment, refunded: Refunded) -> Result<Answer, String> {
        let position = self.refunds.len();
        if self.refund_by_id.contains_key(&refunded.refund) {
            return Err(format!("the refund {} exists already", refunded.refund));
        }
        let (intent, found) = self.touch(refunded.intent)?;
        let amount = refundable(found, Some(refunded.amount)).map_err(text)?;
        found.refunded += amount;
        found.last_seq = at.seq;
        self.refund_by_id.insert(refunded.refund, position);
        self.refunds.push(Refund {
            id: refunded.refund,
            intent,
            created_s: at.second(),
            amount,
            reason: refunded.reason,
            metadata: refunded.metadata.into_boxed_slice(),
            seq: at.seq,
        });
        Ok(Answer::Refund(position))
    }

    fn touch(&mut self, id: Uuid) -> Result<(usize, &mut Intent), String> {
        let position = self.position(id);
        position
            .and_then(|position| Some((position, self.intents.get_mut(position)?)))
            .ok_or_else(|| format!("there is no payment intent {id}"))
    }
}

/// When and where a fact stands.
#[derive(Clone, Copy)]
struct Moment {
    seq: u64,
    at_us: i64,
}

impl Moment {
    const fn second(self) -> i64 {
        self.at_us.div_euclid(1_000_000)
    }
}

fn text(refusal: Refusal) -> String {
    refusal.to_string()
}

#[cfg(test)]
mod tests;
