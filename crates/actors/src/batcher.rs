//! Natural batching: the next batch starts when the last one is done, with whatever waits then.
//!
//! Idle, an item waits for nobody; under load batches grow and the cost per item falls. There is
//! no timer. The batcher only decides; running the batch is the service's work.

use std::collections::VecDeque;

/// Limits of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Most items in one batch.
    pub items_max: usize,
    /// Most weight in one batch, such as database rows. A single heavier item goes alone.
    pub weight_max: usize,
    /// Most batches under way at once.
    pub in_flight_max: usize,
}

/// Items that wait, and how many batches are under way.
#[derive(Debug)]
pub struct Batcher<T> {
    limits: BatchLimits,
    waiting: VecDeque<(T, usize)>,
    in_flight: usize,
}

impl<T> Batcher<T> {
    /// An empty batcher.
    #[must_use]
    pub const fn new(limits: BatchLimits) -> Self {
        Self { limits, waiting: VecDeque::new(), in_flight: 0 }
    }

    /// Adds an item of the given weight.
    pub fn push(&mut self, item: T, weight: usize) {
        self.waiting.push_back((item, weight));
    }

    /// Number of items that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The next batch, oldest items first, if anything waits and another batch may be under way.
    /// The caller says [`Self::finished`] when it is done.
    pub fn next_batch(&mut self) -> Option<Vec<T>> {
        if self.waiting.is_empty() || self.in_flight >= self.limits.in_flight_max {
            return None;
        }
        let mut weight_left = self.limits.weight_max;
        let mut batch = Vec::with_capacity(self.waiting.len().min(self.limits.items_max));
        while batch.len() < self.limits.items_max {
            let Some((_, weight)) = self.waiting.front() else {
                break;
            };
            if *weight > weight_left && !batch.is_empty() {
                break;
            }
            weight_left = weight_left.saturating_sub(*weight);
            batch.extend(self.waiting.pop_front().map(|(item, _)| item));
        }
        self.in_flight += 1;
        Some(batch)
    }

    /// A batch is done, well or badly.
    pub fn finished(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batcher(items_max: usize, weight_max: usize, in_flight_max: usize) -> Batcher<u32> {
        Batcher::new(BatchLimits { items_max, weight_max, in_flight_max })
    }

    #[test]
    fn takes_all_that_waits_and_no_more_until_it_is_done() {
        let mut b = batcher(10, 100, 1);
        assert_eq!(b.next_batch(), None);
        (1..=3).for_each(|n| b.push(n, 1));
        assert_eq!(b.next_batch(), Some(vec![1, 2, 3]));
        b.push(4, 1);
        assert_eq!(b.next_batch(), None);
        b.finished();
        assert_eq!(b.next_batch(), Some(vec![4]));
        assert_eq!(b.waiting(), 0);
    }

    #[test]
    fn is_capped_by_items_and_by_weight() {
        let mut b = batcher(2, 10, 9);
        (1..=3).for_each(|n| b.push(n, 1));
        assert_eq!(b.next_batch(), Some(vec![1, 2]));
        let mut b = batcher(9, 10, 9);
        b.push(1, 6);
        b.push(2, 6);
        b.push(3, 4);
        assert_eq!(b.next_batch(), Some(vec![1]));
        assert_eq!(b.next_batch(), Some(vec![2, 3]));
    }

    #[test]
    fn a_heavy_item_goes_alone_and_holds_nobody_up_for_ever() {
        let mut b = batcher(9, 10, 9);
        b.push(1, 50);
        b.push(2, 1);
        assert_eq!(b.next_batch(), Some(vec![1]));
        assert_eq!(b.next_batch(), Some(vec![2]));
    }
}
