//! Answers: for products, for customers, and when there is none.

use super::support::{
    DAY, MOMENT, config, confirmed, customer, logged, recommendations, rows, run, sku,
};
use crate::{Recommendations, RecommendationsConfig};
use broker::Informed;
use std::sync::Arc;
use std::time::Duration;

/// Hands the baskets over, one a day.
fn feed(to: &Recommendations, baskets: &[(u128, &[&str])]) {
    let follower = to.follower();
    for (day, (buyer, skus)) in baskets.iter().enumerate() {
        let day = i64::try_from(day).expect("few");
        let event = confirmed(Some(customer(*buyer)), skus);
        let at = MOMENT.plus_seconds(day * 86_400);
        follower.take(&logged(day + 1, at, &event)).expect("takes it");
    }
    follower.informed(Informed::Fully);
}

#[test]
fn what_an_old_order_tells_counts_less() {
    run(async {
        // TEA went with CUP three times, long ago; with POT twice, of late.
        let mut baskets: Vec<(u128, &[&str])> = vec![(1, &["TEA", "CUP"]); 3];
        baskets.extend(vec![(1, &["SAW"] as &[&str]); 60]);
        baskets.extend(vec![(1, &["TEA", "POT"] as &[&str]); 2]);
        let plain = recommendations(config());
        feed(&plain, &baskets);
        let found = plain.for_product(&sku("TEA"), 9).await;
        assert_eq!((rows(&found), found.degraded), (vec![("CUP", 3), ("POT", 2)], false));
        // 3 together · 65 in all / (5 tea · 3 cups)
        assert!((found.data[0].score - 13.0).abs() < 1e-9, "{found:?}");

        let half_life = Some(10 * DAY);
        let decaying = recommendations(RecommendationsConfig { half_life, ..config() });
        feed(&decaying, &baskets);
        let found = decaying.for_product(&sku("TEA"), 9).await;
        assert_eq!(rows(&found), [("POT", 2), ("CUP", 3)], "the counts are those of all orders");
        // With such weights as 2^(day / 10), the lift is that of weighted orders.
        let weight =
            |days: &[i32]| -> f64 { days.iter().map(|d| (f64::from(*d) / 10.0).exp2()).sum() };
        let all: Vec<i32> = (0..65).collect();
        let pot = weight(&all) / weight(&[0, 1, 2, 63, 64]);
        assert!((found.data[0].score - pot).abs() < 0.001, "{found:?}, not {pot}");
    });
}

#[test]
fn orders_of_about_the_same_age_count_as_if_nothing_decayed() {
    run(async {
        let baskets: &[(u128, &[&str])] = &[
            (1, &["TEA", "CUP"]),
            (2, &["TEA", "CUP", "POT"]),
            (3, &["POT", "TEA"]),
            (4, &["SAW"]),
        ];
        let half_life = Some(Duration::from_secs(3_000 * 86_400));
        let decaying = recommendations(RecommendationsConfig { half_life, ..config() });
        feed(&decaying, baskets);
        let found = decaying.for_product(&sku("TEA"), 9).await;
        assert_eq!(rows(&found), [("CUP", 2), ("POT", 2)], "equal but for the name");
        assert!((found.data[0].score - 4.0 / 3.0).abs() < 0.005, "{found:?}");
    });
}

#[test]
fn a_customer_is_told_what_goes_with_what_they_bought() {
    run(async {
        let baskets: &[(u128, &[&str])] = &[
            (1, &["TEA", "CUP"]),
            (2, &["TEA", "CUP"]),
            (3, &["TEA", "POT"]),
            (4, &["SAW", "NAIL"]),
            (5, &["SAW", "NAIL", "POT"]),
            (6, &["HAT"]),
            (7, &["TEA"]),
        ];
        let all = recommendations(config());
        feed(&all, baskets);
        let found = all.for_customer(&customer(7), 9).await;
        assert_eq!((rows(&found), found.degraded), (vec![("CUP", 2), ("POT", 1)], false));
        // Half of the teas came with a cup, as do two of seven orders.
        assert!((found.data[0].score - 1.75).abs() < 1e-9, "{found:?}");
        // What they have is not recommended.
        let found = all.for_customer(&customer(5), 9).await;
        assert_eq!(rows(&found), [("TEA", 1)]);
        assert!(!found.degraded);
        assert_eq!(rows(&all.for_customer(&customer(6), 9).await), []);
        // Of somebody who bought nothing nothing is known.
        let found = all.for_customer(&customer(8), 2).await;
        assert_eq!((rows(&found), found.degraded), (vec![("TEA", 4), ("CUP", 2)], true));
    });
}

