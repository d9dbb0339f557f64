//! What became of the credit notes, for programs (serde) and for people.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::super::client::Retries;
use super::super::dataset::OrderLine;
use super::super::report::grouped;
use super::matching::Found;

/// Why units of a credit note find no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The customer has no accepted order with the SKU.
    NeverBought,
    /// Such orders came only after the credit note, or are in another currency.
    BoughtLater,
    /// Fewer units were bought before the note than came back with it and with earlier notes.
    TooFew,
    /// The note was written after the last order of a replay that leaves later orders out.
    AfterTheEnd,
}

/// Units of credit notes that found no order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Unplaced {
    /// Lines of credit notes, whole or in part.
    pub lines: u64,
    /// Units.
    pub units: u64,
    /// What the credit notes gave for them, in minor units.
    pub amount_minor: i64,
}

impl Unplaced {
    fn add(&mut self, units: u64, amount: i64) {
        self.lines += 1;
        self.units += units;
        self.amount_minor += amount;
    }
}

/// How the credit notes were placed on orders. Amounts are in minor units.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Placing {
    /// Credit notes that found orders for all their units.
    pub placed_whole: u64,
    /// Credit notes that found orders for some.
    pub placed_partly: u64,
    /// Credit notes that found none.
    pub not_placed: u64,
    /// Units that found an order.
    pub placed_units: u64,
    /// What the credit notes gave for these.
    pub placed_amount_minor: i64,
    /// What the customers had paid for these: what is refunded.
    pub placed_cost_minor: i64,
    /// Of these, units that had been sold at another price than the note's.
    pub units_at_other_price: u64,
    /// All units that found no order.
    pub unplaced: Unplaced,
    /// Of these: the customer has no order with the SKU.
    pub never_bought: Unplaced,
    /// Of these: such orders came only later, or are in another currency.
    pub bought_later: Unplaced,
    /// Of these: fewer were bought than came back.
    pub too_few: Unplaced,
    /// Of these: written after the last of the orders that `--limit` let through.
    pub after_the_end: Unplaced,
}

impl Placing {
    /// Counts one line of a note.
    pub(super) fn add(&mut self, line: &OrderLine, found: &Found) {
        let amount = line.gross().unwrap_or_default() - line.discount_amount;
        let share = i128::from(amount) * i128::from(found.units) / i128::from(line.quantity.max(1));
        let placed = i64::try_from(share).unwrap_or(amount);
        self.placed_units += found.units;
        self.placed_amount_minor += placed;
        self.placed_cost_minor += found.cost;
        self.units_at_other_price += found.at_other_price;
        let reason = match found.why {
            None => return,
            Some(Why::NeverBought) => &mut self.never_bought,
            Some(Why::BoughtLater) => &mut self.bought_later,
            Some(Why::TooFew) => &mut self.too_few,
            Some(Why::AfterTheEnd) => &mut self.after_the_end,
        };
        reason.add(line.quantity - found.units, amount - placed);
        self.unplaced.add(line.quantity - found.units, amount - placed);
    }

    /// Counts one note: of `wanted` units `placed` found an order.
    pub(super) fn count(&mut self, wanted: u64, placed: u64) {
        match placed {
            0 => self.not_placed += 1,
            _ if placed == wanted => self.placed_whole += 1,
            _ => self.placed_partly += 1,
        }
    }
}

/// The result of the returns of a replay.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReturnsReport {
    /// Credit notes in the file.
    pub credit_notes: u64,
    /// Their lines.
    pub lines: u64,
    /// Their units.
    pub units: u64,
    /// What they gave back, in minor units.
    pub amount_minor: i64,
    /// Which of it found an order.
    #[serde(flatten)]
    pub placing: Placing,
    /// Orders that were shipped, because something was to come back to them.
    pub orders_shipped: u64,
    /// Returns the server took: one for each credit note and order.
    pub returned: u64,
    /// Units that came back to the shelf.
    pub units_returned: u64,
    /// Σ refunds of the answers, in minor units.
    pub refunded_minor: i64,
    /// The same by currency.
    pub refunded_by_currency: BTreeMap<String, i64>,
    /// Returns that failed, or were not sent because something before them failed.
    pub failed: u64,
    /// Returns that had been answered to an earlier run with the same id.
    pub replayed: u64,
    /// Shipments and returns by status of their answer.
    pub outcomes: BTreeMap<String, u64>,
    /// Calls that were made again.
    pub retries: Retries,
    /// From the first shipment sent to the last answer.
    pub elapsed_seconds: f64,
    /// The first failures, with what the server said.
    pub errors: Vec<String>,
}

