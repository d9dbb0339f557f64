//! A backup is restored, and what the bank knows since then is put right.

use crate::client::send;
use crate::world::{World, on_both, order_of};
use serde_json::{Value, json};

/// `orderly reconcile`: its exit code, what it said, its result.
async fn reconcile(world: &World, more: &[&str]) -> (Option<i32>, String, Value) {
    let arguments = [&["reconcile", "--json"], more].concat();
    let finished = world.run("reconcile", &arguments).await;
    let said = format!("{}\n{}", finished.stdout, finished.stderr);
    let last = finished.stdout.trim_end().lines().next_back().unwrap_or("");
    (finished.code, said, serde_json::from_str(last).unwrap_or_default())
}

/// An order whose money is held until it ships.
fn held() -> Value {
    let mut order = order_of(&[("TEA", 1)]);
    order["payment"]["capture"] = json!("manual");
    order
}

on_both! {
    async fn after_a_restore_money_of_lost_orders_goes_back_and_the_rest_settles(
        mut world in World
    ) {
        world.stocked("TEA", 250, 100).await;
        let kept = world.api.place("kept", &order_of(&[("TEA", 1)])).await;
        let (code, said, _) = reconcile(&world, &[]).await;
        assert_eq!(code, Some(0), "{said}");

        // The backup is taken while an order waits for the bank.
        world.bank.stall().await;
        let order = world.api.order("waits", &order_of(&[("TEA", 2)]));
        let waits = send(order.header("Prefer", "respond-async")).await;
        waits.expect(202);
        world.kill();
        let backup = world.database.backup().await;

        // Since then it was paid, another one was paid, and a third one's money is held.
        world.bank.recover().await;
        world.restart().await;
        world.settled(&waits.order_id()).await;
        let paid = world.api.place("lost-paid", &order_of(&[("TEA", 3)])).await;
        let holds = world.api.place("lost-held", &held()).await;
        paid.expect(201);
        holds.expect(201);
        assert_eq!(world.stock("TEA").await.1, 7);

        // The disk is lost.
        world.kill();
        world.database.restore(backup).await;
        world.restart().await;
        assert_eq!(world.order(&kept.order_id()).await["status"], "confirmed");
        assert_eq!(world.settled(&waits.order_id()).await["status"], "confirmed");
        assert_eq!(world.stock("TEA").await.1, 3);
        let audit = world.audit().await;
        assert_eq!(audit["balanced"], false, "money of nobody is found: {audit}");

        // What is to be done is told, and done only if that is still it.
        let (code, said, result) = reconcile(&world, &[]).await;
        assert_eq!(code, Some(1), "{said}");
        let mut unknown: Vec<&str> =
            result["unknown"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        let mut lost = [paid.order_id(), holds.order_id()];
        unknown.sort_unstable();
        lost.sort_unstable();
        assert_eq!(unknown, lost, "{said}");
        let before = world.bank.ledger().await;
        // At a wrong address nothing is found, and that is no reason to give money back.
        let wrong = format!("{}/v1", world.api.base);
        let (code, said, _) = reconcile(&world, &["--target", &wrong, "--apply", "4"]).await;
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("answered 404"), "{said}");
        let (code, said, _) = reconcile(&world, &["--apply", "3"]).await;
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("nothing was done: there are 2 unknown orders"), "{said}");
        assert_eq!(world.bank.ledger().await, before);

        let (code, said, result) = reconcile(&world, &["--apply", "2"]).await;
        assert_eq!((code, &result["undone"]), (Some(0), &json!(2)), "{said}");
        let entry = world.bank.ledger_of(&paid.order_id()).await;
        assert_eq!((&entry[0]["captured"], &entry[0]["refunded"]), (&json!(750), &json!(750)));
        let entry = world.bank.ledger_of(&holds.order_id()).await;
        assert_eq!((&entry[0]["captured"], &entry[0]["status"]), (&json!(0), &json!("canceled")));
        for id in [kept.order_id(), waits.order_id()] {
            assert_eq!(world.bank.ledger_of(&id).await[0]["refunded"], 0);
        }
        let (code, said, _) = reconcile(&world, &[]).await;
        assert_eq!(code, Some(0), "{said}");
        world.assert_balanced().await;

        // A client that was told 201 and asks again is given a new order, and pays once.
        let again = world.api.place("lost-paid", &order_of(&[("TEA", 3)])).await;
        again.expect(201);
        assert_ne!(again.order_id(), paid.order_id());
        world.assert_balanced().await;
    }
}
