//! Everybody at once, on two nodes: the client cancels, the bank tells, the timer runs out, the
//! operator ships. Of each order exactly one of them wins, and the others are told.

use crate::client::{Api, Reply, send};
use crate::process::{Program, eventually};
use crate::world::{World, order_of};
use futures_util::StreamExt;
use futures_util::future::join;
use futures_util::stream;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Orders that are fought over.
const ORDERS: usize = 1_000;
/// Of them at once.
const AT_ONCE: usize = 100;

/// A second node of the same shop.
struct Node {
    api: Api,
    program: Program,
}

impl Node {
    async fn start(world: &World) -> Self {
        let data = world.path().join("second");
        let environment = world.environment().with("ORDERLY_DATA_DIR", data.display().to_string());
        let mut program = Program::start(&["serve"], &environment, world.path(), "second");
        let base = program.announced("orderly serves on ").await.unwrap();
        let mut api = Api::new(base);
        api.key.clone_from(&world.api.key);
        Self { api, program }
    }
}

/// A small generator: the same moments in every run.
fn dice(seed: usize, sides: u64) -> u64 {
    let mut z = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 27)) % sides
}

async fn cancel(api: &Api, order: &str, key: &str) -> Reply {
    let path = format!("/v1/orders/{order}/cancel");
    send(api.keyed(&path, key, &json!({"reason": "changed my mind"}))).await
}

async fn ship(api: &Api, order: &str, key: &str) -> Reply {
    send(api.keyed(&format!("/v1/orders/{order}/shipments"), key, &json!({}))).await
}

/// Places an order that its client does not wait for, and lets somebody else cancel half of them
/// while the bank thinks.
async fn place_and_maybe_cancel(world: &World, second: &Node, number: usize) -> String {
    let mut order = order_of(&[("TEA", 1)]);
    if dice(number, 4) == 0 {
        order["payment"] = json!({"method": "pm_card_visa", "capture": "manual"});
    }
    let request = world.api.order(&format!("race-{number}"), &order);
    let id = send(request.header("Prefer", "respond-async")).await.order_id();
    if dice(number + 7, 2) == 0 {
        // Not to wait for anything: to meet the order at another moment of its way each time.
        tokio::time::sleep(Duration::from_millis(dice(number, 5_000))).await;
        let reply = cancel(&second.api, &id, &format!("early-{number}")).await;
        assert!(matches!(reply.status, 200 | 202 | 409), "{}", reply.text);
    }
    id
}

/// A shop of two nodes and a bank that is slower than the timer, and whose events come early, late,
/// twice and out of order, to the second node.
async fn two_nodes() -> (World, Node) {
    let mut world = World::postgres().await;
    world.terminate().await;
    for (name, value) in [
        ("ORDERLY_PAYMENTS_WEBHOOK_SECRET", "whsec_of_the_test"),
        ("ORDERLY_PAYMENT_EXPIRY_SECS", "1"),
        ("ORDERLY_RECOVER_AFTER_SECS", "1"),
        ("ORDERLY_RECOVER_EVERY_SECS", "1"),
    ] {
        world.set(name, value);
    }
    world.restart().await;
    let second = Node::start(&world).await;
    let url = format!("{}/v1/webhooks/payments", second.api.base);
    world.bank.put("/webhook", &json!({"url": url, "secret": "whsec_of_the_test"})).await;
    world
        .bank
        .faults(&json!({"delay_ms": 4000, "webhook_early": true, "webhook_duplicate_percent": 40,
            "webhook_reorder_percent": 30, "lost_reply_percent": 10, "seed": 11}))
        .await;
    world.stocked("TEA", 250, 10_000).await;
    (world, second)
}

/// How often it ended so: what the cancelling client was told, what the shipping one, and how the
/// order stands.
type Ends = BTreeMap<(u16, u16, String), usize>;

/// Cancels every order on one node and ships it on the other, at the same moment.
async fn fight_over(world: &World, second: &Node, ids: &[String]) -> Ends {
    let fought: Vec<(u16, u16)> = stream::iter(ids.iter().enumerate())
        .map(async |(number, id)| {
            let (cancelled, shipped) = join(
                cancel(&second.api, id, &format!("late-{number}")),
                ship(&world.api, id, &format!("ship-{number}")),
            )
            .await;
            (cancelled.status, shipped.status)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut ends = Ends::new();
    for (id, (cancelled, shipped)) in ids.iter().zip(fought) {
        let status = world.order(id).await["status"].as_str().unwrap().to_owned();
        *ends.entry((cancelled, shipped, status)).or_default() += 1;
    }
    ends
}

/// Whoever lost is told; whoever was not first cannot win any more.
fn assert_fair(ends: &Ends) {
    for (cancelled, shipped, status) in ends.keys() {
        let fair = match status.as_str() {
            "cancelled" => *shipped == 409 && matches!(*cancelled, 200 | 409),
            "shipped" => (*cancelled, *shipped) == (409, 201),
            _ => false,
        };
        assert!(fair, "{ends:?}");
    }
}

fn count(ends: &Ends, wanted: (u16, u16)) -> usize {
    ends.iter().filter(|(end, _)| (end.0, end.1) == wanted).map(|(_, count)| count).sum()
}

#[tokio::test]
async fn a_thousand_orders_have_one_winner_each() {
    let (world, second) = two_nodes().await;
    let ids: Vec<String> = stream::iter(0..ORDERS)
        .map(|number| place_and_maybe_cancel(&world, &second, number))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    world.bank.faults(&json!({})).await;
    world.pending(0).await;
    let ends = fight_over(&world, &second, &ids).await;
    assert_fair(&ends);
    let (cancelled, shipped) = (count(&ends, (200, 409)), count(&ends, (409, 201)));
    assert!(cancelled > 0 && shipped > 0, "nobody was fought over: {ends:?}");
    for event in ["order.cancel_requested", "order.goods_released", "order.cancelled"] {
        let sql = format!("SELECT count(*) FROM event WHERE type = '{event}'");
        assert!(world.database.number(&sql).await > 0, "{event} never happened: {ends:?}");
    }
    let operations =
        |status: &str| format!("SELECT count(*) FROM payment_operation WHERE status = '{status}'");
    eventually("the bank has done all that was asked of it", async || {
        match world.database.number(&operations("open")).await {
            0 => Ok(()),
            count => Err(count.to_string()),
        }
    })
    .await;
    world.assert_balanced().await;
    assert_eq!(world.database.number(&operations("refused")).await, 0);
    let shipped = i64::try_from(shipped).unwrap();
    assert_eq!(world.stock("TEA").await, (10_000 - shipped, 0, 10_000 - shipped));
    drop(second.program);
}
