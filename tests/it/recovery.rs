//! Crashes and stops: nothing that was promised is lost, nothing is done twice.

use crate::client::{Reply, try_send};
use crate::database::Database;
use crate::idempotency::assert_replayed;
use crate::process::{Program, eventually, signal};
use crate::world::{World, on_both, order_of};
use futures_util::StreamExt;
use futures_util::future::{join, join_all};
use futures_util::stream;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Orders with these keys, all at once; `None` where the server was gone.
async fn place_all(world: &World, keys: &[String]) -> Vec<Option<Reply>> {
    let orders = keys.iter().map(|key| {
        let request = world.api.order(key, &order_of(&[("TEA", 1)]));
        async move { try_send(request).await.ok() }
    });
    join_all(orders).await
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("k-{number}")).collect()
}

/// Fails unless the bank took the money for every confirmed order exactly once, and for no other.
async fn assert_charged_once(world: &World, confirmed: usize) {
    let ledger = world.bank.ledger().await;
    let mut taken: HashMap<String, Vec<Value>> = HashMap::new();
    for entry in ledger.into_iter().filter(|entry| entry["captured"] != 0) {
        let order = entry["order_id"].as_str().unwrap().to_owned();
        taken.entry(order).or_default().push(entry);
    }
    for (order, entries) in &taken {
        assert_eq!(entries.len(), 1, "{order} was charged more than once: {entries:?}");
        assert_eq!(entries[0]["captured"], 250);
    }
    assert_eq!(taken.len(), confirmed);
    let sql = "SELECT count(*) FROM orders WHERE status = 'confirmed' AND amount_captured = 250";
    assert_eq!(world.database.number(sql).await, i64::try_from(confirmed).unwrap());
}

on_both! {
    async fn a_crash_with_a_hundred_charges_in_flight(mut world in World) {
        world.stocked("TEA", 250, 1_000).await;
        world.bank.stall().await;
        let all = keys(100);
        // The requests are given up as soon as every order is durable.
        tokio::select! {
            replies = place_all(&world, &all) => panic!("answered without a bank: {replies:?}"),
            () = world.pending(100) => {}
        }
        world.kill();
        // The bank takes the money of whoever had asked: nobody hears of it.
        world.bank.recover().await;
        world.restart().await;
        world.pending(0).await;
        assert_charged_once(&world, 100).await;
        assert_eq!(world.stock("TEA").await, (1_000, 100, 900));
        for (key, reply) in all.iter().zip(place_all(&world, &all).await) {
            let reply = reply.unwrap();
            assert_eq!((reply.status, reply.is_replay()), (201, true), "{key}: {}", reply.text);
        }
        assert_eq!(world.database.number("SELECT count(*) FROM orders").await, 100);
        world.assert_balanced().await;
    }

    async fn a_crash_in_the_middle_of_everything(mut world in World) {
        world.stocked("TEA", 250, 1_000).await;
        let (all, answered) = (keys(200), AtomicUsize::new(0));
        let place = |key: &String| {
            let request = world.api.order(key, &order_of(&[("TEA", 1)]));
            let answered = &answered;
            async move {
                let reply = try_send(request).await.ok();
                answered.fetch_add(usize::from(reply.is_some()), Ordering::Relaxed);
                reply
            }
        };
        let clients = stream::iter(&all).map(place).buffered(40).collect::<Vec<_>>();
        let crash = eventually("some orders are answered", async || {
            let count = answered.load(Ordering::Relaxed);
            if count >= 60 { Ok(()) } else { Err(count.to_string()) }
        });
        let server = world.server_id();
        let crash = async {
            crash.await;
            signal("KILL", server);
        };
        let (first, ()) = join(clients, crash).await;
        world.kill();
        world.restart().await;
        assert!(first.iter().any(Option::is_none), "the crash came too late to prove anything");
        // I1, I3: what was answered is there, and is told again byte for byte.
        for (key, reply) in all.iter().zip(&first) {
            if let Some(first) = reply {
                first.expect(201);
                assert_replayed(first, &world.api.place(key, &order_of(&[("TEA", 1)])).await);
            }
        }
        // I2: whoever got no answer asks again with the same key, and there is one order per key.
        for key in &all {
            let reply = eventually("an order that was begun is finished", async || {
                let reply = world.api.place(key, &order_of(&[("TEA", 1)])).await;
                if reply.status == 409 { Err(reply.text) } else { Ok(reply) }
            })
            .await;
            assert_eq!(world.settled(&reply.order_id()).await["status"], "confirmed");
        }
        assert_eq!(world.database.number("SELECT count(*) FROM orders").await, 200);
        assert_charged_once(&world, 200).await;
        assert_eq!(world.stock("TEA").await, (1_000, 200, 800));
        world.assert_balanced().await;
    }

    async fn a_stop_answers_whoever_was_let_in(mut world in World) {
        world.stocked("TEA", 250, 1_000).await;
        world.bank.stall().await;
        let all = keys(40);
        let stop = async {
            world.pending(40).await;
            world.ask_to_stop();
            // It has heard us once it takes no new connection.
            eventually("the server stops listening", async || {
                let fresh = crate::client::http_client().get(format!("{}/livez", world.api.base));
                if try_send(fresh).await.is_err() { Ok(()) } else { Err("it listens".to_owned()) }
            })
            .await;
            world.bank.recover().await;
        };
        let (replies, ()) = join(place_all(&world, &all), stop).await;
        for (key, reply) in all.iter().zip(&replies) {
            let reply = reply.as_ref().unwrap_or_else(|| panic!("{key} got no answer"));
            assert_eq!(reply.status, 201, "{key}: {}", reply.text);
        }
        assert_eq!(world.stopped().await.code(), Some(0));
        world.restart().await;
        for (key, first) in all.iter().zip(&replies) {
            let again = world.api.place(key, &order_of(&[("TEA", 1)])).await;
            assert_replayed(first.as_ref().unwrap(), &again);
        }
        assert_charged_once(&world, 40).await;
        world.assert_balanced().await;
    }
}

