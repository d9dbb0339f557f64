//! The bank at work: decides under a short lock, waits for the ledger outside of it.
//!
//! **Invariant:** nothing is told to anybody before it is durable. The books in memory run ahead
//! of the disk by the facts that are being written. Whoever reads them takes note of the last fact
//! in what was read, and answers once the ledger has reached it. The lock is never held over I/O.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use domain::{Clock, IdSource};
use uuid::Uuid;

use crate::fact::{Entry, Fact, KeyUse};
use crate::faults::FaultGate;
use crate::journal::{Journal, JournalDown, JournalError, Line};
use crate::methods::Decline;
use crate::render::{self, IntentJson, PageJson, Reply};
use crate::state::{Command, Contradiction, State};

/// Intents written between two looks at the lock when the ledger is streamed.
const LEDGER_CHUNK_INTENTS: usize = 256;

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
    ) -> Result<Self, JournalError> {
        let mut state = State::default();
        let journal = Journal::open(ledger, |entry| state.apply(entry).map(|_| ()))?;
        Ok(Self::new(state, journal, clock, ids))
    }

    fn new(state: State, journal: Journal, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        let books = Mutex::new(Books { state, claimed: HashSet::new() });
        Self { books, journal, faults: FaultGate::default(), clock, ids }
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

    /// Carries the command out and answers once the outcome is durable.
    ///
    /// # Errors
    /// The bank is down. The command may have had its effect.
    pub(crate) async fn execute(
        &self,
        turn: Turn<'_>,
        mut command: Command,
    ) -> Result<Reply, ServiceError> {
        let plan = self.faults.suffer(matches!(command, Command::Charge(_))).await;
        if let (true, Command::Charge(charge)) = (plan.decline, &mut command) {
            charge.decline.get_or_insert(Decline::Generic);
        }
        let (reply, seq) = self.settle(turn.key.clone(), command)?;
        drop(turn);
        self.journal.durable(seq).await?;
        Ok(reply)
    }

    /// Decides, enters the fact into the books and queues its line, in one go. Gives the answer
    /// and the fact that has to be durable before it is sent.
    fn settle(&self, key: Option<KeyUse>, command: Command) -> Result<(Reply, u64), ServiceError> {
        let fresh = self.ids.uuid();
        let at_us = self.clock.now().micros();
        let about = command.intent();
        let mut books = self.lock()?;
        let state = &mut books.state;
        let fact = match state.decide(command, fresh) {
            Ok(fact) => fact,
            Err(refusal) => match about.filter(|id| state.position(*id).is_some()) {
                Some(intent) if key.is_some() => Fact::Refused { intent, refusal },
                // Without a key nobody can ask for the same answer again, and an absent intent
                // stays absent: neither needs a line.
                intent => {
                    let intent = intent.and_then(|id| state.intent(id));
                    return Ok((render::refusal(intent, refusal)?, state.last_seq()));
                }
            },
        };
        let seq = state.last_seq() + 1;
        let entry = Entry { seq, at_us, key, fact };
        let line = Line::of(&entry)?;
        let answer = state.apply(entry)?;
        // Should this fail, the books are ahead of the ledger for good. As nothing becomes durable
        // any more, nobody will see it.
        self.journal.append(line)?;
        Ok((render::answer(state, answer)?, seq))
    }

    /// The intent `id`; `None` if there is none.
    ///
    /// # Errors
    /// The bank is down.
    pub(crate) async fn intent(&self, id: Uuid) -> Result<Option<Reply>, ServiceError> {
        let (reply, seq) = {
            let books = self.lock()?;
            let Some(intent) = books.state.intent(id) else { return Ok(None) };
            (render::intent(intent)?, intent.last_seq)
        };
        self.journal.durable(seq).await?;
        Ok(Some(reply))
    }

    /// The refund `id`; `None` if there is none.
    ///
    /// # Errors
    /// The bank is down.
    pub(crate) async fn refund(&self, id: Uuid) -> Result<Option<Reply>, ServiceError> {
        let (reply, seq) = {
            let state = &self.lock()?.state;
            let found = state.refund_position(id);
            let Some((position, refund)) =
                found.and_then(|position| Some((position, state.refund_at(position)?)))
            else {
                return Ok(None);
            };
            (render::refund(state, position)?, refund.seq)
        };
        self.journal.durable(seq).await?;
        Ok(Some(reply))
    }

    /// Up to `limit` intents, newest first, from the one made before `after`; `None` if there is no
    /// intent `after`.
    ///
    /// # Errors
    /// The bank is down.
    pub(crate) async fn list(
        &self,
        limit: usize,
        after: Option<Uuid>,
    ) -> Result<Option<Reply>, ServiceError> {
        let (reply, seq) = {
            let state = &self.lock()?.state;
            let end = match after {
                None => state.intents().len(),
                Some(id) => match state.position(id) {
                    Some(position) => position,
                    None => return Ok(None),
                },
            };
            let older = state.intents().iter().take(end).rev();
            let page = PageJson {
                object: "list",
                url: "/v1/payment_intents",
                has_more: end > limit,
                next_page: None,
                data: older.take(limit).map(|found| IntentJson::of(found, found.status)).collect(),
            };
            (Reply::json(200, &page)?, state.last_seq())
        };
        self.journal.durable(seq).await?;
        Ok(Some(reply))
    }

    /// Up to `limit` intents of an order, newest first, after the first `skip`.
    ///
    /// # Errors
    /// The bank is down.
    pub(crate) async fn search(
        &self,
        order_id: &str,
        limit: usize,
        skip: usize,
    ) -> Result<Reply, ServiceError> {
        let (reply, seq) = {
            let state = &self.lock()?.state;
            let mut found = state.intents_of(order_id).rev().skip(skip);
            let data: Vec<_> = found
                .by_ref()
                .take(limit)
                .map(|intent| IntentJson::of(intent, intent.status))
                .collect();
            let has_more = found.next().is_some();
            let page = PageJson {
                object: "search_result",
                url: "/v1/payment_intents/search",
                has_more,
                next_page: Some(has_more.then(|| (skip + limit).to_string())),
                data,
            };
            (Reply::json(200, &page)?, state.last_seq())
        };
        self.journal.durable(seq).await?;
        Ok(reply)
    }

    /// Number of intents.
    ///
    /// # Errors
    /// The books are unusable.
    pub(crate) fn intent_count(&self) -> Result<usize, ServiceError> {
        Ok(self.lock()?.state.intents().len())
    }

    /// Ledger lines of the intents from position `from` on, oldest first, and the position after
    /// the last of them. Each line is true at the moment it is written.
    ///
    /// # Errors
    /// The bank is down.
    pub(crate) async fn ledger_chunk(
        &self,
        from: usize,
        end: usize,
    ) -> Result<(Bytes, usize), ServiceError> {
        let (lines, seq, next) = {
            let state = &self.lock()?.state;
            let next = end.min(from.saturating_add(LEDGER_CHUNK_INTENTS));
            let mut lines = Vec::new();
            for intent in state.intents().get(from..next).unwrap_or_default() {
                render::ledger_line(intent, &mut lines)?;
            }
            (Bytes::from(lines), state.last_seq(), next)
        };
        self.journal.durable(seq).await?;
        Ok((lines, next))
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