#[test]
fn what_is_not_on_sale_is_passed_over_however_much_of_it_there_is() {
    run(async {
        let partners: Vec<String> = (0..3_000).map(|number| format!("P{number:04}")).collect();
        let wide: Vec<&str> =
            std::iter::once("HUB").chain(partners.iter().map(String::as_str)).collect();
        let is_active = |sku: &domain::Sku| sku.as_str() >= "P2997" && sku.as_str() != "P2998";
        let some = Recommendations::new(Arc::new(is_active), config());
        feed(&some, &[(1, &wide), (1, &["HUB", "P2999"])]);
        let found = some.for_product(&sku("HUB"), 9).await;
        assert_eq!((rows(&found), found.degraded), (vec![("P2999", 2), ("P2997", 1)], false));
        assert_eq!(rows(&some.for_product(&sku("HUB"), 1).await), [("P2999", 2)]);
        // Best sellers are kept at hand in a small number; these come far behind.
        assert_eq!(rows(&some.for_customer(&customer(9), 2).await), [("P2999", 2)]);
    });
}

#[test]
fn until_all_is_known_and_when_it_grows_old_the_answer_says_so() {
    run(async {
        let silence_max = Duration::from_millis(1);
        let young = recommendations(config());
        assert_eq!(rows(&young.for_product(&sku("TEA"), 9).await), []);
        assert!(young.for_product(&sku("TEA"), 9).await.degraded, "it knows nothing");
        let follower = young.follower();
        for seq in 1..=3 {
            let event = confirmed(None, &["TEA", "CUP"]);
            follower.take(&logged(seq, MOMENT, &event)).expect("takes it");
        }
        follower.informed(Informed::Partly);
        let found = young.for_product(&sku("TEA"), 9).await;
        assert_eq!((rows(&found), found.degraded), (vec![("CUP", 3)], true));
        // Nothing is known of it yet: best sellers.
        let found = young.for_product(&sku("POT"), 9).await;
        assert_eq!((rows(&found), found.degraded), (vec![("CUP", 3), ("TEA", 3)], true));
        follower.informed(Informed::Fully);
        assert!(!young.for_product(&sku("TEA"), 9).await.degraded);
        let found = young.for_product(&sku("POT"), 9).await;
        assert_eq!((rows(&found), found.degraded), (vec![], false), "nobody bought it");
        follower.informed(Informed::NotNow);
        assert!(young.for_product(&sku("TEA"), 9).await.degraded);

        let silent = recommendations(RecommendationsConfig { silence_max, ..config() });
        silent.follower().informed(Informed::Fully);
        while silent.is_informed() {
            tokio::task::yield_now().await;
        }
        assert!(silent.for_product(&sku("TEA"), 9).await.degraded);
    });
}

#[test]
fn when_there_is_no_time_the_answer_is_the_best_sellers() {
    run(async {
        let hurried =
            recommendations(RecommendationsConfig { deadline: Duration::ZERO, ..config() });
        // Enough that counting takes more than one step.
        let partners: Vec<String> = (0..3_000).map(|number| format!("P{number:04}")).collect();
        let wide: Vec<&str> =
            std::iter::once("HUB").chain(partners.iter().map(String::as_str)).collect();
        feed(&hurried, &[(1, &wide), (1, &wide), (1, &wide), (2, &["HUB", "TEA"]), (2, &["TEA"])]);
        let found = hurried.for_product(&sku("HUB"), 2).await;
        assert_eq!((rows(&found), found.degraded), (vec![("P0000", 3), ("P0001", 3)], true));
    });
}
