//! The shop through its front door.

use super::{ADMIN, in_a_shop, request};
use actix_web::http::Method;
use serde_json::{Value, json};
use std::time::Duration;

fn order(sku: &str, quantity: i64) -> Value {
    json!({
        "external_ref": format!("basket-{sku}-{quantity}"),
        "currency": "USD",
        "lines": [{"sku": sku, "quantity": quantity}],
        "payment": {"method": "pm_card_visa"}
    })
}

#[test]
fn an_order_is_placed_once_and_read_back() {
    in_a_shop(|_, client| async move {
        let first = client.post("/v1/orders", "k-1", &order("A", 3)).await;
        assert_eq!(first.status, 201, "{}", first.body);
        let placed = first.json();
        assert_eq!(placed["status"], "confirmed");
        let location = first.header("location").to_owned();
        assert_eq!(location, format!("/v1/orders/{}", placed["id"].as_str().expect("an id")));

        let again = client.post("/v1/orders", "\"k-1\"", &order("A", 3)).await;
        assert_eq!((again.status, &again.body), (201, &first.body));
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.header("etag"), first.header("etag"));
        let other = client.post("/v1/orders", "k-1", &order("A", 4)).await;
        assert_eq!(other.problem(), (422, "IDEMPOTENCY_KEY_REUSED".to_owned()));

        let read = client.get(&location).await;
        assert_eq!((read.status, read.json()), (200, placed));
        let known = request(ADMIN, Method::GET, &location)
            .insert_header(("If-None-Match", read.header("etag")));
        let unchanged = client.send(known).await;
        assert_eq!((unchanged.status, unchanged.body.as_str()), (304, ""));
        assert_eq!(unchanged.header("etag"), read.header("etag"));

        let events = client.get(&format!("{location}/events")).await.json();
        let kinds: Vec<_> =
            events["data"].as_array().expect("events").iter().map(|e| &e["type"]).collect();
        assert_eq!(kinds, ["order.placed", "order.confirmed"]);
        assert_eq!(events["data"][0]["actor"], "key:admin");
        assert_eq!(events["data"][0]["trace_id"], first.header("x-trace-id"));

        let stock = client.get("/v1/stock/A").await.json();
        assert_eq!((&stock["reserved"], &stock["available"]), (&json!(3), &json!(7)));
    });
}

#[test]
fn an_order_that_cannot_be_served_is_told_so() {
    in_a_shop(|_, client| async move {
        let told = client.post("/v1/orders", "k-1", &order("A", 11)).await;
        assert_eq!(told.problem(), (409, "OUT_OF_STOCK".to_owned()));
        let details = &told.json()["details"];
        let short = json!([{"sku": "A", "requested": 11, "available": 10}]);
        assert_eq!(details["shortages"], short);
        let id = details["order_id"].as_str().expect("an id");
        let rejected = client.get(&format!("/v1/orders/{id}")).await.json();
        assert_eq!(rejected["status"], "rejected");
        let again = client.post("/v1/orders", "k-1", &order("A", 11)).await;
        assert_eq!((again.status, &again.body), (409, &told.body));
        assert_eq!(again.header("content-type"), "application/problem+json");

        let unknown = client.post("/v1/orders", "k-2", &order("C", 1)).await;
        assert_eq!(unknown.problem(), (422, "VALIDATION_FAILED".to_owned()));
        assert_eq!(unknown.json()["errors"][0]["pointer"], "/lines/0/sku");
    });
}

#[test]
fn an_order_whose_payment_does_not_settle_is_accepted() {
    in_a_shop(|_, client| async move {
        let accepted = request(ADMIN, Method::POST, "/v1/orders")
            .insert_header(("Idempotency-Key", "k-1"))
            .insert_header(("Prefer", "respond-async"))
            .set_json(order("B", 1));
        let told = client.send(accepted).await;
        assert_eq!(told.status, 202, "{}", told.body);
        assert_eq!(told.json()["status"], "pending");
        let read = client.get(told.header("location")).await.json();
        assert_eq!(read["amount_total"], 199);
        let payment = read["payment"]["id"].as_str().expect("an id").to_owned();
        let payment = client.get(&format!("/v1/payments/{payment}")).await.json();
        assert_eq!((&payment["amount"], &payment["status"]), (&json!(199), &json!("sending")));
    });
}

