//! Rules of price on SQLite, with real actors.

use crate::tests::{change, on_a_database, open, patient, sku};
use crate::{CatalogError, PriceChange, Rule, Wanted};
use domain::Currency;
use pricing::{Benefit, Category, Coupon, PriceList, Promotion, Target};

fn category(parent: Option<&str>) -> Rule {
    Rule::Category(Category { name: "c".to_owned(), parent: parent.map(str::to_owned) })
}

fn list(priority: i64) -> Rule {
    Rule::PriceList(PriceList {
        name: "l".to_owned(),
        currency: Currency::EUR,
        starts_at: None,
        ends_at: None,
        priority,
        active: true,
    })
}

fn promotion(rate_ppm: i64) -> Rule {
    Rule::Promotion(Promotion {
        name: "p".to_owned(),
        benefit: Benefit::Percentage { rate_ppm },
        target: Target::default(),
        coupon_only: true,
        stacks: true,
        rank: 0,
        starts_at: None,
        ends_at: None,
        active: true,
    })
}

fn coupon(promotion: &str) -> Rule {
    Rule::Coupon(Coupon {
        promotion: promotion.to_owned(),
        limit: Some(1),
        limit_per_customer: None,
        starts_at: None,
        ends_at: None,
        active: true,
    })
}

fn price(name: &str, unit_amount: Option<i64>) -> PriceChange {
    PriceChange { sku: sku(name), unit_amount }
}

/// The pointers of what is wrong with a rule.
fn pointers(error: CatalogError) -> Vec<String> {
    match error {
        CatalogError::Flawed(flaws) => flaws.into_iter().map(|flaw| flaw.pointer).collect(),
        other => panic!("not a flaw: {other}"),
    }
}

#[test]
fn rules_are_seen_at_once_by_others_and_after_a_restart() {
    on_a_database(|db| async move {
        let (writer, reader) = (open(&db).await, open(&db).await);
        for (id, rule) in [("drinks", category(None)), ("tea", category(Some("drinks")))] {
            writer.put_rule(id.to_owned(), rule, &patient()).await.expect("is put");
        }
        writer.put_rule("spring".to_owned(), list(1), &patient()).await.expect("is put");
        let changes = vec![price("A", Some(7)), price("B", Some(8)), price("A", Some(9))];
        assert!(writer.put_prices("spring".to_owned(), changes, &patient()).await.expect("is put"));
        assert!(writer.rules().is_within("tea", "drinks"));
        let at = domain::Timestamp::from_micros(0);
        assert_eq!(writer.rules().list_price("A", Currency::EUR, at), Some(9));
        assert!(reader.rules().price_lists.is_empty());
        reader.refresh(&patient()).await.expect("refreshes");
        assert_eq!(reader.rules().list_price("A", Currency::EUR, at), Some(9));

        let first = writer.rules().price_lists["spring"].revision;
        writer.put_rule("spring".to_owned(), list(1), &patient()).await.expect("is put");
        assert_eq!(writer.rules().price_lists["spring"].revision, first, "nothing has changed");
        writer.put_rule("spring".to_owned(), list(2), &patient()).await.expect("is put");
        assert!(writer.rules().price_lists["spring"].revision > first);
        let off = vec![price("A", None)];
        assert!(writer.put_prices("spring".to_owned(), off, &patient()).await.expect("is put"));
        let restarted = open(&db).await;
        for rules in [writer.rules(), restarted.rules()] {
            assert_eq!(rules.list_price("A", Currency::EUR, at), None);
            assert_eq!(rules.list_price("B", Currency::EUR, at), Some(8));
            assert_eq!(rules.price_lists["spring"].rule.priority, 2);
        }
        let listed = restarted.prices("spring", None, 10).await.expect("is read");
        let listed: Vec<_> =
            listed.iter().map(|price| (price.sku.as_str(), price.unit_amount)).collect();
        assert_eq!(listed, [("B", 8)]);
    });
}

