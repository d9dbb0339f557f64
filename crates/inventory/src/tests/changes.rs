//! Changes of the stock on request: judged once.

use super::world::{
    adjustment, context, on_both, place, render, render_move, request, ship, sku, told,
};
use crate::{Outcome, Relocation};
use std::collections::BTreeSet;

on_both! {
    async fn what_was_refused_is_refused_in_the_same_words(world) {
        world.stocked("A", &[("main", 3)]).await;
        let mut taking = adjustment("A", -5, "main");
        taking.request = Some(request("k", 1));
        let first = world.adjust(taking.clone()).await;
        let (status, words, replayed) = told(&first);
        assert_eq!((status, replayed), (409, false));
        assert!(words.starts_with("Insufficient { available: 3 }"), "{words}");
        // There would be enough by now.
        world.stocked("A", &[("main", 100)]).await;
        assert_eq!(told(&world.adjust(taking.clone()).await), (409, words, true));
        assert_eq!(world.level("A").await, (103, 0, 103));
        let mut other = taking.clone();
        other.request = Some(request("k", 2));
        assert_eq!(world.adjust(other).await, Outcome::KeyReused);

        let mut huge = adjustment("A", i64::MAX, "main");
        huge.request = Some(request("huge", 1));
        let first = world.adjust(huge.clone()).await;
        assert!(told(&first).1.starts_with("OutOfRange"), "{first:?}");
        let again = world.adjust(huge).await;
        assert_eq!(told(&again), (409, told(&first).1, true));
    }

    async fn what_was_done_is_done_once(world) {
        let mut adding = adjustment("A", 5, "main");
        adding.request = Some(request("k", 1));
        let first = world.adjust(adding.clone()).await;
        world.stocked("A", &[("main", 1)]).await;
        let again = world.adjust(adding).await;
        assert_eq!(told(&first).0, 200);
        assert_eq!(told(&again), (200, told(&first).1, true));
        assert_eq!(world.level("A").await.0, 6);
    }

    async fn an_unknown_location_leaves_the_key_free(world) {
        let mut adding = adjustment("A", 5, "north");
        adding.request = Some(request("k", 1));
        let refused = world.adjust(adding.clone()).await;
        assert_eq!(refused, Outcome::UnknownLocations(vec![place("north")]));
        assert!(world.inventory.get(&sku("A")).await.expect("is read").is_none());
        world.located("north", 1).await;
        assert_eq!(told(&world.adjust(adding).await).0, 200);
        let mut moving = relocation("A", 1, "south", "north", "m");
        let refused = relocate(world, &moving).await;
        assert_eq!(refused, Outcome::UnknownLocations(vec![place("south")]));
        moving.to = place("west");
        let refused = relocate(world, &moving).await;
        assert_eq!(refused, Outcome::UnknownLocations(vec![place("south"), place("west")]));
    }

    async fn a_location_gives_what_lies_there_and_is_not_needed_for_promises(world) {
        world.stocked("A", &[("main", 5), ("north", 4)]).await;
        world.promised(1, &[("A", 6)]).await;
        // Three are free in all, and four lie in the north.
        let available = async |delta, location| {
            let outcome = world.adjust(adjustment("A", delta, location)).await;
            let (status, words, _) = told(&outcome);
            (status, words.split(" 0000").next().unwrap_or_default().to_owned())
        };
        let short = |available| (409, format!("Insufficient {{ available: {available} }}"));
        assert_eq!(available(-4, "north").await, short(3));
        assert_eq!(available(-6, "main").await, short(3));
        assert_eq!(available(-2, "main").await.0, 200);
        assert_eq!(world.level("A").await, (7, 6, 1));
        let lies = |parts: &[(&str, i64, i64)]| -> Vec<(String, i64, i64)> {
            parts.iter().map(|(name, here, free)| ((*name).to_owned(), *here, *free)).collect()
        };
        assert_eq!(world.lies("A").await, lies(&[("main", 3, 0), ("north", 4, 1)]));
        world.stocked("A", &[("main", 10)]).await;
        assert_eq!(available(-5, "north").await, short(4));
        assert_eq!(available(-4, "north").await.0, 200);
        assert_eq!(world.lies("A").await, lies(&[("main", 13, 7), ("north", 0, 0)]));
    }

    async fn one_batch_sees_its_own_changes(world) {
        world.located("north", 1).await;
        let batch = vec![
            adjustment("A", 3, "main"),
            adjustment("A", 2, "north"),
            adjustment("A", -2, "north"),
            adjustment("A", -1, "north"),
            adjustment("A", -3, "main"),
            adjustment("A", -1, "nowhere"),
            adjustment("B", -1, "main"),
            adjustment("B", 1, "main"),
        ];
        let outcomes = world.inventory.adjust(batch, render, &context()).await.expect("is judged");
        let statuses: Vec<u16> = outcomes
            .iter()
            .map(|outcome| match outcome {
                Outcome::Told { answer, .. } => answer.status,
                _ => 422,
            })
            .collect();
        assert_eq!(statuses, [200, 200, 200, 409, 200, 422, 409, 200]);
        assert_eq!((world.level("A").await.0, world.level("B").await.0), (0, 1));
        assert_eq!(world.detail("A").await.level.version, 5);
    }

    async fn units_are_moved_once_and_only_where_they_lie(world) {
        world.stocked("A", &[("main", 5), ("north", 1)]).await;
        world.located("south", 2).await;
        world.promised(1, &[("A", 5)]).await;
        // Promised units may be moved: the promise goes with what leaves first.
        let first = relocate(world, &relocation("A", 4, "main", "south", "k-1")).await;
        assert_eq!(told(&first).0, 200, "{first:?}");
        let lies: Vec<(String, i64, i64)> = [("main", 1, 0), ("north", 1, 0), ("south", 4, 1)]
            .map(|(name, here, free)| (name.to_owned(), here, free))
            .to_vec();
        assert_eq!(world.lies("A").await, lies);
        assert_eq!(world.level("A").await, (6, 5, 1));
        let again = relocate(world, &relocation("A", 4, "main", "south", "k-1")).await;
        assert_eq!(told(&again), (200, told(&first).1, true));
        let mut other = relocation("A", 1, "main", "south", "k-1");
        other.request.1 = [9; 32];
        assert_eq!(relocate(world, &other).await, Outcome::KeyReused);
        let short = relocate(world, &relocation("A", 2, "main", "north", "k-2")).await;
        assert!(told(&short).1.starts_with("Insufficient { available: 1 }"), "{short:?}");
        let back = relocate(world, &relocation("A", 4, "south", "main", "k-3")).await;
        assert_eq!(told(&back).0, 200);
        // A refusal is kept too.
        let again = relocate(world, &relocation("A", 2, "main", "north", "k-2")).await;
        assert_eq!(told(&again), (409, told(&short).1, true));
        let never = relocate(world, &relocation("B", 1, "main", "north", "k-4")).await;
        assert!(told(&never).1.starts_with("Insufficient { available: 0 }"), "{never:?}");
    }

    async fn moves_and_orders_at_once_lose_no_unit(world) {
        world.stocked("A", &[("main", 30), ("north", 30)]).await;
        let moves = (0..40).map(|number| {
            let (from, to) = if number % 2 == 0 { ("main", "north") } else { ("north", "main") };
            let wanted = relocation("A", 7, from, to, &format!("m-{number}"));
            async move { u16::from(told(&relocate(world, &wanted).await).0 == 200) }
        });
        let orders = (100..130_u128).map(|number| async move {
            world.promised(number, &[("A", 2)]).await;
            world.carry_out(&[ship(number, &[("A", 1)])]).await.expect("leaves");
        });
        let counts = (0..20).map(|number| async move {
            let delta = if number % 2 == 0 { 3 } else { -1 };
            let location = if number % 4 < 2 { "main" } else { "north" };
            told(&world.adjust(adjustment("A", delta, location)).await).0
        });
        use futures_util::future::{join3, join_all};
        let (moved, _, counted) = join3(join_all(moves), join_all(orders), join_all(counts)).await;
        assert!(moved.iter().sum::<u16>() > 0, "no move was possible");
        let statuses: BTreeSet<u16> = counted.iter().copied().collect();
        assert!(statuses.is_subset(&BTreeSet::from([200, 409])), "{statuses:?}");
        let audit = world.audit().await[&sku("A")].clone();
        assert_eq!((audit.shipped, audit.held), (30, 30));
        assert_eq!(audit.level.on_hand, audit.adjusted - 30);
    }
}

fn relocation(name: &str, quantity: i64, from: &str, to: &str, key: &str) -> Relocation {
    let (from, to) = (place(from), place(to));
    Relocation { sku: sku(name), quantity, from, to, request: request(key, 1) }
}

async fn relocate(world: &super::world::World, wanted: &Relocation) -> Outcome {
    let moved = world.inventory.relocate(wanted.clone(), render_move, &context()).await;
    moved.expect("is judged")
}
