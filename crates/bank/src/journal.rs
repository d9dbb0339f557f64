//! The ledger file: one fact a line, appended and synced, never changed.
//!
//! One thread writes. It takes all the lines that wait, writes them with one call, syncs once and
//! wakes everybody whose fact is now safe. While it is at the disk the next lines gather, so the
//! groups grow with the load and a lone fact waits for nobody.
//!
//! Each line ends with a check: the first 64 bits of a SHA-256 over the line and the hash of the
//! line before it. A changed, missing or misplaced line therefore shows at the next start.
//!
//! **Invariant:** the order of the lines is the order of [`Journal::append`], and a fact is called
//! durable only after it and all facts before it are synced. After a failed write nothing is ever
//! called durable again: what the disk kept is known only at the next start.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use crate::fact::Entry;
use crate::state::Contradiction;

/// Why the ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system said no.
    #[error("the bank's ledger {} cannot be opened", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The file system's answer.
        #[source]
        source: io::Error,
    },
    /// Another bank has it open.
    #[error("the bank's ledger {} is in use by another bank", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is not what a bank has written.
    #[error(
        "line {line} of the bank's ledger {} is damaged ({why}); restore the file from a copy, \
         the bank will not guess",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The lines are whole but tell an impossible story.
    #[error("the bank's ledger {} cannot be right", path.display())]
    Impossible {
        /// The file.
        path: PathBuf,
        /// The first fact that cannot be.
        #[source]
        source: Contradiction,
    },
}

/// The ledger does not take facts any more: it was closed, or a write failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the bank's ledger cannot be written any more; start the bank again")]
pub struct JournalDown {
    /// The failed write; `None` if the ledger was closed.
    #[source]
    cause: Option<Arc<io::Error>>,
}

/// Where the lines go. A trait, so that a test can hold the disk back or let it fail.
pub(crate) trait Disk: Send + 'static {
    /// Appends the bytes.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns once all that was appended outlives a loss of power.
    fn sync(&mut self) -> io::Result<()>;
}

impl Disk for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A line ready to be appended, still without its check.
pub(crate) struct Line(Vec<u8>);

impl Line {
    /// # Errors
    /// Those of the serializer.
    pub(crate) fn of(entry: &Entry) -> Result<Self, serde_json::Error> {
        let mut bytes = serde_json::to_vec(entry)?;
        bytes.pop(); // the closing brace: the check comes before it
        Ok(Self(bytes))
    }
}

/// The open ledger.
#[derive(Debug)]
pub(crate) struct Journal {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
    /// Place of the last durable fact. A copy of the one in the queue, to be read without the lock.
    durable_seq: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Vec<Vec<u8>>,
    /// Who waits for which fact.
    waiters: Vec<(u64, oneshot::Sender<()>)>,
    durable_seq: u64,
    /// No more lines, please.
    closed: bool,
    /// The writer has stopped: no more facts become durable.
    ended: bool,
    failure: Option<Arc<io::Error>>,
}

impl Journal {
    /// Opens the file, making it if there is none, hands every fact in it to `replay` and starts
    /// the writer. A last line that was not finished is cut off: nobody has been told of it.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub(crate) fn open(
        path: &Path,
        mut replay: impl FnMut(Entry) -> Result<(), Contradiction>,
    ) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Io { path: path.to_owned(), source };
        let file = open_locked(path)?;
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        let mut chain = Chain::new();
        let (mut seq, mut whole_bytes) = (0_u64, 0_u64);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read_bytes = reader.read_until(b'\n', &mut line).map_err(failed)?;
            if read_bytes == 0 {
                break;
            }
            let damaged = |why| JournalError::Damaged { path: path.to_owned(), line: seq + 1, why };
            if line.last() != Some(&b'\n') {
                if !is_start_of_entry(&line, seq + 1) {
                    return Err(damaged("it is not the beginning of a fact".to_owned()));
                }
                file.set_len(whole_bytes).and_then(|()| file.sync_all()).map_err(failed)?;
                tracing::warn!(
                    ledger = %path.display(), line = seq + 1, cut_bytes = read_bytes,
                    "cut off the unfinished last line of the bank's ledger"
                );
                break;
            }
            let entry = chain.open(&line).map_err(damaged)?;
            replay(entry)
                .map_err(|source| JournalError::Impossible { path: path.to_owned(), source })?;
            seq += 1;
            whole_bytes += read_bytes as u64;
        }
        Self::start(file, chain, seq).map_err(failed)
    }

    fn start(disk: impl Disk, chain: Chain, seq: u64) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue { durable_seq: seq, ..Queue::default() }),
            work: Condvar::new(),
            durable_seq: AtomicU64::new(seq),
        });
        let writer = std::thread::Builder::new().name("bank-ledger".to_owned()).spawn({
            let shared = shared.clone();
            move || {
                let ending = Ending(&shared);
                write_until_closed(ending.0, disk, chain);
            }
        })?;
        Ok(Self { shared, writer: Mutex::new(Some(writer)) })
    }

    /// A journal on a disk of the test's making, with no facts yet.
    #[cfg(test)]
    pub(crate) fn on(disk: impl Disk) -> Self {
        Self::start(disk, Chain::new(), 0).unwrap()
    }

    /// Queues a line. The caller makes sure that lines come in the order of their facts.
    ///
    /// # Errors
    /// The ledger takes no more facts; the line is not queued.
    pub(crate) fn append(&self, line: Line) -> Result<(), JournalDown> {
        let mut queue = self.shared.lock();
        if queue.closed || queue.ended {
            return Err(queue.down());
        }
        queue.lines.push(line.0);
        self.shared.work.notify_one();
        Ok(())
    }

    /// Place of the last durable fact.
    pub(crate) fn durable_seq(&self) -> u64 {
        self.shared.durable_seq.load(Ordering::Acquire)
    }

    /// Waits until the fact at `seq` is durable.
    ///
    /// # Errors
    /// It will not become durable before the next start, and perhaps never.
    pub(crate) async fn durable(&self, seq: u64) -> Result<(), JournalDown> {
        if self.durable_seq() >= seq {
            return Ok(());
        }
        let woken = {
            let mut queue = self.shared.lock();
            if queue.durable_seq >= seq {
                return Ok(());
            }
            if queue.ended {
                return Err(queue.down());
            }
            let (waker, woken) = oneshot::channel();
            queue.waiters.push((seq, waker));
            woken
        };
        woken.await.map_err(|_| self.shared.lock().down())
    }

    /// Whether facts can still be taken.
    ///
    /// # Errors
    /// They cannot.
    pub(crate) fn check(&self) -> Result<(), JournalDown> {
        let queue = self.shared.lock();
        if queue.closed || queue.ended { Err(queue.down()) } else { Ok(()) }
    }

    /// Writes what is queued, then gives the file up. Blocks until then.
    pub(crate) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_one();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the writer of the bank's ledger panicked");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing between lock and unlock can panic half way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All lines that wait, as soon as there is one; `None` once closed and empty.
    fn take_lines(&self) -> Option<Vec<Vec<u8>>> {
        let mut queue = self.lock();
        while queue.lines.is_empty() && !queue.closed {
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        (!queue.lines.is_empty()).then(|| std::mem::take(&mut queue.lines))
    }

    fn advance(&self, facts: u64) {
        let mut queue = self.lock();
        queue.durable_seq += facts;
        let durable = queue.durable_seq;
        self.durable_seq.store(durable, Ordering::Release);
        let safe: Vec<_> = queue.waiters.extract_if(.., |(seq, _)| *seq <= durable).collect();
        drop(queue);
        for (_, waker) in safe {
            // The waiter may be gone; its fact is safe all the same.
            let _ = waker.send(());
        }
    }
}

