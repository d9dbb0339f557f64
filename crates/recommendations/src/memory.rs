//! The baskets in memory.

use crate::decay::Decay;
use crate::keys::{Keys, Place, Slot};
use domain::{CustomerId, PARTITIONS, Sku, Timestamp};
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a basket costs without its products: its row in a ring that may be half empty, and the head
/// of its allocation. In bytes, like all of these.
const BASKET_COST: usize = 2 * size_of::<Held>() + 16;
/// What a product of a basket costs: its number, and the place in its list, which may be half empty.
const ITEM_COST: usize = size_of::<u32>() + 2 * size_of::<Place>();
/// What a name costs besides its text: the slot and the entry of the hash table, each in a table that
/// may be half empty, and the heads of its allocations.
const NAME_COST: usize = 256;

/// The products of a confirmed order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Basket {
    /// Partition of the log.
    pub(crate) partition: u8,
    /// Place of the confirmation in the log, which it shares with no other event.
    pub(crate) seq: i64,
    /// When the order was confirmed.
    pub(crate) at: Timestamp,
    /// Who bought, if that is known.
    pub(crate) customer: Option<CustomerId>,
    /// In SKU order, each once.
    pub(crate) skus: Vec<Sku>,
}

/// A basket that is kept.
pub(crate) struct Held {
    pub(crate) seq: i64,
    pub(crate) at: Timestamp,
    pub(crate) customer: Option<u32>,
    pub(crate) skus: Box<[u32]>,
}

/// The baskets of one partition, from the oldest to the latest.
#[derive(Default)]
struct Ring {
    baskets: VecDeque<Held>,
    /// Number of the oldest.
    first: u32,
}

/// A product that sells well.
#[derive(Clone, Debug)]
pub(crate) struct BestSeller {
    pub(crate) sku: Arc<Sku>,
    pub(crate) orders: u64,
}

/// The latest baskets, as many as the bound allows.
///
/// Whatever order the baskets come in, and however often: what is kept are the latest by place in
/// the log, down to the first with which they would cost more than the bound.
pub(crate) struct Memory {
    rings: Vec<Ring>,
    pub(crate) skus: Keys<Sku>,
    pub(crate) customers: Keys<CustomerId>,
    pub(crate) decay: Decay,
    /// What all baskets weigh together.
    pub(crate) weight: f64,
    /// When the latest of them was bought.
    pub(crate) latest: Option<Timestamp>,
    bound: usize,
    cost: usize,
    /// Baskets up to this place were forgotten; they do not come back.
    floor: i64,
    /// Baskets and products in them that were taken since the best sellers were looked for.
    changes: usize,
    best: Vec<BestSeller>,
}

/// Orders of now to one digit after the point, as a number to sort by. Coarser than the few millionths
/// by which the order of additions changes a sum, so that every node sorts alike.
#[expect(clippy::cast_possible_truncation, reason = "it stops at the end of the range")]
pub(crate) fn rank(orders_of_now: f64) -> i64 {
    (orders_of_now * 10.0).round() as i64
}

/// How many best sellers are kept at hand: some will not be on sale.
const BEST_SELLERS: usize = 256;

fn sku_cost(sku: &Sku) -> usize {
    NAME_COST + sku.as_str().len()
}

impl Memory {
    /// Room for `bound` bytes of baskets.
    pub(crate) fn new(bound: usize, decay: Decay) -> Self {
        Self {
            rings: (0..PARTITIONS).map(|_| Ring::default()).collect(),
            skus: Keys::new(),
            customers: Keys::new(),
            decay,
            weight: 0.0,
            latest: None,
            bound,
            cost: 0,
            floor: i64::MIN,
            changes: 0,
            best: Vec::new(),
        }
    }

    /// Number of baskets.
    pub(crate) fn len(&self) -> usize {
        self.rings.iter().map(|ring| ring.baskets.len()).sum()
    }

    /// What they cost, in bytes.
    pub(crate) const fn cost(&self) -> usize {
        self.cost
    }

    /// Whether baskets before this place would be kept.
    pub(crate) const fn wants_before(&self, seq: i64) -> bool {
        seq.saturating_sub(1) > self.floor
    }

    pub(crate) fn held(&self, place: Place) -> Option<&Held> {
        let ring = self.rings.get(place.partition())?;
        ring.baskets.get(place.index(ring.first))
    }

    /// What the latest basket weighs: with it, a weight tells how many orders of now it is worth.
    pub(crate) fn newest_weight(&self) -> f64 {
        self.latest.map_or(1.0, |latest| self.decay.weight(latest))
    }

    /// The best sellers, when they were looked for last.
    pub(crate) fn best(&self) -> &[BestSeller] {
        &self.best
    }

