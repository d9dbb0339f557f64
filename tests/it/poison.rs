//! One order that the database does not take harms no other of its batch, wherever it stands.

use crate::client::Outcomes;
use crate::database::Database;
use crate::process::eventually;
use crate::world::{World, on_both, order_of};
use serde_json::json;

/// Orders of a stream; the poisonous one stands at each place of it in turn.
const PLACES: usize = 17;

/// Makes the database refuse what `when` describes: a trigger, as a damaged index or a constraint
/// that somebody added would.
async fn poison(world: &mut World, on: &str) {
    let condition = "NEW.external_ref = 'poison'";
    let statements: Vec<String> = match &world.database {
        Database::Postgres(_) => vec![
            format!(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF {condition} THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$"
            ),
            format!(
                "CREATE TRIGGER poison BEFORE {on} ON orders FOR EACH ROW EXECUTE FUNCTION refuse()"
            ),
        ],
        Database::Sqlite(_) => vec![format!(
            "CREATE TRIGGER poison BEFORE {on} ON orders WHEN {condition} \
             BEGIN SELECT RAISE(ABORT, 'poison'); END"
        )],
    };
    world.terminate().await;
    for statement in statements {
        world.database.change(&statement).await;
    }
    world.expect_errors();
    world.restart().await;
}

async fn cure(world: &mut World) {
    world.terminate().await;
    let table = if matches!(world.database, Database::Postgres(_)) { " ON orders" } else { "" };
    world.database.change(&format!("DROP TRIGGER poison{table}")).await;
    world.restart().await;
}

fn lines(place: usize) -> Vec<String> {
    (0..PLACES)
        .map(|number| {
            let mut order = order_of(&[("TEA", 1)]);
            order["idempotency_key"] = json!(format!("p-{place}-{number}"));
            if number == place {
                order["external_ref"] = json!("poison");
            }
            order.to_string()
        })
        .collect()
}

/// Streams of orders with the poison at every place of them.
async fn at_every_place(world: &World) -> Vec<Outcomes> {
    let mut all = Vec::new();
    for place in 0..PLACES {
        let outcomes = world.api.stream("/v1/orders:batch", None, &lines(place)).await;
        for number in (0..PLACES).filter(|number| *number != place) {
            let (status, code) = outcomes.status(number + 1);
            assert_eq!(status, 201, "poison at {place}, order {number}: {code}");
        }
        all.push(outcomes);
    }
    let metrics = world.private("/metrics").await.text;
    let splits = metrics.lines().filter(|line| line.starts_with("batch_splits_total"));
    assert!(splits.count() > 0, "the poison never stood in a batch with others");
    all
}

on_both! {
    async fn an_order_that_cannot_be_written_fails_alone(mut world in World) {
        world.stocked("TEA", 250, 10_000).await;
        poison(&mut world, "INSERT").await;
        for (place, outcomes) in at_every_place(&world).await.iter().enumerate() {
            let (status, code) = outcomes.status(place + 1);
            assert_eq!((status, code), (503, "UNAVAILABLE"), "poison at {place}");
        }
        let good = i64::try_from(PLACES * (PLACES - 1)).unwrap();
        assert_eq!(world.stock("TEA").await, (10_000, good, 10_000 - good));
        assert_eq!(world.database.number("SELECT count(*) FROM orders").await, good);
        // Nothing happened to it: cured, the same request is done, once.
        cure(&mut world).await;
        let again = world.api.stream("/v1/orders:batch", None, &lines(3)).await;
        assert_eq!(again.status(4), (201, ""));
        assert_eq!(world.database.number("SELECT count(*) FROM orders").await, good + 1);
        world.assert_balanced().await;
    }

    async fn an_order_that_cannot_be_settled_waits_alone(mut world in World) {
        world.stocked("TEA", 250, 10_000).await;
        poison(&mut world, "UPDATE").await;
        for (place, outcomes) in at_every_place(&world).await.iter().enumerate() {
            let (status, code) = outcomes.status(place + 1);
            assert_eq!((status, code), (503, "UNAVAILABLE"), "poison at {place}");
        }
        let stuck = i64::try_from(PLACES).unwrap();
        let pending = "SELECT count(*) FROM orders WHERE status = 'pending'";
        assert_eq!(world.database.number(pending).await, stuck);
        // The bank has their money; cured, they are found and settled.
        cure(&mut world).await;
        world.pending(0).await;
        let total = i64::try_from(PLACES * PLACES).unwrap();
        eventually("every order is confirmed", async || {
            let sql = "SELECT count(*) FROM orders WHERE status = 'confirmed'";
            let count = world.database.number(sql).await;
            if count == total { Ok(()) } else { Err(count.to_string()) }
        })
        .await;
        world.assert_balanced().await;
    }
}
