//! What must hold for every basket, and examples worked out by hand.

use super::*;
use domain::{Currency, CustomerId, Sku, Timestamp};
use proptest::prelude::*;
use std::sync::Arc;

const NOW: Timestamp = Timestamp::from_micros(1_000_000);

fn document<T>(id: &str, rule: T) -> (String, Arc<Document<T>>) {
    let document = Document { id: id.to_owned(), rule, revision: 1, updated_at: NOW };
    (id.to_owned(), Arc::new(document))
}

fn promotion(benefit: Benefit) -> Promotion {
    Promotion {
        name: "p".to_owned(),
        benefit,
        target: Target::default(),
        coupon_only: false,
        stacks: true,
        rank: 0,
        starts_at: None,
        ends_at: None,
        active: true,
    }
}

fn percent(rate_ppm: i64) -> Promotion {
    promotion(Benefit::Percentage { rate_ppm })
}

fn coupon(promotion: &str) -> Coupon {
    Coupon {
        promotion: promotion.to_owned(),
        limit: None,
        limit_per_customer: None,
        starts_at: None,
        ends_at: None,
        active: true,
    }
}

fn table(rates: &[(Option<&str>, i64)], rounding: Rounding) -> TaxTable {
    let rate = |(category, rate_ppm): &(Option<&str>, i64)| TaxRate {
        category: category.map(str::to_owned),
        rate_ppm: *rate_ppm,
    };
    let rates = rates.iter().map(rate).collect();
    TaxTable { name: "t".to_owned(), rates, rounding, active: true }
}

/// SKU, quantity, price, category.
type Row = (String, i64, i64, String);

fn rows(rows: &[(&str, i64, i64, &str)]) -> Vec<Row> {
    let own = |(sku, quantity, price, category): &(&str, i64, i64, &str)| {
        ((*sku).to_owned(), *quantity, *price, (*category).to_owned())
    };
    rows.iter().map(own).collect()
}

struct Sold {
    skus: Vec<Sku>,
    rows: Vec<Row>,
    coupons: Vec<String>,
    jurisdiction: Option<String>,
    customer_id: Option<CustomerId>,
}

impl Sold {
    fn new(rows: Vec<Row>) -> Self {
        let skus = rows.iter().map(|row| Sku::parse(row.0.clone()).expect("a SKU")).collect();
        Self { skus, rows, coupons: Vec::new(), jurisdiction: None, customer_id: None }
    }

    fn basket(&self) -> Basket<'_> {
        let line = |(sku, row): (_, &'_ Row)| -> (_, i64, i64) { (sku, row.1, row.2) };
        let lines = self.skus.iter().zip(&self.rows).map(|(sku, row)| {
            let (sku, quantity, unit_amount) = line((sku, row));
            let shelf =
                Shelf { unit_amount, currency: Currency::USD, category: &row.3, active: true };
            let shelf = Some(shelf);
            BasketLine { sku, quantity, unit_amount: None, discount_amount: 0, shelf }
        });
        Basket {
            currency: Currency::USD,
            customer_id: self.customer_id,
            jurisdiction: self.jurisdiction.as_deref(),
            coupons: &self.coupons,
            at: NOW,
            lines: lines.collect(),
        }
    }

    fn quote(&self, rules: &Rules) -> Result<Quote, Vec<Flaw>> {
        Promotional.quote(&self.basket(), rules)
    }
}

fn offs(quote: &Quote) -> Vec<i64> {
    quote.lines.iter().map(|line| line.discount_amount).collect()
}

fn taxes(quote: &Quote) -> Vec<i64> {
    quote.lines.iter().map(|line| line.tax_amount).collect()
}

#[test]
fn shares_go_to_the_largest_remainders() {
    assert_eq!(share(100, &[1, 1, 1]), [34, 33, 33]);
    assert_eq!(share(10, &[3, 0, 7]), [3, 0, 7]);
    assert_eq!(share(5, &[0, 0]), [0, 0]);
    assert_eq!(share(0, &[5, 5]), [0, 0]);
    // 0.2, 0.4 and 0.4 of 1: the first of the largest fractions.
    assert_eq!(share(1, &[1, 2, 2]), [0, 1, 0]);
}

#[test]
fn rates_are_rounded_as_stated() {
    for (amount, rounding, expected) in [
        (5, Rounding::HalfUp, 3),
        (5, Rounding::HalfEven, 2),
        (7, Rounding::HalfEven, 4),
        (5, Rounding::Down, 2),
        (i64::MAX, Rounding::Down, i64::MAX / 2),
    ] {
        assert_eq!(per_million(amount, 500_000, rounding), expected, "{amount} {rounding:?}");
    }
}

