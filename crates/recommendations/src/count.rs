//! Counts what is bought together with some products, in steps.

use crate::keys::Place;
use crate::memory::{Memory, rank};
use domain::{CustomerId, Sku};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// Products of baskets that are counted at a stretch: a fraction of a millisecond.
const ITEMS_AT_A_STRETCH: usize = 4_096;
/// Names that are looked up at a stretch.
const NAMES_AT_A_STRETCH: usize = 1_024;
/// The latest baskets of a customer that tell what they like.
const BASKETS_OF_CUSTOMER: usize = 20;
/// Most products of a customer that are counted, the latest.
const PRODUCTS_OF_CUSTOMER: usize = 40;

/// Spreads numbers of products, which nobody outside chooses.
#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        // The golden ratio's fraction: neighbours end up far from one another.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}

type Numbered<T> = HashMap<u32, T, BuildHasherDefault<Spread>>;

/// A product whose partners are counted.
struct Seed {
    number: u32,
    /// The baskets that are looked into, from the latest to the oldest.
    places: Vec<Place>,
    /// What they weigh together.
    weight: f64,
}

/// A product that was found beside the seeds.
#[derive(Clone, Copy, Default)]
struct Partner {
    /// Baskets with both, of each seed.
    orders: u64,
    /// Part of the weight of the seed's baskets that it is in, summed over the seeds.
    share: f64,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is more to do.
    More,
    /// Everything is counted.
    Done,
    /// Numbers have changed their meaning since the count began; it is worth nothing.
    Stale,
}

/// A partner in the end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counted {
    pub(crate) sku: Arc<Sku>,
    pub(crate) lift: f64,
    pub(crate) orders: u64,
}

/// A count under way.
pub(crate) struct Count {
    seeds: Vec<Seed>,
    /// Never among the partners.
    known: HashSet<u32>,
    partners: Numbered<Partner>,
    /// Seed and basket that come next.
    next: (usize, usize),
    given_back: u64,
    /// Orders of now that the seeds have on average.
    orders_of_now: f64,
}

impl Count {
    /// Of what is bought together with a product, in its latest `baskets_max` baskets. `None` if
    /// nobody bought it.
    pub(crate) fn of_product(memory: &Memory, sku: &Sku, baskets_max: usize) -> Option<Self> {
        let number = memory.skus.number_of(sku)?;
        Some(Self::new(memory, &[number], HashSet::from([number]), baskets_max))
    }

    /// Of what is bought together with what a customer bought lately, without that. `None` if they
    /// bought nothing.
    pub(crate) fn of_customer(
        memory: &Memory,
        customer: &CustomerId,
        baskets_max: usize,
    ) -> Option<Self> {
        let customer = memory.customers.number_of(customer)?;
        let places = &memory.customers.slot(customer)?.places;
        let (mut seeds, mut known) = (Vec::new(), HashSet::new());
        for held in places.iter().rev().take(BASKETS_OF_CUSTOMER).filter_map(|p| memory.held(*p)) {
            for number in &held.skus {
                if known.insert(*number) && seeds.len() < PRODUCTS_OF_CUSTOMER {
                    seeds.push(*number);
                }
            }
        }
        let each = baskets_max / seeds.len().max(1);
        Some(Self::new(memory, &seeds, known, each.max(1)))
    }

    fn new(memory: &Memory, seeds: &[u32], known: HashSet<u32>, baskets_max: usize) -> Self {
        let weight = |place: &Place| memory.held(*place).map(|held| memory.decay.weight(held.at));
        let seed = |number: &u32| {
            let all = &memory.skus.slot(*number)?.places;
            let places: Vec<Place> = all.iter().rev().take(baskets_max).copied().collect();
            let weight = places.iter().filter_map(weight).sum();
            Some(Seed { number: *number, places, weight })
        };
        let seeds: Vec<Seed> = seeds.iter().filter_map(seed).collect();
        let weight: f64 = seeds.iter().map(|seed| seed.weight).sum();
        let orders_of_now = weight / as_float(seeds.len().max(1)) / memory.newest_weight();
        let (partners, given_back) = (Numbered::default(), memory.skus.given_back);
        Self { seeds, known, partners, next: (0, 0), given_back, orders_of_now }
    }

