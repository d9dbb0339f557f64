//! What the accepted orders sold and may come back. Pure: no clock, no I/O.

use std::cmp::Reverse;
use std::collections::HashMap;

use domain::Timestamp;

use super::super::dataset::Order;
use super::notes::{Pairs, moment};

/// An accepted order of which something may come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sold {
    /// The server's name of the order.
    pub(super) id: String,
    /// The file's name of it.
    pub(super) order_ref: String,
    /// ISO 4217 code of its amounts.
    pub(super) currency: String,
    /// When it was bought, if the file says so.
    pub(super) at: Option<Timestamp>,
    /// All its units, line by line.
    pub(super) units: Vec<Units>,
}

/// Some units of one SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Units {
    pub(super) sku: String,
    /// How many, at least 1.
    pub(super) count: u64,
}

/// One line of an order, with what came back of it already.
#[derive(Debug, Clone, Copy)]
struct LotLine {
    quantity: u64,
    unit_amount: i64,
    /// What the customer paid for the line, in minor units.
    total: i64,
    returned: u64,
}

impl LotLine {
    fn left(self) -> u64 {
        self.quantity - self.returned
    }

    /// What the line's first `units` cost: the server's rule, by which the parts of a line add up
    /// to its total however it is cut (`domain::Line::worth`). It is written out here again because
    /// a replay that asked the server's own code what to expect would find no fault in it.
    fn cost_of_first(self, units: u64) -> i64 {
        let share = i128::from(self.total) * i128::from(units) / i128::from(self.quantity.max(1));
        i64::try_from(share).unwrap_or(self.total)
    }

    /// Takes `units` back and tells what they cost.
    fn take(&mut self, units: u64) -> i64 {
        let before = self.cost_of_first(self.returned);
        self.returned += units;
        self.cost_of_first(self.returned) - before
    }
}

/// The units of one SKU in one order.
#[derive(Debug)]
pub(super) struct Lot {
    /// Place of the order in [`Sales::orders`].
    pub(super) order: usize,
    lines: Vec<LotLine>,
}

impl Lot {
    /// Units that have not come back.
    pub(super) fn left(&self) -> u64 {
        self.lines.iter().map(|line| line.left()).sum()
    }

    /// What the next unit that comes back was sold for; `None` when all came back.
    pub(super) fn unit_amount(&self) -> Option<i64> {
        self.lines.iter().find(|line| line.left() > 0).map(|line| line.unit_amount)
    }

    /// Takes up to `units` back, first line first, as the server does. Tells how many there were,
    /// and what they cost in minor units.
    pub(super) fn take(&mut self, units: u64) -> (u64, i64) {
        let (mut taken, mut cost) = (0, 0);
        for line in &mut self.lines {
            let part = line.left().min(units - taken);
            taken += part;
            cost += line.take(part);
        }
        (taken, cost)
    }
}

/// The lines of the accepted orders whose customer and SKU a credit note names. Everything else is
/// forgotten, so that the size of the order file does not matter.
#[derive(Debug, Default)]
pub(in super::super) struct Sales {
    pub(super) orders: Vec<Sold>,
    /// By customer, then SKU. Lots of others are not kept.
    lots: HashMap<String, HashMap<String, Vec<Lot>>>,
}

impl Sales {
    /// Nothing was sold yet; only sales of these SKUs to these customers will be kept.
    pub(in super::super) fn wanted(pairs: Pairs) -> Self {
        let empty = |sku| (sku, Vec::new());
        let lots = pairs
            .into_iter()
            .map(|(customer, skus)| (customer, skus.into_iter().map(empty).collect()))
            .collect();
        Self { orders: Vec::new(), lots }
    }

    /// Notes an accepted order.
    pub(in super::super) fn add(&mut self, order: &Order, id: &str) {
        let Some(skus) = self.lots.get_mut(&order.customer_ref) else { return };
        let place = self.orders.len();
        let mut wanted = false;
        for line in &order.lines {
            let Some(lots) = skus.get_mut(&line.sku) else { continue };
            let sold = LotLine {
                quantity: line.quantity,
                unit_amount: line.unit_amount,
                total: line.gross().unwrap_or_default() - line.discount_amount,
                returned: 0,
            };
            match lots.last_mut().filter(|lot| lot.order == place) {
                Some(lot) => lot.lines.push(sold),
                None => lots.push(Lot { order: place, lines: vec![sold] }),
            }
            wanted = true;
        }
        if wanted {
            let units = order.lines.iter();
            self.orders.push(Sold {
                id: id.to_owned(),
                order_ref: order.order_ref.clone(),
                currency: order.currency.clone(),
                // The first pass over the orders has refused what is no time.
                at: moment(order.timestamp.as_deref()).ok().flatten(),
                units: units
                    .map(|line| Units { sku: line.sku.clone(), count: line.quantity })
                    .collect(),
            });
        }
    }

    /// Puts the latest sale of each customer and SKU first, whatever the order of the answers was.
    pub(super) fn sort(&mut self) {
        let orders = &self.orders;
        let rank = |lot: &Lot| orders.get(lot.order).map(|sold| (sold.at, &sold.order_ref));
        for lots in self.lots.values_mut().flat_map(HashMap::values_mut) {
            lots.sort_by_key(|lot| Reverse(rank(lot)));
        }
    }

    /// The sales of a SKU to a customer, and all orders.
    pub(super) fn of(&mut self, customer: &str, sku: &str) -> (&mut [Lot], &[Sold]) {
        let lots = self.lots.get_mut(customer).and_then(|skus| skus.get_mut(sku));
        (lots.map(Vec::as_mut_slice).unwrap_or_default(), &self.orders)
    }
}
