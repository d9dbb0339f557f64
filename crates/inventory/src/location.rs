//! Where goods lie, and from where they leave first.

use std::fmt;

/// Names a place where goods lie.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocationName(String);

/// Why a text is no name of a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a location is 1 to 64 bytes of printable text without surrounding spaces")]
pub struct LocationNameError;

impl LocationName {
    /// Longest name, in bytes of UTF-8, as for a SKU.
    pub const LENGTH_MAX: usize = 64;

    /// The name of the main location. It is always there.
    pub const MAIN: &str = "main";

    /// Checks and takes a text as a name.
    ///
    /// # Errors
    /// Empty, longer than [`Self::LENGTH_MAX`], a control character, or surrounding spaces.
    pub fn parse(text: impl Into<String>) -> Result<Self, LocationNameError> {
        let text = text.into();
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len());
        let printable = text.trim() == text && !text.chars().any(char::is_control);
        if fits && printable { Ok(Self(text)) } else { Err(LocationNameError) }
    }

    /// The main location: it holds what the others do not.
    #[must_use]
    pub fn main() -> Self {
        Self(Self::MAIN.to_owned())
    }

    /// Whether it is the main location.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.0 == Self::MAIN
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LocationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place where goods lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Its name.
    pub name: LocationName,
    /// Goods leave the locations in this order, lowest first, those of one rank by name. From 0;
    /// the main location has 0.
    pub rank: i64,
}

impl Location {
    /// The rank of the main location.
    pub const MAIN_RANK: i64 = 0;
}

/// Units of one SKU at one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitsAt {
    /// Where.
    pub location: LocationName,
    /// Units that lie there.
    pub on_hand: i64,
    /// Units of those that no order's promise falls on.
    pub available: i64,
}

/// Units of one SKU by location, in the order in which they leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places(Vec<(Location, i64)>);

impl Places {
    /// Puts `elsewhere` (units at other locations) in order, and gives the rest of `on_hand` to
    /// the main location.
    pub(crate) fn new(on_hand: i64, elsewhere: Vec<(Location, i64)>) -> Self {
        let others: i64 = elsewhere.iter().map(|(_, units)| units).sum();
        let main = Location { name: LocationName::main(), rank: Location::MAIN_RANK };
        let mut places = Self(elsewhere);
        places.0.push((main, on_hand - others));
        places.sort();
        places
    }

    /// Makes room for units at `location`, if there is none yet.
    pub(crate) fn open(&mut self, location: &LocationName, rank: i64) {
        if self.0.iter().all(|(place, _)| place.name != *location) {
            self.0.push((Location { name: location.clone(), rank }, 0));
            self.sort();
        }
    }

    fn sort(&mut self) {
        self.0.sort_by(|(a, _), (b, _)| (a.rank, &a.name).cmp(&(b.rank, &b.name)));
    }

    /// Units at `location`.
    pub(crate) fn at(&self, location: &LocationName) -> i64 {
        let found = self.0.iter().find(|(place, _)| place.name == *location);
        found.map_or(0, |(_, units)| *units)
    }

    /// Adds units at a location that is among these; negative takes away.
    pub(crate) fn add(&mut self, location: &LocationName, delta: i64) {
        if let Some((_, units)) = self.0.iter_mut().find(|(place, _)| place.name == *location) {
            *units += delta;
        }
    }

    /// Takes `wanted` units away, from the first location on; what was taken where. `None`, and
    /// nothing is taken, when there are not so many.
    pub(crate) fn take(&mut self, wanted: i64) -> Option<Vec<(LocationName, i64)>> {
        let taken = taken_in_order(self.0.iter().map(|(_, units)| *units), wanted);
        if taken.iter().sum::<i64>() != wanted {
            return None;
        }
        let mut pieces = Vec::new();
        for ((place, units), piece) in self.0.iter_mut().zip(taken) {
            if piece > 0 {
                *units -= piece;
                pieces.push((place.name.clone(), piece));
            }
        }
        Some(pieces)
    }

    /// The units by location. Promised units are laid over the locations in the order in which
    /// goods leave: that is from where they would leave now.
    pub(crate) fn laid_over(&self, reserved: i64) -> Vec<UnitsAt> {
        let promised = taken_in_order(self.0.iter().map(|(_, units)| *units), reserved);
        let places = self.0.iter().zip(promised);
        places
            .map(|((place, on_hand), promised)| UnitsAt {
                location: place.name.clone(),
                on_hand: *on_hand,
                available: on_hand - promised,
            })
            .collect()
    }
}

