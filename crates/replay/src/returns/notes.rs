//! The credit notes of a returns file: read one line at a time, like orders, and summed up in a
//! first pass.

use std::collections::{HashMap, HashSet};

use domain::Timestamp;

use super::super::dataset::{Dataset, DatasetError, OrderLine, OrderReader};
use super::super::expected::Totals;

/// One line of the file: goods that came back, and what was given for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CreditNote {
    /// The note's own key in the file; unique.
    pub(super) note_ref: String,
    /// Who gave the goods back.
    pub(super) customer_ref: String,
    /// When, if the file says so.
    pub(super) at: Option<Timestamp>,
    /// ISO 4217 code of every amount.
    pub(super) currency: String,
    /// At least one.
    pub(super) lines: Vec<OrderLine>,
}

/// Reads credit notes one by one; an [`Iterator`] that ends after the first error.
pub(super) struct NoteReader {
    notes: OrderReader,
    broken: bool,
}

impl NoteReader {
    /// From the first note on.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(super) fn open(dataset: &Dataset) -> Result<Option<Self>, DatasetError> {
        Ok(dataset.returns()?.map(|notes| Self { notes, broken: false }))
    }

    fn read(&mut self) -> Result<Option<CreditNote>, DatasetError> {
        let Some(note) = self.notes.next().transpose()? else { return Ok(None) };
        let at =
            moment(note.timestamp.as_deref()).map_err(|problem| self.notes.problem(problem))?;
        Ok(Some(CreditNote {
            note_ref: note.order_ref,
            customer_ref: note.customer_ref,
            at,
            currency: note.currency,
            lines: note.lines,
        }))
    }
}

impl Iterator for NoteReader {
    type Item = Result<CreditNote, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let note = self.read();
        self.broken = note.is_err();
        note.transpose()
    }
}

/// The moment that a file names, or what is wrong with it.
pub(in super::super) fn moment(text: Option<&str>) -> Result<Option<Timestamp>, String> {
    let parse = |text: &str| {
        let moment = Timestamp::parse(text);
        moment.ok_or_else(|| format!("the timestamp `{text}` is not an RFC 3339 time"))
    };
    text.map(parse).transpose()
}

/// SKUs by customer.
pub(in super::super) type Pairs = HashMap<String, HashSet<String>>;

/// What the first pass over the returns found.
#[derive(Debug, Default)]
pub(in super::super) struct NoteScan {
    /// The file's own sums.
    pub(in super::super) totals: Totals,
    /// Who gave what back.
    pub(in super::super) pairs: Pairs,
}

impl NoteScan {
    /// Reads all credit notes; `None` when the dataset has no returns.
    ///
    /// # Errors
    /// A line is broken, its timestamp is no time, or a note comes twice.
    pub(in super::super) fn of(dataset: &Dataset) -> Result<Option<Self>, DatasetError> {
        let Some(mut notes) = NoteReader::open(dataset)? else { return Ok(None) };
        let mut scan = Self::default();
        let mut refs = HashSet::new();
        let mut skus = HashSet::new();
        while let Some(note) = notes.next().transpose()? {
            scan.add(&note);
            skus.extend(note.lines.iter().map(|line| line.sku.clone()));
            if let Some(twice) = refs.replace(note.note_ref) {
                return Err(notes.notes.problem(format!("order_ref {twice} was there before")));
            }
        }
        scan.totals.customers = scan.pairs.len() as u64;
        scan.totals.skus = skus.len() as u64;
        Ok(Some(scan))
    }

    fn add(&mut self, note: &CreditNote) {
        let totals = &mut self.totals;
        totals.orders += 1;
        totals.lines += note.lines.len() as u64;
        let skus = self.pairs.entry(note.customer_ref.clone()).or_default();
        for line in &note.lines {
            let gross = line.gross().unwrap_or_default();
            totals.units += line.quantity;
            totals.gross_minor += gross;
            totals.discount_minor += line.discount_amount;
            totals.total_minor += gross - line.discount_amount;
            skus.insert(line.sku.clone());
        }
    }
}

#[cfg(test)]
#[path = "notes_tests.rs"]
mod tests;
