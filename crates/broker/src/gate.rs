//! What producers, the dispatcher and the workers share: where there is news, and whether to stop.

use crate::partitions::Partitions;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Flags only: a call never blocks and never allocates.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    news: AtomicU8,
    wake_under_way: AtomicBool,
    stopping: AtomicBool,
}

impl Gate {
    /// Notes news in `partitions`. `true`: the caller must send a wake message, none is under way.
    pub(crate) fn announce(&self, partitions: Partitions) -> bool {
        self.news.fetch_or(partitions.0, Ordering::SeqCst);
        !self.wake_under_way.swap(true, Ordering::SeqCst)
    }

    /// Takes the news. The flag falls first: news that comes after this line send a new message.
    pub(crate) fn take_news(&self) -> Partitions {
        self.wake_under_way.store(false, Ordering::SeqCst);
        Partitions(self.news.swap(0, Ordering::SeqCst))
    }

    /// From now on no transaction begins.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_announcements_are_one_message() {
        let gate = Gate::default();
        assert!(gate.announce(Partitions::one(1)));
        assert!(!gate.announce(Partitions::one(3)));
        assert_eq!(gate.take_news(), [1, 3].into_iter().collect());
        assert!(gate.announce(Partitions::one(3)));
        assert_eq!(gate.take_news(), Partitions::one(3));
        assert!(gate.take_news().is_empty());
    }
}
