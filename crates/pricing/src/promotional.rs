//! Price lists, promotions, coupons and taxes.

use crate::engine::{Basket, BasketLine, Engine, Flaw, Quote, QuotedLine, each_line};
use crate::round::{MILLION, per_million, share};
use crate::rules::{Benefit, Promotion, Rounding, Rules, Target, TaxTable, holds};
use std::collections::{BTreeMap, BTreeSet};

/// The engine with all rules, in this order: price (a price list's, else the product's own), then
/// promotions by rank, each on what the ones before left, then taxes on the rest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promotional;

impl Engine for Promotional {
    fn name(&self) -> &'static str {
        "promotional"
    }

    fn quote(&self, basket: &Basket<'_>, rules: &Rules) -> Result<Quote, Vec<Flaw>> {
        let lines = each_line(basket, |line, shelf| {
            let listed = || rules.list_price(line.sku.as_str(), basket.currency, basket.at);
            let own = || (shelf.currency == basket.currency).then_some(shelf.unit_amount);
            line.unit_amount.or_else(listed).or_else(own)
        });
        let opened = opened(basket, rules);
        let taxes = taxes(basket, rules);
        let (mut lines, opened, taxes) = match (lines, opened, taxes) {
            (Ok(lines), Ok(opened), Ok(taxes)) => (lines, opened, taxes),
            (lines, opened, taxes) => {
                let flaws = [lines.err(), opened.err(), taxes.err().map(|flaw| vec![flaw])];
                return Err(flaws.into_iter().flatten().flatten().collect());
            }
        };
        let promotions = promote(basket, rules, &opened, &mut lines)?;
        if let Some(table) = taxes {
            tax(basket, rules, table, &mut lines);
        }
        Ok(Quote { lines, promotions })
    }
}

/// What a line costs after its discount.
fn net(line: &BasketLine<'_>, quoted: &QuotedLine) -> i64 {
    line.quantity.saturating_mul(quoted.unit_amount).saturating_sub(quoted.discount_amount).max(0)
}

/// The promotions that the basket's coupons open: id, and the coupon's place.
fn opened<'a>(
    basket: &Basket<'_>,
    rules: &'a Rules,
) -> Result<BTreeMap<&'a str, usize>, Vec<Flaw>> {
    let (mut opened, mut flaws) = (BTreeMap::new(), Vec::new());
    for (index, code) in basket.coupons.iter().enumerate() {
        let mut flaw = |detail: String| flaws.push(Flaw::new(format!("/coupons/{index}"), detail));
        let known =
            rules.coupons.get(code).map(|document| &document.rule).filter(|coupon| {
                coupon.active && holds(basket.at, coupon.starts_at, coupon.ends_at)
            });
        let Some(coupon) = known else {
            flaw(format!("there is no coupon {code}, or it does not hold now"));
            continue;
        };
        if coupon.limit_per_customer.is_some() && basket.customer_id.is_none() {
            flaw(format!("the coupon {code} is for customers who are named in customer_id"));
        } else if opened.insert(coupon.promotion.as_str(), index).is_some() {
            flaw(format!("the coupon {code} opens the same promotion as another one"));
        }
    }
    if flaws.is_empty() { Ok(opened) } else { Err(flaws) }
}

/// The promotions that hold, in the order in which they are given.
fn in_order<'a>(
    basket: &Basket<'_>,
    rules: &'a Rules,
    opened: &BTreeMap<&str, usize>,
) -> Vec<(&'a str, &'a Promotion)> {
    let mut given: Vec<(&str, &Promotion)> = rules
        .promotions
        .values()
        .map(|document| (document.id.as_str(), &document.rule))
        .filter(|(id, rule)| {
            rule.active
                && holds(basket.at, rule.starts_at, rule.ends_at)
                && (!rule.coupon_only || opened.contains_key(id))
        })
        .collect();
    // They come by id; the sort keeps that among those of one rank.
    given.sort_by_key(|(_, rule)| rule.rank);
    given
}

/// Takes promotions off the lines; the ids of those that took something off.
///
/// # Errors
/// Coupons that open nothing for this basket.
fn promote(
    basket: &Basket<'_>,
    rules: &Rules,
    opened: &BTreeMap<&str, usize>,
    lines: &mut [QuotedLine],
) -> Result<Vec<String>, Vec<Flaw>> {
    let mut given = Vec::new();
    // A line that its client has priced is closed from the start.
    let mut closed: Vec<bool> = basket.lines.iter().map(BasketLine::is_named).collect();
    let mut touched = vec![false; lines.len()];
    for (id, rule) in in_order(basket, rules, opened) {
        let places: Vec<usize> = (0..lines.len())
            .filter(|place| {
                let is_free = closed.get(*place) == Some(&false)
                    && (rule.stacks || touched.get(*place) == Some(&false));
                is_free
                    && basket.lines.get(*place).is_some_and(|line| fits(&rule.target, line, rules))
            })
            .collect();
        let off = discounts(&rule.benefit, basket, lines, &places);
        if off.iter().all(|amount| *amount == 0) {
            continue;
        }
        for (place, amount) in places.into_iter().zip(off) {
            if let (true, Some(line)) = (amount > 0, lines.get_mut(place)) {
                line.discount_amount += amount;
                touched[place] = true;
                closed[place] = !rule.stacks;
            }
        }
        given.push(id.to_owned());
    }
    let idle = opened.iter().filter(|(id, _)| !given.iter().any(|done| done == *id));
    let flaws: Vec<Flaw> = idle
        .map(|(_, index)| {
            Flaw::new(format!("/coupons/{index}"), "the coupon gives nothing for this order")
        })
        .collect();
    if flaws.is_empty() { Ok(given) } else { Err(flaws) }
}