/// Writes the report as a table.
pub(in super::super) fn print(report: &ReturnsReport, out: &mut dyn Write) -> io::Result<()> {
    let ReturnsReport { placing, .. } = report;
    writeln!(
        out,
        "Returns                                   notes/lines       units  minor units"
    )?;
    let mut row = |label: &str, count: u64, units: u64, amount: i64| {
        let (count, units, amount) = (grouped(count), grouped(units), grouped(amount));
        writeln!(out, "  {label:<38}{count:>13}{units:>12}{amount:>13}")
    };
    row("credit notes in the file", report.credit_notes, report.units, report.amount_minor)?;
    let found = placing.placed_whole + placing.placed_partly;
    row("on orders of the same customer and SKU", found, placing.placed_units, {
        placing.placed_amount_minor
    })?;
    let mut unplaced = |label: &str, part: Unplaced| {
        if part.lines == 0 { Ok(()) } else { row(label, part.lines, part.units, part.amount_minor) }
    };
    unplaced("lines without an order, all", placing.unplaced)?;
    unplaced("  the customer never bought the SKU", placing.never_bought)?;
    unplaced("  bought only after the credit note", placing.bought_later)?;
    unplaced("  fewer bought than came back", placing.too_few)?;
    unplaced("  written after the last order", placing.after_the_end)?;
    row("returned and refunded", report.returned, report.units_returned, report.refunded_minor)?;
    writeln!(
        out,
        "  {} notes found orders for all units, {} for some, {} for none; {} orders shipped",
        grouped(placing.placed_whole),
        grouped(placing.placed_partly),
        grouped(placing.not_placed),
        grouped(report.orders_shipped)
    )?;
    writeln!(
        out,
        "  refunds follow what was paid: {} more than the notes gave; {} units were sold at another price",
        grouped(placing.placed_cost_minor - placing.placed_amount_minor),
        grouped(placing.units_at_other_price)
    )?;
    if report.replayed > 0 {
        writeln!(out, "  ({} answered to an earlier run first)", grouped(report.replayed))?;
    }
    for (label, count) in &report.outcomes {
        writeln!(out, "  {label:<38}{:>13}", grouped(count))?;
    }
    for error in &report.errors {
        writeln!(out, "  ! {error}")?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(quantity: u64, unit_amount: i64, discount_amount: i64) -> OrderLine {
        OrderLine { sku: "A".into(), quantity, unit_amount, discount_amount }
    }

    fn found(units: u64, cost: i64, why: Option<Why>) -> Found {
        Found { units, at_other_price: 0, cost, why }
    }

    #[test]
    fn what_is_placed_and_what_is_not_add_up_to_the_note() {
        let mut placing = Placing::default();
        // Three units for 10: two of them are 6 and a bit, and the bit goes to the third.
        placing.add(&line(3, 4, 2), &found(2, 7, Some(Why::TooFew)));
        placing.add(&line(5, 2, 0), &found(0, 0, Some(Why::NeverBought)));
        placing.add(&line(1, 9, 0), &found(1, 9, None));
        assert_eq!((placing.placed_units, placing.placed_amount_minor), (3, 15));
        assert_eq!(placing.placed_cost_minor, 16);
        assert_eq!(placing.too_few, Unplaced { lines: 1, units: 1, amount_minor: 4 });
        assert_eq!(placing.never_bought, Unplaced { lines: 1, units: 5, amount_minor: 10 });
        assert_eq!(placing.bought_later, Unplaced::default());
        assert_eq!(placing.unplaced, Unplaced { lines: 2, units: 6, amount_minor: 14 });
    }

    #[test]
    fn a_note_is_placed_whole_partly_or_not() {
        let mut placing = Placing::default();
        for (wanted, placed) in [(3, 3), (3, 1), (3, 0), (1, 1)] {
            placing.count(wanted, placed);
        }
        assert_eq!((placing.placed_whole, placing.placed_partly, placing.not_placed), (2, 1, 1));
    }

    #[test]
    fn people_and_programs_read_the_same_figures() {
        let report = ReturnsReport {
            credit_notes: 3_407,
            units: 271_501,
            placing: Placing {
                placed_units: 252_926,
                placed_amount_minor: 45_454_288,
                placed_cost_minor: 45_522_957,
                too_few: Unplaced { lines: 82, units: 978, amount_minor: 179_189 },
                ..Placing::default()
            },
            errors: vec!["C1: no".into()],
            ..ReturnsReport::default()
        };
        let mut out = Vec::new();
        print(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for shown in ["3,407", "252,926", "978", "179,189", "68,669 more", "! C1: no"] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        assert!(!text.contains("never bought"), "{text}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["placed_units"], 252_926);
        assert_eq!(json["too_few"]["amount_minor"], 179_189);
    }
}
