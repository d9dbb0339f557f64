//! Names by number, and for each the baskets it is in.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

/// A basket, as four bytes: its partition, and its number there. Numbers wrap around; they are
/// compared only with those of baskets that are in memory, which are fewer than [`Place::NUMBERS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

impl Place {
    const PARTITION_BITS: u32 = 3;
    /// How many numbers there are.
    pub(crate) const NUMBERS: u32 = 1 << (u32::BITS - Self::PARTITION_BITS);

    pub(crate) const fn new(partition: u8, number: u32) -> Self {
        Self((number % Self::NUMBERS) << Self::PARTITION_BITS | partition as u32)
    }

    pub(crate) const fn partition(self) -> usize {
        (self.0 % (1 << Self::PARTITION_BITS)) as usize
    }

    /// How far it comes after the basket with the number `first` of its partition.
    pub(crate) const fn index(self, first: u32) -> usize {
        ((self.0 >> Self::PARTITION_BITS).wrapping_sub(first) % Self::NUMBERS) as usize
    }
}

const _: () = assert!(domain::PARTITIONS as u32 <= 1 << Place::PARTITION_BITS, "three bits");

/// What is known of a name.
pub(crate) struct Slot<K> {
    /// `None`: the slot is free.
    pub(crate) name: Option<Arc<K>>,
    /// Where it is, from the oldest to the latest.
    pub(crate) places: VecDeque<Place>,
    /// What these baskets weigh together.
    pub(crate) weight: f64,
}

/// Names by number. A name that is in no basket any more gives its number back.
pub(crate) struct Keys<K> {
    slots: Vec<Slot<K>>,
    numbers: HashMap<Arc<K>, u32>,
    free: Vec<u32>,
    /// How many numbers were given back so far: while this stands still, numbers keep their meaning.
    pub(crate) given_back: u64,
}

impl<K: Eq + Hash + Clone> Keys<K> {
    pub(crate) fn new() -> Self {
        Self { slots: Vec::new(), numbers: HashMap::new(), free: Vec::new(), given_back: 0 }
    }

    pub(crate) fn number_of(&self, name: &K) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn slot(&self, number: u32) -> Option<&Slot<K>> {
        self.slots.get(number as usize)
    }

    pub(crate) fn slots(&self) -> &[Slot<K>] {
        &self.slots
    }

    /// Names in some basket.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The name's number; `true` if it is new.
    pub(crate) fn number(&mut self, name: &K) -> (u32, bool) {
        if let Some(number) = self.number_of(name) {
            return (number, false);
        }
        let name = Arc::new(name.clone());
        let slot = Slot { name: Some(name.clone()), places: VecDeque::new(), weight: 0.0 };
        let number = match self.free.pop() {
            Some(number) => number,
            // Four billion names are far beyond any bound on the memory.
            None => u32::try_from(self.slots.len()).unwrap_or(u32::MAX),
        };
        match self.slots.get_mut(number as usize) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        self.numbers.insert(name, number);
        (number, true)
    }

    /// Notes a basket. `is_later` tells of another place whether it comes after this one: the list
    /// stays in order, and nearly always the new one belongs to one of its ends.
    pub(crate) fn enter(
        &mut self,
        number: u32,
        place: Place,
        weight: f64,
        is_later: impl Fn(Place) -> bool,
    ) {
        let Some(slot) = self.slots.get_mut(number as usize) else { return };
        slot.weight += weight;
        if slot.places.front().is_some_and(|first| is_later(*first)) {
            return slot.places.push_front(place);
        }
        let later = slot.places.iter().rev().take_while(|other| is_later(**other)).count();
        slot.places.insert(slot.places.len() - later, place);
    }

    /// Forgets the oldest basket of a name. `Some(name)`: it was the last, and the name is gone.
    pub(crate) fn leave(&mut self, number: u32, weight: f64) -> Option<Arc<K>> {
        let slot = self.slots.get_mut(number as usize)?;
        slot.places.pop_front();
        slot.weight -= weight;
        if slot.places.len() < slot.places.capacity() / 4 {
            slot.places.shrink_to(slot.places.len() * 2);
        }
        if !slot.places.is_empty() {
            return None;
        }
        let name = slot.name.take()?;
        *slot = Slot { name: None, places: VecDeque::new(), weight: 0.0 };
        self.numbers.remove(&name);
        self.free.push(number);
        self.given_back += 1;
        Some(name)
    }

    /// Multiplies all weights.
    pub(crate) fn scale(&mut self, factor: f64) {
        self.slots.iter_mut().for_each(|slot| slot.weight *= factor);
    }
}

#[cfg(test)]
impl<K> Keys<K> {
    /// What the tables hold, in bytes, by their capacities; `name` tells that of a name.
    pub(crate) fn tables(&self, name: impl Fn(&K) -> usize) -> usize {
        let places: usize =
            self.slots.iter().map(|slot| slot.places.capacity() * size_of::<Place>()).sum();
        // Each name is there once, behind two counters; the hash table has a byte more per entry,
        // and fills up to seven eighths.
        let names: usize = self.numbers.keys().map(|key| 16 + name(key)).sum();
        let entries = self.numbers.capacity() * 8 / 7 * (size_of::<(Arc<K>, u32)>() + 1);
        let slots = self.slots.capacity() * size_of::<Slot<K>>() + self.free.capacity() * 4;
        places + names + entries + slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_the_wrap_of_its_number() {
        let first = Place::NUMBERS - 2;
        for offset in 0..5 {
            let place = Place::new(5, first.wrapping_add(offset));
            assert_eq!((place.partition(), place.index(first)), (5, offset as usize));
        }
        // Numbers go backwards, too: what came before the start of the node.
        let earlier = 0_u32.wrapping_sub(3);
        assert_eq!(Place::new(1, 0).index(earlier), 3);
    }

    #[test]
    fn places_stay_in_order_and_numbers_are_given_back() {
        let mut keys: Keys<String> = Keys::new();
        let (tea, is_new) = keys.number(&"tea".to_owned());
        assert!(is_new);
        for number in [5, 6, 4, 9, 7, 1] {
            keys.enter(tea, Place::new(0, number), 1.0, |other| other.index(0) > number as usize);
        }
        let places: Vec<_> =
            keys.slot(tea).expect("tea").places.iter().map(|p| p.index(0)).collect();
        assert_eq!(places, [1, 4, 5, 6, 7, 9]);
        for left in (0..6).rev() {
            let gone = keys.leave(tea, 1.0);
            assert_eq!(gone.is_some(), left == 0);
        }
        assert_eq!((keys.len(), keys.given_back), (0, 1));
        assert_eq!(keys.number(&"cup".to_owned()), (tea, true));
        assert_eq!(keys.number_of(&"tea".to_owned()), None);
    }
}
