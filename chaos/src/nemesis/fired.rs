//! What has really happened.

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Counts of what has really happened, by class of fault.
#[derive(Debug, Default)]
pub struct Fired(Mutex<FiredCounts>);

/// See [`Fired`].
#[derive(Clone, Debug, Default, Serialize)]
pub struct FiredCounts {
    /// By class.
    pub by_class: BTreeMap<String, u64>,
    /// Crash points at which a node died.
    pub points: BTreeMap<String, u64>,
    /// Orders whose request was under way on a node when it was killed.
    pub caught_in_flight: u64,
    /// Milliseconds from PostgreSQL being ready again to the next operation that was decided.
    pub recovered_ms: Vec<u64>,
    /// What went wrong with the breaking itself, or what nobody asked for.
    pub complaints: Vec<String>,
}

impl Fired {
    /// One more of a class.
    pub fn count(&self, class: &str) {
        self.change(|counts| *counts.by_class.entry(class.to_owned()).or_default() += 1);
    }

    /// Changes the counts.
    pub fn change(&self, change: impl FnOnce(&mut FiredCounts)) {
        // Plain numbers: a panic elsewhere cannot leave them half changed.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> FiredCounts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often a class has happened so far.
    #[must_use]
    pub fn of(&self, class: &str) -> u64 {
        self.counts().by_class.get(class).copied().unwrap_or(0)
    }
}
