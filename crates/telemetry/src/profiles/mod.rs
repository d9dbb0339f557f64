//! Where the time of the process goes: stacks, counted, as a picture and as a file for `pprof`.

mod cpu;
mod flame;
mod memory;
mod pprof;

use std::time::Duration;

pub use cpu::{Turn, cpu_profile};
pub use memory::{Memory, memory};

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// One is being taken already.
    #[error("another profile is being taken")]
    Busy,
    /// The profiler cannot be used here.
    #[error("the profiler does not work here: {0}")]
    Failed(String),
}

/// A function on a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frame {
    /// Its name.
    pub name: String,
    /// The file it is written in; empty if that is not known.
    pub file: String,
    /// The line that was reached; 0 if that is not known.
    pub line: u32,
}

impl Frame {
    /// A frame that has a name alone.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// A stack that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Outermost first.
    pub frames: Vec<Frame>,
    /// How often it was seen, or how many waits ended in it.
    pub count: u64,
    /// How much of what is measured it stands for, in nanoseconds.
    pub nanos: u64,
}

/// Stacks, with what they count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What is measured, such as `cpu`.
    pub what: &'static str,
    /// What is counted, such as `samples`.
    pub counted: &'static str,
    /// The stacks.
    pub stacks: Vec<Stack>,
    /// Nanoseconds between two samples; 0 where nothing is sampled.
    pub period_ns: u64,
    /// How long was looked, in nanoseconds.
    pub took_ns: u64,
    /// When it ended, in nanoseconds since 1970.
    pub ended_ns: u64,
}

impl Profile {
    /// What was measured, not sampled, in a time that ends now.
    #[must_use]
    pub fn measured(
        what: &'static str,
        counted: &'static str,
        stacks: Vec<Stack>,
        took: Duration,
    ) -> Self {
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let ended_ns = crate::logs::wall_ns();
        Self { what, counted, stacks, period_ns: 0, took_ns, ended_ns }
    }

    /// The profile for the tool `pprof` (`profile.proto`, not compressed).
    #[must_use]
    pub fn protobuf(&self) -> Vec<u8> {
        pprof::encode(self)
    }

    /// The profile as a flame graph: a picture of its own, with nothing to load.
    #[must_use]
    pub fn flame_graph(&self) -> String {
        flame::draw(self)
    }
}
