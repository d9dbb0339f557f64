//! What holds for every route.

use super::{ADMIN, Client, READER, SHOPPER, in_a_shop, request};
use crate::openapi;
use crate::routes::operations;
use actix_web::http::Method;
use serde_json::json;

const ID: &str = "0190a000-0000-7000-8000-000000000001";

/// Routes for those who are not known yet.
const OPEN: &[&str] = &["/v1/sign-up", "/v1/tokens", "/v1/tokens:revoke"];

fn concrete(path: &str) -> String {
    path.replace("{id}", ID)
        .replace("{order_id}", ID)
        .replace("{consumer}", "picky")
        .replace("{sku}", "A")
        .replace("{name}", "north")
}

async fn refused(client: &Client, method: Method, path: &str) -> (u16, String) {
    client.ask(method, path).await.problem()
}

#[test]
fn every_documented_route_is_there_and_wants_a_key() {
    in_a_shop(|_, client| async move {
        for (path, item) in &openapi().paths.paths {
            for (name, _) in operations(item) {
                let method: Method = name.parse().expect("a method");
                let ask = super::TestRequest::default().method(method).uri(&concrete(path));
                let told = client.send(ask).await;
                if path == "/v1/webhooks/payments" {
                    // It has a signature instead.
                    let expected = (401, "INVALID_SIGNATURE".to_owned());
                    assert_eq!(told.problem(), expected, "{name} {path}");
                } else if OPEN.contains(&path.as_str()) {
                    // They are let in, and refused for what they do not bring.
                    assert!(matches!(told.status, 400 | 422), "{name} {path}: {}", told.body);
                } else if path.starts_with("/v1/") {
                    let expected = (401, "UNAUTHENTICATED".to_owned());
                    assert_eq!(told.problem(), expected, "{name} {path}");
                    assert_eq!(told.header("www-authenticate"), "Bearer");
                } else {
                    assert!(matches!(told.status, 200 | 503), "{name} {path}");
                }
            }
        }
    });
}

#[test]
fn keys_open_what_their_scopes_say() {
    in_a_shop(|_, client| async move {
        let get = |key: &str, path: &str| request(key, Method::GET, path);
        let told = client.send(get("unknown-key-0123456789", "/v1/orders")).await;
        assert_eq!(told.problem(), (401, "UNAUTHENTICATED".to_owned()));
        assert_eq!(client.send(get(READER, "/v1/products/A")).await.status, 200);
        for path in ["/v1/orders", "/v1/stock", "/v1/customers", "/v1/audit", "/v1/payments/x"] {
            let told = client.send(get(READER, path)).await;
            assert_eq!(told.problem(), (403, "FORBIDDEN".to_owned()), "{path}");
        }
        for line in [
            json!({"sku": "A", "quantity": 1, "unit_amount": 5}),
            json!({"sku": "A", "quantity": 1, "discount_amount": 1}),
        ] {
            let order = json!({"currency": "USD", "lines": [line]});
            let post = request(SHOPPER, Method::POST, "/v1/orders");
            let told = client.send(post.insert_header(("Idempotency-Key", "k")).set_json(&order));
            assert_eq!(told.await.problem(), (403, "FORBIDDEN".to_owned()), "{order}");
        }
    });
}

#[test]
fn unknown_paths_and_methods_are_told_apart() {
    in_a_shop(|_, client| async move {
        for path in ["/", "/v1", "/v1/order", "/v1/orders/", "/metrics", "/v1/orders/x/y/z"] {
            let expected = (404, "NOT_FOUND".to_owned());
            assert_eq!(refused(&client, Method::GET, path).await, expected, "{path}");
        }
        for (method, path, allow) in [
            (Method::DELETE, "/v1/orders", "GET, HEAD, POST"),
            (Method::PUT, "/v1/orders/x", "GET, HEAD"),
            (Method::GET, "/v1/orders:batch", "POST"),
            (Method::POST, "/v1/products/A", "GET, HEAD, PUT"),
            (Method::POST, "/livez", "GET, HEAD"),
            (Method::POST, "/openapi.json", "GET, HEAD"),
        ] {
            let told = client.ask(method.clone(), path).await;
            assert_eq!(told.problem(), (405, "METHOD_NOT_ALLOWED".to_owned()), "{method} {path}");
            assert_eq!(told.header("allow"), allow, "{method} {path}");
        }
    });
}

