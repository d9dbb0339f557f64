//! How far a round gets through the orders that stand still: pure.
//!
//! A million orders may wait for a provider that takes minutes. A round that read them all every
//! few seconds would leave the database nothing for new orders, and one that asked for them all
//! would keep the provider from ever recovering. So a round ends early, and the next one goes on
//! where it ended.

use domain::Timestamp;
use std::time::Duration;
use uuid::Uuid;

/// Pages of a round in which nothing was due, or the provider settled what was.
const PAGES_MAX: usize = 100;

/// Fewest orders of a page by which the provider is judged.
const JUDGED_FROM: usize = 50;

/// What came of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Orders looked into.
    pub(crate) asked: usize,
    /// Those that went on.
    pub(crate) settled: usize,
}

/// A walk through all that stands still, by id, over as many rounds as it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sweep {
    /// The last order that was looked at.
    pub(crate) after: Uuid,
    /// When this walk began.
    began: Option<Timestamp>,
    /// When the walk before it began.
    before: Option<Timestamp>,
}

impl Sweep {
    /// Begins a round.
    pub(crate) fn begin(&mut self, now: Timestamp) {
        self.began.get_or_insert(now);
    }

    /// How long ago what comes next was looked at. `None` after a start: who knows for how long
    /// nobody looked.
    pub(crate) fn interval(&self, now: Timestamp) -> Option<Duration> {
        self.before.map(|before| super::plan::age(before, now))
    }

    /// There is nothing more: the next round begins at the front.
    pub(crate) fn end(&mut self) {
        *self = Self { after: Uuid::nil(), began: None, before: self.began };
    }
}

/// Whether a round goes on after this page, its `pages`th: not when the provider settles hardly
/// anything of what it is asked about.
pub(crate) const fn goes_on(pages: usize, tally: Tally) -> bool {
    let settles = tally.asked < JUDGED_FROM || tally.settled * 2 >= tally.asked;
    settles && pages < PAGES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn tally(asked: usize, settled: usize) -> Tally {
        Tally { asked, settled }
    }

    #[test]
    fn a_provider_that_settles_nothing_is_left_alone() {
        assert!(goes_on(1, tally(500, 500)));
        assert!(goes_on(1, tally(500, 250)));
        assert!(!goes_on(1, tally(500, 249)));
        assert!(!goes_on(1, tally(50, 0)));
    }

    #[test]
    fn few_orders_say_nothing_of_the_provider() {
        assert!(goes_on(1, tally(49, 0)));
        assert!(goes_on(1, tally(0, 0)));
    }

    #[test]
    fn a_round_ends_somewhere() {
        assert!(goes_on(PAGES_MAX - 1, tally(0, 0)));
        assert!(!goes_on(PAGES_MAX, tally(0, 0)));
    }

    #[test]
    fn what_was_passed_in_the_last_walk_was_looked_at_no_earlier_than_that_began() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let mut sweep = Sweep::default();
        sweep.begin(at(0));
        assert_eq!(sweep.interval(at(0)), None);
        // The walk takes two rounds.
        sweep.after = Uuid::from_u128(7);
        sweep.begin(at(5));
        assert_eq!(sweep.interval(at(5)), None);
        sweep.end();
        sweep.begin(at(10));
        assert_eq!(
            (sweep.after, sweep.interval(at(10))),
            (Uuid::nil(), Some(Duration::from_secs(10)))
        );
        sweep.end();
        sweep.begin(at(15));
        assert_eq!(sweep.interval(at(15)), Some(Duration::from_secs(5)));
    }
}