impl Queue {
    fn down(&self) -> JournalDown {
        JournalDown { cause: self.failure.clone() }
    }
}

/// However the writer ends, nobody may go on waiting for it.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.ended = true;
        queue.waiters.clear();
    }
}

fn write_until_closed(shared: &Shared, mut disk: impl Disk, mut chain: Chain) {
    let mut bytes = Vec::new();
    while let Some(lines) = shared.take_lines() {
        bytes.clear();
        for line in &lines {
            chain.seal(line, &mut bytes);
        }
        match disk.append(&bytes).and_then(|()| disk.sync()) {
            Ok(()) => shared.advance(lines.len() as u64),
            Err(error) => {
                tracing::error!(%error, "the bank's ledger cannot be written: the bank takes no more calls");
                shared.lock().failure = Some(Arc::new(error));
                return;
            }
        }
    }
}

fn open_locked(path: &Path) -> Result<File, JournalError> {
    let failed = |source| JournalError::Io { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file =
        OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => JournalError::InUse { path: path.to_owned() },
        TryLockError::Error(source) => failed(source),
    })?;
    // A synced file is lost all the same if its name in the folder is not synced. Always done, as
    // the start that made the file may have been cut short here.
    let folder = folder.unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(file)
}

/// Whether `tail` can be what a crash left of the fact at `seq`. Anything else without an end of
/// line is a foreign file, which must not be cut.
fn is_start_of_entry(tail: &[u8], seq: u64) -> bool {
    let start = format!("{{\"seq\":{seq},");
    tail.starts_with(start.as_bytes()) || start.as_bytes().starts_with(tail)
}

/// Length of `,"check":"0123456789abcdef"}` and the end of the line.
const SEAL_BYTES: usize = 29;

/// The running hash over the lines.
#[derive(Clone)]
struct Chain([u8; 32]);

impl Chain {
    fn new() -> Self {
        // The version of the format: a later one starts from another word.
        Self(Sha256::digest(b"orderly bank ledger 1").into())
    }

    fn next(&self, line: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(self.0).chain_update(line).finalize().into()
    }

    /// Adds the line with its check to `out`.
    fn seal(&mut self, line: &[u8], out: &mut Vec<u8>) {
        self.0 = self.next(line);
        out.extend_from_slice(line);
        out.extend_from_slice(seal(&self.0).as_bytes());
    }

    /// The fact of a whole line, once its check has been found right.
    fn open(&mut self, line: &[u8]) -> Result<Entry, String> {
        let split = line.len().checked_sub(SEAL_BYTES).ok_or("it is too short")?;
        let (line, check) = line.split_at_checked(split).ok_or("it is too short")?;
        let next = self.next(line);
        if seal(&next).as_bytes() != check {
            return Err("its check does not match".to_owned());
        }
        self.0 = next;
        let whole = [line, b"}"].concat();
        serde_json::from_slice(&whole).map_err(|error| format!("it is not a fact: {error}"))
    }
}

fn seal(hash: &[u8; 32]) -> String {
    let check = hash.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    format!(",\"check\":\"{check:016x}\"}}\n")
}

#[cfg(test)]
mod tests;
