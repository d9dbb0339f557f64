//! Orders whose payment takes its time: told as accepted, and settled later without anybody's help.

use crate::client::{Reply, send};
use crate::process::eventually;
use crate::world::{World, on_both, order_of};
use serde_json::{Value, json};

/// An order that was accepted, and is not settled yet.
fn accepted(reply: &Reply) -> Value {
    let order = reply.expect(202);
    assert_eq!(order["status"], "pending", "{order}");
    assert_eq!(reply.header("location"), format!("/v1/orders/{}", reply.order_id()));
    assert_eq!(reply.header("etag"), "\"v1\"");
    assert_eq!(
        (&order["amount_captured"], &order["payment"]["status"]),
        (&json!(0), &json!("sending"))
    );
    order
}

on_both! {
    async fn a_client_may_ask_not_to_wait(world in World) {
        world.stocked("TEA", 250, 10).await;
        world.bank.stall().await;
        let order = world.api.order("k-1", &order_of(&[("TEA", 2)]));
        let reply = send(order.header("Prefer", "respond-async")).await;
        assert_eq!(accepted(&reply)["degraded"], json!([]));
        assert_eq!(world.stock("TEA").await, (10, 2, 8));
        world.bank.recover().await;
        let order = world.settled(&reply.order_id()).await;
        assert_eq!(
            (&order["status"], &order["amount_captured"]),
            (&json!("confirmed"), &json!(500))
        );
        world.assert_balanced().await;
    }

    async fn a_refused_payment_rejects_an_accepted_order(world in World) {
        world.stocked("TEA", 250, 10).await;
        let mut body = order_of(&[("TEA", 2)]);
        body["payment"]["method"] = json!("pm_card_chargeDeclined");
        let order = world.api.order("k-1", &body);
        let reply = send(order.header("Prefer", "respond-async")).await;
        accepted(&reply);
        let order = world.settled(&reply.order_id()).await;
        assert_eq!(
            (&order["status"], &order["payment"]["status"]),
            (&json!("rejected"), &json!("declined"))
        );
        assert_eq!(world.stock("TEA").await, (10, 0, 10));
        // What is short is told at once, whether the client waits or not.
        let order = world.api.order("k-2", &order_of(&[("TEA", 11)]));
        send(order.header("Prefer", "respond-async")).await.problem(409, "OUT_OF_STOCK");
        world.assert_balanced().await;
    }

    async fn a_slow_bank_makes_the_answer_202_at_the_deadline(world in World) {
        world.stocked("TEA", 250, 10).await;
        world.bank.stall().await;
        let body = order_of(&[("TEA", 1)]);
        // Long enough for a loaded machine to make the order durable, and no longer than a test
        // may take; the bank waits far longer.
        let deadline = world.api.keyed("/v1/orders", "k-1", &body);
        let deadline = send(deadline.header("X-Request-Timeout-Ms", "3000")).await;
        accepted(&deadline);
        let wait = send(world.api.order("k-2", &body).header("Prefer", "wait=1")).await;
        accepted(&wait);
        // A deadline that comes first counts, whatever the client prefers.
        let both = world.api.keyed("/v1/orders", "k-3", &body).header("Prefer", "wait=100");
        let both = send(both.header("X-Request-Timeout-Ms", "3000")).await;
        accepted(&both);
        world.bank.recover().await;
        for reply in [&deadline, &wait, &both] {
            assert_eq!(world.settled(&reply.order_id()).await["status"], "confirmed");
        }
        assert_eq!(world.stock("TEA").await, (10, 3, 7));
        world.assert_balanced().await;
    }

    async fn a_client_that_prefers_to_wait_gets_the_settled_order(world in World) {
        world.stocked("TEA", 250, 10).await;
        let order = world.api.order("k-1", &order_of(&[("TEA", 1)]));
        let order = send(order.header("Prefer", "wait=60")).await.expect(201);
        assert_eq!(order["status"], "confirmed");
    }

    async fn an_order_goes_on_when_its_client_leaves(world in World) {
        world.stocked("TEA", 250, 10).await;
        world.bank.stall().await;
        let body = order_of(&[("TEA", 1)]);
        tokio::select! {
            reply = world.api.place("k-1", &body) => panic!("answered without a bank: {reply:?}"),
            () = world.pending(1) => {}
        }
        world.bank.recover().await;
        world.pending(0).await;
        let again = world.api.place("k-1", &body).await;
        assert_eq!((again.status, again.is_replay()), (201, true), "{}", again.text);
        assert_eq!(world.bank.ledger_of(&again.order_id()).await.len(), 1);
        world.assert_balanced().await;
    }

    async fn an_order_outlives_a_bank_that_is_away(mut world in World) {
        world.stocked("TEA", 250, 10).await;
        world.bank.kill();
        let reply = world.api.place("k-1", &order_of(&[("TEA", 4)])).await;
        assert_eq!(accepted(&reply)["degraded"], json!(["payment"]));
        assert_eq!(world.stock("TEA").await, (10, 4, 6));
        world.bank.restart().await;
        let order = world.settled(&reply.order_id()).await;
        assert_eq!(
            (&order["status"], &order["amount_captured"]),
            (&json!("confirmed"), &json!(1000))
        );
        assert_eq!(world.bank.ledger_of(&reply.order_id()).await.len(), 1);
        // The first answer stays the answer.
        let again = world.api.place("k-1", &order_of(&[("TEA", 4)])).await;
        assert_eq!((again.status, again.is_replay(), again.text), (202, true, reply.text));
        world.assert_balanced().await;
    }

    async fn no_answer_is_lost_when_nothing_durable_could_happen_in_time(world in World) {
        world.stocked("TEA", 250, 10).await;
        let body = order_of(&[("TEA", 1)]);
        // One millisecond: whether the order was made or not, the same key tells.
        for number in 0..9 {
            let key = format!("k-{number}");
            let hasty = world.api.keyed("/v1/orders", &key, &body);
            let hasty = send(hasty.header("X-Request-Timeout-Ms", "1")).await;
            assert!(matches!(hasty.status, 201 | 202 | 504), "{hasty:?}");
            if hasty.status == 504 {
                assert_eq!(hasty.problem(504, "DEADLINE_EXCEEDED")["retryable"], true);
                assert!(!hasty.header("retry-after").is_empty());
            }
            let reply = eventually("the order is made", async || {
                let reply = world.api.place(&key, &body).await;
                if reply.status == 409 { Err(reply.text) } else { Ok(reply) }
            })
            .await;
            assert_eq!(world.settled(&reply.order_id()).await["status"], "confirmed");
        }
        assert_eq!(world.database.number("SELECT count(*) FROM orders").await, 9);
        assert_eq!(world.stock("TEA").await, (10, 9, 1));
        world.assert_balanced().await;
    }
}