#[test]
fn prices_come_from_the_best_list_that_holds() {
    let list = |priority, ends_at| PriceList {
        name: "l".to_owned(),
        currency: Currency::USD,
        starts_at: None,
        ends_at,
        priority,
        active: true,
    };
    let mut rules = Rules::default();
    let later = Some(NOW.plus_seconds(1));
    rules.price_lists.extend([document("a", list(0, later)), document("b", list(5, later))]);
    rules.price_lists.extend([document("over", list(9, Some(NOW)))]);
    let euro = PriceList { currency: Currency::EUR, ..list(99, None) };
    rules.price_lists.extend([document("euro", euro)]);
    for (id, price) in [("a", 80), ("b", 70), ("over", 1), ("euro", 2)] {
        rules.prices.insert(id.to_owned(), Arc::new([("A".into(), price)].into()));
    }
    let sold = Sold::new(rows(&[("A", 1, 100, ""), ("B", 1, 100, "")]));
    let units: Vec<i64> =
        sold.quote(&rules).expect("priced").lines.iter().map(|line| line.unit_amount).collect();
    assert_eq!(units, [70, 100]);
    let mut basket = sold.basket();
    basket.currency = Currency::EUR;
    basket.lines.truncate(1);
    let quote = Promotional.quote(&basket, &rules).expect("the list has a price in euros");
    assert_eq!(quote.lines[0].unit_amount, 2);
    let flaws = Legacy.quote(&basket, &rules).expect_err("the product has none");
    assert_eq!(flaws[0].pointer, "/lines/0/sku");
}

#[test]
fn promotions_stack_by_rank_unless_they_do_not() {
    let sold = Sold::new(rows(&[("A", 3, 100, ""), ("B", 1, 50, "")]));
    let mut rules = Rules::default();
    rules.promotions.extend([document("z", percent(100_000))]);
    let dollar = Benefit::Fixed { amount: 70, currency: Currency::USD };
    rules.promotions.extend([document("y", Promotion { rank: 1, ..promotion(dollar) })]);
    let quote = sold.quote(&rules).expect("priced");
    // 10 % of 350 is 35: 30 and 5. Then 70 of 270 + 45.
    assert_eq!(offs(&quote), [30 + 60, 5 + 10]);
    assert_eq!(quote.promotions, ["z", "y"]);
    let alone = Promotion {
        stacks: false,
        rank: -1,
        target: Target { skus: vec!["B".to_owned()], categories: Vec::new() },
        ..percent(500_000)
    };
    rules.promotions.extend([document("alone", alone)]);
    let quote = sold.quote(&rules).expect("priced");
    // B is closed at 25 off; A has 30, then all 70.
    assert_eq!(offs(&quote), [100, 25]);
}

#[test]
fn of_every_three_units_one_is_free_and_volume_counts_by_line() {
    let mut rules = Rules::default();
    let three_for_two = Benefit::BuyXGetY { buy: 2, get: 1, rate_ppm: 1_000_000 };
    rules.promotions.extend([document("p", promotion(three_for_two))]);
    for (units, free) in [(1, 0), (2, 0), (3, 1), (5, 1), (6, 2), (8, 2), (9, 3)] {
        let sold = Sold::new(rows(&[("A", units, 100, "")]));
        assert_eq!(offs(&sold.quote(&rules).expect("priced")), [free * 100], "{units}");
    }
    let tier = |quantity_from, rate_ppm| Tier { quantity_from, rate_ppm };
    let volume = Benefit::Volume { tiers: vec![tier(5, 100_000), tier(10, 200_000)] };
    let rules = Rules { promotions: [document("v", promotion(volume))].into(), ..Rules::default() };
    let sold = Sold::new(rows(&[("A", 4, 10, ""), ("B", 5, 10, ""), ("C", 10, 10, "")]));
    assert_eq!(offs(&sold.quote(&rules).expect("priced")), [0, 5, 20]);
}

