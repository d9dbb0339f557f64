//! Price by quantity.

use crate::engine::{Basket, Engine, Flaw, Quote, each_line};
use crate::rules::Rules;

/// The price of the product, times quantity. It knows neither price lists nor promotions nor taxes.
/// A basket that names a coupon is refused: its buyer expects to pay less.
#[derive(Clone, Copy, Debug, Default)]
pub struct Legacy;

impl Engine for Legacy {
    fn name(&self) -> &'static str {
        "legacy"
    }

    fn quote(&self, basket: &Basket<'_>, _: &Rules) -> Result<Quote, Vec<Flaw>> {
        let mut flaws = Vec::new();
        for (index, code) in basket.coupons.iter().enumerate() {
            let detail = format!("the coupon {code} cannot be used with this order's prices");
            flaws.push(Flaw::new(format!("/coupons/{index}"), detail));
        }
        let lines = each_line(basket, |line, shelf| {
            let own = line.unit_amount.unwrap_or(shelf.unit_amount);
            (shelf.currency == basket.currency).then_some(own)
        });
        match lines {
            Ok(lines) if flaws.is_empty() => Ok(Quote { lines, promotions: Vec::new() }),
            Ok(_) => Err(flaws),
            Err(more) => {
                flaws.extend(more);
                Err(flaws)
            }
        }
    }
}