#[test]
fn what_a_rule_refers_to_must_exist() {
    on_a_database(|db| async move {
        let catalog = open(&db).await;
        let put = async |id: &str, rule: Rule| {
            catalog.put_rule(id.to_owned(), rule, &patient()).await.map_err(pointers)
        };
        assert_eq!(put("tea", category(Some("drinks"))).await, Err(vec!["/parent".to_owned()]));
        assert_eq!(put("TEN", coupon("ten")).await, Err(vec!["/promotion".to_owned()]));
        assert_eq!(put("ten", promotion(0)).await, Err(vec!["/benefit/rate_ppm".to_owned()]));
        assert_eq!(put(" ", promotion(1)).await, Err(vec![String::new()]));
        assert_eq!(put("ten", promotion(100_000)).await, Ok(()));
        assert_eq!(put("TEN", coupon("ten")).await, Ok(()));
        assert_eq!(put("a", category(None)).await, Ok(()));
        assert_eq!(put("b", category(Some("a"))).await, Ok(()));
        assert_eq!(
            put("a", category(Some("b"))).await,
            Err(vec!["/parent".to_owned()]),
            "a circle"
        );
        let mut deepest = "b".to_owned();
        for depth in 3..=16 {
            let id = format!("level {depth}");
            assert_eq!(put(&id, category(Some(&deepest))).await, Ok(()));
            deepest = id;
        }
        assert!(catalog.rules().is_within(&deepest, "a"));
        let deeper = put("level 17", category(Some(&deepest))).await;
        assert_eq!(deeper, Err(vec!["/parent".to_owned()]));
        let (context, changes) = (patient(), vec![price("A", Some(1))]);
        let none = catalog.put_prices("none".to_owned(), changes, &context).await;
        assert!(!none.expect("is answered"));
    });
}

#[test]
fn products_are_found_by_words_price_and_category() {
    on_a_database(|db| async move {
        let catalog = open(&db).await;
        catalog.put_rule("tools".to_owned(), category(None), &patient()).await.expect("is put");
        let below = category(Some("tools"));
        catalog.put_rule("saws".to_owned(), below, &patient()).await.expect("is put");
        let mut saw = change("S-1", 300);
        "Große Säge".clone_into(&mut saw.name);
        "saws".clone_into(&mut saw.category);
        let mut old = change("OLD", 500);
        old.active = false;
        let lines = vec![change("A", 100), change("B", 200), saw, old];
        catalog.put(lines, &patient()).await.expect("is put");
        let find = |wanted: Wanted| -> Vec<String> {
            let found = catalog.snapshot().search(&catalog.rules(), &wanted, None, 100);
            found.iter().map(|product| product.sku.to_string()).collect()
        };
        let all = || Wanted::default();
        assert_eq!(find(all()), ["A", "B", "OLD", "S-1"]);
        assert_eq!(find(Wanted { words: Wanted::words_of("GROSSE"), ..all() }).len(), 0);
        assert_eq!(find(Wanted { words: Wanted::words_of("SÄGE große s-1"), ..all() }), ["S-1"]);
        assert_eq!(find(Wanted { words: Wanted::words_of("article"), ..all() }), ["A", "B", "OLD"]);
        assert_eq!(find(Wanted { category: Some("tools".to_owned()), ..all() }).len(), 4);
        assert_eq!(find(Wanted { category: Some("saws".to_owned()), ..all() }), ["S-1"]);
        assert_eq!(find(Wanted { active: Some(false), ..all() }), ["OLD"]);
        assert_eq!(find(Wanted { currency: Some(Currency::USD), ..all() }).len(), 0);
        let between = Wanted { amount_from: Some(200), amount_to: Some(300), ..all() };
        assert_eq!(find(between), ["B", "S-1"]);
        let (rules, after) = (catalog.rules(), sku("A"));
        let page = catalog.snapshot().search(&rules, &all(), Some(&after), 2);
        let page: Vec<&str> = page.iter().map(|product| product.sku.as_str()).collect();
        assert_eq!(page, ["B", "OLD"]);
    });
}
