//! Products, stock and customers.

use crate::client::{points_at, send};
use crate::idempotency::assert_replayed;
use crate::world::{World, on_both, order_of};
use serde_json::json;

on_both! {
    async fn a_product_is_made_changed_and_read(world in World) {
        let path = "/v1/products/green%20tea%2F1%20%C3%BC";
        world.api.get(path).await.problem(404, "NOT_FOUND");
        let body = json!({"name": "Green tea", "category": "Tea", "unit_amount": 495,
            "currency": "EUR", "active": true});
        let made = world.api.put(path, &body).await.expect(200);
        assert_eq!((&made["sku"], &made["unit_amount"]), (&json!("green tea/1 ü"), &json!(495)));
        assert_eq!((&made["category"], &made["active"]), (&json!("Tea"), &json!(true)));
        assert_eq!(world.api.get(path).await.expect(200), made);
        let body =
            json!({"name": "Green tea", "unit_amount": 500, "currency": "EUR", "active": false});
        let changed = world.api.put(path, &body).await.expect(200);
        assert_eq!((&changed["unit_amount"], &changed["active"]), (&json!(500), &json!(false)));
        assert!(changed["revision"].as_i64() > made["revision"].as_i64());
        assert_eq!(world.api.get(path).await.expect(200), changed);
        // Nobody can order what is not sold, or in another currency.
        let order = json!({"currency": "EUR", "lines": [{"sku": "green tea/1 ü", "quantity": 1}],
            "payment": {"method": "pm_card_visa"}});
        let problem = world.api.place("k-1", &order).await.problem(422, "VALIDATION_FAILED");
        assert!(points_at(&problem, "/lines/0/sku"), "{problem}");
        world.product("USD-THING", 5).await;
        let mut mixed = order_of(&[("USD-THING", 1)]);
        mixed["currency"] = json!("EUR");
        let problem = world.api.place("k-2", &mixed).await.problem(422, "VALIDATION_FAILED");
        assert!(points_at(&problem, "/lines/0/sku"), "{problem}");
    }

    async fn broken_products_in_a_stream_harm_no_other(world in World) {
        let lines = [
            r#"{"sku":"A","name":"a","unit_amount":1,"currency":"USD"}"#,
            r#"{"sku":"B","name":"b","unit_amount":"#,
            r#"{"sku":"C","name":"c","unit_amount":1.5,"currency":"USD"}"#,
            "",
            r#"{"sku":"D","name":"d","unit_amount":4,"currency":"USD","colour":"red"}"#,
            r#"{"name":"nameless","unit_amount":4,"currency":"XXY"}"#,
            r#"{"sku":"A","name":"a again","unit_amount":2,"currency":"USD"}"#,
        ]
        .map(str::to_owned);
        let outcomes = world.api.stream("/v1/products:batch", None, &lines).await;
        assert_eq!(outcomes.0.len(), 6, "{outcomes:?}");
        assert_eq!(outcomes.status(1), (200, ""));
        assert_eq!(outcomes.of(1)["product"]["sku"], "A");
        for (line, status, code) in [
            (2, 400, "INVALID_BODY"),
            (3, 422, "VALIDATION_FAILED"),
            (5, 400, "INVALID_BODY"),
            (6, 422, "VALIDATION_FAILED"),
        ] {
            assert_eq!(outcomes.status(line), (status, code), "line {line}");
            crate::client::check_problem(&outcomes.of(line)["error"]);
        }
        assert!(points_at(&outcomes.of(3)["error"], "/unit_amount"));
        assert_eq!(outcomes.status(7), (200, ""));
        assert_eq!(world.api.get("/v1/products/A").await.expect(200)["unit_amount"], 2);
        world.api.get("/v1/products/D").await.problem(404, "NOT_FOUND");
    }

    async fn stock_never_falls_below_what_is_promised(world in World) {
        world.stocked("TEA", 100, 10).await;
        world.api.place("k-1", &order_of(&[("TEA", 7)])).await.expect(201);
        let path = "/v1/stock/TEA/adjustments";
        let adjust = async |key: &str, delta: i64| {
            send(world.api.keyed(path, key, &json!({"delta": delta, "reason": "count"}))).await
        };
        let refused = adjust("a-1", -4).await;
        let problem = refused.problem(409, "INSUFFICIENT_STOCK");
        assert_eq!(problem["details"]["available"], 3);
        assert_eq!(world.stock("TEA").await, (10, 7, 3));
        let done = adjust("a-2", -3).await;
        let level = done.expect(200);
        assert_eq!((&level["on_hand"], &level["available"]), (&json!(7), &json!(0)));
        adjust("a-3", 5).await.expect(200);
        // A repetition does nothing and tells what was true then.
        assert_replayed(&done, &adjust("a-2", -3).await);
        assert_eq!(world.stock("TEA").await, (12, 7, 5));
        adjust("a-2", -2).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
        // What was refused stays refused under its key, also when there would be enough.
        assert_replayed(&refused, &adjust("a-1", -4).await);
        adjust("a-4", -4).await.expect(200);
        assert_eq!(world.stock("TEA").await, (8, 7, 1));
        world.api.get("/v1/stock/NEVER").await.problem(404, "NOT_FOUND");
        let none =
            send(world.api.keyed("/v1/stock/NEVER/adjustments", "a-5", &json!({"delta": -1})))
                .await;
        none.problem(409, "INSUFFICIENT_STOCK");
        let huge = json!({"delta": 1_000_000_000_000_i64});
        for number in 0..3 {
            let key = format!("huge-{number}");
            send(world.api.keyed("/v1/stock/HUGE/adjustments", &key, &huge)).await.expect(200);
        }
        assert_eq!(world.stock("HUGE").await.0, 3_000_000_000_000);
        world.assert_balanced().await;
    }

    async fn adjustments_of_one_sku_at_once_all_count(world in World) {
        world.stocked("TEA", 100, 0x100).await;
        let adjustments = (0..60).map(|number| {
            let body = json!({"delta": if number % 3 == 0 { -2 } else { 3 }});
            send(world.api.keyed("/v1/stock/TEA/adjustments", &format!("a-{number}"), &body))
        });
        for reply in futures_util::future::join_all(adjustments).await {
            reply.expect(200);
        }
        assert_eq!(world.stock("TEA").await.0, 0x100 - 20 * 2 + 40 * 3);
        world.assert_balanced().await;
    }

    async fn one_adjustment_sent_many_times_at_once_counts_once(world in World) {
        world.stocked("TEA", 100, 10).await;
        let adjustments = (0..30).map(|_| {
            send(world.api.keyed("/v1/stock/TEA/adjustments", "a-1", &json!({"delta": 5})))
        });
        let replies = futures_util::future::join_all(adjustments).await;
        let (done, refused): (Vec<_>, Vec<_>) =
            replies.iter().partition(|reply| reply.status == 200);
        assert_eq!(done.iter().filter(|reply| !reply.is_replay()).count(), 1, "{replies:?}");
        assert!(done.iter().all(|reply| reply.text == done[0].text), "{done:?}");
        for reply in refused {
            reply.problem(409, "IDEMPOTENCY_IN_PROGRESS");
        }
        assert_eq!(world.stock("TEA").await, (15, 0, 15));
        world.assert_balanced().await;
    }

    async fn a_stream_of_adjustments_counts_once_under_its_key(world in World) {
        let lines = [
            r#"{"sku":"A","delta":5,"reason":"opening_stock"}"#,
            r#"{"sku":"B","delta":-1}"#,
            r#"{"sku":"A","delta":2}"#,
            "nonsense",
            r#"{"sku":"C","delta":0}"#,
            r#"{"sku":"D","delta":9}"#,
        ]
        .map(str::to_owned);
        let first = world.api.stream("/v1/stock:batch", Some("opening"), &lines).await;
        assert_eq!(first.0.len(), 6, "{first:?}");
        for (line, status, code) in [
            (1, 200, ""),
            (2, 409, "INSUFFICIENT_STOCK"),
            (3, 200, ""),
            (4, 400, "INVALID_BODY"),
            (5, 422, "VALIDATION_FAILED"),
            (6, 200, ""),
        ] {
            assert_eq!(first.status(line), (status, code), "line {line}");
        }
        assert_eq!(first.of(3)["stock"]["on_hand"], 7);
        let again = world.api.stream("/v1/stock:batch", Some("opening"), &lines).await;
        for line in [1, 2, 3, 6] {
            assert_eq!(again.of(line), first.of(line), "line {line}");
        }
        assert_eq!((world.stock("A").await.0, world.stock("D").await.0), (7, 9));
        // Without a key every time counts.
        for _ in 0..2 {
            let outcomes = world.api.stream("/v1/stock:batch", None, &lines[5..]).await;
            assert_eq!(outcomes.status(1), (200, ""));
        }
        assert_eq!(world.stock("D").await.0, 27);
        world.assert_balanced().await;
    }

    async fn customers_are_known_by_their_reference(world in World) {
        let ada = json!({"external_ref": "h-1", "name": "Ada", "email": "ada@example.com",
            "default_payment_method": "pm_card_visa"});
        let made = world.api.post("/v1/customers", &ada).await;
        let customer = made.expect(201);
        let path = format!("/v1/customers/{}", customer["id"].as_str().unwrap());
        assert_eq!(made.header("location"), path);
        for (member, value) in ada.as_object().unwrap() {
            assert_eq!(&customer[member], value);
        }
        assert_eq!(world.api.get(&path).await.expect(200), customer);
        let again =
            world.api.post("/v1/customers", &json!({"external_ref": "h-1", "name": "Eve"})).await;
        assert_eq!(again.expect(200), customer);
        let lines = [
            r#"{"external_ref":"h-1","name":"Ada"}"#,
            r#"{"external_ref":"h-2","name":"Bob"}"#,
            r#"{"external_ref":"h-3","name":""}"#,
            r#"{"external_ref":"h-2","name":"Bob twice"}"#,
            r#"{"name":"no reference"}"#,
        ]
        .map(str::to_owned);
        let outcomes = world.api.stream("/v1/customers:batch", None, &lines).await;
        assert_eq!(outcomes.of(1)["customer"], customer);
        assert_eq!(outcomes.status(1), (200, ""));
        assert_eq!(outcomes.status(2), (201, ""));
        assert_eq!(outcomes.status(3), (422, "VALIDATION_FAILED"));
        assert_eq!(outcomes.of(4)["customer"]["id"], outcomes.of(2)["customer"]["id"]);
        assert_eq!(outcomes.status(5), (201, ""));
        assert_eq!(
            world.api.get("/v1/customers").await.expect(200)["data"].as_array().unwrap().len(),
            3
        );
        for absent in ["0190a000-0000-7000-8000-000000000000", "x"] {
            world.api.get(&format!("/v1/customers/{absent}")).await.problem(404, "NOT_FOUND");
        }
    }
}
