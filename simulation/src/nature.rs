//! Time, ids, and the way to the database, as one seed gives them.

use crate::profile::LinkProfile;
use crate::rng::Rng;
use crate::trace::Trace;
use domain::{Clock, IdSource, Timestamp};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::simulated::{Call, Link, Passage, Trouble};
use tokio::time::Instant;
use uuid::Uuid;

/// When every run begins: 2026-03-01T00:00:00Z.
const EPOCH_MICROS: i64 = 1_772_323_200_000_000;

/// A node's wall clock: the run's time, and how wrong this node has it.
#[derive(Clone, Debug)]
pub struct SimulatedClock {
    start: Instant,
    skew_micros: i64,
}

impl SimulatedClock {
    /// A clock that is wrong by `skew_millis`. `start` is the run's.
    #[must_use]
    pub const fn new(start: Instant, skew_millis: i64) -> Self {
        Self { start, skew_micros: skew_millis * 1_000 }
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(EPOCH_MICROS + elapsed + self.skew_micros)
    }
}

/// A node's source of ids: UUIDv7s of its own clock, rising within the node.
pub struct SimulatedIds {
    clock: SimulatedClock,
    state: Mutex<(Rng, u64)>,
}

impl SimulatedIds {
    /// Ids of this clock and this stream.
    #[must_use]
    pub const fn new(clock: SimulatedClock, rng: Rng) -> Self {
        Self { clock, state: Mutex::new((rng, 0)) }
    }
}

impl IdSource for SimulatedIds {
    fn uuid(&self) -> Uuid {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let millis = self.clock.now().micros().unsigned_abs() / 1_000;
        state.1 += 1;
        let (count, chance) = (state.1, state.0.draw());
        let high = (millis << 16) | 0x7000 | (count & 0x0fff);
        let low = (chance >> 2) | (1 << 63);
        Uuid::from_u64_pair(high, low)
    }
}

/// Whether the run still makes trouble.
#[derive(Debug, Default)]
pub struct Calm(AtomicBool);

impl Calm {
    /// From now on nothing goes wrong any more, or it does again.
    pub fn set(&self, calm: bool) {
        self.0.store(calm, Ordering::SeqCst);
    }

    /// Whether nothing goes wrong.
    #[must_use]
    pub fn is(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A node's way to the database.
pub struct Weather {
    node: usize,
    profile: LinkProfile,
    rng: Mutex<Rng>,
    calm: Arc<Calm>,
    cut: AtomicBool,
    trace: Arc<Trace>,
}

impl Weather {
    /// The way of this node.
    #[must_use]
    pub const fn new(
        node: usize,
        profile: LinkProfile,
        rng: Rng,
        calm: Arc<Calm>,
        trace: Arc<Trace>,
    ) -> Self {
        let cut = AtomicBool::new(false);
        Self { node, profile, rng: Mutex::new(rng), calm, cut, trace }
    }

    /// Cuts the way, or mends it: a node that cannot reach the database.
    pub fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    fn trouble(&self, call: Call, rng: &mut Rng) -> Option<Trouble> {
        let profile = &self.profile;
        if rng.permille(profile.lost_permille) {
            return Some(Trouble::Lost);
        }
        if rng.permille(profile.reply_lost_permille) {
            return Some(Trouble::ReplyLost);
        }
        // A COMMIT is where the next one matters: it may have happened.
        let commit = if matches!(call, Call::Commit) { profile.commit_lost_permille } else { 0 };
        if rng.permille(commit) {
            return Some(if rng.permille(500) { Trouble::Lost } else { Trouble::ReplyLost });
        }
        // What only reads is in nobody's way.
        let writes = !matches!(call, Call::Read(_) | Call::Snapshot);
        (writes && rng.permille(profile.conflict_permille)).then_some(Trouble::Conflict)
    }

    fn report(&self, call: Call, trouble: Trouble) {
        let name = match (trouble, call) {
            (Trouble::Lost, Call::Commit) => "database.commit_lost",
            (Trouble::ReplyLost, Call::Commit) => "database.commit_reply_lost",
            (Trouble::Lost, _) => "database.lost",
            (Trouble::ReplyLost, _) => "database.reply_lost",
            (Trouble::Conflict, _) => "database.conflict",
        };
        self.trace.count(name);
        self.trace.note(format_args!("node {}", self.node), format_args!("{name} {call:?}"));
    }
}

impl Link for Weather {
    fn passage(&self, call: Call) -> Passage {
        if self.calm.is() {
            return Passage::default();
        }
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let mut time = || {
            let slow = rng.permille(self.profile.slow_permille);
            let longest = if slow { self.profile.slow_millis } else { self.profile.usual_millis };
            rng.millis(0, longest)
        };
        let (there, back) = (time(), time());
        if self.cut.load(Ordering::SeqCst) {
            self.trace.count("database.cut");
            let wait = Duration::from_millis(20);
            let trouble = Some(Trouble::Lost);
            return Passage { there: wait, back: wait, trouble, arrives: false };
        }
        let trouble = self.trouble(call, &mut rng);
        if let Some(trouble) = trouble {
            self.report(call, trouble);
        }
        Passage { there, back, trouble, arrives: rng.permille(500) }
    }
}