fn fits(target: &Target, line: &BasketLine<'_>, rules: &Rules) -> bool {
    if target.skus.is_empty() && target.categories.is_empty() {
        return true;
    }
    let category = line.shelf.map_or("", |shelf| shelf.category);
    target.skus.iter().any(|sku| sku == line.sku.as_str())
        || target.categories.iter().any(|wanted| rules.is_within(category, wanted))
}

/// What a benefit takes off each of the lines at `places`, at most what they cost.
fn discounts(
    benefit: &Benefit,
    basket: &Basket<'_>,
    lines: &[QuotedLine],
    places: &[usize],
) -> Vec<i64> {
    let at = |place: &usize| basket.lines.get(*place).zip(lines.get(*place));
    let nets: Vec<i64> = places
        .iter()
        .map(|place| at(place).map_or(0, |(line, quoted)| net(line, quoted)))
        .collect();
    let sum = nets.iter().fold(0_i64, |sum, net| sum.saturating_add(*net));
    match benefit {
        Benefit::Percentage { rate_ppm } => {
            share(per_million(sum, *rate_ppm, Rounding::HalfUp).min(sum), &nets)
        }
        Benefit::Fixed { amount, currency } if *currency == basket.currency => {
            share((*amount).min(sum), &nets)
        }
        Benefit::Fixed { .. } => vec![0; places.len()],
        Benefit::BuyXGetY { buy, get, rate_ppm } => {
            let of_line = |place: &usize| {
                let Some((line, quoted)) = at(place) else { return 0 };
                let cheap = units_got(line.quantity, *buy, *get);
                let worth = cheap.saturating_mul(quoted.unit_amount);
                per_million(worth, *rate_ppm, Rounding::HalfUp)
            };
            places.iter().map(of_line).zip(&nets).map(|(off, net)| off.min(*net)).collect()
        }
        Benefit::Volume { tiers } => {
            let of_line = |place: &usize| {
                let Some((line, quoted)) = at(place) else { return 0 };
                let reached = tiers.iter().filter(|tier| tier.quantity_from <= line.quantity);
                let rate = reached.max_by_key(|tier| tier.quantity_from).map_or(0, |t| t.rate_ppm);
                per_million(net(line, quoted), rate, Rounding::HalfUp)
            };
            places.iter().map(of_line).zip(&nets).map(|(off, net)| off.min(*net)).collect()
        }
    }
}

/// Of so many units those that cost less: `get` of every `buy + get`, and of the rest those beyond
/// `buy`.
fn units_got(quantity: i64, buy: i64, get: i64) -> i64 {
    let (buy, get) = (buy.max(1), get.max(1));
    let group = buy.saturating_add(get);
    let (groups, rest) = (quantity / group, quantity % group);
    groups.saturating_mul(get).saturating_add((rest - buy).max(0))
}

/// The taxes of the basket's jurisdiction.
fn taxes<'a>(basket: &Basket<'_>, rules: &'a Rules) -> Result<Option<&'a TaxTable>, Flaw> {
    let Some(jurisdiction) = basket.jurisdiction else { return Ok(None) };
    let table = rules.tax_tables.get(jurisdiction).filter(|table| table.rule.active);
    table.map(|table| Some(&table.rule)).ok_or_else(|| {
        let detail = format!("there is no tax table for the jurisdiction {jurisdiction}");
        Flaw::new("/jurisdiction", detail)
    })
}

/// Adds taxes: the lines of one rate are taxed together, and the tax is shared out among them.
fn tax(basket: &Basket<'_>, rules: &Rules, table: &TaxTable, lines: &mut [QuotedLine]) {
    let rate_of = |line: &BasketLine<'_>| {
        let category = line.shelf.map_or("", |shelf| shelf.category);
        let nearest = table.rates.iter().filter_map(|rate| match &rate.category {
            Some(wanted) => rules.steps_up(category, wanted).map(|steps| (steps, rate.rate_ppm)),
            None => Some((usize::MAX, rate.rate_ppm)),
        });
        nearest.min_by_key(|(steps, _)| *steps).map_or(0, |(_, rate_ppm)| rate_ppm)
    };
    let rates: Vec<i64> = basket.lines.iter().map(rate_of).collect();
    for rate in rates.iter().copied().collect::<BTreeSet<i64>>() {
        let of_rate = |(place, (line, quoted)): (usize, (&BasketLine<'_>, &QuotedLine))| {
            if rates.get(place) == Some(&rate) { net(line, quoted) } else { 0 }
        };
        let nets: Vec<i64> =
            basket.lines.iter().zip(lines.iter()).enumerate().map(of_rate).collect();
        let sum = nets.iter().fold(0_i64, |sum, net| sum.saturating_add(*net));
        let whole = per_million(sum, rate.min(i64::try_from(MILLION).unwrap_or(0)), table.rounding);
        for (line, part) in lines.iter_mut().zip(share(whole, &nets)) {
            line.tax_amount += part;
        }
    }
}
