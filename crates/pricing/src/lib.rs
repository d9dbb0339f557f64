//! What an order costs: two engines over one basket, and the rules that they apply.
//!
//! [`Legacy`] multiplies price by quantity. [`Promotional`] takes prices from price lists, applies
//! promotions and coupons, and adds taxes. Both are pure: the same basket and the same rules give
//! the same [`Quote`], on any node and at any time; the moment is part of the basket.
//!
//! **Invariant:** no amount of a quote is negative, and no minor unit is gained or lost by rounding:
//! what is worked out for several lines together is shared out among them by largest remainder
//! ([`share`]).

mod check;
mod engine;
mod legacy;
mod promotional;
mod round;
mod rules;

pub use check::{ID_LENGTH_MAX, check_id};
pub use engine::{Basket, BasketLine, Engine, Flaw, Quote, QuotedLine, Shelf};
pub use legacy::Legacy;
pub use promotional::Promotional;
pub use round::{per_million, share};
pub use rules::{
    Benefit, Category, Coupon, Document, Kind, PriceList, Prices, Promotion, Rounding, Rules,
    Target, TaxRate, TaxTable, Tier,
};

#[cfg(test)]
mod tests;