#[test]
fn pages_of_orders_follow_one_another() {
    in_a_shop(|_, client| async move {
        let mut placed = Vec::new();
        for number in 0..5 {
            let told = client.post("/v1/orders", &format!("k-{number}"), &order("A", 1)).await;
            placed.push(told.json()["id"].clone());
        }
        placed.reverse();
        let (mut seen, mut path) = (Vec::new(), "/v1/orders?limit=2&status=confirmed".to_owned());
        loop {
            let page = client.get(&path).await.json();
            let rows = page["data"].as_array().expect("rows");
            seen.extend(rows.iter().map(|row| row["id"].clone()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/orders?limit=2&status=confirmed&cursor={cursor}");
        }
        assert_eq!(seen, placed);
        let none = client.get("/v1/orders?status=cancelled").await.json();
        assert_eq!(none, json!({"data": [], "has_more": false, "next_cursor": null}));
        let by_name = client.get("/v1/orders?external_ref=basket-A-1&limit=100").await.json();
        assert_eq!(by_name["data"].as_array().map(Vec::len), Some(5));
    });
}

#[test]
fn stock_is_adjusted_once_and_never_below_what_is_promised() {
    in_a_shop(|_, client| async move {
        let path = "/v1/stock/A/adjustments";
        let first = client.post(path, "k", &json!({"delta": 5, "reason": "delivery"})).await;
        assert_eq!(first.json()["on_hand"], 15);
        let again = client.post(path, "k", &json!({"reason": "delivery", "delta": 5})).await;
        assert_eq!((again.status, &again.body), (200, &first.body));
        assert_eq!(again.header("idempotent-replayed"), "true");
        let other = client.post(path, "k", &json!({"delta": 6})).await;
        assert_eq!(other.problem(), (422, "IDEMPOTENCY_KEY_REUSED".to_owned()));
        let less = client.post(path, "k-2", &json!({"delta": -16})).await;
        assert_eq!(less.problem(), (409, "INSUFFICIENT_STOCK".to_owned()));
        assert_eq!(less.json()["details"], json!({"available": 15}));
        assert_eq!(client.get("/v1/stock/A").await.json()["on_hand"], 15);
        let listed = client.get("/v1/stock").await.json();
        assert_eq!(listed["data"].as_array().map(Vec::len), Some(2));
    });
}

#[test]
fn products_and_customers_are_made_and_listed() {
    in_a_shop(|services, client| async move {
        let product = json!({"name": "Öl 1/2", "category": "oil", "unit_amount": 5,
            "currency": "USD", "active": false});
        let put = request(ADMIN, Method::PUT, "/v1/products/a%2Fb%20%C3%BC").set_json(product);
        assert_eq!(client.send(put).await.json()["sku"], "a/b ü");
        let read = client.get("/v1/products/a%2Fb%20%C3%BC").await.json();
        assert_eq!((&read["name"], &read["active"]), (&json!("Öl 1/2"), &json!(false)));
        let listed = client.get("/v1/products?category=oil").await.json();
        assert_eq!(listed["data"], json!([read]));
        let recommendations = services.recommendations;
        let informed = async {
            while !recommendations.is_informed() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), informed).await.expect("reads the log");
        let nothing = client.get("/v1/products/A/recommendations").await.json();
        assert_eq!(nothing, json!({"data": [], "degraded": false}));

        let customer = json!({"external_ref": "h-1", "name": "Ada"});
        let made = client.post("/v1/customers", "unused", &customer).await;
        assert_eq!(made.status, 201);
        assert_eq!(client.get(made.header("location")).await.json(), made.json());
        let again = client.post("/v1/customers", "unused", &customer).await;
        assert_eq!((again.status, again.json()), (200, made.json()));
        assert_eq!(client.get("/v1/customers").await.json()["data"], json!([made.json()]));
    });
}
