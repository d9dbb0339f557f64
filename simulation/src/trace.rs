//! What happened, in order. Its hash tells whether two runs were the same.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// Everything that happened in a run.
pub struct Trace {
    start: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    hash: u64,
    print: bool,
    counts: BTreeMap<String, u64>,
}

impl Trace {
    /// Nothing happened yet. `print` each line as it happens, or keep its hash only.
    #[must_use]
    pub fn new(print: bool) -> Self {
        let inner = Inner { hash: 0xcbf2_9ce4_8422_2325, print, counts: BTreeMap::new() };
        Self { start: Instant::now(), inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `who` did, or met, `what`, now.
    pub fn note(&self, who: impl fmt::Display, what: impl fmt::Display) {
        let at = self.start.elapsed();
        let line = format!("{:>9.3} {who} {what}", at.as_secs_f64());
        let mut inner = self.lock();
        for byte in line.bytes().chain([b'\n']) {
            inner.hash = (inner.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if inner.print {
            println!("{line}");
        }
    }

    /// One more of `what`.
    pub fn count(&self, what: impl Into<String>) {
        *self.lock().counts.entry(what.into()).or_insert(0) += 1;
    }

    /// How many of each.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.lock().counts.clone()
    }

    /// The hash of all that happened.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.lock().hash
    }
}
