//! The client's side: a transaction, and what the link does to its calls.

use super::cells::Cells;
use super::failure::Failure;
use super::server::{Done, Server, run};
use super::{Call, Client, Link, Passage, Trouble};
use crate::query::Prepared;
use rusqlite::Connection;
use std::sync::Arc;
use std::time::Duration;

/// A transaction of a node. Dropped, it is undone, however the node ended.
pub(crate) struct Session {
    server: Arc<Server>,
    link: Arc<dyn Link>,
    kind: Kind,
    connected: bool,
    /// A COMMIT is on its way, and arrives whatever becomes of its sender.
    under_way: bool,
}

enum Kind {
    Writes(u64),
    Reads(Option<Connection>),
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// Takes a call there and its answer back.
async fn pass<T>(
    passage: Passage,
    happens: impl FnOnce() -> Result<T, sqlx::Error>,
) -> Result<T, sqlx::Error> {
    wait(passage.there).await;
    match passage.trouble {
        Some(Trouble::Lost) => return Err(Failure::connection()),
        Some(Trouble::Conflict) => return Err(Failure::conflict()),
        Some(Trouble::ReplyLost) | None => {}
    }
    let answer = happens();
    wait(passage.back).await;
    match passage.trouble {
        Some(Trouble::ReplyLost) => Err(Failure::connection()),
        _ => answer,
    }
}

/// Begins a transaction that writes.
pub(crate) async fn begin(client: &Client, patience: Duration) -> Result<Session, sqlx::Error> {
    let (server, link) = (client.server.clone(), client.link.clone());
    let passage = link.passage(Call::Begin);
    wait(passage.there).await;
    match passage.trouble {
        Some(Trouble::Lost) => return Err(Failure::connection()),
        Some(Trouble::Conflict) => return Err(Failure::conflict()),
        Some(Trouble::ReplyLost) | None => {}
    }
    let number = server.begin(patience).await?;
    // From here on whoever drops the session undoes the transaction.
    let kind = Kind::Writes(number);
    let session = Session { server, link, kind, connected: true, under_way: false };
    wait(passage.back).await;
    match passage.trouble {
        Some(Trouble::ReplyLost) => Err(Failure::connection()),
        _ => Ok(session),
    }
}

/// Begins a transaction that reads one moment.
pub(crate) async fn snapshot(client: &Client) -> Result<Session, sqlx::Error> {
    let (server, link) = (client.server.clone(), client.link.clone());
    let kind = Kind::Reads(None);
    let mut session = Session { server, link, kind, connected: true, under_way: false };
    let passage = session.link.passage(Call::Snapshot);
    pass(passage, || {
        let connection = session.server.reader()?;
        connection.execute_batch("BEGIN DEFERRED").map_err(Failure::of_sqlite)?;
        session.kind = Kind::Reads(Some(connection));
        Ok(())
    })
    .await?;
    Ok(session)
}

/// Runs a statement that reads, outside any transaction.
pub(crate) async fn fetch(
    client: &Client,
    name: &'static str,
    statement: Prepared,
) -> Result<Vec<Cells>, sqlx::Error> {
    let passage = client.link.passage(Call::Read(name));
    pass(passage, || {
        let connection = client.server.reader()?;
        let done = run(&connection, &statement);
        client.server.give_back(connection);
        Ok(done?.rows)
    })
    .await
}

impl Session {
    /// Runs a statement.
    pub(crate) async fn run(
        &mut self,
        name: &'static str,
        statement: Prepared,
    ) -> Result<Done, sqlx::Error> {
        if !self.connected {
            return Err(Failure::connection());
        }
        let passage = self.link.passage(Call::Statement(name));
        let (server, kind) = (&self.server, &mut self.kind);
        let happens = || match kind {
            Kind::Writes(number) => server.run(*number, &statement),
            Kind::Reads(Some(connection)) => run(connection, &statement),
            Kind::Reads(None) => Err(Failure::connection()),
        };
        let done = pass(passage, happens).await;
        match passage.trouble {
            Some(Trouble::Lost | Trouble::ReplyLost) => self.disconnect(),
            Some(Trouble::Conflict) => {
                if let Kind::Writes(number) = self.kind {
                    self.server.abort(number);
                }
            }
            None => {}
        }
        done
    }

    /// Ends the transaction: what it wrote lasts.
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        if !self.connected {
            return Err(Failure::connection());
        }
        let passage = self.link.passage(Call::Commit);
        let Kind::Writes(number) = self.kind else { return Ok(()) };
        self.under_way = passage.arrives && passage.trouble.is_none();
        let server = self.server.clone();
        let done = pass(passage, move || server.commit(number)).await;
        self.under_way = false;
        done
    }

    /// The server notices that the client is gone.
    fn disconnect(&mut self) {
        self.connected = false;
        match &mut self.kind {
            // If it arrived before, this one finds nothing; nobody is left to be told.
            Kind::Writes(number) if self.under_way => drop(self.server.commit(*number)),
            Kind::Writes(number) => self.server.undo(*number),
            Kind::Reads(connection) => {
                if let Some(connection) = connection.take() {
                    // A snapshot that cannot be ended is closed with its connection.
                    let _ = connection.execute_batch("ROLLBACK");
                    self.server.give_back(connection);
                }
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.disconnect();
    }
}
