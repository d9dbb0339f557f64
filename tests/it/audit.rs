//! The audit finds nothing where nothing is wrong, and every lie where somebody lied.

use crate::client::send;
use crate::database::Database;
use crate::world::{World, on_both, order_of};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// A lie in the books, how to take it back, and the check that must find it.
struct Lie {
    told: &'static str,
    taken_back: &'static str,
    check: &'static str,
    /// What the finding names.
    names: &'static str,
}

const LIES: &[Lie] = &[
    Lie {
        told: "UPDATE stock SET reserved = reserved + 1 WHERE sku = 'TEA'",
        taken_back: "UPDATE stock SET reserved = reserved - 1 WHERE sku = 'TEA'",
        check: "reserved_equals_reservations",
        names: "TEA",
    },
    Lie {
        told: "UPDATE stock SET on_hand = on_hand + 5 WHERE sku = 'CUP'",
        taken_back: "UPDATE stock SET on_hand = on_hand - 5 WHERE sku = 'CUP'",
        check: "stock_equals_adjustments",
        names: "CUP",
    },
    Lie {
        told: "UPDATE orders SET version = version + 1 WHERE external_ref = 'first'",
        taken_back: "UPDATE orders SET version = version - 1 WHERE external_ref = 'first'",
        check: "events_match_versions",
        names: "version 3",
    },
    Lie {
        told: "UPDATE payment SET status = 'declined' WHERE amount = 500",
        taken_back: "UPDATE payment SET status = 'captured' WHERE amount = 500",
        check: "bank_ledger_matches_payments",
        names: "Declined",
    },
    Lie {
        told: "UPDATE payment SET amount = 501 WHERE amount = 500",
        taken_back: "UPDATE payment SET amount = 500 WHERE amount = 501",
        check: "payments_match_orders",
        names: "minor: 501",
    },
    Lie {
        told: "UPDATE orders SET status = 'rejected' WHERE external_ref = 'first'",
        taken_back: "UPDATE orders SET status = 'confirmed' WHERE external_ref = 'first'",
        check: "reservations_match_orders",
        names: "TEA",
    },
];

/// Changes one row past the program; SQLite must not be written to by two.
async fn change(world: &mut World, sql: &str) {
    let stop = matches!(world.database, Database::Sqlite(_));
    if stop {
        assert_eq!(world.terminate().await.code(), Some(0));
    }
    assert_eq!(world.database.change(sql).await, 1, "{sql}");
    if stop {
        world.restart().await;
    }
}

fn check<'a>(audit: &'a Value, name: &str) -> &'a Value {
    let mut checks = audit["checks"].as_array().unwrap().iter();
    checks.find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {audit}"))
}

on_both! {
    async fn every_kind_of_order_leaves_the_books_balanced(world in World) {
        world.stocked("TEA", 250, 50).await;
        world.stocked("CUP", 700, 30).await;
        world.stocked("GIFT", 0, 1_000).await;
        world.assert_balanced().await;
        let orders = (0..120_i64).map(|number| {
            let mut body = match number % 4 {
                0 => order_of(&[("TEA", 1), ("CUP", 1)]),
                1 => order_of(&[("CUP", 2), ("GIFT", 1)]),
                2 => order_of(&[("GIFT", 1)]),
                _ => order_of(&[("TEA", 3)]),
            };
            if number % 5 == 0 {
                body["payment"]["method"] = json!("pm_card_chargeDeclined");
            }
            if number % 7 == 0 {
                body["payment"]["capture"] = json!("manual");
            }
            let mut request = world.api.order(&format!("k-{number}"), &body);
            if number % 3 == 0 {
                request = request.header("Prefer", "respond-async");
            }
            send(request)
        });
        // Audits in the middle of it all find nothing either.
        let watch = async {
            for _ in 0..5 {
                world.assert_balanced().await;
            }
        };
        let (replies, ()) = futures_util::future::join(join_all(orders), watch).await;
        for reply in &replies {
            assert!(matches!(reply.status, 201 | 202 | 402 | 409), "{reply:?}");
        }
        world.pending(0).await;
        world.assert_balanced().await;
        let audit = world.audit().await;
        assert_eq!(check(&audit, "events_match_versions")["checked"], 120);
        let figures = &check(&audit, "bank_ledger_matches_payments")["figures"]["USD"];
        let captured =
            world.database.number("SELECT CAST(sum(amount_captured) AS bigint) FROM orders").await;
        assert!(captured > 0);
        for figure in ["ledger_captured", "payments_captured", "orders_total"] {
            assert_eq!(figures[figure], captured, "{figure}");
        }
    }

    async fn every_lie_is_found_and_named(mut world in World) {
        world.stocked("TEA", 250, 50).await;
        world.stocked("CUP", 700, 30).await;
        let mut first = order_of(&[("TEA", 2)]);
        first["external_ref"] = json!("first");
        world.api.place("k-1", &first).await.expect(201);
        world.api.place("k-2", &order_of(&[("CUP", 1)])).await.expect(201);
        world.assert_balanced().await;
        for lie in LIES {
            change(&mut world, lie.told).await;
            let audit = world.audit().await;
            assert_eq!(audit["balanced"], false, "{}", lie.told);
            let check = check(&audit, lie.check);
            assert_eq!(check["ok"], false, "{}: {audit:#}", lie.told);
            let named = check["violations"].to_string();
            assert!(named.contains(lie.names), "{}: {named}", lie.told);
            change(&mut world, lie.taken_back).await;
            world.assert_balanced().await;
        }
    }

    async fn money_that_nobody_ordered_is_found(world in World) {
        world.stocked("TEA", 250, 50).await;
        world.api.place("k-1", &order_of(&[("TEA", 2)])).await.expect(201);
        let stranger = "0190a000-0000-7000-8000-000000000000";
        let form = [
            ("amount", "777"),
            ("currency", "usd"),
            ("confirm", "true"),
            ("payment_method", "pm_card_visa"),
            ("metadata[order_id]", stranger),
        ];
        let charge = world.api.http.post(format!("{}/v1/payment_intents", world.bank.url));
        send(charge.bearer_auth("sk_x").header("Idempotency-Key", "orphan").form(&form))
            .await
            .expect(200);
        let audit = world.audit().await;
        assert_eq!(audit["balanced"], false);
        let found = check(&audit, "bank_ledger_matches_payments")["violations"].to_string();
        assert!(found.contains(stranger), "{found}");
    }
}
