//! The actor that writes flags and keeps the table up to date.

use crate::books::{self, Setting};
use crate::definition::Known;
use crate::error::FlagsError;
use crate::file::Reader;
use crate::messages::Put;
use crate::table::Table;
use actors::{BatchLimits, Batcher, Desk, Envelope, Opened, Serve, Service};
use arc_swap::ArcSwap;
use domain::{Clock, IdSource};
use metrics::{counter, gauge};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use store::{Db, StoreError};
use tracing::Instrument;

/// How often a node looks for changes of other nodes, and of its file.
const REFRESH_EVERY: Duration = Duration::from_secs(1);

const ONE_BY_ONE: BatchLimits = BatchLimits { items_max: 1, weight_max: 1, in_flight_max: 1 };

/// What the actor works with; none of it is its own state, so a restart loses nothing.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) db: Db,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) table: Arc<ArcSwap<Table>>,
    pub(crate) known: &'static [Known],
}

impl Tools {
    /// Takes the file over, if it has changed.
    pub(crate) async fn import(&self, reader: &mut Reader) -> Result<(), FlagsError> {
        if let Some((text, flags)) = reader.read(self.known).await? {
            books::import(&self.db, &flags, self.clock.now(), || self.ids.uuid()).await?;
            reader.took(text);
        }
        Ok(())
    }

    /// Brings the table up to what is committed.
    pub(crate) async fn refresh(&self) -> Result<(), StoreError> {
        let changed = books::changed(&self.db, self.table.load().complete_to()).await?;
        if !changed.is_empty() {
            self.table.rcu(|table| table.with(changed.clone()));
        }
        Ok(())
    }

    async fn put(&self, Put { key, definition, actor }: &Put) -> Result<(), StoreError> {
        let (at, id) = (self.clock.now(), self.ids.uuid());
        books::put(&self.db, &Setting { key, definition, actor, at, id }).await?;
        self.refresh().await
    }
}

pub struct Keeper {
    tools: Tools,
    reader: Option<Reader>,
    jobs: Batcher<Envelope<Put>>,
    looking: bool,
    /// What is complained about already.
    complaints: BTreeSet<String>,
}

impl Keeper {
    pub(crate) fn new(tools: Tools, reader: Option<Reader>) -> Self {
        let (jobs, complaints) = (Batcher::new(ONE_BY_ONE), BTreeSet::new());
        Self { tools, reader, jobs, looking: false, complaints }
    }

    fn begin(&mut self, desk: &mut Desk<'_, Self>) {
        while let Some(jobs) = self.jobs.next_batch() {
            let tools = self.tools.clone();
            let work = async move {
                for Opened { message, context, reply } in
                    jobs.into_iter().filter_map(Envelope::open)
                {
                    let span = context.span().clone();
                    reply.send(tools.put(&message).instrument(span).await);
                }
            };
            desk.run(work, |keeper, _, desk| {
                keeper.jobs.finished();
                keeper.begin(desk);
            });
        }
    }

    fn look(&mut self, desk: &mut Desk<'_, Self>) {
        if self.looking {
            return;
        }
        self.looking = true;
        let (tools, mut reader) = (self.tools.clone(), self.reader.clone());
        let work = async move {
            let imported = match &mut reader {
                Some(reader) => tools.import(reader).await,
                None => Ok(()),
            };
            (imported, tools.refresh().await, reader)
        };
        desk.run(work, |keeper, result, _| {
            keeper.looking = false;
            // A panic was logged where it was caught.
            let Ok((imported, refreshed, reader)) = result else { return };
            keeper.reader = reader;
            keeper.complain("file", imported.err(), "flag_file_refused");
            keeper.complain("store", refreshed.err().map(FlagsError::from), "flags_stale");
            keeper.tell_expired();
        });
    }

    /// Logs the first of a row of failures.
    fn complain(&mut self, what: &str, error: Option<FlagsError>, event: &'static str) {
        let Some(error) = error else {
            self.complaints.remove(what);
            return;
        };
        counter!("flag_refresh_failures_total", "source" => what.to_owned()).increment(1);
        if self.complaints.insert(what.to_owned()) {
            tracing::warn!(
                event,
                code = "FLAGS_STALE",
                cause = &error as &dyn std::error::Error,
                "flags cannot be brought up to date; they stay as they are"
            );
        }
    }

    fn tell_expired(&mut self) {
        let (table, now) = (self.tools.table.load_full(), self.tools.clock.now());
        let expired: Vec<_> = table.flags.values().filter(|flag| flag.is_expired(now)).collect();
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        gauge!("flags_expired").set(expired.len() as f64);
        for flag in expired {
            if self.complaints.insert(format!("expired {} {}", flag.key, flag.revision)) {
                tracing::warn!(
                    event = "flag_expired",
                    code = "FLAG_EXPIRED",
                    flag = %flag.key,
                    owner = %flag.definition.metadata.owner,
                    expired_at = %flag.definition.metadata.expires,
                    "a flag is overdue to be taken out"
                );
            }
        }
    }
}

impl Service for Keeper {
    fn started(&mut self, desk: &mut Desk<'_, Self>) {
        desk.every(REFRESH_EVERY, Self::look);
    }
}

impl Serve<Put> for Keeper {
    fn serve(&mut self, envelope: Envelope<Put>, desk: &mut Desk<'_, Self>) {
        self.jobs.push(envelope, 1);
        self.begin(desk);
    }
}