#[test]
fn coupons_open_promotions_or_say_why_not() {
    let mut rules = Rules::default();
    let closed = Promotion { coupon_only: true, ..percent(100_000) };
    let only_b = Target { skus: vec!["B".to_owned()], categories: Vec::new() };
    let for_b = Promotion { target: only_b, ..closed.clone() };
    rules.promotions.extend([document("ten", closed), document("b", for_b)]);
    let limited = Coupon { limit_per_customer: Some(1), ..coupon("ten") };
    let over = Coupon { ends_at: Some(NOW), ..coupon("ten") };
    rules.coupons.extend([document("TEN", coupon("ten")), document("ONCE", limited)]);
    rules.coupons.extend([document("OVER", over), document("B", coupon("b"))]);
    let mut sold = Sold::new(rows(&[("A", 1, 100, "")]));
    assert_eq!(offs(&sold.quote(&rules).expect("priced")), [0]);
    let mut with = |codes: &[&str]| {
        sold.coupons = codes.iter().map(|code| (*code).to_owned()).collect();
        sold.quote(&rules)
    };
    assert_eq!(offs(&with(&["TEN"]).expect("priced")), [10]);
    for codes in [&["NO"] as &[&str], &["OVER"], &["ONCE"], &["B"], &["TEN", "ONCE"]] {
        let flaws = with(codes).expect_err("refused");
        assert_eq!(flaws[0].pointer, format!("/coupons/{}", codes.len() - 1), "{codes:?}");
    }
    sold.coupons = vec!["TEN".to_owned()];
    let flaws = Legacy.quote(&sold.basket(), &rules).expect_err("it knows no coupons");
    assert_eq!(flaws[0].pointer, "/coupons/0");
}

#[test]
fn taxes_are_rounded_once_per_rate_and_shared_out() {
    let mut rules = Rules::default();
    let food = Category { name: "Food".to_owned(), parent: None };
    let milk = Category { name: "Milk".to_owned(), parent: Some("food".to_owned()) };
    rules.categories.extend([document("food", food), document("milk", milk)]);
    let nyc = table(&[(None, 88_750), (Some("food"), 20_000)], Rounding::HalfUp);
    rules.tax_tables.extend([document("US-NYC", nyc)]);
    let mut sold =
        Sold::new(rows(&[("A", 1, 99, "toys"), ("B", 1, 99, "toys"), ("C", 1, 130, "milk")]));
    sold.jurisdiction = Some("US-NYC".to_owned());
    // 8.875 % of 198 is 17.5725, so 18: 9 each, where each by itself would have 8.786, so 9.
    // 2 % of 130 is 2.6, so 3.
    assert_eq!(taxes(&sold.quote(&rules).expect("priced")), [9, 9, 3]);
    sold.jurisdiction = Some("XX".to_owned());
    assert_eq!(sold.quote(&rules).expect_err("unknown")[0].pointer, "/jurisdiction");
}

#[test]
fn what_the_client_has_priced_is_left_alone() {
    let rules = Rules { promotions: [document("p", percent(500_000))].into(), ..Rules::default() };
    let sold = Sold::new(rows(&[("A", 2, 100, ""), ("B", 1, 100, "")]));
    let mut basket = sold.basket();
    basket.lines[0].unit_amount = Some(7);
    basket.lines[0].discount_amount = 1;
    let quote = Promotional.quote(&basket, &rules).expect("priced");
    assert_eq!((quote.lines[0].unit_amount, quote.lines[0].discount_amount), (7, 1));
    assert_eq!(quote.lines[1].discount_amount, 50);
}

#[test]
fn rules_are_checked() {
    let bad = Promotion { name: String::new(), rank: 2_000_000, ..percent(0) };
    let pointers: Vec<String> = bad.flaws().into_iter().map(|flaw| flaw.pointer).collect();
    assert_eq!(pointers, ["/name", "/rank", "/benefit/rate_ppm"]);
    let tier = |quantity_from| Tier { quantity_from, rate_ppm: 1 };
    let unsorted = Benefit::Volume { tiers: vec![tier(5), tier(5)] };
    assert_eq!(promotion(unsorted).flaws()[0].pointer, "/benefit/tiers");
    let twice = table(&[(None, 1), (None, 2)], Rounding::Down);
    assert_eq!(twice.flaws()[0].pointer, "/rates/1/category");
    let backwards = Coupon { starts_at: Some(NOW), ends_at: Some(NOW), ..coupon("p") };
    assert_eq!(backwards.flaws()[0].pointer, "/ends_at");
    assert!(check_id("Öl 1/2") && !check_id(" a") && !check_id("") && !check_id("a\n"));
}

