//! Orders as a stream.

use crate::client::{check_problem, points_at};
use crate::world::{World, on_both, order_of};
use serde_json::{Value, json};

/// An order as a line of a stream.
fn line(key: &str, mut order: Value) -> String {
    order["idempotency_key"] = json!(key);
    order.to_string()
}

on_both! {
    async fn broken_orders_in_a_stream_harm_no_other(world in World) {
        world.stocked("TEA", 250, 10).await;
        let mut declined = order_of(&[("TEA", 1)]);
        declined["payment"]["method"] = json!("pm_card_chargeDeclined");
        let lines = [
            line("b-1", order_of(&[("TEA", 2)])),
            "{\"currency\":".to_owned(),
            order_of(&[("TEA", 1)]).to_string(),
            String::new(),
            line("b-5", order_of(&[("TEA", 0)])),
            line("b-6", order_of(&[("TEA", 11)])),
            line("b-7", declined),
            line("b 8", order_of(&[("TEA", 1)])),
            line("b-9", order_of(&[("TEA", 3)])),
        ];
        let outcomes = world.api.stream("/v1/orders:batch", None, &lines).await;
        assert_eq!(outcomes.0.len(), 8, "{outcomes:?}");
        for (line, status, code) in [
            (1, 201, ""),
            (2, 400, "INVALID_BODY"),
            (3, 400, "IDEMPOTENCY_KEY_REQUIRED"),
            (5, 422, "VALIDATION_FAILED"),
            (6, 409, "OUT_OF_STOCK"),
            (7, 402, "PAYMENT_DECLINED"),
            (8, 400, "IDEMPOTENCY_KEY_INVALID"),
            (9, 201, ""),
        ] {
            assert_eq!(outcomes.status(line), (status, code), "line {line}: {outcomes:?}");
            if status >= 400 {
                check_problem(&outcomes.of(line)["error"]);
            }
        }
        assert!(points_at(&outcomes.of(5)["error"], "/lines/0/quantity"));
        assert_eq!(world.stock("TEA").await, (10, 5, 5));
        // The same stream again: the same orders, and no more of them.
        let again = world.api.stream("/v1/orders:batch", None, &lines).await;
        for line in [1, 6, 7, 9] {
            assert_eq!(again.of(line), outcomes.of(line), "line {line}");
        }
        assert_eq!(world.stock("TEA").await, (10, 5, 5));
        // And an order of the stream is the same request as the order by itself.
        let alone = world.api.place("b-1", &order_of(&[("TEA", 2)])).await;
        assert!(alone.is_replay());
        assert_eq!(alone.expect(201), outcomes.of(1)["order"]);
        world.assert_balanced().await;
    }

    async fn long_orders_come_as_a_stream(world in World) {
        world.stocked("TEA", 1, 10_000).await;
        let of_lines = |count: usize| {
            json!({"currency": "USD", "payment": {"method": "pm_card_visa"},
                "lines": vec![json!({"sku": "TEA", "quantity": 1}); count]})
        };
        let refused = world.api.place("k-1", &of_lines(501)).await;
        assert!(points_at(&refused.problem(422, "VALIDATION_FAILED"), "/lines"));
        world.api.place("k-2", &of_lines(500)).await.expect(201);
        let lines = [
            line("b-1", of_lines(600)),
            line("b-2", of_lines(5_000)),
            line("b-3", of_lines(5_001)),
        ];
        let outcomes = world.api.stream("/v1/orders:batch", None, &lines).await;
        assert_eq!(outcomes.status(1), (201, ""));
        assert_eq!(outcomes.of(1)["order"]["lines"].as_array().unwrap().len(), 600);
        assert_eq!(outcomes.status(2), (201, ""));
        assert_eq!(outcomes.status(3), (422, "VALIDATION_FAILED"));
        assert_eq!(world.stock("TEA").await, (10_000, 6_100, 3_900));
        world.assert_balanced().await;
    }

    async fn hundreds_of_orders_in_one_stream(world in World) {
        world.stocked("TEA", 250, 300).await;
        let lines: Vec<String> =
            (0..400).map(|number| line(&format!("b-{number}"), order_of(&[("TEA", 1)]))).collect();
        let outcomes = world.api.stream("/v1/orders:batch", None, &lines).await;
        let statuses: Vec<u64> = (1..=400).map(|line| outcomes.status(line).0).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 300, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 100, "{statuses:?}");
        assert_eq!(world.stock("TEA").await, (300, 300, 0));
        world.assert_balanced().await;
    }
}
