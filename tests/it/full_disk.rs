//! A disk that takes no more.

use crate::process::{eventually, limit_files};
use crate::world::{World, order_of};
use serde_json::json;
use std::fs;

/// What the database's log may still grow by: less than a few orders.
const ROOM: u64 = 64 * 1024;

/// Orders that are tried while the disk is full.
const TRIES_MAX: usize = 200;

#[tokio::test]
async fn a_full_disk_refuses_orders_and_loses_none() {
    let mut world = World::sqlite().await;
    world.expect_errors();
    world.kill();
    world.bear_full_files();
    world.restart().await;
    world.stocked("TEA", 100, 10_000).await;
    let order = order_of(&[("TEA", 1)]);
    world.api.place("before", &order).await.expect(201);

    let log = world.path().join("data/orderly.db-wal");
    limit_files(world.server_id(), Some(fs::metadata(log).unwrap().len() + ROOM));
    let mut keys = Vec::new();
    let mut refused = 0;
    while refused < 5 {
        assert!(keys.len() < TRIES_MAX, "the disk is never full");
        let key = format!("full-{}", keys.len());
        let told = world.api.place(&key, &order).await;
        match told.status {
            201 => {}
            503 => {
                assert!(!told.header("retry-after").is_empty(), "{}", told.text);
                refused += 1;
            }
            other => panic!("{other}: {}", told.text),
        }
        keys.push(key);
    }

    limit_files(world.server_id(), None);
    for key in &keys {
        // The same keys: what was done is told again, what was refused is done now.
        eventually("there is room again", async || {
            let told = world.api.place(key, &order).await;
            if told.status == 201 { Ok(()) } else { Err(told.text) }
        })
        .await;
    }
    let all = i64::try_from(keys.len()).unwrap() + 1;
    assert_eq!(world.stock("TEA").await, (10_000, all, 10_000 - all));
    assert_eq!(world.bank.ledger().await.len(), keys.len() + 1, "each is paid once");
    let dead = world.api.get("/v1/dead-letters").await.expect(200);
    assert_eq!(dead["data"], json!([]));
    world.assert_balanced().await;
}
