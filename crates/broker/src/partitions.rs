//! A set of partitions, and what there is to do in them.

use domain::PARTITIONS;

const _: () = assert!(PARTITIONS as u32 <= u8::BITS, "a set of partitions is one byte");

/// A set of partitions of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Partitions(pub(crate) u8);

impl Partitions {
    /// One partition; the empty set if there is no such partition.
    pub(crate) const fn one(partition: u8) -> Self {
        if partition < PARTITIONS { Self(1 << partition) } else { Self(0) }
    }

    /// Those that worker number `worker` of `workers` owns.
    pub(crate) fn share(worker: usize, workers: usize) -> Self {
        (0..PARTITIONS).filter(|p| usize::from(*p) % workers == worker).collect()
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        (0..PARTITIONS).filter(move |partition| !self.and(Self::one(*partition)).is_empty())
    }
}

impl FromIterator<u8> for Partitions {
    fn from_iter<I: IntoIterator<Item = u8>>(partitions: I) -> Self {
        partitions.into_iter().fold(Self::default(), |all, one| all.or(Self::one(one)))
    }
}

/// Where a worker is to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// For events after the group's position.
    pub(crate) events: Partitions,
    /// For parked events whose time has come.
    pub(crate) parked: Partitions,
}

impl Work {
    pub(crate) const fn is_empty(self) -> bool {
        self.events.is_empty() && self.parked.is_empty()
    }

    pub(crate) const fn or(self, other: Self) -> Self {
        Self { events: self.events.or(other.events), parked: self.parked.or(other.parked) }
    }

    pub(crate) const fn within(self, share: Partitions) -> Self {
        Self { events: self.events.and(share), parked: self.parked.and(share) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_one_owner() {
        for workers in 1..=usize::from(PARTITIONS) {
            let shares: Vec<_> = (0..workers).map(|w| Partitions::share(w, workers)).collect();
            let owners: u32 = shares.iter().map(|share| share.len()).sum();
            assert_eq!(owners, u32::from(PARTITIONS), "{workers} workers");
            assert_eq!(shares.into_iter().fold(Partitions(0), Partitions::or), Partitions(255));
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_ignores_what_is_no_partition() {
        let set: Partitions = [6, 1, 6, PARTITIONS, 255].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [1, 6]);
        assert_eq!(set.len(), 2);
    }
}
