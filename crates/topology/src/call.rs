//! One call along an edge.

use crate::edge::Edge;
use tokio::time::Instant;

/// Whether an error means that the callee failed.
pub trait Failure {
    /// `true` when the callee did not do its work, or nobody knows whether it did; `false` when it
    /// did its work and its answer is *no*, or when the caller itself was the reason.
    fn is_failure(&self) -> bool;
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered, be it with a refusal.
    Ok,
    /// Not answered, or nobody knows what was done.
    Failed,
    /// The caller went away before the answer; nobody's failure.
    Left,
}

impl Outcome {
    /// The value of the label `outcome`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Left => "left",
        }
    }

    /// How a call with this result ended.
    pub fn of<T, E: Failure>(result: &Result<T, E>) -> Self {
        result.as_ref().err().map_or(Self::Ok, Self::of_error)
    }

    /// How a call with this error ended.
    pub fn of_error(error: &impl Failure) -> Self {
        if error.is_failure() { Self::Failed } else { Self::Ok }
    }
}

/// A call that has begun. Dropped before its end, it counts as [`Outcome::Left`].
#[derive(Debug)]
#[must_use = "a call that is dropped counts as left"]
pub struct Call {
    /// `None` when it has ended.
    running: Option<(Edge, Instant)>,
}

impl Call {
    pub(crate) const fn running(edge: Edge, began: Instant) -> Self {
        Self { running: Some((edge, began)) }
    }

    /// A call that nobody measures.
    pub(crate) const fn unseen() -> Self {
        Self { running: None }
    }

    /// The call ended.
    pub fn end(&mut self, outcome: Outcome) {
        if let Some((edge, began)) = self.running.take() {
            let now = Instant::now();
            edge.count(outcome, now, Some(now - began));
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Outcome::Left);
    }
}
