//! What can be read of the books: only what is durable.

use std::ops::Range;

use bytes::Bytes;
use uuid::Uuid;

use super::{Service, ServiceError};
use crate::faults::Fault;
use crate::render::{self, IntentJson, PageJson, Reply, View};
use crate::state::Intent;

/// Intents written between two looks at the lock when the ledger is streamed.
const LEDGER_CHUNK_INTENTS: usize = 256;

/// Which intents a reader finds already.
struct Lag {
    /// Intents made after this moment are not found, in microseconds since the Unix epoch.
    after_us: Option<i64>,
}

impl Lag {
    fn finds(&self, intent: &Intent) -> bool {
        self.after_us.is_none_or(|after_us| intent.created_us <= after_us)
    }
}

impl Service {
    fn lag(&self) -> Lag {
        let lag_ms = self.faults.faults().search_lag_ms;
        let after_us = |lag_ms: u64| {
            let lag_us = i64::try_from(lag_ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
            self.now_us().saturating_sub(lag_us)
        };
        Lag { after_us: (lag_ms > 0).then(|| after_us(lag_ms)) }
    }

    /// The intent `id`; `None` if there is none.
    ///
    /// # Errors
    /// The bank is down.
    pub(crate) async fn intent(&self, id: Uuid) -> Result<Option<Reply>, ServiceError> {
        let lag = self.lag();
        let (reply, seq) = {
            let books = self.lock()?;
            let Some(intent) = books.state.intent(id) else { return Ok(None) };
            if !lag.finds(intent) {
                self.faults.count(Fault::SearchLag);
                return Ok(None);
            }
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
        let lag = self.lag();
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
            let (data, has_more) = self.page(&lag, older, 0..limit);
            let url = "/v1/payment_intents";
            let page = PageJson { object: "list", url, has_more, next_page: None, data };
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
        let lag = self.lag();
        let (reply, seq) = {
            let state = &self.lock()?.state;
            let found = state.intents_of(order_id).rev();
            let (data, has_more) = self.page(&lag, found, skip..skip.saturating_add(limit));
            let page = PageJson {
                object: "search_result",
                url: "/v1/payment_intents/search",
                has_more,
                next_page: Some(has_more.then(|| skip.saturating_add(limit).to_string())),
                data,
            };
            (Reply::json(200, &page)?, state.last_seq())
        };
        self.journal.durable(seq).await?;
        Ok(reply)
    }

    /// The part `places` of those of `intents` that are found already, and whether there are more.
    fn page<'a>(
        &self,
        lag: &Lag,
        intents: impl Iterator<Item = &'a Intent>,
        places: Range<usize>,
    ) -> (Vec<IntentJson<'a>>, bool) {
        let mut is_hidden = false;
        let all = intents.filter(|intent| {
            let finds = lag.finds(intent);
            is_hidden |= !finds;
            finds
        });
        let mut found = all.skip(places.start);
        let shown = found.by_ref().take(places.len());
        let data = shown.map(|intent| IntentJson::of(intent, View::now(intent))).collect();
        let has_more = found.next().is_some();
        if is_hidden {
            self.faults.count(Fault::SearchLag);
        }
        (data, has_more)
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
}
