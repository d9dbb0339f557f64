//! The books: plain data, and two functions on them. [`State::decide`] says what a command comes
//! to, [`State::apply`] enters a fact. Neither performs I/O, reads a clock or draws an id.
//!
//! **Invariant:** for every intent `0 ≤ refunded ≤ captured ≤ amount`, and only an intent that
//! [`Status::Succeeded`] has captured anything.

use std::collections::HashMap;
use std::sync::Arc;

use domain::Currency;
use uuid::Uuid;

use crate::fact::{
    Action, CancelReason, CaptureMethod, Charged, Entry, Fact, Fingerprint, KeyUse, RefundReason,
    Refunded, Refusal, Status,
};
use crate::methods::Decline;

/// What a caller wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Create and confirm a payment intent.
    Charge(Charge),
    /// Take authorised money.
    Capture {
        /// The intent.
        intent: Uuid,
        /// Amount in minor units; all that is authorised if absent.
        amount: Option<i64>,
    },
    /// Cancel an intent that has taken no money.
    Cancel {
        /// The intent.
        intent: Uuid,
        /// The caller's reason.
        reason: Option<CancelReason>,
    },
    /// Give captured money back.
    Refund {
        /// The intent.
        intent: Uuid,
        /// Amount in minor units; all that is left if absent.
        amount: Option<i64>,
        /// The caller's reason.
        reason: Option<RefundReason>,
        /// The caller's own pairs.
        metadata: Vec<(String, String)>,
    },
}

impl Command {
    /// The intent it is about; `None` for a charge, which makes a new one.
    #[must_use]
    pub const fn intent(&self) -> Option<Uuid> {
        match self {
            Self::Charge(_) => None,
            Self::Capture { intent, .. }
            | Self::Cancel { intent, .. }
            | Self::Refund { intent, .. } => Some(*intent),
        }
    }
}

/// A charge as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Amount in minor units, at least 1.
    pub amount: i64,
    /// Currency of the amount.
    pub currency: Currency,
    /// Payment method, as the caller named it.
    pub method: String,
    /// When the money is to be taken.
    pub capture: CaptureMethod,
    /// The caller's own pairs.
    pub metadata: Vec<(String, String)>,
    /// Set if the card's issuer says no.
    pub decline: Option<Decline>,
}

/// A payment intent, as the facts so far make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its id.
    pub id: Uuid,
    /// Creation, in seconds since the Unix epoch.
    pub created_s: i64,
    /// Amount asked for, in minor units.
    pub amount: i64,
    /// Currency of all its amounts.
    pub currency: Currency,
    /// Payment method.
    pub method: Box<str>,
    /// When the money is taken.
    pub capture: CaptureMethod,
    /// The caller's own pairs.
    pub metadata: Box<[(String, String)]>,
    /// Set if the issuer said no.
    pub decline: Option<Decline>,
    /// Status now.
    pub status: Status,
    /// Amount captured, in minor units.
    pub captured: i64,
    /// Amount given back, in minor units.
    pub refunded: i64,
    /// Cancellation, in seconds since the Unix epoch, and its reason.
    pub canceled: Option<(i64, Option<CancelReason>)>,
    /// Idempotency key of the call that made it.
    pub key: Option<Arc<str>>,
    /// Place in the ledger of the last fact that changed it.
    pub last_seq: u64,
}

impl Intent {
    /// Status it had when it was created.
    #[must_use]
    pub const fn first_status(&self) -> Status {
        match (self.decline, self.capture) {
            (Some(_), _) => Status::RequiresPaymentMethod,
            (None, CaptureMethod::Automatic) => Status::Succeeded,
            (None, CaptureMethod::Manual) => Status::RequiresCapture,
        }
    }

    /// The order it pays for, if the caller said so in `metadata[order_id]`.
    #[must_use]
    pub fn order_id(&self) -> Option<&str> {
        order_id(&self.metadata)
    }
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its id.
    pub id: Uuid,
    /// Position of its intent.
    pub intent: usize,
    /// Creation, in seconds since the Unix epoch.
    pub created_s: i64,
    /// Amount given back, in minor units.
    pub amount: i64,
    /// The caller's reason.
    pub reason: Option<RefundReason>,
    /// The caller's own pairs.
    pub metadata: Box<[(String, String)]>,
    /// Place in the ledger.
    pub seq: u64,
}

