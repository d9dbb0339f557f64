use super::*;
use crate::fact::{Fact, Refusal};
use std::sync::atomic::AtomicU32;
use std::sync::mpsc;
use uuid::Uuid;

/// A file name that no other test uses; the file is removed at the end.
struct Ledger(PathBuf);

impl Ledger {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bank-journal-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name).join("ledger.ndjson"))
    }

    /// A ledger with `facts` facts in it.
    async fn with(facts: u64) -> Self {
        let ledger = Self::new();
        let (journal, _) = ledger.open().unwrap();
        for seq in 1..=facts {
            journal.append(line(seq)).unwrap();
        }
        journal.durable(facts).await.unwrap();
        ledger
    }

    fn open(&self) -> Result<(Journal, Vec<Entry>), JournalError> {
        let mut entries = Vec::new();
        let journal = Journal::open(&self.0, |entry| {
            entries.push(entry);
            Ok(())
        })?;
        Ok((journal, entries))
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.0).unwrap()
    }

    fn replace(&self, bytes: &[u8]) {
        std::fs::write(&self.0, bytes).unwrap();
    }

    fn damage(&self) -> (u64, String) {
        match self.open() {
            Err(JournalError::Damaged { line, why, .. }) => (line, why),
            other => panic!("opened as {:?}", other.map(|(_, entries)| entries)),
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if let Some(folder) = self.0.parent() {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

fn entry(seq: u64) -> Entry {
    let fact = Fact::Refused { intent: Uuid::from_u128(7), refusal: Refusal::AlreadyRefunded };
    Entry { seq, at_us: 5, key: None, fact }
}

fn line(seq: u64) -> Line {
    Line::of(&entry(seq)).unwrap()
}

fn sequence(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq).collect()
}

#[tokio::test]
async fn what_was_durable_is_there_again() {
    let ledger = Ledger::with(3).await;
    let (journal, entries) = ledger.open().unwrap();
    assert_eq!(entries, [entry(1), entry(2), entry(3)]);
    assert_eq!(journal.durable_seq(), 3);
    journal.append(line(4)).unwrap();
    journal.durable(4).await.unwrap();
    drop(journal);
    assert_eq!(sequence(&ledger.open().unwrap().1), [1, 2, 3, 4]);
}

#[tokio::test]
async fn each_line_is_json_with_a_check() {
    let ledger = Ledger::with(2).await;
    let text = String::from_utf8(ledger.bytes()).unwrap();
    for (index, line) in text.lines().enumerate() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["seq"], index as u64 + 1);
        assert_eq!(value["check"].as_str().map(str::len), Some(16));
    }
}

#[tokio::test]
async fn an_unfinished_last_line_is_cut_off_wherever_it_broke() {
    let ledger = Ledger::with(3).await;
    let bytes = ledger.bytes();
    let whole: usize = bytes.split_inclusive(|byte| *byte == b'\n').take(2).map(<[u8]>::len).sum();
    for end in whole..bytes.len() {
        ledger.replace(&bytes[..end]);
        let (journal, entries) = ledger.open().unwrap();
        assert_eq!(sequence(&entries), [1, 2], "cut at {end}");
        journal.append(line(3)).unwrap();
        journal.durable(3).await.unwrap();
        drop(journal);
        assert_eq!(ledger.bytes(), bytes, "cut at {end}");
    }
}

#[tokio::test]
async fn any_other_damage_refuses_to_start() {
    let ledger = Ledger::with(3).await;
    let good = ledger.bytes();
    let lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
    let mut flipped = good.clone();
    flipped[lines[0].len() + 10] ^= 1;
    for (what, bytes, line) in [
        ("a changed byte", flipped, 2),
        ("a missing line", [lines[0], lines[2]].concat(), 2),
        ("a missing first line", [lines[1], lines[2]].concat(), 1),
        ("swapped lines", [lines[0], lines[2], lines[1]].concat(), 2),
        ("a line twice", [lines[0], lines[0]].concat(), 2),
        ("an empty line", [lines[0], b"\n", lines[1]].concat(), 2),
        ("zeros at the end", [&good[..], &[0; 64]].concat(), 4),
        ("another file", b"something else altogether".to_vec(), 1),
        ("another file with lines", b"something\nelse\n".to_vec(), 1),
    ] {
        ledger.replace(&bytes);
        assert_eq!(ledger.damage().0, line, "{what}");
        assert_eq!(ledger.bytes(), bytes, "{what}: the file must be left alone");
    }
}

