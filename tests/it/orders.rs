//! Placing orders, and everything that can become of one at once.

use crate::client::points_at;
use crate::world::{World, on_both, order_of};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MEMBERS: &[&str] = &[
    "id",
    "external_ref",
    "customer_id",
    "status",
    "currency",
    "amount_subtotal",
    "amount_discount",
    "amount_tax",
    "amount_total",
    "amount_authorized",
    "amount_captured",
    "amount_refunded",
    "lines",
    "payment",
    "metadata",
    "degraded",
    "created_at",
    "updated_at",
    "version",
];
const LINE_MEMBERS: &[&str] = &[
    "sku",
    "quantity",
    "unit_amount",
    "discount_amount",
    "amount_total",
    "quantity_shipped",
    "quantity_cancelled",
    "quantity_returned",
];
const PAYMENT_MEMBERS: &[&str] = &["id", "status", "method", "provider_ref", "decline_code"];

fn members(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn set<'a>(names: &[&'a str]) -> BTreeSet<&'a str> {
    names.iter().copied().collect()
}

on_both! {
    async fn a_good_order_is_confirmed_with_all_its_members(world in World) {
        world.stocked("TEA", 250, 10).await;
        let mut body = order_of(&[("TEA", 3)]);
        body["external_ref"] = json!("basket-1");
        body["metadata"] = json!({"channel": "web", "deep": {"list": [1, 1.5, null]},
            "nul": "\u{0}", "big": u64::MAX, "smile": "\u{1F600} ' \" \\ $1"});
        let reply = world.api.place("k-1", &body).await;
        let order = reply.expect(201);
        let id = reply.order_id();
        assert_eq!(reply.header("location"), format!("/v1/orders/{id}"));
        assert_eq!(reply.header("etag"), "\"v2\"");
        assert!(!reply.is_replay());
        assert_eq!(members(&order), set(MEMBERS));
        assert_eq!(members(&order["lines"][0]), set(LINE_MEMBERS));
        assert_eq!(members(&order["payment"]), set(PAYMENT_MEMBERS));
        for (member, expected) in [
            ("status", json!("confirmed")),
            ("currency", json!("USD")),
            ("version", json!(2)),
            ("external_ref", json!("basket-1")),
            ("customer_id", json!(null)),
            ("amount_subtotal", json!(750)),
            ("amount_discount", json!(0)),
            ("amount_tax", json!(0)),
            ("amount_total", json!(750)),
            ("amount_authorized", json!(750)),
            ("amount_captured", json!(750)),
            ("amount_refunded", json!(0)),
            ("metadata", body["metadata"].clone()),
            ("degraded", json!([])),
        ] {
            assert_eq!(order[member], expected, "{member}");
        }
        let payment = &order["payment"];
        assert_eq!(
            (&payment["status"], &payment["method"]),
            (&json!("captured"), &json!("pm_card_visa"))
        );
        assert!(payment["provider_ref"].as_str().unwrap().starts_with("pi_"));
        assert_eq!(world.order(&id).await, order);
        assert_eq!(world.stock("TEA").await, (10, 3, 7));
        let ledger = world.bank.ledger().await;
        assert_eq!(ledger.len(), 1);
        assert_eq!(ledger[0]["order_id"], id);
        assert_eq!((&ledger[0]["captured"], &ledger[0]["currency"]), (&json!(750), &json!("USD")));
        let path = format!("/v1/payments/{}", payment["id"].as_str().unwrap());
        let shown = world.api.get(&path).await.expect(200);
        assert_eq!((&shown["order_id"], &shown["amount"]), (&json!(id), &json!(750)));
        assert_eq!(shown["status"], "captured");
        world.assert_balanced().await;
    }

    async fn a_declined_order_is_rejected_and_its_stock_is_free_again(world in World) {
        world.stocked("TEA", 250, 10).await;
        for (number, (method, code)) in [
            ("pm_card_chargeDeclined", "generic_decline"),
            ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ]
        .into_iter()
        .enumerate()
        {
            let mut body = order_of(&[("TEA", 10)]);
            body["payment"]["method"] = json!(method);
            let reply = world.api.place(&format!("k-{number}"), &body).await;
            let problem = reply.problem(402, "PAYMENT_DECLINED");
            assert_eq!(problem["details"]["decline_code"], code);
            assert_eq!(problem["retryable"], false);
            let order = world.order(&reply.order_id()).await;
            assert_eq!((&order["status"], &order["version"]), (&json!("rejected"), &json!(2)));
            assert_eq!(order["amount_captured"], 0);
            assert_eq!(order["payment"]["status"], "declined");
            assert_eq!(order["payment"]["decline_code"], code);
            assert_eq!(world.stock("TEA").await, (10, 0, 10));
        }
        world.assert_balanced().await;
    }

    async fn every_shortage_is_told_exactly(world in World) {
        world.stocked("A", 100, 3).await;
        world.stocked("B", 100, 5).await;
        world.stocked("C", 100, 0x1_0000).await;
        world.product("NEVER", 100).await;
        // A stands on two lines: together they are too many, each alone would do.
        let body = order_of(&[("A", 2), ("B", 9), ("C", 1), ("A", 2), ("NEVER", 1)]);
        let reply = world.api.place("k-1", &body).await;
        let problem = reply.problem(409, "OUT_OF_STOCK");
        let mut shortages = problem["details"]["shortages"].as_array().unwrap().clone();
        shortages.sort_by_key(|shortage| shortage["sku"].to_string());
        assert_eq!(
            shortages,
            [
                json!({"sku": "A", "requested": 4, "available": 3}),
                json!({"sku": "B", "requested": 9, "available": 5}),
                json!({"sku": "NEVER", "requested": 1, "available": 0}),
            ]
        );
        let order = world.order(&reply.order_id()).await;
        assert_eq!((&order["status"], &order["amount_captured"]), (&json!("rejected"), &json!(0)));
        assert_eq!(world.stock("A").await, (3, 0, 3));
        assert_eq!(world.stock("C").await, (0x1_0000, 0, 0x1_0000));
        assert!(world.bank.ledger().await.is_empty());
        world.assert_balanced().await;
    }

    async fn an_order_that_costs_nothing_asks_no_bank(mut world in World) {
        world.stocked("GIFT", 0, 5).await;
        world.stocked("TEA", 250, 5).await;
        world.bank.kill();
        let order = world.api.place("k-1", &order_of(&[("GIFT", 2)])).await.expect(201);
        assert_eq!((&order["status"], &order["amount_total"]), (&json!("confirmed"), &json!(0)));
        assert_eq!(order["payment"]["status"], "not_needed");
        // Nor does one whose discount eats the whole price, even without means of payment.
        let free = json!({"currency": "USD",
            "lines": [{"sku": "TEA", "quantity": 2, "discount_amount": 500}]});
        let order = world.api.place("k-2", &free).await.expect(201);
        assert_eq!(
            (&order["status"], &order["amount_discount"]),
            (&json!("confirmed"), &json!(500))
        );
        world.bank.restart().await;
        assert!(world.bank.ledger().await.is_empty());
        assert_eq!(world.stock("GIFT").await, (5, 2, 3));
        world.assert_balanced().await;
    }

    async fn a_sku_may_stand_on_several_lines(world in World) {
        world.stocked("TEA", 250, 10).await;
        let body = json!({"currency": "USD", "payment": {"method": "pm_card_visa"}, "lines": [
            {"sku": "TEA", "quantity": 2},
            {"sku": "TEA", "quantity": 3, "unit_amount": 100, "discount_amount": 7},
        ]});
        let order = world.api.place("k-1", &body).await.expect(201);
        let totals: Vec<_> = (0..2).map(|line| &order["lines"][line]["amount_total"]).collect();
        assert_eq!(totals, [&json!(500), &json!(293)]);
        assert_eq!(order["amount_subtotal"], 800);
        assert_eq!((&order["amount_discount"], &order["amount_total"]), (&json!(7), &json!(793)));
        assert_eq!(world.stock("TEA").await, (10, 5, 5));
        world.assert_balanced().await;
    }

    async fn manual_capture_holds_the_money(world in World) {
        world.stocked("TEA", 250, 10).await;
        let mut body = order_of(&[("TEA", 2)]);
        body["payment"]["capture"] = json!("manual");
        let reply = world.api.place("k-1", &body).await;
        let order = reply.expect(201);
        assert_eq!(order["status"], "confirmed");
        assert_eq!(order["payment"]["status"], "authorized");
        assert_eq!(
            (&order["amount_authorized"], &order["amount_captured"]),
            (&json!(500), &json!(0))
        );
        let ledger = world.bank.ledger_of(&reply.order_id()).await;
        assert_eq!((ledger.len(), &ledger[0]["captured"]), (1, &json!(0)));
        assert_eq!(ledger[0]["amount"], 500);
        world.assert_balanced().await;
    }

    async fn the_catalogue_prices_an_order_unless_it_names_prices(world in World) {
        world.stocked("TEA", 250, 10).await;
        let order = world.api.place("k-1", &order_of(&[("TEA", 1)])).await.expect(201);
        assert_eq!(order["lines"][0]["unit_amount"], 250);
        world.product("TEA", 300).await;
        let order = world.api.place("k-2", &order_of(&[("TEA", 1)])).await.expect(201);
        assert_eq!(order["lines"][0]["unit_amount"], 300);
        let mut body = order_of(&[("TEA", 1)]);
        body["lines"][0]["unit_amount"] = json!(7);
        let order = world.api.place("k-3", &body).await.expect(201);
        assert_eq!(
            (&order["lines"][0]["unit_amount"], &order["amount_total"]),
            (&json!(7), &json!(7))
        );
    }

    async fn a_customer_pays_with_the_default_method(world in World) {
        world.stocked("TEA", 250, 10).await;
        let customer = |method: Value| json!({"name": "Ada", "default_payment_method": method});
        let mut ids = Vec::new();
        for method in [json!("pm_card_mastercard"), json!("pm_card_chargeDeclined"), json!(null)] {
            let reply = world.api.post("/v1/customers", &customer(method)).await;
            ids.push(reply.expect(201)["id"].clone());
        }
        let order = |customer: &Value| {
            json!({"currency": "USD", "customer_id": customer,
                "lines": [{"sku": "TEA", "quantity": 1}]})
        };
        let good = world.api.place("k-1", &order(&ids[0])).await.expect(201);
        assert_eq!(good["payment"]["method"], "pm_card_mastercard");
        assert_eq!(good["customer_id"], ids[0]);
        world.api.place("k-2", &order(&ids[1])).await.problem(402, "PAYMENT_DECLINED");
        // The order's own method comes first.
        let mut own = order(&ids[1]);
        own["payment"] = json!({"method": "pm_card_visa"});
        world.api.place("k-3", &own).await.expect(201);
        let none = world.api.place("k-4", &order(&ids[2])).await;
        assert!(points_at(&none.problem(422, "VALIDATION_FAILED"), "/payment/method"));
        let mut nobody = order(&json!("0190a000-0000-7000-8000-000000000000"));
        nobody["payment"] = json!({"method": "pm_card_visa"});
        let nobody = world.api.place("k-5", &nobody).await;
        assert!(points_at(&nobody.problem(422, "VALIDATION_FAILED"), "/customer_id"));
        world.assert_balanced().await;
    }

    async fn an_order_that_did_not_change_is_not_sent_again(world in World) {
        world.stocked("TEA", 250, 10).await;
        let reply = world.api.place("k-1", &order_of(&[("TEA", 1)])).await;
        let (path, etag) = (format!("/v1/orders/{}", reply.order_id()), reply.header("etag"));
        let shown = world.api.get(&path).await;
        assert_eq!((shown.status, shown.header("etag")), (200, etag));
        for (known, status) in [(etag, 304), ("\"v1\"", 200), ("\"v1\", \"v2\"", 304), ("*", 304)] {
            let request = world.api.request(reqwest::Method::GET, &path);
            let reply = crate::client::send(request.header("If-None-Match", known)).await;
            assert_eq!((reply.status, reply.header("etag")), (status, etag), "{known}");
            assert_eq!(reply.text.is_empty(), status == 304, "{known}");
        }
    }
}