#[test]
fn what_is_not_there_is_not_found() {
    in_a_shop(|_, client| async move {
        for resource in ["orders", "customers", "payments", "products", "stock"] {
            for id in [ID, "7", "%20", "%FF", "a%2Fb%00"] {
                let path = format!("/v1/{resource}/{id}");
                let expected = (404, "NOT_FOUND".to_owned());
                assert_eq!(refused(&client, Method::GET, &path).await, expected, "{path}");
            }
        }
        for path in [format!("/v1/orders/{ID}/events"), "/v1/products/C/recommendations".into()] {
            let expected = (404, "NOT_FOUND".to_owned());
            assert_eq!(refused(&client, Method::GET, &path).await, expected, "{path}");
        }
    });
}

#[test]
fn bodies_and_headers_are_checked() {
    in_a_shop(|_, client| async move {
        let post = || request(ADMIN, Method::POST, "/v1/orders");
        let keyed = || post().insert_header(("Idempotency-Key", "k"));
        let order = json!({"currency": "USD", "lines": [{"sku": "A", "quantity": 1}]});
        let large = "x".repeat(1024 * 1024 + 1);
        for (request, status, code) in [
            (post().set_json(&order), 400, "IDEMPOTENCY_KEY_REQUIRED"),
            (
                post().insert_header(("Idempotency-Key", "a b")).set_json(&order),
                400,
                "IDEMPOTENCY_KEY_INVALID",
            ),
            (keyed().set_payload("{"), 400, "INVALID_BODY"),
            (keyed().set_payload("[]"), 400, "INVALID_BODY"),
            (keyed().set_payload(large), 413, "PAYLOAD_TOO_LARGE"),
            (
                keyed().insert_header(("Content-Type", "text/plain")).set_payload("{}"),
                415,
                "UNSUPPORTED_MEDIA_TYPE",
            ),
            (keyed().set_json(json!({})), 422, "VALIDATION_FAILED"),
            (
                keyed().insert_header(("X-Request-Timeout-Ms", "soon")).set_json(&order),
                400,
                "INVALID_HEADER",
            ),
        ] {
            assert_eq!(client.send(request).await.problem(), (status, code.to_owned()));
        }
        let with_key = json!({"currency": "USD", "lines": [], "idempotency_key": "k"});
        let told = client.post("/v1/orders", "k", &with_key).await;
        assert_eq!(told.problem(), (400, "INVALID_BODY".to_owned()));
    });
}

#[test]
fn lists_refuse_what_they_do_not_know() {
    in_a_shop(|_, client| async move {
        for query in [
            "limit=0",
            "limit=101",
            "limit=ten",
            "sort=price",
            "status=paid",
            "customer_id=7",
            "created_after=yesterday",
        ] {
            let expected = (400, "INVALID_PARAMETER".to_owned());
            let path = format!("/v1/orders?{query}");
            assert_eq!(refused(&client, Method::GET, &path).await, expected, "{query}");
        }
        for list in ["orders", "products", "stock", "customers"] {
            let expected = (400, "INVALID_CURSOR".to_owned());
            let path = format!("/v1/{list}?cursor=AAAA");
            assert_eq!(refused(&client, Method::GET, &path).await, expected, "{list}");
        }
    });
}

#[test]
fn document_page_and_probes_are_served() {
    in_a_shop(|_, client| async move {
        let told = client.get("/openapi.json").await;
        assert_eq!(told.json(), serde_json::to_value(openapi()).expect("json"));
        let told = client.get("/docs").await;
        assert_eq!((told.status, told.header("location")), (308, "/docs/"));
        let told = client.get("/docs/").await;
        assert_eq!(told.status, 200);
        assert!(told.body.contains("swagger-ui"), "{}", told.body);
        assert_eq!(client.get("/docs/nothing.js").await.problem().0, 404);
        assert_eq!(client.get("/livez").await.json(), json!({"status": "live"}));
        let told = client.get("/readyz").await;
        assert_eq!(told.status, 503);
        assert_eq!(told.json(), json!({"status": "not_ready", "reasons": ["draining"]}));
    });
}