fn any_benefit() -> impl Strategy<Value = Benefit> {
    prop_oneof![
        (1_i64..=1_000_000).prop_map(|rate_ppm| Benefit::Percentage { rate_ppm }),
        (1_i64..5_000).prop_map(|amount| Benefit::Fixed { amount, currency: Currency::USD }),
        (1_i64..4, 1_i64..4, 1_i64..=1_000_000)
            .prop_map(|(buy, get, rate_ppm)| Benefit::BuyXGetY { buy, get, rate_ppm }),
        (1_i64..10, 1_i64..=1_000_000).prop_map(|(quantity_from, rate_ppm)| Benefit::Volume {
            tiers: vec![Tier { quantity_from, rate_ppm }]
        }),
    ]
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let promotions = prop::collection::vec((any_benefit(), any::<bool>(), -2_i64..2), 0..5);
    let rates = (0_i64..=300_000, 0_i64..=300_000);
    let rounding =
        prop_oneof![Just(Rounding::HalfUp), Just(Rounding::HalfEven), Just(Rounding::Down)];
    (promotions, rates, rounding).prop_map(|(promotions, (all, food), rounding)| {
        let mut rules = Rules::default();
        for (index, (benefit, stacks, rank)) in promotions.into_iter().enumerate() {
            let rule = Promotion { stacks, rank, ..promotion(benefit) };
            rules.promotions.extend([document(&format!("p{index}"), rule)]);
        }
        let rates = [(None, all), (Some("food"), food)];
        rules.tax_tables.extend([document("T", table(&rates, rounding))]);
        rules
    })
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (0_u8..4, 1_i64..30, 0_i64..100_000, prop_oneof![Just(""), Just("food")]);
    let row = row.prop_map(|(sku, quantity, price, category)| {
        (format!("S{sku}"), quantity, price, category.to_owned())
    });
    prop::collection::vec(row, 1..12)
}

proptest! {
    /// The shares add up, none is negative, none is more than a unit away from its exact part, and
    /// none is above its weight as long as there is enough for all.
    #[test]
    fn sharing_loses_nothing(total in 0_i64..10_000_000, weights in prop::collection::vec(0_i64..1_000_000, 1..40)) {
        let shares = share(total, &weights);
        let sum: i64 = weights.iter().sum();
        prop_assert_eq!(shares.iter().sum::<i64>(), if sum == 0 { 0 } else { total });
        for (share, weight) in shares.iter().zip(&weights).filter(|_| sum > 0) {
            let exact = i128::from(total) * i128::from(*weight);
            let away = i128::from(*share) * i128::from(sum) - exact;
            prop_assert!(away.abs() < i128::from(sum), "{} of {}", share, weight);
            prop_assert!(*share >= 0 && (total > sum || share <= weight));
        }
    }

    /// No amount is negative, no discount is above its line's price, and the lines make the order:
    /// its tax is what the rates give for all lines of a rate together.
    #[test]
    fn totals_are_never_negative_and_lines_sum_to_the_order(rows in any_rows(), rules in any_rules()) {
        let mut sold = Sold::new(rows);
        sold.jurisdiction = Some("T".to_owned());
        let quote = sold.quote(&rules).expect("priced");
        prop_assert_eq!(quote.lines.len(), sold.rows.len());
        for (line, row) in quote.lines.iter().zip(&sold.rows) {
            prop_assert!(line.tax_amount >= 0 && line.unit_amount == row.2);
            prop_assert!((0..=row.1 * row.2).contains(&line.discount_amount));
        }
        let total = quote.total(&sold.basket());
        let by_line: i64 = quote.lines.iter().zip(&sold.rows)
            .map(|(line, row)| row.1 * row.2 - line.discount_amount + line.tax_amount).sum();
        prop_assert_eq!(total, i128::from(by_line));
        prop_assert!(total >= 0);
        let tax_table = &rules.tax_tables["T"].rule;
        for (category, rate) in [("", tax_table.rates[0].rate_ppm), ("food", tax_table.rates[1].rate_ppm)] {
            if tax_table.rates[0].rate_ppm == tax_table.rates[1].rate_ppm { continue; }
            let of = || quote.lines.iter().zip(&sold.rows).filter(move |(_, row)| row.3 == category);
            let net: i64 = of().map(|(line, row)| row.1 * row.2 - line.discount_amount).sum();
            let taxed: i64 = of().map(|(line, _)| line.tax_amount).sum();
            prop_assert_eq!(taxed, per_million(net, rate, tax_table.rounding));
        }
    }

    /// The same basket costs the same again, and without rules what it costs at the old engine.
    #[test]
    fn engines_are_pure_and_agree_without_rules(rows in any_rows(), rules in any_rules()) {
        let sold = Sold::new(rows);
        prop_assert_eq!(sold.quote(&rules), sold.quote(&rules));
        let old = Legacy.quote(&sold.basket(), &Rules::default());
        prop_assert_eq!(sold.quote(&Rules::default()), old);
    }
}
