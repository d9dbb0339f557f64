//! The bank at work: decides under a short lock, waits for the ledger outside of it.
//!
//! **Invariant:** nothing is told to anybody before it is durable. The books in memory run ahead
//! of the disk by the facts that are being written. Whoever reads them takes note of the last fact
//! in what was read, and answers once the ledger has reached it. The lock is never held over I/O.

mod reading;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use domain::{Clock, IdSource};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::fact::{Entry, Fact, KeyUse};
use crate::faults::{After, Before, Fault, FaultGate, Outcome, Plan};
use crate::journal::{Journal, JournalDown, JournalError, Line};
use crate::methods::Decline;
use crate::render::{self, Reply};
use crate::state::{Answer, Command, Contradiction, State};
use crate::webhook::Webhooks;

/// Why a call has no answer from the books.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    /// A call with the same idempotency key is still running.
    #[error("a call with the same idempotency key is still running")]
    KeyInUse,
    /// The idempotency key stands for another request.
    #[error("the idempotency key was first used for another request")]
    KeyReused,
    /// The ledger cannot be written. Whether the call had an effect shows after the next start.
    #[error(transparent)]
    Down(#[from] JournalDown),
    /// A fact did not fit the books: an id was given out twice.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// The answer could not be written.
    #[error("the answer cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// A call panicked while it changed the books.
    #[error("the books are unusable since a call panicked; start the bank again")]
    Poisoned,
}

/// The bank.
pub(crate) struct Service {
    books: Mutex<Books>,
    journal: Journal,
    pub(crate) faults: FaultGate,
    pub(crate) webhooks: Webhooks,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

#[derive(Default)]
struct Books {
    state: State,
    /// Idempotency keys of calls that have not been decided yet.
    claimed: HashSet<String>,
}

/// What a call finds when it shows its idempotency key.
pub(crate) enum Begun<'a> {
    /// It was answered before.
    Replay(Reply),
    /// It may go on.
    Turn(Turn<'a>),
}

/// The right to carry out one call. Dropped without a decision, its key is free again.
pub(crate) struct Turn<'a> {
    service: &'a Service,
    key: Option<KeyUse>,
}

/// What comes of a call.
#[derive(Debug)]
pub(crate) enum Told {
    /// Its answer.
    Plainly(Reply),
    /// It had no effect, for this happened.
    Unheard(Before),
    /// It had its effect, and this happens to its answer.
    Spoiled(After, Reply),
}

/// A decision that is in the books and not yet known to be durable.
struct Settled {
    reply: Reply,
    /// The last fact that the answer shows.
    seq: u64,
    /// Events that come before the answer.
    early: Early,
}

/// Told or dropped once an event has been sent.
type Early = Vec<oneshot::Receiver<()>>;

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let (Some(key), Ok(mut books)) = (&self.key, self.service.lock()) {
            books.claimed.remove(&key.key);
        }
    }
}

