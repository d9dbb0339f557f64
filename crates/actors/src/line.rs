//! Who waits in front of an actor, and since when.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// A message's place in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    number: u64,
    /// When it was taken.
    pub(crate) since: Instant,
}

/// The messages that wait, oldest first. It holds exactly those that wait, so it is as bounded as
/// their number; joining and leaving take some tens of nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Line(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    since: BTreeMap<u64, Instant>,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the last place.
    pub(crate) fn join(&self, now: Instant) -> Place {
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.since.insert(number, now);
        Place { number, since: now }
    }

    /// Gives a place up.
    pub(crate) fn leave(&self, place: Place) {
        self.lock().since.remove(&place.number);
    }

    /// Since when the one at the head has waited; `None` when nobody waits.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.lock().since.first_key_value().map(|(_, since)| *since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_oldest_is_the_one_at_the_head_whoever_leaves_first() {
        let (line, start) = (Line::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        assert_eq!(line.oldest(), None);
        let (first, second, third) = (line.join(at(0)), line.join(at(1)), line.join(at(2)));
        assert_eq!(line.oldest(), Some(at(0)));
        line.leave(second);
        assert_eq!(line.oldest(), Some(at(0)));
        line.leave(first);
        assert_eq!(line.oldest(), Some(at(2)));
        line.leave(third);
        assert_eq!(line.oldest(), None);
    }

    #[test]
    fn a_place_that_was_given_up_is_nobody_elses() {
        let (line, now) = (Line::default(), Instant::now());
        let first = line.join(now);
        line.leave(first);
        let second = line.join(now + Duration::from_secs(1));
        line.leave(first);
        assert_eq!(line.oldest(), Some(second.since));
    }
}
