//! What an engine is given, and what it makes of it.

use crate::Rules;
use domain::{Currency, CustomerId, Sku, Timestamp};

/// What the catalogue says of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shelf<'a> {
    /// Price of one unit, in minor units of `currency`, not negative.
    pub unit_amount: i64,
    /// Currency of the price.
    pub currency: Currency,
    /// The category it belongs to; empty if none.
    pub category: &'a str,
    /// Whether it can be ordered.
    pub active: bool,
}

/// A line of a basket.
#[derive(Clone, Copy, Debug)]
pub struct BasketLine<'a> {
    /// What.
    pub sku: &'a Sku,
    /// How many units, ≥ 1.
    pub quantity: i64,
    /// Price of one unit that the client names, if it may: no engine changes it.
    pub unit_amount: Option<i64>,
    /// Taken off the line by the client, in minor units.
    pub discount_amount: i64,
    /// What the catalogue says; `None` if it does not know the SKU.
    pub shelf: Option<Shelf<'a>>,
}

impl BasketLine<'_> {
    /// Whether the client has priced the line itself: promotions leave it alone.
    pub(crate) const fn is_named(&self) -> bool {
        self.unit_amount.is_some() || self.discount_amount != 0
    }
}

/// What is to be priced.
#[derive(Clone, Debug)]
pub struct Basket<'a> {
    /// Currency of every amount.
    pub currency: Currency,
    /// Who buys.
    pub customer_id: Option<CustomerId>,
    /// Whose taxes are to be paid; none when absent.
    pub jurisdiction: Option<&'a str>,
    /// Codes of coupons, each once.
    pub coupons: &'a [String],
    /// The moment whose prices and rules hold.
    pub at: Timestamp,
    /// What is bought.
    pub lines: Vec<BasketLine<'a>>,
}

/// What a line costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotedLine {
    /// Price of one unit, in minor units.
    pub unit_amount: i64,
    /// Taken off the line, in minor units: at most `quantity × unit_amount`.
    pub discount_amount: i64,
    /// Tax added to the line, in minor units.
    pub tax_amount: i64,
}

/// What a basket costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// One for each line of the basket, in its order.
    pub lines: Vec<QuotedLine>,
    /// Ids of the promotions that took something off, in the order in which they did.
    pub promotions: Vec<String>,
}

impl Quote {
    /// Σ quantity × unit_amount − discount + tax, for the basket that it was made for. What is out
    /// of range is refused when the order is drafted.
    #[must_use]
    pub fn total(&self, basket: &Basket<'_>) -> i128 {
        let lines = basket.lines.iter().zip(&self.lines);
        lines
            .map(|(line, quoted)| {
                i128::from(line.quantity) * i128::from(quoted.unit_amount)
                    - i128::from(quoted.discount_amount)
                    + i128::from(quoted.tax_amount)
            })
            .sum()
    }
}

/// Something in a basket, or in a rule, that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// JSON pointer to it, such as `/lines/0/sku`.
    pub pointer: String,
    /// What is wrong, for people.
    pub detail: String,
}

impl Flaw {
    pub(crate) fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// Flaws told at once, so that a client need not find them one by one.
pub(crate) const FLAWS_MAX: usize = 100;

/// An engine: a pure function from a basket and the rules to a quote.
pub trait Engine: Send + Sync {
    /// Its name, as the flag `pricing.engine` has it.
    fn name(&self) -> &'static str;

    /// Prices every line.
    ///
    /// # Errors
    /// Everything that keeps the basket from being bought, up to 100.
    fn quote(&self, basket: &Basket<'_>, rules: &Rules) -> Result<Quote, Vec<Flaw>>;
}

/// Checks every line and works out what it costs.
pub(crate) fn each_line(
    basket: &Basket<'_>,
    price: impl Fn(&BasketLine<'_>, &Shelf<'_>) -> Option<i64>,
) -> Result<Vec<QuotedLine>, Vec<Flaw>> {
    let mut quoted = Vec::with_capacity(basket.lines.len());
    let mut flaws = Vec::new();
    for (index, line) in basket.lines.iter().enumerate() {
        let place = || format!("/lines/{index}/sku");
        let flaw = match &line.shelf {
            None => Flaw::new(place(), format!("there is no product {}", line.sku)),
            Some(shelf) if !shelf.active => {
                Flaw::new(place(), format!("the product {} is not sold any more", line.sku))
            }
            Some(shelf) => match price(line, shelf) {
                Some(unit_amount) => {
                    let discount_amount = line.discount_amount;
                    quoted.push(QuotedLine { unit_amount, discount_amount, tax_amount: 0 });
                    continue;
                }
                None => {
                    let detail = format!("{} is priced in {}", line.sku, shelf.currency.code());
                    Flaw::new(place(), detail)
                }
            },
        };
        flaws.push(flaw);
        if flaws.len() >= FLAWS_MAX {
            break;
        }
    }
    if flaws.is_empty() { Ok(quoted) } else { Err(flaws) }
}
