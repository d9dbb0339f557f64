//! The database of a simulated shop: the same SQLite statements, run in the calling thread.
//!
//! sqlx runs SQLite on a thread of its own, for which paused time does not wait. Here a statement
//! takes no real thread and as much simulated time as the [`Link`] says, so that one seed decides
//! every interleaving. One transaction writes at a time, in the order of asking; readers see what
//! is committed. What a server does to its clients is done here too: a transaction that stands
//! idle for too long is rolled back, one whose client is gone is rolled back, and a link may fail
//! at every call, during COMMIT on either side of it.
//!
//! Only the feature `simulation` has this; no released program does.

mod cells;
mod failure;
mod server;
mod session;

pub(crate) use cells::{Cells, FromCell};
pub(crate) use session::{Session, begin, fetch, snapshot};

use crate::db::{Backend, Db, Pools};
use crate::{StoreConfig, StoreError};
use server::Server;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A call over the link, before it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A transaction that writes begins.
    Begin,
    /// A transaction that reads begins.
    Snapshot,
    /// A statement outside any transaction, by name.
    Read(&'static str),
    /// A statement in a transaction, by name.
    Statement(&'static str),
    /// The transaction's end.
    Commit,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The connection fails before the server hears of it.
    Lost,
    /// The server does it, and the connection fails before the client hears of it.
    ReplyLost,
    /// The server refuses it because another transaction is in the way.
    Conflict,
}

/// How a call goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// Time until the server has it.
    pub there: Duration,
    /// Time until the client has the answer.
    pub back: Duration,
    /// What goes wrong, if anything.
    pub trouble: Option<Trouble>,
    /// Whether a COMMIT that is on its way arrives although its sender ends meanwhile.
    pub arrives: bool,
}

/// The way from one node to the database.
pub trait Link: Send + Sync {
    /// How this call goes. Asked once per call.
    fn passage(&self, call: Call) -> Passage;
}

/// A link on which everything arrives at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Link for Quiet {
    fn passage(&self, _call: Call) -> Passage {
        Passage::default()
    }
}

/// The server. It goes on when nodes end; its file lasts for the run only.
#[derive(Clone)]
pub struct SimulatedDatabase {
    server: Arc<Server>,
}

/// A node's end of a link.
pub(crate) struct Client {
    pub(crate) server: Arc<Server>,
    pub(crate) link: Arc<dyn Link>,
}

impl SimulatedDatabase {
    /// Opens the file at `path`, and makes it if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let server = Server::open(path).map_err(StoreError::Unavailable)?;
        Ok(Self { server: Arc::new(server) })
    }

    /// A node's handle of the database, over `link`.
    #[must_use]
    pub fn connect(&self, config: &StoreConfig, link: Arc<dyn Link>) -> Db {
        let client = Client { server: self.server.clone(), link };
        Db::over(Backend::Sqlite, Pools::Simulated(client), config)
    }
}
