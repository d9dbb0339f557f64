//! Feature flags in the form of flagd: variants, a default, targeting rules, percentages.
//!
//! Every node keeps all flags in memory as one immutable table, read out of the database every
//! second. They are set through the API, or by a file that is read again when it changes; of file
//! and API the later change holds. Each change is kept: who, when, from what, to what.
//!
//! **Invariant:** evaluating a flag reads memory alone. What cannot be evaluated gives the default
//! that the program was built with.

mod actor;
mod books;
mod definition;
mod error;
mod file;
mod logic;
mod messages;
mod murmur;
mod table;

pub use definition::{Definition, Flaw, Known, Metadata, State};
pub use error::FlagsError;
pub use table::{Change, Context, Flag, Table};

use actor::Keeper;
use actors::{Home, Mailbox, MailboxPolicy, RequestContext, Supervision, Vitals};
use arc_swap::ArcSwap;
use domain::{Clock, IdSource};
use messages::Put;
use std::path::PathBuf;
use std::sync::Arc;
use store::Db;
use topology::{Edge, Outcome};
use uuid::Uuid;

#[cfg(test)]
mod tests;

/// The handle of the flags. Cheap to clone.
#[derive(Clone)]
pub struct Flags {
    table: Arc<ArcSwap<Table>>,
    service: Option<Service>,
    edge: Edge,
}

#[derive(Clone)]
struct Service {
    db: Db,
    keeper: Mailbox<Keeper>,
}

/// Reads the file, if there is one, and all flags, and starts the service at `home`.
///
/// # Errors
/// [`FlagsError::File`] if the file cannot be used; [`FlagsError::Store`].
pub async fn start(
    db: Db,
    (clock, ids): (Arc<dyn Clock>, Arc<dyn IdSource>),
    known: &'static [Known],
    file: Option<PathBuf>,
    home: &Home,
) -> Result<Flags, FlagsError> {
    let table = Arc::new(ArcSwap::from_pointee(Table::new(known)));
    let tools = actor::Tools { db: db.clone(), clock, ids, table: table.clone(), known };
    let mut reader = file.map(file::Reader::new);
    if let Some(reader) = &mut reader {
        tools.import(reader).await?;
    }
    tools.refresh().await?;
    let (policy, supervision) = (MailboxPolicy::Small, Supervision::STANDARD);
    let keeper = actors::supervise("flags", home, policy, supervision, move || {
        Keeper::new(tools.clone(), reader.clone())
    });
    Ok(Flags { table, service: Some(Service { db, keeper }), edge: Edge::unseen() })
}

impl Flags {
    /// Flags that nobody can change: each gives its default.
    #[must_use]
    pub fn fixed(known: &'static [Known]) -> Self {
        let table = Arc::new(ArcSwap::from_pointee(Table::new(known)));
        Self { table, service: None, edge: Edge::unseen() }
    }

    /// The same flags for a caller: what it asks is counted on `edge`.
    #[must_use]
    pub fn seen_by(&self, edge: Edge) -> Self {
        Self { edge, ..self.clone() }
    }

    /// All flags as this node knows them now.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        self.edge.looked(Outcome::Ok);
        self.table.load_full()
    }

    /// What the flag `key` is for `context`, as a text; `None` if it is no text, or unknown.
    #[must_use]
    pub fn text(&self, key: &str, context: &Context<'_>) -> Option<String> {
        let table = self.table.load();
        table.value(key, context).and_then(|value| value.as_str().map(str::to_owned))
    }

    /// Whether the flag `key` is on for `context`.
    #[must_use]
    pub fn is_on(&self, key: &str, context: &Context<'_>) -> bool {
        self.table.load().value(key, context).is_some_and(|value| value == true)
    }

    /// Sets a flag; this node knows it when this returns, the others a second later.
    ///
    /// # Errors
    /// [`FlagsError::Flawed`] if it cannot be so; nothing was written then. [`FlagsError::Store`];
    /// [`FlagsError::Ask`].
    pub async fn put(
        &self,
        key: String,
        definition: Definition,
        context: &RequestContext,
    ) -> Result<(), FlagsError> {
        let flaws = definition.flaws(&key, self.table.load().known);
        if !flaws.is_empty() {
            return Err(FlagsError::Flawed(flaws));
        }
        let Some(service) = &self.service else { return Err(FlagsError::Fixed) };
        let actor = context.actor().to_string();
        let put = service.keeper.ask(Put { key, definition, actor }, context);
        self.edge.call(async { Ok(put.await??) }).await
    }

    /// Up to `limit` changes of a flag, newest first, older than `before`.
    ///
    /// # Errors
    /// [`FlagsError::Store`].
    pub async fn changes(
        &self,
        key: &str,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Change>, FlagsError> {
        let Some(service) = &self.service else { return Ok(Vec::new()) };
        Ok(self.edge.call(books::changes(&service.db, key, before, limit)).await?)
    }

    /// What can be seen of the flags' actor.
    pub fn vitals(&self) -> Option<&Arc<Vitals>> {
        self.service.as_ref().map(|service| service.keeper.vitals())
    }
}