#[tokio::test]
async fn every_changed_byte_is_noticed() {
    let ledger = Ledger::with(2).await;
    let good = ledger.bytes();
    // The last byte is left out: without its end of line the last line counts as unfinished.
    for position in 0..good.len() - 1 {
        let mut bytes = good.clone();
        bytes[position] ^= 0b100;
        ledger.replace(&bytes);
        assert!(ledger.open().is_err(), "byte {position}");
    }
}

#[tokio::test]
async fn an_impossible_fact_refuses_to_start() {
    let ledger = Ledger::with(1).await;
    let contradiction = || Contradiction { seq: 1, why: "no".to_owned() };
    let error = Journal::open(&ledger.0, |_| Err(contradiction())).unwrap_err();
    assert!(matches!(error, JournalError::Impossible { source, .. } if source == contradiction()));
}

#[tokio::test]
async fn a_second_bank_on_the_same_file_is_refused() {
    let ledger = Ledger::new();
    let first = ledger.open().unwrap();
    let error = ledger.open().unwrap_err();
    assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    drop(first);
    ledger.open().unwrap();
}

/// A disk that tells of each append and does not sync before the test says so.
struct HeldDisk {
    appended: mpsc::Sender<usize>,
    sync: mpsc::Receiver<io::Result<()>>,
}

impl Disk for HeldDisk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        self.appended.send(lines).map_err(io::Error::other)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync.recv().unwrap_or(Ok(()))
    }
}

fn held() -> (Journal, mpsc::Receiver<usize>, mpsc::Sender<io::Result<()>>) {
    let (appended, appends) = mpsc::channel();
    let (syncs, sync) = mpsc::channel();
    (Journal::on(HeldDisk { appended, sync }), appends, syncs)
}

#[tokio::test]
async fn lines_that_come_during_a_sync_go_out_as_one_group() {
    let (journal, appends, syncs) = held();
    journal.append(line(1)).unwrap();
    assert_eq!(appends.recv().unwrap(), 1);
    for seq in 2..=5 {
        journal.append(line(seq)).unwrap();
    }
    assert_eq!(journal.durable_seq(), 0);
    syncs.send(Ok(())).unwrap();
    journal.durable(1).await.unwrap();
    assert_eq!(appends.recv().unwrap(), 4);
    assert_eq!(journal.durable_seq(), 1);
    syncs.send(Ok(())).unwrap();
    journal.durable(5).await.unwrap();
    assert_eq!(journal.durable_seq(), 5);
}

#[tokio::test]
async fn after_a_failed_sync_nothing_becomes_durable() {
    let (journal, appends, syncs) = held();
    journal.append(line(1)).unwrap();
    appends.recv().unwrap();
    let waiting = journal.durable(1);
    syncs.send(Err(io::Error::other("the disk is gone"))).unwrap();
    let error = waiting.await.unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(cause.as_deref(), Some("the disk is gone"));
    assert!(syncs.send(Ok(())).is_err(), "the writer has given the disk up");
    assert!(journal.append(line(2)).is_err());
    assert!(journal.durable(1).await.is_err());
    assert!(journal.check().is_err());
    assert_eq!(journal.durable_seq(), 0);
}

#[tokio::test]
async fn closing_writes_what_is_queued() {
    let ledger = Ledger::new();
    let (journal, _) = ledger.open().unwrap();
    for seq in 1..=100 {
        journal.append(line(seq)).unwrap();
    }
    journal.close();
    assert_eq!(journal.durable_seq(), 100);
    assert!(journal.append(line(101)).is_err());
    assert_eq!(ledger.open().unwrap().1.len(), 100);
}
