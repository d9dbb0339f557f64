//! The streams, over the services.

use super::{ADMIN, Client, in_a_shop, request};
use actix_web::http::Method;
use serde_json::{Value, json};

/// Sends lines and gives the outcomes by line.
async fn stream(client: &Client, path: &str, key: Option<&str>, lines: &[String]) -> Vec<Value> {
    let mut post = request(ADMIN, Method::POST, path);
    if let Some(key) = key {
        post = post.insert_header(("Idempotency-Key", key));
    }
    let post = post.insert_header(("Content-Type", "application/x-ndjson"));
    let told = client.send(post.set_payload(lines.join("\n"))).await;
    assert_eq!((told.status, told.header("content-type")), (200, "application/x-ndjson"));
    let read = |line: &str| serde_json::from_str(line).expect("a line of JSON");
    let mut outcomes: Vec<Value> = told.body.lines().map(read).collect();
    outcomes.sort_by_key(|outcome| outcome["line"].as_u64());
    outcomes
}

fn summary(outcomes: &[Value]) -> Vec<(u64, u64, &str)> {
    let one = |outcome: &'_ Value| (outcome["line"].as_u64(), outcome["status"].as_u64());
    outcomes
        .iter()
        .map(|outcome| {
            let (line, status) = one(outcome);
            let code = outcome["error"]["code"].as_str().unwrap_or("");
            (line.unwrap_or(0), status.unwrap_or(0), code)
        })
        .collect()
}

#[test]
fn orders_are_imported_line_by_line() {
    in_a_shop(|_, client| async move {
        let order = |key: &str, sku: &str, quantity: i64| {
            json!({"idempotency_key": key, "currency": "USD",
                "lines": [{"sku": sku, "quantity": quantity}],
                "payment": {"method": "pm_card_visa"}})
        };
        let mut keyless = order("", "A", 1);
        keyless.as_object_mut().expect("an object").remove("idempotency_key");
        let large = json!({"idempotency_key": "k-9", "currency": "USD",
            "lines": vec![json!({"sku": "A", "quantity": 1, "unit_amount": 0}); 501]});
        let lines = [
            order("k-1", "A", 1).to_string(),
            "{broken".to_owned(),
            String::new(),
            keyless.to_string(),
            order("a b", "A", 1).to_string(),
            order("k-6", "A", 0).to_string(),
            order("k-7", "A", 99).to_string(),
            order("k-8", "C", 1).to_string(),
            large.to_string(),
        ];
        let outcomes = stream(&client, "/v1/orders:batch", None, &lines).await;
        let expected = [
            (1, 201, ""),
            (2, 400, "INVALID_BODY"),
            (4, 400, "IDEMPOTENCY_KEY_REQUIRED"),
            (5, 400, "IDEMPOTENCY_KEY_INVALID"),
            (6, 422, "VALIDATION_FAILED"),
            (7, 409, "OUT_OF_STOCK"),
            (8, 422, "VALIDATION_FAILED"),
            // More lines than an order by itself may have: allowed here, but 501 are too many
            // for the 10 units on the shelf.
            (9, 409, "OUT_OF_STOCK"),
        ];
        assert_eq!(summary(&outcomes), expected);
        assert_eq!(outcomes[0]["order"]["status"], "confirmed");

        // An order in a stream and the same order by itself are one request.
        let alone = json!({"currency": "USD", "lines": [{"sku": "A", "quantity": 1}],
            "payment": {"method": "pm_card_visa"}});
        let again = client.post("/v1/orders", "k-1", &alone).await;
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.json(), outcomes[0]["order"]);
    });
}

#[test]
fn stock_is_imported_once() {
    in_a_shop(|_, client| async move {
        let mut lines: Vec<String> =
            (0..1_200).map(|n| json!({"sku": format!("S-{n}"), "delta": 3}).to_string()).collect();
        lines.push(json!({"sku": "A", "delta": -11}).to_string());
        lines.push(json!({"sku": "A", "delta": 0.5}).to_string());
        for _ in 0..2 {
            let outcomes = stream(&client, "/v1/stock:batch", Some("opening"), &lines).await;
            assert_eq!(outcomes.len(), 1_202);
            assert_eq!(outcomes[1_199]["stock"]["on_hand"], 3);
            let last = summary(&outcomes[1_200..]);
            let expected = [(1_201, 409, "INSUFFICIENT_STOCK"), (1_202, 422, "VALIDATION_FAILED")];
            assert_eq!(last, expected);
        }
        assert_eq!(client.get("/v1/stock/S-7").await.json()["on_hand"], 3);
    });
}

#[test]
fn products_and_customers_are_imported() {
    in_a_shop(|_, client| async move {
        let product = |sku: &str| {
            json!({"sku": sku, "name": sku, "category": "c", "unit_amount": 1, "currency": "USD",
                "active": true})
            .to_string()
        };
        let lines = [product("P-1"), "7".to_owned(), product("P-1"), product("P-2")];
        let outcomes = stream(&client, "/v1/products:batch", None, &lines).await;
        let expected = [(1, 200, ""), (2, 400, "INVALID_BODY"), (3, 200, ""), (4, 200, "")];
        assert_eq!(summary(&outcomes), expected);
        assert_eq!(outcomes[3]["product"]["sku"], "P-2");

        let customer = |name: &str| json!({"external_ref": name, "name": name}).to_string();
        let lines = [customer("h-1"), customer("h-2"), customer("h-1")];
        let outcomes = stream(&client, "/v1/customers:batch", None, &lines).await;
        assert_eq!(summary(&outcomes), [(1, 201, ""), (2, 201, ""), (3, 200, "")]);
        assert_eq!(outcomes[0]["customer"], outcomes[2]["customer"]);
    });
}

#[test]
fn a_stream_of_another_media_type_is_refused() {
    in_a_shop(|_, client| async move {
        for path in ["orders", "products", "stock", "customers"] {
            let post = request(ADMIN, Method::POST, &format!("/v1/{path}:batch"))
                .insert_header(("Content-Type", "text/csv"))
                .set_payload("a,b");
            let expected = (415, "UNSUPPORTED_MEDIA_TYPE".to_owned());
            assert_eq!(client.send(post).await.problem(), expected, "{path}");
        }
    });
}
