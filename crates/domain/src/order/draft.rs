//! From what a client asks for to an order that may exist: the checks that need no database.

use super::{Line, PaymentPlan, Pricing};
use crate::event::Placed;
use crate::{AMOUNT_MAX_MINOR, CustomerId, Sku};
use iso_currency::Currency;
use serde_json::{Map, Value};

/// A line as asked for, with its price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineItem {
    /// What.
    pub sku: Sku,
    /// How many units.
    pub quantity: i64,
    /// Price of one unit, in minor units.
    pub unit_amount: i64,
    /// Taken off the whole line, in minor units.
    pub discount_amount: i64,
    /// Tax added to the line, in minor units.
    pub tax_amount: i64,
}

/// An order as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The client's own name of the order.
    pub external_ref: Option<String>,
    /// Who orders.
    pub customer_id: Option<CustomerId>,
    /// Currency of every amount.
    pub currency: Currency,
    /// What is ordered.
    pub items: Vec<LineItem>,
    /// How it is to be paid.
    pub payment: PaymentPlan,
    /// The client's own data.
    pub metadata: Map<String, Value>,
    /// How it was priced, if not simply by price and quantity.
    pub pricing: Option<Box<Pricing>>,
}

/// Why a draft cannot become an order. `line` counts from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// No line.
    #[error("an order needs at least one line")]
    NoLines,
    /// A quantity below 1 or beyond [`AMOUNT_MAX_MINOR`].
    #[error("a quantity is a whole number from 1")]
    Quantity {
        /// The line.
        line: usize,
    },
    /// A negative price.
    #[error("a unit amount is a whole number of minor units, not negative")]
    UnitAmount {
        /// The line.
        line: usize,
    },
    /// A negative tax.
    #[error("a tax is not negative")]
    Tax {
        /// The line.
        line: usize,
    },
    /// A negative discount, or one above the line's price.
    #[error("a discount is not negative and at most the line's price")]
    Discount {
        /// The line.
        line: usize,
    },
    /// A line or the whole order above [`AMOUNT_MAX_MINOR`].
    #[error("the amount is too large")]
    TooLarge {
        /// The line at which the sum left the range.
        line: usize,
    },
}

impl Draft {
    /// Checks every number and makes the order's first event.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn place(self) -> Result<Placed, DraftError> {
        if self.items.is_empty() {
            return Err(DraftError::NoLines);
        }
        let mut lines = Vec::with_capacity(self.items.len());
        let (mut subtotal, mut tax) = (0_i64, 0_i64);
        for (index, item) in self.items.into_iter().enumerate() {
            let (line, price) = priced(item, index)?;
            tax = tax.saturating_add(line.tax_amount);
            subtotal = subtotal
                .checked_add(price)
                .filter(|sum| sum.saturating_add(tax) <= AMOUNT_MAX_MINOR)
                .ok_or(DraftError::TooLarge { line: index })?;
            lines.push(line);
        }
        Ok(Placed {
            external_ref: self.external_ref,
            customer_id: self.customer_id,
            currency: self.currency,
            lines,
            payment: self.payment,
            metadata: self.metadata,
            pricing: self.pricing,
        })
    }
}

/// The line and its price before the discount.
fn priced(item: LineItem, line: usize) -> Result<(Line, i64), DraftError> {
    if !(1..=AMOUNT_MAX_MINOR).contains(&item.quantity) {
        return Err(DraftError::Quantity { line });
    }
    if item.unit_amount < 0 {
        return Err(DraftError::UnitAmount { line });
    }
    let price = item
        .quantity
        .checked_mul(item.unit_amount)
        .filter(|price| *price <= AMOUNT_MAX_MINOR)
        .ok_or(DraftError::TooLarge { line })?;
    if !(0..=price).contains(&item.discount_amount) {
        return Err(DraftError::Discount { line });
    }
    if !(0..=AMOUNT_MAX_MINOR).contains(&item.tax_amount) {
        return Err(DraftError::Tax { line });
    }
    let line = Line {
        sku: item.sku,
        quantity: item.quantity,
        unit_amount: item.unit_amount,
        discount_amount: item.discount_amount,
        tax_amount: item.tax_amount,
        amount_total: price - item.discount_amount + item.tax_amount,
        quantity_shipped: 0,
        quantity_cancelled: 0,
        quantity_returned: 0,
        quantity_refunded: 0,
    };
    Ok((line, price))
}