#[tokio::test]
async fn a_sqlite_file_serves_one_process() {
    let world = World::sqlite().await;
    world.stocked("TEA", 250, 10).await;
    let second = world.run("second", &["serve"]).await;
    assert_eq!(second.code, Some(2), "{}", second.stderr);
    assert!(second.stderr.contains("another process uses the database"), "{}", second.stderr);
    let migrate = world.run("migrate", &["migrate"]).await;
    assert_eq!(migrate.code, Some(2), "{}", migrate.stderr);
    // The first one never noticed.
    world.api.place("k-1", &order_of(&[("TEA", 1)])).await.expect(201);
}

#[tokio::test]
async fn two_servers_share_a_postgres_database() {
    let world = World::postgres().await;
    world.stocked("TEA", 250, 40).await;
    let mut second = Program::start(&["serve"], &world.environment(), world.path(), "second");
    let base = second.announced("orderly serves on ").await.unwrap();
    let other = crate::client::Api::new(base);
    let buyers = (0..80).map(|number| {
        let api = if number % 2 == 0 { &world.api } else { &other };
        async move { api.place(&format!("k-{number}"), &order_of(&[("TEA", 1)])).await.status }
    });
    let statuses = join_all(buyers).await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 40, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 40, "{statuses:?}");
    // A key that one node answered is known to the other one.
    for number in 0..80 {
        let (first, second) =
            if number % 2 == 0 { (&world.api, &other) } else { (&other, &world.api) };
        let key = format!("k-{number}");
        let told = first.place(&key, &order_of(&[("TEA", 1)])).await;
        assert_replayed(&told, &second.place(&key, &order_of(&[("TEA", 1)])).await);
    }
    assert_charged_once(&world, 40).await;
    // What one node has put on the shelf the other one sells, at once.
    world.stocked("NEW", 250, 1_000).await;
    // The same key at both at the same time is one order all the same.
    for number in 0..20 {
        let (key, body) = (format!("both-{number}"), order_of(&[("NEW", 1)]));
        let (one, two) = join(world.api.place(&key, &body), other.place(&key, &body)).await;
        let made: Vec<&Reply> = [&one, &two].into_iter().filter(|r| r.status == 201).collect();
        assert!(!made.is_empty() && made.iter().all(|r| r.text == made[0].text), "{one:?} {two:?}");
        if made.len() == 1 {
            let refused = if one.status == 201 { &two } else { &one };
            refused.problem(409, "IDEMPOTENCY_IN_PROGRESS");
        }
    }
    assert_eq!(world.stock("NEW").await, (1_000, 20, 980));
    assert_charged_once(&world, 60).await;
    world.assert_balanced().await;
    second.ask_to_stop();
    assert_eq!(second.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_postgres_database_that_may_lose_commits_is_refused() {
    let mut world = World::postgres().await;
    assert_eq!(world.terminate().await.code(), Some(0));
    let Database::Postgres(database) = &world.database else { panic!("a world on Postgres") };
    let name = database.name().to_owned();
    world.database.change(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).await;
    for command in ["serve", "migrate"] {
        let refused = world.run(command, &[command]).await;
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains("synchronous_commit"), "{}", refused.stderr);
    }
    world.database.change(&format!("ALTER DATABASE {name} RESET synchronous_commit")).await;
    world.restart().await;
    assert_eq!(world.private("/readyz").await.status, 200);
}

#[tokio::test]
async fn a_database_that_is_away_for_a_while() {
    let mut world = World::postgres().await;
    // It says so.
    world.expect_errors();
    world.stocked("TEA", 250, 10).await;
    world.api.place("k-0", &order_of(&[("TEA", 1)])).await.expect(201);
    let Database::Postgres(database) = &world.database else { panic!("a world on Postgres") };
    database.shut().await;
    let away = world.api.place("k-1", &order_of(&[("TEA", 1)])).await;
    assert_eq!(away.problem(503, "UNAVAILABLE")["retryable"], true);
    assert!(!away.header("retry-after").is_empty());
    world.api.get("/v1/orders").await.problem(503, "UNAVAILABLE");
    eventually("the server says that it is not ready", async || {
        let ready = world.private("/readyz").await;
        if ready.status == 503 { Ok(()) } else { Err(ready.text) }
    })
    .await;
    // Starting it again would not help.
    assert_eq!(world.private("/livez").await.status, 200);
    database.reopen().await;
    eventually("the server is ready", async || {
        let ready = world.private("/readyz").await;
        if ready.status == 200 { Ok(()) } else { Err(ready.text) }
    })
    .await;
    let reply = world.api.place("k-1", &order_of(&[("TEA", 1)])).await;
    assert_eq!(world.settled(&reply.order_id()).await["status"], "confirmed");
    assert_eq!(world.stock("TEA").await, (10, 2, 8));
    assert_charged_once(&world, 2).await;
    world.assert_balanced().await;
}