/// What is taken of each place when `wanted` units are taken from the first place on; less than
/// `wanted` in all when there are not so many. Pure.
fn taken_in_order(there: impl IntoIterator<Item = i64>, wanted: i64) -> Vec<i64> {
    let mut left = wanted;
    there
        .into_iter()
        .map(|units| {
            let piece = units.max(0).min(left);
            left -= piece;
            piece
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn location(name: &str, rank: i64) -> Location {
        Location { name: LocationName::parse(name).expect("a name"), rank }
    }

    fn names(pieces: &[(LocationName, i64)]) -> Vec<(&str, i64)> {
        pieces.iter().map(|(name, units)| (name.as_str(), *units)).collect()
    }

    #[test]
    fn names_are_printable_text() {
        assert!(LocationName::parse("north 1/ü").is_ok());
        assert!(LocationName::parse("x".repeat(64)).is_ok());
        for bad in ["", " ", " a", "a ", "a\nb", "\u{7f}", &"x".repeat(65)] {
            assert_eq!(LocationName::parse(bad), Err(LocationNameError), "{bad:?}");
        }
        assert!(LocationName::main().is_main());
        assert!(!LocationName::parse("Main").expect("a name").is_main());
    }

    #[test]
    fn goods_leave_by_rank_and_then_by_name() {
        let elsewhere = vec![
            (location("z", 0), 1),
            (location("b", 2), 3),
            (location("a", 2), 2),
            (location("c", 0), 4),
        ];
        let mut places = Places::new(15, elsewhere);
        assert_eq!(places.at(&LocationName::main()), 5);
        let all = [("c", 4), ("main", 5), ("z", 1), ("a", 2), ("b", 3)];
        assert_eq!(names(&places.clone().take(15).expect("there")), all);
        assert_eq!(names(&places.take(6).expect("there")), [("c", 4), ("main", 2)]);
        assert_eq!(names(&places.take(6).expect("there")), [("main", 3), ("z", 1), ("a", 2)]);
        assert_eq!(places.take(4), None, "there are three");
        assert_eq!(names(&places.take(3).expect("there")), [("b", 3)]);
    }

    #[test]
    fn promises_fall_on_what_leaves_first() {
        let places = Places::new(10, vec![(location("north", 1), 4)]);
        let available = |reserved| -> Vec<i64> {
            places.laid_over(reserved).iter().map(|place| place.available).collect()
        };
        assert_eq!(available(0), [6, 4]);
        assert_eq!(available(5), [1, 4]);
        assert_eq!(available(7), [0, 3]);
        assert_eq!(available(10), [0, 0]);
    }

    fn places() -> impl Strategy<Value = (i64, Places)> {
        let elsewhere = prop::collection::btree_map("[a-z]{1,3}", (0_i64..4, 0_i64..50), 0..6);
        (0_i64..50, elsewhere).prop_map(|(main, elsewhere)| {
            let elsewhere: Vec<(Location, i64)> = elsewhere
                .iter()
                .map(|(name, (rank, units))| (location(name, *rank), *units))
                .collect();
            let on_hand = main + elsewhere.iter().map(|(_, units)| units).sum::<i64>();
            (on_hand, Places::new(on_hand, elsewhere))
        })
    }

    proptest! {
        #[test]
        fn all_that_is_wanted_is_taken_from_the_first_places(
            (on_hand, places) in places(),
            wanted in 0_i64..300,
        ) {
            let mut after = places.clone();
            let Some(pieces) = after.take(wanted) else {
                prop_assert!(wanted > on_hand);
                prop_assert_eq!(after, places);
                return Ok(());
            };
            prop_assert!(wanted <= on_hand);
            prop_assert_eq!(pieces.iter().map(|(_, units)| units).sum::<i64>(), wanted);
            for (name, units) in &pieces {
                prop_assert!(*units > 0);
                prop_assert_eq!(places.at(name) - after.at(name), *units);
            }
            let left: i64 = after.0.iter().map(|(_, units)| units).sum();
            prop_assert_eq!(left, on_hand - wanted);
            // Something left behind means that nothing was taken of a later place.
            if let Some(first) = after.0.iter().position(|(_, units)| *units > 0) {
                prop_assert_eq!(&after.0[first + 1..], &places.0[first + 1..]);
            }
            prop_assert!(places.0.is_sorted_by(|(a, _), (b, _)| (a.rank, &a.name) < (b.rank, &b.name)));
        }

        #[test]
        fn sums_over_the_locations_equal_the_totals(
            (on_hand, places) in places(),
            part in 0_i64..=100,
        ) {
            let reserved = on_hand * part / 100;
            let laid = places.laid_over(reserved);
            prop_assert_eq!(laid.iter().map(|place| place.on_hand).sum::<i64>(), on_hand);
            prop_assert_eq!(laid.iter().map(|place| place.available).sum::<i64>(), on_hand - reserved);
            prop_assert!(laid.iter().all(|place| (0..=place.on_hand).contains(&place.available)));
            // The promise falls on what would leave now.
            let mut after = places.clone();
            after.take(reserved);
            for place in &laid {
                prop_assert_eq!(after.at(&place.location), place.available);
            }
        }
    }
}
