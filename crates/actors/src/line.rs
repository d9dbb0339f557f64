//! Who waits in front of an actor, and since when.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A message's place in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    number: u64,
    /// When it was taken.
    pub(crate) since: Instant,
}

/// How long messages of one kind have waited, since the process began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// The type of the message.
    pub kind: &'static str,
    /// How many have waited.
    pub count: u64,
    /// How long they waited, all together.
    pub waited: Duration,
    /// How long the one waited that waited longest.
    pub longest: Duration,
}

/// The messages that wait, oldest first. It holds exactly those that wait, so it is as bounded as
/// their number; joining and leaving take some tens of nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Line(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    since: BTreeMap<u64, Instant>,
    /// An actor has a handful of kinds of messages.
    waits: Vec<Waits>,
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

    /// Gives a place up, in which a message of this kind has waited so long.
    pub(crate) fn leave(&self, place: Place, kind: &'static str, waited: Duration) {
        let mut waiting = self.lock();
        if waiting.since.remove(&place.number).is_none() {
            return;
        }
        match waiting.waits.iter_mut().find(|waits| waits.kind == kind) {
            Some(waits) => {
                waits.count += 1;
                waits.waited += waited;
                waits.longest = waits.longest.max(waited);
            }
            None => waiting.waits.push(Waits { kind, count: 1, waited, longest: waited }),
        }
    }

    /// How long those have waited that wait no more, by kind.
    pub(crate) fn waits(&self) -> Vec<Waits> {
        self.lock().waits.clone()
    }

    /// Since when the one at the head has waited; `None` when nobody waits.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.lock().since.first_key_value().map(|(_, since)| *since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_the_one_at_the_head_whoever_leaves_first() {
        let (line, start) = (Line::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        assert_eq!(line.oldest(), None);
        let (first, second, third) = (line.join(at(0)), line.join(at(1)), line.join(at(2)));
        assert_eq!(line.oldest(), Some(at(0)));
        line.leave(second, "K", Duration::ZERO);
        assert_eq!(line.oldest(), Some(at(0)));
        line.leave(first, "K", Duration::ZERO);
        assert_eq!(line.oldest(), Some(at(2)));
        line.leave(third, "K", Duration::ZERO);
        assert_eq!(line.oldest(), None);
    }

    #[test]
    fn waits_are_summed_up_by_kind_and_each_once() {
        let (line, now) = (Line::default(), Instant::now());
        let seconds = Duration::from_secs;
        let (first, second, third) = (line.join(now), line.join(now), line.join(now));
        line.leave(first, "A", seconds(1));
        line.leave(first, "A", seconds(9));
        line.leave(second, "B", seconds(2));
        line.leave(third, "A", seconds(3));
        let a = Waits { kind: "A", count: 2, waited: seconds(4), longest: seconds(3) };
        let b = Waits { kind: "B", count: 1, waited: seconds(2), longest: seconds(2) };
        assert_eq!(line.waits(), [a, b]);
    }

    #[test]
    fn a_place_that_was_given_up_is_nobody_elses() {
        let (line, now) = (Line::default(), Instant::now());
        let first = line.join(now);
        line.leave(first, "K", Duration::ZERO);
        let second = line.join(now + Duration::from_secs(1));
        line.leave(first, "K", Duration::ZERO);
        assert_eq!(line.oldest(), Some(second.since));
    }
}
