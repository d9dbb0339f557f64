//! The server's side: one connection that writes, and as many as needed that read.

use super::cells::Cells;
use super::failure::Failure;
use crate::query::Prepared;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// `idle_in_transaction_session_timeout` of the product's Postgres connections.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// Statements of a connection that stay prepared; the product has fewer.
const PREPARED_MAX: usize = 256;

pub(crate) struct Server {
    path: PathBuf,
    writer: Mutex<Writer>,
    turn: Arc<Semaphore>,
    readers: Mutex<Vec<Connection>>,
}

struct Writer {
    connection: Connection,
    /// Number of the last transaction that began.
    last: u64,
    open: Option<Open>,
}

/// The transaction that writes.
struct Open {
    number: u64,
    /// When its client was last heard of.
    heard: Instant,
    /// An error makes it end as a rollback, whatever its client says.
    aborted: bool,
    _turn: OwnedSemaphorePermit,
}

/// What a statement gave.
pub(crate) struct Done {
    pub(crate) rows: Vec<Cells>,
    pub(crate) touched: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of a caller leaves the connection as usable as it was.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    pub(super) fn open(path: &Path) -> Result<Self, sqlx::Error> {
        let connection = Connection::open(path).map_err(Failure::of_sqlite)?;
        connection
            // What the machine loses with its power is not what is simulated here.
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;",
            )
            .map_err(Failure::of_sqlite)?;
        connection.set_prepared_statement_cache_capacity(PREPARED_MAX);
        Ok(Self {
            path: path.to_owned(),
            writer: Mutex::new(Writer { connection, last: 0, open: None }),
            turn: Arc::new(Semaphore::new(1)),
            readers: Mutex::new(Vec::new()),
        })
    }

    /// Waits for its turn and begins a transaction that writes; its number. Whoever waits longest
    /// comes next, and ends a transaction whose client has been silent for too long.
    pub(super) async fn begin(&self, patience: Duration) -> Result<u64, sqlx::Error> {
        let until = Instant::now() + patience;
        let turn = self.turn.clone().acquire_owned();
        tokio::pin!(turn);
        loop {
            let idle_until = lock(&self.writer).idle_until().unwrap_or(until);
            tokio::select! {
                biased;
                turn = &mut turn => {
                    let turn = turn.map_err(|_| sqlx::Error::PoolClosed)?;
                    return lock(&self.writer).begin(turn);
                }
                () = tokio::time::sleep_until(idle_until.min(until)) => {
                    if Instant::now() >= until {
                        return Err(sqlx::Error::PoolTimedOut);
                    }
                    lock(&self.writer).end_idle();
                }
            }
        }
    }

    /// Runs a statement in the transaction of this number.
    pub(super) fn run(&self, number: u64, statement: &Prepared) -> Result<Done, sqlx::Error> {
        let mut writer = lock(&self.writer);
        let Writer { connection, open, .. } = &mut *writer;
        let open = open.as_mut().filter(|open| open.number == number);
        let open = open.ok_or_else(Failure::connection)?;
        open.heard = Instant::now();
        if open.aborted {
            return Err(Failure::aborted());
        }
        run(connection, statement).inspect_err(|_| open.aborted = true)
    }

    /// The server refuses whatever comes in the transaction of this number.
    pub(super) fn abort(&self, number: u64) {
        if let Some(open) = lock(&self.writer).open.as_mut().filter(|open| open.number == number) {
            open.aborted = true;
        }
    }

    /// Ends the transaction of this number: what it wrote lasts. As in Postgres, one that was
    /// refused something before is undone and nobody is told.
    pub(super) fn commit(&self, number: u64) -> Result<(), sqlx::Error> {
        let mut writer = lock(&self.writer);
        match &writer.open {
            Some(open) if open.number == number && !open.aborted => {}
            Some(open) if open.number == number => return writer.end("ROLLBACK"),
            _ => return Err(Failure::connection()),
        }
        let committed = writer.end("COMMIT");
        if committed.is_err() {
            // A deferred constraint refused it; the transaction is still open.
            writer.connection.execute_batch("ROLLBACK").map_err(Failure::of_sqlite)?;
        }
        committed
    }

    /// Undoes the transaction of this number, if it is still open.
    pub(super) fn undo(&self, number: u64) {
        let mut writer = lock(&self.writer);
        if writer.open.as_ref().is_some_and(|open| open.number == number) {
            writer.undo();
        }
    }

    /// A connection that reads.
    pub(super) fn reader(&self) -> Result<Connection, sqlx::Error> {
        if let Some(connection) = lock(&self.readers).pop() {
            return Ok(connection);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&self.path, flags).map_err(Failure::of_sqlite)?;
        connection.set_prepared_statement_cache_capacity(PREPARED_MAX);
        Ok(connection)
    }

    /// Takes a connection back. One with an open transaction is closed, which undoes it.
    pub(super) fn give_back(&self, connection: Connection) {
        if connection.is_autocommit() {
            lock(&self.readers).push(connection);
        }
    }

    /// Reads or sets the version of the schema, and applies a migration.
    pub(crate) fn with_writer<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, sqlx::Error> {
        work(&lock(&self.writer).connection).map_err(Failure::of_sqlite)
    }
}

impl Writer {
    fn idle_until(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.heard + IDLE_MAX)
    }

    fn begin(&mut self, turn: OwnedSemaphorePermit) -> Result<u64, sqlx::Error> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(Failure::of_sqlite)?;
        self.last += 1;
        let (number, heard) = (self.last, Instant::now());
        self.open = Some(Open { number, heard, aborted: false, _turn: turn });
        Ok(number)
    }

    fn end_idle(&mut self) {
        if self.idle_until().is_some_and(|until| until <= Instant::now()) {
            self.undo();
        }
    }

    fn undo(&mut self) {
        // A failure leaves nothing that could be done about it here; the next BEGIN will tell.
        let _ = self.end("ROLLBACK");
    }

    fn end(&mut self, how: &str) -> Result<(), sqlx::Error> {
        let ended = self.connection.execute_batch(how).map_err(Failure::of_sqlite);
        self.open = None;
        ended
    }
}

/// Runs a statement to its end.
pub(super) fn run(connection: &Connection, wanted: &Prepared) -> Result<Done, sqlx::Error> {
    let run = || {
        let mut statement = connection.prepare_cached(wanted.sql)?;
        for index in 1..=statement.parameter_count() {
            // SQLite numbers `$2` by its first appearance, not by its name.
            let place =
                statement.parameter_name(index).and_then(|name| name.get(1..)?.parse().ok());
            let place: usize = place.unwrap_or(index);
            if let Some(value) = wanted.values.get(place.saturating_sub(1)) {
                statement.raw_bind_parameter(index, value)?;
            }
        }
        let names: Arc<[String]> =
            statement.column_names().into_iter().map(str::to_owned).collect();
        let reads = statement.readonly();
        let mut rows = Vec::new();
        let mut cursor = statement.raw_query();
        while let Some(row) = cursor.next()? {
            let values = (0..names.len()).map(|index| row.get(index)).collect::<Result<_, _>>()?;
            rows.push(Cells { names: names.clone(), values });
        }
        let touched = if reads { 0 } else { connection.changes() };
        Ok(Done { rows, touched })
    };
    run().map_err(Failure::of_sqlite)
}