    /// Counts on for a while.
    pub(crate) fn step(&mut self, memory: &Memory) -> Step {
        if memory.skus.given_back != self.given_back {
            return Step::Stale;
        }
        let mut items = 0;
        while let Some(seed) = self.seeds.get(self.next.0) {
            let Some(place) = seed.places.get(self.next.1) else {
                self.next = (self.next.0 + 1, 0);
                continue;
            };
            if items > ITEMS_AT_A_STRETCH {
                return Step::More;
            }
            self.next.1 += 1;
            let Some(held) = memory.held(*place) else { continue };
            let share = memory.decay.weight(held.at) / seed.weight;
            for number in held.skus.iter().filter(|number| **number != seed.number) {
                let partner = self.partners.entry(*number).or_default();
                partner.orders += 1;
                partner.share += share;
            }
            items += held.skus.len();
        }
        Step::Done
    }

    /// The partners, best first.
    pub(crate) fn rank(self) -> Ranking {
        let Self { seeds, known, partners, given_back, orders_of_now, .. } = self;
        let seeds = as_float(seeds.len().max(1));
        let partners = partners.into_iter().filter(|(number, _)| !known.contains(number));
        let candidate = |(number, partner): (u32, Partner)| {
            let share = partner.share / seeds;
            Candidate { rank: (rank(share * orders_of_now), partner.orders), number, share }
        };
        let heap: BinaryHeap<Candidate> = partners.map(candidate).collect();
        Ranking { heap, equals: Vec::new(), named: Vec::new(), given_back }
    }
}

fn as_float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A partner whose name is not looked up yet.
#[derive(Clone, Copy)]
struct Candidate {
    /// Orders of now, and orders.
    rank: (i64, u64),
    number: u32,
    share: f64,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank).then_with(|| Reverse(self.number).cmp(&Reverse(other.number)))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate {}

/// Partners in order. Names are looked up no further than they are asked for: of two that are equal
/// in all else the SKU decides, so those are looked up together.
pub(crate) struct Ranking {
    heap: BinaryHeap<Candidate>,
    equals: Vec<Candidate>,
    named: Vec<Counted>,
    given_back: u64,
}

impl Ranking {
    /// Looks up names for a while. `Done`: [`Self::next_best`] has the next ones, none if that was
    /// all.
    pub(crate) fn step(&mut self, memory: &Memory) -> Step {
        if memory.skus.given_back != self.given_back {
            return Step::Stale;
        }
        if self.equals.is_empty() {
            let Some(best) = self.heap.pop() else { return Step::Done };
            self.equals.push(best);
            while let Some(next) = self.heap.peek().filter(|next| next.rank == best.rank) {
                self.equals.push(*next);
                self.heap.pop();
            }
        }
        for candidate in self.equals.drain(self.equals.len().saturating_sub(NAMES_AT_A_STRETCH)..) {
            let slot = memory.skus.slot(candidate.number);
            let Some((slot, sku)) = slot.and_then(|slot| Some((slot, slot.name.clone()?))) else {
                continue;
            };
            // How likely beside the seeds, against how likely at all.
            let lift = candidate.share * memory.weight / slot.weight;
            let lift = if lift.is_finite() { (lift * 1_000.0).round() / 1_000.0 } else { 0.0 };
            self.named.push(Counted { sku, lift, orders: candidate.rank.1 });
        }
        if !self.equals.is_empty() {
            return Step::More;
        }
        self.named.sort_unstable_by(|a, b| a.sku.cmp(&b.sku));
        Step::Done
    }

    /// The next best partners, which are equal in all but their names.
    pub(crate) fn next_best(&mut self) -> Vec<Counted> {
        std::mem::take(&mut self.named)
    }
}
