//! What rules may be.

use crate::engine::Flaw;
use crate::rules::{
    Benefit, Category, Coupon, PriceList, Promotion, Target, TaxRate, TaxTable, Tier,
};
use domain::{AMOUNT_MAX_MINOR, Timestamp};
use std::collections::BTreeSet;

/// Longest id of a rule, in bytes of UTF-8.
pub const ID_LENGTH_MAX: usize = 200;

const NAME_LENGTH_MAX: usize = 200;
const RANK_MAX: i64 = 1_000_000;
const RATE_MAX: i64 = 1_000_000;
const SKUS_MAX: usize = 1_000;
const CATEGORIES_MAX: usize = 100;
const RATES_MAX: usize = 100;
const TIERS_MAX: usize = 20;

/// Whether a text can name a rule.
#[must_use]
pub fn check_id(id: &str) -> bool {
    (1..=ID_LENGTH_MAX).contains(&id.len()) && !id.chars().any(char::is_control) && id.trim() == id
}

#[derive(Default)]
struct Flaws(Vec<Flaw>);

impl Flaws {
    fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Flaw::new(pointer, detail));
    }

    fn name(&mut self, name: &str) {
        let length = name.chars().count();
        if !(1..=NAME_LENGTH_MAX).contains(&length) || name.chars().any(char::is_control) {
            self.add("/name", "must be 1 to 200 printable characters");
        }
    }

    fn id(&mut self, pointer: &str, id: &str) {
        if !check_id(id) {
            self.add(pointer, "must be 1 to 200 bytes of printable text without outer spaces");
        }
    }

    fn within(&mut self, pointer: impl Into<String>, number: i64, least: i64, most: i64) {
        if !(least..=most).contains(&number) {
            self.add(pointer, format!("must be a whole number from {least} to {most}"));
        }
    }

    fn at_most(&mut self, pointer: &str, length: usize, most: usize) {
        if length > most {
            self.add(pointer, format!("has at most {most} entries"));
        }
    }

    fn period(&mut self, starts_at: Option<Timestamp>, ends_at: Option<Timestamp>) {
        if starts_at.zip(ends_at).is_some_and(|(start, end)| end <= start) {
            self.add("/ends_at", "must be later than starts_at");
        }
    }
}

impl Category {
    /// What is wrong with it by itself.
    #[must_use]
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Flaws::default();
        flaws.name(&self.name);
        if let Some(parent) = &self.parent {
            flaws.id("/parent", parent);
        }
        flaws.0
    }
}

impl PriceList {
    /// What is wrong with it by itself.
    #[must_use]
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Flaws::default();
        flaws.name(&self.name);
        flaws.within("/priority", self.priority, -RANK_MAX, RANK_MAX);
        flaws.period(self.starts_at, self.ends_at);
        flaws.0
    }
}

impl Promotion {
    /// What is wrong with it by itself.
    #[must_use]
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Flaws::default();
        flaws.name(&self.name);
        flaws.within("/rank", self.rank, -RANK_MAX, RANK_MAX);
        flaws.period(self.starts_at, self.ends_at);
        let Target { skus, categories } = &self.target;
        flaws.at_most("/target/skus", skus.len(), SKUS_MAX);
        flaws.at_most("/target/categories", categories.len(), CATEGORIES_MAX);
        match &self.benefit {
            Benefit::Percentage { rate_ppm } => {
                flaws.within("/benefit/rate_ppm", *rate_ppm, 1, RATE_MAX);
            }
            Benefit::Fixed { amount, .. } => {
                flaws.within("/benefit/amount", *amount, 1, AMOUNT_MAX_MINOR);
            }
            Benefit::BuyXGetY { buy, get, rate_ppm } => {
                flaws.within("/benefit/buy", *buy, 1, RANK_MAX);
                flaws.within("/benefit/get", *get, 1, RANK_MAX);
                flaws.within("/benefit/rate_ppm", *rate_ppm, 1, RATE_MAX);
            }
            Benefit::Volume { tiers } => tiers_of(tiers, &mut flaws),
        }
        flaws.0
    }
}

fn tiers_of(tiers: &[Tier], flaws: &mut Flaws) {
    if tiers.is_empty() {
        flaws.add("/benefit/tiers", "must have at least one entry");
    }
    flaws.at_most("/benefit/tiers", tiers.len(), TIERS_MAX);
    for (index, tier) in tiers.iter().enumerate() {
        let place = |member: &str| format!("/benefit/tiers/{index}/{member}");
        flaws.within(place("quantity_from"), tier.quantity_from, 1, AMOUNT_MAX_MINOR);
        flaws.within(place("rate_ppm"), tier.rate_ppm, 1, RATE_MAX);
    }
    if !tiers.is_sorted_by(|a, b| a.quantity_from < b.quantity_from) {
        flaws.add("/benefit/tiers", "must stand by rising quantity_from");
    }
}

impl Coupon {
    /// What is wrong with it by itself.
    #[must_use]
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Flaws::default();
        flaws.id("/promotion", &self.promotion);
        flaws.period(self.starts_at, self.ends_at);
        if let Some(limit) = self.limit {
            flaws.within("/limit", limit, 1, AMOUNT_MAX_MINOR);
        }
        if let Some(limit) = self.limit_per_customer {
            flaws.within("/limit_per_customer", limit, 1, AMOUNT_MAX_MINOR);
        }
        flaws.0
    }
}

impl TaxTable {
    /// What is wrong with it by itself.
    #[must_use]
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Flaws::default();
        flaws.name(&self.name);
        if self.rates.is_empty() {
            flaws.add("/rates", "must have at least one entry");
        }
        flaws.at_most("/rates", self.rates.len(), RATES_MAX);
        let mut seen = BTreeSet::new();
        for (index, TaxRate { category, rate_ppm }) in self.rates.iter().enumerate() {
            flaws.within(format!("/rates/{index}/rate_ppm"), *rate_ppm, 0, RATE_MAX);
            if !seen.insert(category) {
                flaws.add(format!("/rates/{index}/category"), "stands more than once");
            }
        }
        flaws.0
    }
}
