//! One group, pass by pass, with a clock that the test owns.

use super::support::{
    Fussy, Mood, Name, append, check_effects, effects, group, open, order, pass_all,
};
use crate::DeadLetterPlace;
use crate::books;
use std::time::Duration;
use testbed::on_both;

fn two_each(numbers: std::ops::Range<u8>) -> Vec<Name> {
    let orders: Vec<_> = numbers.map(order).collect();
    let firsts = orders.iter().map(|o| (*o, 1));
    firsts.chain(orders.iter().map(|o| (*o, 2))).collect()
}

on_both! {
    async fn each_effect_happens_once_over_restarts(scratch) {
        let (first, second) = (two_each(0..40), two_each(40..60));
        let db = open(scratch).await;
        let consumer = Fussy::new("once");
        append(&db, &first).await;
        let (before, _) = group(&db, &consumer).await;
        assert!(!pass_all(&before).await.troubled);
        check_effects(&db, "once", &first).await;
        drop(before);
        db.close().await;
        drop(db);

        let db = open(scratch).await;
        let consumer = Fussy::new("once");
        let (after, _) = group(&db, &consumer).await;
        pass_all(&after).await;
        check_effects(&db, "once", &first).await;
        append(&db, &second).await;
        pass_all(&after).await;
        pass_all(&after).await;
        check_effects(&db, "once", &[first, second.clone()].concat()).await;
        let mut told = consumer.told.lock().expect("told").clone();
        told.sort_unstable();
        let mut wanted = second;
        wanted.sort_unstable();
        assert_eq!(told, wanted, "told of what was committed, and of nothing else");
    }

    async fn a_batch_takes_up_where_the_last_one_ended(scratch) {
        let db = open(scratch).await;
        let consumer = Fussy::new("small");
        let (mut small, _) = group(&db, &consumer).await;
        small.config.batch = 3;
        let names: Vec<Name> = (1..=50).map(|version| (order(3), version)).collect();
        append(&db, &names).await;
        pass_all(&small).await;
        assert_eq!(effects(&db, "small").await, names);
    }

    async fn poison_holds_up_its_own_order_only(scratch) {
        let db = open(scratch).await;
        let consumer = Fussy::new("picky");
        let (picky, clock) = group(&db, &consumer).await;
        // Orders 1 and 9 share a partition.
        let (bad, neighbour) = (order(1), order(9));
        let all = two_each(0..24);
        consumer.feel(Mood::Refuses, &[(bad, 1)]);
        append(&db, &all).await;
        pass_all(&picky).await;
        let others: Vec<Name> = all.iter().copied().filter(|(o, _)| *o != bad).collect();
        check_effects(&db, "picky", &others).await;
        assert!(others.contains(&(neighbour, 2)));
        let lag = books::lag(&db).await.expect("lag");
        assert_eq!((lag[0].behind, lag[0].parked, lag[0].dead), (0, 2, 0));

        // What comes later stays behind it, too.
        append(&db, &[(bad, 3), (neighbour, 3)]).await;
        pass_all(&picky).await;
        let others = [others, vec![(neighbour, 3)]].concat();
        check_effects(&db, "picky", &others).await;

        // Well again, but its time has not come.
        consumer.feel(Mood::Well, &[]);
        pass_all(&picky).await;
        check_effects(&db, "picky", &others).await;
        clock.advance(Duration::from_secs(1));
        pass_all(&picky).await;
        check_effects(&db, "picky", &[others, vec![(bad, 1), (bad, 2), (bad, 3)]].concat()).await;
        let lag = books::lag(&db).await.expect("lag");
        assert_eq!((lag[0].behind, lag[0].parked, lag[0].dead), (0, 0, 0));
    }

    async fn poison_is_dead_after_its_attempts_and_lives_again_when_redriven(scratch) {
        let db = open(scratch).await;
        let consumer = Fussy::new("picky");
        let (picky, clock) = group(&db, &consumer).await;
        let bad = order(5);
        consumer.feel(Mood::Refuses, &[(bad, 1)]);
        append(&db, &[(bad, 1), (bad, 2)]).await;
        pass_all(&picky).await;
        assert_eq!(books::dead_letters(&db, None, 9).await.expect("list"), []);
        clock.advance(Duration::from_secs(1)); // second attempt
        pass_all(&picky).await;
        assert_eq!(books::dead_letters(&db, None, 9).await.expect("list"), []);
        clock.advance(Duration::from_secs(2)); // third and last
        pass_all(&picky).await;
        let dead = books::dead_letters(&db, None, 9).await.expect("list");
        let told: Vec<_> = dead.iter().map(|d| (d.order_id, d.version, d.attempts)).collect();
        assert_eq!(told, [(bad, 1, 3)]);
        assert_eq!(dead[0].last_error, "an event cannot be digested: it tastes bad");

        // Dead is dead, however long one waits, and holds up what is behind it.
        consumer.feel(Mood::Well, &[]);
        clock.advance(Duration::from_secs(1_000_000));
        append(&db, &[(bad, 3)]).await;
        pass_all(&picky).await;
        assert_eq!(effects(&db, "picky").await, []);
        let lag = books::lag(&db).await.expect("lag");
        assert_eq!((lag[0].behind, lag[0].parked, lag[0].dead), (0, 2, 1));

        let now = picky.clock.now();
        assert!(!books::redrive(&db, "picky", order(6), now).await.expect("redrives"));
        assert!(books::redrive(&db, "picky", bad, now).await.expect("redrives"));
        pass_all(&picky).await;
        assert_eq!(effects(&db, "picky").await, [(bad, 1), (bad, 2), (bad, 3)]);
        assert!(!books::redrive(&db, "picky", bad, now).await.expect("redrives"));
    }

    async fn dead_letters_are_listed_page_by_page_and_redriven_oldest_first(scratch) {
        let db = open(scratch).await;
        let consumer = Fussy::new("picky");
        let (picky, clock) = group(&db, &consumer).await;
        let bad = [order(1), order(2), order(3)];
        consumer.feel(Mood::Refuses, &bad.map(|order| (order, 1)));
        for one in bad {
            // Each of them dies a little later than the one before.
            append(&db, &[(one, 1)]).await;
            for _ in 0..3 {
                pass_all(&picky).await;
                clock.advance(Duration::from_secs(60));
            }
        }
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = books::dead_letters(&db, after.as_ref(), 1).await.expect("list");
            let Some(last) = page.last() else { break };
            let (dead_since, consumer) = (last.dead_since, last.consumer.clone());
            after = Some(DeadLetterPlace { dead_since, consumer, order_id: last.order_id });
            listed.extend(page);
        }
        let told: Vec<_> = listed.iter().map(|dead| (dead.order_id, dead.kind.as_str())).collect();
        assert_eq!(told, bad.map(|order| (order, "order.rejected")));

        let now = picky.clock.now();
        let redrive =
            async |group, limit| books::redrive_oldest(&db, group, limit, now).await.expect("done");
        assert_eq!(redrive(Some("somebody"), 9).await, 0);
        assert_eq!(redrive(Some("picky"), 2).await, 2);
        let left = books::dead_letters(&db, None, 9).await.expect("list");
        assert_eq!(left.iter().map(|dead| dead.order_id).collect::<Vec<_>>(), [order(3)]);
        assert_eq!((redrive(None, 9).await, redrive(None, 9).await), (1, 0));
        consumer.feel(Mood::Well, &[]);
        pass_all(&picky).await;
        check_effects(&db, "picky", &bad.map(|order| (order, 1))).await;
    }

    async fn a_redriven_event_has_all_its_attempts_again(scratch) {
        let db = open(scratch).await;
        let consumer = Fussy::new("picky");
        let (picky, clock) = group(&db, &consumer).await;
        let bad = order(2);
        consumer.feel(Mood::Refuses, &[(bad, 1)]);
        append(&db, &[(bad, 1)]).await;
        for _ in 0..3 {
            pass_all(&picky).await;
            clock.advance(Duration::from_secs(60));
        }
        assert_eq!(books::dead_letters(&db, None, 9).await.expect("list").len(), 1);
        assert!(books::redrive(&db, "picky", bad, picky.clock.now()).await.expect("redrives"));
        for _ in 0..2 {
            pass_all(&picky).await;
            clock.advance(Duration::from_secs(60));
        }
        assert_eq!(books::dead_letters(&db, None, 9).await.expect("list"), []);
        pass_all(&picky).await;
        assert_eq!(books::dead_letters(&db, None, 9).await.expect("list").len(), 1);
    }

    async fn a_panic_is_the_fault_of_one_event(scratch) {
        let db = open(scratch).await;
        let consumer = Fussy::new("nervous");
        let (nervous, _) = group(&db, &consumer).await;
        let all = two_each(0..16);
        consumer.feel(Mood::Panics, &[(order(4), 2), (order(12), 1)]);
        append(&db, &all).await;
        pass_all(&nervous).await;
        let well = |(o, v): &Name| *o != order(12) && (*o, *v) != (order(4), 2);
        let others: Vec<Name> = all.into_iter().filter(well).collect();
        check_effects(&db, "nervous", &others).await;
        let lag = books::lag(&db).await.expect("lag");
        assert_eq!((lag[0].behind, lag[0].parked, lag[0].dead), (0, 3, 0));
    }

    async fn trouble_of_the_database_parks_nothing(scratch) {
        let db = open(scratch).await;
        let consumer = Fussy::new("patient");
        let (patient, _) = group(&db, &consumer).await;
        let all = two_each(0..8);
        append(&db, &all).await;
        consumer.feel(Mood::Troubled, &[]);
        let passed = pass_all(&patient).await;
        assert!(passed.troubled && !passed.left.is_empty());
        assert_eq!(effects(&db, "patient").await, []);
        let lag = books::lag(&db).await.expect("lag");
        assert_eq!((lag[0].behind, lag[0].parked), (16, 0));
        consumer.feel(Mood::Well, &[]);
        assert!(!pass_all(&patient).await.troubled);
        check_effects(&db, "patient", &all).await;
    }
}