impl Service {
    /// Reads the ledger and takes up where it ends. Blocks.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub(crate) fn open(
        ledger: &Path,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        webhooks: Webhooks,
    ) -> Result<Self, JournalError> {
        let mut state = State::default();
        let journal = Journal::open(ledger, |entry| state.apply(entry).map(|_| ()))?;
        let books = Mutex::new(Books { state, claimed: HashSet::new() });
        Ok(Self { books, journal, faults: FaultGate::default(), webhooks, clock, ids })
    }

    fn lock(&self) -> Result<MutexGuard<'_, Books>, ServiceError> {
        self.books.lock().map_err(|_| ServiceError::Poisoned)
    }

    /// Looks the idempotency key up and claims it if it is new.
    ///
    /// # Errors
    /// The key is in use or was used for another request, or the bank is down.
    pub(crate) fn begin(&self, key: Option<KeyUse>) -> Result<Begun<'_>, ServiceError> {
        self.journal.check()?;
        let mut books = self.lock()?;
        if let Some(KeyUse { key, request }) = &key {
            if let Some(kept) = books.state.kept(key) {
                if kept.seq > self.journal.durable_seq() {
                    return Err(ServiceError::KeyInUse);
                }
                if kept.request != *request {
                    return Err(ServiceError::KeyReused);
                }
                return Ok(Begun::Replay(render::answer(&books.state, kept.answer)?));
            }
            if !books.claimed.insert(key.clone()) {
                return Err(ServiceError::KeyInUse);
            }
        }
        Ok(Begun::Turn(Turn { service: self, key }))
    }

    /// Carries the command out, with the faults that are on, and answers once the outcome is
    /// durable.
    ///
    /// # Errors
    /// The bank is down. The command may have had its effect.
    pub(crate) async fn execute(
        &self,
        turn: Turn<'_>,
        command: Command,
    ) -> Result<Told, ServiceError> {
        let plan = self.faults.suffer(matches!(command, Command::Charge(_))).await;
        if let Some(outcome @ Outcome::Unheard(before)) = plan.outcome {
            self.faults.count(outcome.fault());
            return Ok(Told::Unheard(before));
        }
        let Settled { reply, seq, early } = self.settle(turn.key.clone(), command, plan)?;
        drop(turn);
        self.journal.durable(seq).await?;
        for event in early {
            self.faults.count(Fault::WebhookEarly);
            // Told or dropped: it was sent, or it never will be.
            let _ = event.await;
        }
        Ok(match plan.outcome {
            // Only an answer that names an amount can name a wrong one.
            Some(Outcome::Spoiled(After::WrongAmount)) if reply.status != 200 => {
                Told::Plainly(reply)
            }
            Some(outcome @ Outcome::Spoiled(after)) => {
                self.faults.count(outcome.fault());
                Told::Spoiled(after, reply)
            }
            Some(Outcome::Unheard(_)) | None => Told::Plainly(reply),
        })
    }

    /// Decides, enters the fact into the books and queues its line, in one go. Gives the answer
    /// and the fact that has to be durable before it is sent.
    fn settle(
        &self,
        key: Option<KeyUse>,
        mut command: Command,
        plan: Plan,
    ) -> Result<Settled, ServiceError> {
        let fresh = self.ids.uuid();
        let at_us = self.now_us();
        let about = command.intent();
        let mut books = self.lock()?;
        let state = &mut books.state;
        let mut early = Early::new();
        match &mut command {
            Command::Charge(charge) if plan.decline && charge.decline.is_none() => {
                self.faults.count(Fault::Decline);
                charge.decline = Some(Decline::Generic);
            }
            Command::Capture { intent, .. } if plan.expire && state.is_authorised(*intent) => {
                self.faults.count(Fault::AuthorizationExpired);
                let expired = Fact::Expired { intent: *intent };
                early.extend(self.enter(state, at_us, None, expired)?.1);
            }
            _ => {}
        }
        let fact = match state.decide(command, fresh) {
            Ok(fact) => fact,
            Err(refusal) => match about.filter(|id| state.position(*id).is_some()) {
                Some(intent) if key.is_some() => Fact::Refused { intent, refusal },
                // Without a key nobody can ask for the same answer again, and an absent intent
                // stays absent: neither needs a line.
                intent => {
                    let intent = intent.and_then(|id| state.intent(id));
                    let reply = render::refusal(intent, refusal)?;
                    return Ok(Settled { reply, seq: state.last_seq(), early });
                }
            },
        };
        let (answer, events) = self.enter(state, at_us, key, fact)?;
        early.extend(events);
        Ok(Settled { reply: render::answer(state, answer)?, seq: state.last_seq(), early })
    }

    /// Enters a fact into the books and queues its line and its events.
    fn enter(
        &self,
        state: &mut State,
        at_us: i64,
        key: Option<KeyUse>,
        fact: Fact,
    ) -> Result<(Answer, Early), ServiceError> {
        let seq = state.last_seq() + 1;
        let is_told = self.webhooks.is_on();
        let name = key.as_ref().filter(|_| is_told).map(|key| key.key.clone());
        let entry = Entry { seq, at_us, key, fact };
        let line = Line::of(&entry)?;
        let answer = state.apply(entry)?;
        // Should this fail, the books are ahead of the ledger for good. As nothing becomes durable
        // any more, nobody will see it.
        self.journal.append(line)?;
        let mut early = Early::new();
        if is_told {
            let created_s = at_us.div_euclid(1_000_000);
            let ids = || self.ids.uuid();
            for event in render::events(state, answer, created_s, name.as_deref(), &ids)? {
                let plan = self.faults.event();
                if plan.lost {
                    self.faults.count(Fault::WebhookLost);
                } else {
                    early.extend(self.webhooks.queue(seq, event, plan));
                }
            }
        }
        Ok((answer, early))
    }

    /// Lets every authorisation that waits for a capture expire, durably. Gives their number.
    ///
    /// # Errors
    /// The bank is down. Some of them may have expired.
    pub(crate) async fn expire_authorisations(&self) -> Result<usize, ServiceError> {
        self.journal.check()?;
        let at_us = self.now_us();
        let (count, seq) = {
            let state = &mut self.lock()?.state;
            let waiting: Vec<Uuid> = state.authorised().collect();
            for intent in &waiting {
                self.enter(state, at_us, None, Fact::Expired { intent: *intent })?;
            }
            (waiting.len(), state.last_seq())
        };
        self.journal.durable(seq).await?;
        self.faults.count_many(Fault::ExpireAuthorizations, count as u64);
        Ok(count)
    }

    /// The present moment, in microseconds since the Unix epoch.
    pub(crate) fn now_us(&self) -> i64 {
        self.clock.now().micros()
    }

    /// Waits until the fact at `seq` is durable.
    ///
    /// # Errors
    /// The bank is down.
    pub(crate) async fn durable(&self, seq: u64) -> Result<(), ServiceError> {
        Ok(self.journal.durable(seq).await?)
    }

    /// Whether calls can be carried out.
    ///
    /// # Errors
    /// The bank is down.
    pub(crate) fn check(&self) -> Result<(), ServiceError> {
        self.journal.check()?;
        self.lock().map(|_| ())
    }

    /// Writes what is queued and gives the ledger up. Blocks until then.
    pub(crate) fn close(&self) {
        self.journal.close();
    }
}

#[cfg(test)]
mod tests;