/// What a call came to. The position of an intent or a refund never changes, and what an answer
/// shows of it does not either, so the same answer is written the same way for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The intent as it was when it was created.
    Charge(usize),
    /// The intent as it is after its capture.
    Capture(usize),
    /// The intent as it is after its cancellation.
    Cancel(usize),
    /// The refund.
    Refund(usize),
    /// A refusal about an intent.
    Refused(usize, Refusal),
}

/// The answer kept for an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Place in the ledger of the fact behind the answer.
    pub seq: u64,
    /// The request it answers.
    pub request: Fingerprint,
    /// The answer.
    pub answer: Answer,
}

/// A fact that cannot have happened after the facts before it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("fact {seq} contradicts the facts before it: {why}")]
pub struct Contradiction {
    /// Place of the fact in the ledger.
    pub seq: u64,
    /// What is wrong.
    pub why: String,
}

/// The books of the bank.
#[derive(Debug, Default, PartialEq)]
pub struct State {
    intents: Vec<Intent>,
    intent_by_id: HashMap<Uuid, usize>,
    intents_by_order: HashMap<Box<str>, Vec<usize>>,
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
            Command::Capture { intent, amount } => {
                let found = self.intent(intent).ok_or(Refusal::NoSuchIntent)?;
                Fact::Captured { intent, amount: capturable(found, amount)? }
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
        let at = Moment { seq, second: at_us.div_euclid(1_000_000) };
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
            Fact::Captured { intent, amount } => {
                let (position, found) = self.touch(intent)?;
                found.captured = capturable(found, Some(amount)).map_err(text)?;
                found.status = Status::Succeeded;
                found.last_seq = at.seq;
                Ok(Answer::Capture(position))
            }
            Fact::Canceled { intent, reason } => {
                let (position, found) = self.touch(intent)?;
                cancellable(found).map_err(text)?;
                found.status = Status::Canceled;
                found.canceled = Some((at.second, reason));
                found.last_seq = at.seq;
                Ok(Answer::Cancel(position))
            }
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
            created_s: at.second,
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
            created_s: at.second,
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
    second: i64,
}

fn text(refusal: Refusal) -> String {
    refusal.to_string()
}

fn order_id(metadata: &[(String, String)]) -> Option<&str> {
    metadata.iter().find(|(name, _)| name == "order_id").map(|(_, value)| value.as_str())
}

/// The amount that a capture takes.
fn capturable(intent: &Intent, amount: Option<i64>) -> Result<i64, Refusal> {
    if intent.status != Status::RequiresCapture {
        return Err(Refusal::WrongStatus { action: Action::Capture, status: intent.status });
    }
    let amount = amount.unwrap_or(intent.amount);
    if (1..=intent.amount).contains(&amount) {
        Ok(amount)
    } else {
        Err(Refusal::CaptureOutOfRange { amount, authorised: intent.amount })
    }
}

fn cancellable(intent: &Intent) -> Result<(), Refusal> {
    match intent.status {
        Status::RequiresCapture | Status::RequiresPaymentMethod => Ok(()),
        status @ (Status::Succeeded | Status::Canceled) => {
            Err(Refusal::WrongStatus { action: Action::Cancel, status })
        }
    }
}

/// The amount that a refund gives back.
fn refundable(intent: &Intent, amount: Option<i64>) -> Result<i64, Refusal> {
    if intent.status != Status::Succeeded {
        return Err(Refusal::WrongStatus { action: Action::Refund, status: intent.status });
    }
    let left = intent.captured - intent.refunded;
    if left == 0 {
        return Err(Refusal::AlreadyRefunded);
    }
    let amount = amount.unwrap_or(left);
    if (1..=left).contains(&amount) {
        Ok(amount)
    } else {
        Err(Refusal::RefundOutOfRange { amount, left })
    }
}

#[cfg(test)]
mod tests;
