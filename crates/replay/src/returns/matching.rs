//! Which order a credit note is for. Pure: no clock, no I/O.
//!
//! The file does not say it. A note is placed on orders of the same customer, SKU and currency
//! that were bought no later than the note was written and that have units left; first on those
//! sold at the note's own price, and among these on the latest. What finds no order is told, not
//! invented.
//!
//! When a replay leaves out the orders after a certain one, it leaves out the notes after it as well:
//! their orders may be among those that were left out.

use std::collections::HashMap;

use domain::Timestamp;

use super::notes::CreditNote;
use super::report::{Placing, Why};
use super::sales::{Sales, Sold, Units};
use crate::dataset::OrderLine;

/// What comes back to one order with one credit note: one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Coming {
    /// The credit note.
    pub(super) note_ref: String,
    pub(super) units: Vec<Units>,
    /// What these units cost when they were bought, in minor units: what the server must refund.
    pub(super) cost: i64,
}

/// An order and all that comes back to it, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) order: Sold,
    pub(super) returns: Vec<Coming>,
}

/// All that is to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) jobs: Vec<Job>,
    /// What was placed, and what was not.
    pub(super) placing: Placing,
}

/// Places credit notes one after the other. What one takes is gone for the next.
#[derive(Debug)]
pub(super) struct Matcher {
    sales: Sales,
    /// Notes that were written later are not placed.
    until: Option<Timestamp>,
    plan: Plan,
    /// Place in `plan.jobs`, by place of the order in the sales.
    jobs: HashMap<usize, usize>,
}

impl Matcher {
    pub(super) fn new(mut sales: Sales, until: Option<Timestamp>) -> Self {
        sales.sort();
        Self { sales, until, plan: Plan::default(), jobs: HashMap::new() }
    }

    /// Places one note.
    pub(super) fn place(&mut self, note: &CreditNote) {
        let mut parts: Vec<(usize, Coming)> = Vec::new();
        let (mut wanted, mut placed) = (0, 0);
        for line in &note.lines {
            let found = if is_after(note, self.until) {
                Found { why: Some(Why::AfterTheEnd), ..Found::default() }
            } else {
                find(&mut self.sales, note, line, &mut parts)
            };
            wanted += line.quantity;
            placed += found.units;
            self.plan.placing.add(line, &found);
        }
        self.plan.placing.count(wanted, placed);
        for (order, coming) in parts {
            self.push(order, coming);
        }
    }

    fn push(&mut self, order: usize, coming: Coming) {
        let jobs = &mut self.plan.jobs;
        if let Some(job) = self.jobs.get(&order).and_then(|place| jobs.get_mut(*place)) {
            job.returns.push(coming);
        } else if let Some(sold) = self.sales.orders.get(order) {
            self.jobs.insert(order, jobs.len());
            jobs.push(Job { order: sold.clone(), returns: vec![coming] });
        }
    }

    /// All that was placed.
    pub(super) fn finish(self) -> Plan {
        self.plan
    }
}

/// What was found for one line of a note.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Units that an order was found for.
    pub(super) units: u64,
    /// Of these, units that were sold at another price than the note's.
    pub(super) at_other_price: u64,
    /// What the customer had paid for them, in minor units.
    pub(super) cost: i64,
    /// Why not all were found; only then.
    pub(super) why: Option<Why>,
}

/// Takes the units of one line from the orders, and adds them to what comes back to each.
fn find(
    sales: &mut Sales,
    note: &CreditNote,
    line: &OrderLine,
    parts: &mut Vec<(usize, Coming)>,
) -> Found {
    let mut found = Found::default();
    let (lots, orders) = sales.of(&note.customer_ref, &line.sku);
    let bought = !lots.is_empty();
    let mut bought_before = false;
    // At the note's price first: a customer is given back what was paid, so the price tells.
    for same_price in [true, false] {
        for lot in lots.iter_mut() {
            if !orders.get(lot.order).is_some_and(|sold| may_be_for(note, sold)) {
                continue;
            }
            bought_before = true;
            let missing = line.quantity - found.units;
            if missing == 0 || lot.left() == 0 {
                continue;
            }
            if (lot.unit_amount() == Some(line.unit_amount)) != same_price {
                continue;
            }
            let (count, cost) = lot.take(missing);
            found.units += count;
            found.cost += cost;
            found.at_other_price += if same_price { 0 } else { count };
            let units = Units { sku: line.sku.clone(), count };
            match parts.iter_mut().find(|(order, _)| *order == lot.order) {
                Some((_, coming)) => {
                    coming.units.push(units);
                    coming.cost += cost;
                }
                None => {
                    let note_ref = note.note_ref.clone();
                    parts.push((lot.order, Coming { note_ref, units: vec![units], cost }));
                }
            }
        }
    }
    found.why = (found.units < line.quantity).then_some(match (bought, bought_before) {
        (false, _) => Why::NeverBought,
        (true, false) => Why::BoughtLater,
        (true, true) => Why::TooFew,
    });
    found
}

fn is_after(note: &CreditNote, until: Option<Timestamp>) -> bool {
    matches!((note.at, until), (Some(at), Some(until)) if at > until)
}

/// Whether the note can be for this order, by time and currency.
fn may_be_for(note: &CreditNote, sold: &Sold) -> bool {
    let in_time = match (sold.at, note.at) {
        (Some(sold), Some(returned)) => sold <= returned,
        _ => true,
    };
    in_time && sold.currency == note.currency
}

#[cfg(test)]
#[path = "matching_tests.rs"]
mod tests;
