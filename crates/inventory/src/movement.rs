//! What the stock's ledger tells: every unit that came, left, came back or changed its place.

use crate::location::LocationName;
use domain::{OrderId, Sku, Timestamp};
use uuid::Uuid;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// What happened to units.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum EntryKind { $($(#[$doc])* $name,)* }

        impl EntryKind {
            /// As it is stored and told.
            #[must_use]
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $text,)* } }

            pub(crate) fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// Somebody counted, delivered, or wrote off.
    Adjustment = "adjustment";
    /// Units left for an order.
    Shipment = "shipment";
    /// Units of an order came back to the shelf.
    Return = "return";
    /// Units of an order came back, but not to the shelf.
    Discard = "discard";
    /// Units changed their place.
    Move = "move";
}

/// A movement to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Movement {
    pub(crate) sku: Sku,
    pub(crate) kind: EntryKind,
    /// From 1.
    pub(crate) units: i64,
    pub(crate) from: Option<LocationName>,
    pub(crate) to: Option<LocationName>,
    pub(crate) order_id: Option<OrderId>,
}

/// An entry of a SKU's ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Names it.
    pub id: Uuid,
    /// What happened.
    pub kind: EntryKind,
    /// To how many units, from 1.
    pub units: i64,
    /// The place that they left.
    pub from: Option<LocationName>,
    /// The place that they came to.
    pub to: Option<LocationName>,
    /// The order that they were for.
    pub order_id: Option<OrderId>,
    /// Why an adjustment was made.
    pub reason: Option<String>,
    /// Who did it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

impl Entry {
    /// By how much it changed what is on hand. The sum over a SKU's ledger is what is on hand.
    #[must_use]
    pub const fn delta(&self) -> i64 {
        match (&self.from, &self.to) {
            (None, Some(_)) => self.units,
            (Some(_), None) => -self.units,
            (None, None) | (Some(_), Some(_)) => 0,
        }
    }

    /// Its place in the list.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position { at: self.at, id: self.id }
    }
}

/// The place of an entry in a SKU's ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// When it was written.
    pub at: Timestamp,
    /// Which of that moment.
    pub id: Uuid,
}

impl Position {
    /// Before every entry of a list that begins with the newest: the last second of the year 9999,
    /// which is as far as the databases' calendars go together.
    pub(crate) const NEWEST: Self =
        Self { at: Timestamp::from_micros(253_402_300_799_000_000), id: Uuid::max() };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_as_they_are_written() {
        use EntryKind::{Adjustment, Discard, Move, Return, Shipment};
        for kind in [Adjustment, Shipment, Return, Discard, Move] {
            assert_eq!(EntryKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(EntryKind::parse("theft"), None);
    }
}