    /// Takes a basket, unless it was there or is older than what is kept, and forgets the oldest
    /// ones while there is too much.
    pub(crate) fn add(&mut self, basket: &Basket) {
        let Some(ring) = self.rings.get_mut(usize::from(basket.partition)) else { return };
        let ends = (ring.baskets.front(), ring.baskets.back());
        let goes_last = ends.1.is_none_or(|last| last.seq < basket.seq);
        let goes_first = ends.0.is_some_and(|first| first.seq > basket.seq);
        if basket.seq <= self.floor || !(goes_last || goes_first) {
            return;
        }
        let number = if goes_last {
            ring.first.wrapping_add(u32::try_from(ring.baskets.len()).unwrap_or(0))
        } else {
            ring.first.wrapping_sub(1) % Place::NUMBERS
        };
        if let Some(factor) = self.decay.reach(basket.at) {
            self.skus.scale(factor);
            self.customers.scale(factor);
            self.weight *= factor;
        }
        let held = self.enter(basket, Place::new(basket.partition, number));
        let Some(ring) = self.rings.get_mut(usize::from(basket.partition)) else { return };
        if goes_last {
            ring.baskets.push_back(held);
        } else {
            ring.first = number;
            ring.baskets.push_front(held);
        }
        self.latest = self.latest.max(Some(basket.at));
        self.changes += 1 + basket.skus.len();
        while self.cost > self.bound && self.forget_oldest() {}
    }

    /// Enters the basket into the lists of its names.
    fn enter(&mut self, basket: &Basket, place: Place) -> Held {
        let Self { rings, skus, customers, .. } = self;
        let is_later = |other: Place| {
            let ring = rings.get(other.partition());
            let held = ring.and_then(|ring| ring.baskets.get(other.index(ring.first)));
            held.is_some_and(|held| held.seq > basket.seq)
        };
        let weight = self.decay.weight(basket.at);
        self.weight += weight;
        self.cost += BASKET_COST + ITEM_COST * basket.skus.len();
        let mut numbers = Vec::with_capacity(basket.skus.len());
        for sku in &basket.skus {
            let (number, is_new) = skus.number(sku);
            self.cost += if is_new { sku_cost(sku) } else { 0 };
            skus.enter(number, place, weight, is_later);
            numbers.push(number);
        }
        let customer = basket.customer.map(|customer| {
            let (number, is_new) = customers.number(&customer);
            self.cost += ITEM_COST + if is_new { NAME_COST } else { 0 };
            customers.enter(number, place, weight, is_later);
            number
        });
        Held { seq: basket.seq, at: basket.at, customer, skus: numbers.into_boxed_slice() }
    }

    /// Forgets the oldest basket; `false` if there is none.
    fn forget_oldest(&mut self) -> bool {
        let oldest = self.rings.iter_mut().filter(|ring| !ring.baskets.is_empty());
        let oldest = oldest.min_by_key(|ring| ring.baskets.front().map(|held| held.seq));
        let Some(ring) = oldest else { return false };
        let Some(held) = ring.baskets.pop_front() else { return false };
        ring.first = ring.first.wrapping_add(1) % Place::NUMBERS;
        if ring.baskets.len() < ring.baskets.capacity() / 4 {
            ring.baskets.shrink_to(ring.baskets.len() * 2);
        }
        self.floor = held.seq;
        let weight = self.decay.weight(held.at);
        let mut given_up = BASKET_COST + ITEM_COST * held.skus.len();
        for number in &held.skus {
            if let Some(gone) = self.skus.leave(*number, weight) {
                given_up += sku_cost(&gone);
            }
        }
        if let Some(number) = held.customer {
            let is_gone = self.customers.leave(number, weight).is_some();
            given_up += ITEM_COST + if is_gone { NAME_COST } else { 0 };
        }
        self.cost = self.cost.saturating_sub(given_up);
        let is_last = self.rings.iter().all(|ring| ring.baskets.is_empty());
        // What rounding left over goes with the last of them.
        self.weight = if is_last { 0.0 } else { self.weight - weight };
        true
    }

    /// Looks for the best sellers again, once enough has changed: the look costs as much as there
    /// are products.
    pub(crate) fn refresh(&mut self) {
        if self.changes == 0 || self.changes < self.skus.len() / 16 {
            return;
        }
        self.changes = 0;
        let newest = self.newest_weight();
        let place = |slot: &'_ Slot<Sku>| {
            let rank = rank(slot.weight / newest);
            (Reverse(rank), Reverse(slot.places.len()))
        };
        let mut all: Vec<&Slot<Sku>> =
            self.skus.slots().iter().filter(|slot| slot.name.is_some()).collect();
        let order = |a: &&Slot<Sku>, b: &&Slot<Sku>| {
            place(a).cmp(&place(b)).then_with(|| a.name.cmp(&b.name))
        };
        if all.len() > BEST_SELLERS {
            all.select_nth_unstable_by(BEST_SELLERS, order);
            all.truncate(BEST_SELLERS);
        }
        all.sort_unstable_by(order);
        let best = all.into_iter().filter_map(|slot| {
            let orders = u64::try_from(slot.places.len()).unwrap_or(u64::MAX);
            Some(BestSeller { sku: slot.name.clone()?, orders })
        });
        self.best = best.collect();
    }
}

#[cfg(test)]
impl Memory {
    /// What the tables hold, in bytes, by their capacities.
    pub(crate) fn tables(&self) -> usize {
        let ring = |ring: &Ring| {
            let skus = ring.baskets.iter().map(|held| held.skus.len() * size_of::<u32>());
            ring.baskets.capacity() * size_of::<Held>() + skus.sum::<usize>()
        };
        let rings: usize = self.rings.iter().map(ring).sum();
        let skus = self.skus.tables(|sku| size_of::<Sku>() + sku.as_str().len());
        rings + skus + self.customers.tables(|_| size_of::<CustomerId>())
    }
}
