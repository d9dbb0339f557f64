//! Processes that die of an event, life by life.

use super::support::{
    Fussy, Mood, Name, StandingClock, append, check_effects, effects, group, live, open, order,
    pass_all,
};
use crate::books;
use crate::claims::{ALONE_MAX, NOBODY_CAME_BACK};
use std::sync::Arc;
use std::time::Duration;
use store::Db;
use testbed::on_both;

fn one_each(numbers: std::ops::Range<u8>) -> Vec<Name> {
    numbers.map(|number| (order(number), 1)).collect()
}

/// Starts the process again and again until it lives; how often it died.
async fn deaths(db: &Db, consumer: &Arc<Fussy>, clock: &Arc<StandingClock>) -> i64 {
    for deaths in 0..20 {
        if live(db, consumer, clock).await {
            return deaths;
        }
    }
    panic!("the process dies of the same event for ever");
}

async fn lag(db: &Db) -> (i64, i64, i64) {
    let lag = books::lag(db).await.expect("lag");
    (lag[0].behind, lag[0].parked, lag[0].dead)
}

on_both! {
    async fn an_event_that_kills_the_process_is_parked_and_harms_no_other(scratch) {
        let db = open(scratch).await;
        let (consumer, clock) = (Fussy::new("mortal"), Arc::new(StandingClock::default()));
        let bad = order(1);
        // Forty of its neighbours stand before and behind it in its partition.
        let all: Vec<Name> = [one_each(0..160), vec![(bad, 2)], one_each(160..200)].concat();
        consumer.feel(Mood::Kills, &[(bad, 1)]);
        append(&db, &all).await;
        // Once of the batch, and alone as often as it may.
        assert_eq!(deaths(&db, &consumer, &clock).await, 1 + ALONE_MAX);
        let others: Vec<Name> = all.iter().copied().filter(|(o, _)| *o != bad).collect();
        check_effects(&db, "mortal", &others).await;
        assert_eq!(lag(&db).await, (0, 2, 0));
        // Its time has not come.
        assert_eq!(deaths(&db, &consumer, &clock).await, 0);

        // The third and last attempt, of which the process dies too.
        clock.advance(Duration::from_secs(60));
        assert_eq!(deaths(&db, &consumer, &clock).await, 1);
        assert_eq!(lag(&db).await, (0, 2, 0));
        clock.advance(Duration::from_secs(60));
        assert_eq!(deaths(&db, &consumer, &clock).await, 0);
        assert_eq!(lag(&db).await, (0, 1, 1));
        let dead = books::dead_letters(&db, None, 9).await.expect("list");
        assert_eq!((dead[0].order_id, dead[0].version, dead[0].attempts), (bad, 1, 3));
        assert_eq!(dead[0].last_error, NOBODY_CAME_BACK);

        consumer.feel(Mood::Well, &[]);
        let now = domain::Clock::now(&*clock);
        assert!(books::redrive(&db, "mortal", bad, now).await.expect("redrives"));
        assert_eq!(deaths(&db, &consumer, &clock).await, 0);
        check_effects(&db, "mortal", &all).await;
        assert_eq!(lag(&db).await, (0, 0, 0));
    }

    async fn a_process_that_dies_in_the_midst_of_work_dies_a_few_times_more(scratch) {
        let db = open(scratch).await;
        let consumer = Fussy::new("mortal");
        let (old, clock) = group(&db, &consumer).await;
        append(&db, &one_each(0..40)).await;
        pass_all(&old).await;
        consumer.feel(Mood::Kills, &[(order(41), 1), (order(44), 1)]);
        append(&db, &one_each(40..80)).await;
        // This one works without claims by now, so its death leaves no trace.
        tokio::select! {
            _ = pass_all(&old) => panic!("it lives"),
            () = consumer.death() => {}
        }
        drop(old);
        let found = deaths(&db, &consumer, &clock).await;
        assert_eq!(found, 2 * (1 + ALONE_MAX), "of two events in two partitions");
        let well = |(o, _): &Name| ![order(41), order(44)].contains(o);
        let others: Vec<Name> = one_each(0..80).into_iter().filter(well).collect();
        check_effects(&db, "mortal", &others).await;
        assert_eq!(lag(&db).await, (0, 2, 0));
    }

    async fn one_death_at_an_innocent_event_parks_nothing(scratch) {
        let db = open(scratch).await;
        let (consumer, clock) = (Fussy::new("unlucky"), Arc::new(StandingClock::default()));
        consumer.feel(Mood::Kills, &[(order(3), 1)]);
        append(&db, &one_each(3..4)).await;
        assert!(!live(&db, &consumer, &clock).await);
        consumer.feel(Mood::Well, &[]);
        assert!(live(&db, &consumer, &clock).await);
        check_effects(&db, "unlucky", &one_each(3..4)).await;
        assert_eq!(lag(&db).await, (0, 0, 0));
    }

    async fn what_a_living_process_claimed_is_its_own(scratch) {
        let db = open(scratch).await;
        let consumer = Fussy::new("patient");
        let (patient, _) = group(&db, &consumer).await;
        append(&db, &one_each(3..4)).await;
        consumer.feel(Mood::Troubled, &[]);
        for _ in 0..5 {
            assert!(pass_all(&patient).await.troubled);
        }
        consumer.feel(Mood::Well, &[]);
        assert!(!pass_all(&patient).await.troubled);
        check_effects(&db, "patient", &one_each(3..4)).await;
        assert_eq!(lag(&db).await, (0, 0, 0));
    }

    async fn a_failure_of_the_database_uses_no_attempt_up(scratch) {
        let db = open(scratch).await;
        let consumer = Fussy::new("patient");
        let (patient, clock) = group(&db, &consumer).await;
        let bad = order(2);
        consumer.feel(Mood::Refuses, &[(bad, 1)]);
        append(&db, &[(bad, 1)]).await;
        pass_all(&patient).await;
        consumer.feel(Mood::Troubled, &[]);
        for _ in 0..5 {
            clock.advance(Duration::from_secs(60));
            assert!(pass_all(&patient).await.troubled);
        }
        assert_eq!(lag(&db).await, (0, 1, 0));
        consumer.feel(Mood::Refuses, &[(bad, 1)]);
        pass_all(&patient).await;
        assert_eq!(lag(&db).await, (0, 1, 0), "the second attempt");
        clock.advance(Duration::from_secs(60));
        pass_all(&patient).await;
        assert_eq!(lag(&db).await, (0, 0, 1), "the third and last");
        assert_eq!(effects(&db, "patient").await, []);
    }
}
