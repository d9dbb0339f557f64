//! Who may come in.

use crate::client::{Reply, send};
use crate::world::{World, on_both, order_of};
use reqwest::Method;

/// Every route that needs a key.
const GUARDED: &[(&str, &str)] = &[
    ("POST", "/v1/orders"),
    ("GET", "/v1/orders"),
    ("GET", "/v1/orders/{id}"),
    ("GET", "/v1/orders/{id}/events"),
    ("POST", "/v1/orders:batch"),
    ("PUT", "/v1/products/TEA"),
    ("GET", "/v1/products/TEA"),
    ("GET", "/v1/products"),
    ("POST", "/v1/products:batch"),
    ("GET", "/v1/products/TEA/recommendations"),
    ("GET", "/v1/stock/TEA"),
    ("GET", "/v1/stock"),
    ("POST", "/v1/stock/TEA/adjustments"),
    ("POST", "/v1/stock:batch"),
    ("POST", "/v1/stock/TEA/moves"),
    ("GET", "/v1/stock/TEA/movements"),
    ("GET", "/v1/stock-locations"),
    ("PUT", "/v1/stock-locations/north"),
    ("POST", "/v1/customers"),
    ("GET", "/v1/customers"),
    ("GET", "/v1/customers/{id}"),
    ("GET", "/v1/customers/{id}/recommendations"),
    ("POST", "/v1/customers:batch"),
    ("GET", "/v1/payments/{id}"),
    ("GET", "/v1/audit"),
];

fn assert_refused(reply: &Reply) {
    reply.problem(401, "UNAUTHENTICATED");
    assert!(reply.header("www-authenticate").starts_with("Bearer"), "{reply:?}");
}

on_both! {
    async fn nothing_is_told_without_a_good_key(world in World) {
        world.stocked("TEA", 250, 10).await;
        let order = world.api.place("k-1", &order_of(&[("TEA", 1)])).await.order_id();
        let key = world.api.key.clone();
        let wrong = [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            key.clone(),
            format!("Basic {key}"),
            format!("Bearer {key}x"),
            format!("Bearer {}", &key[1..]),
            format!("Bearer {key} {key}"),
            format!("Bearer {}", key.to_uppercase()),
            "Bearer \u{fc}".to_owned(),
            format!("Bearer {}", "k".repeat(10_000)),
            "Bearer ' OR '1'='1".to_owned(),
        ];
        for (method, path) in GUARDED {
            let url = format!("{}{}", world.api.base, path.replace("{id}", &order));
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = || world.api.http.request(method.clone(), &url).body("{}");
            assert_refused(&send(request()).await);
            for value in &wrong {
                let reply = send(request().header("Authorization", value.as_str())).await;
                assert_refused(&reply);
                assert!(!reply.text.contains(&key) && !reply.text.contains(&order), "{reply:?}");
            }
            let twice = request().bearer_auth(&key).bearer_auth(&key);
            assert_refused(&send(twice).await);
        }
        // A thing that is there and one that is not look the same from outside.
        let outside = async |id: &str| {
            let url = format!("{}/v1/orders/{id}", world.api.base);
            let mut body = send(world.api.http.get(url)).await.expect(401);
            body["trace_id"].take();
            body
        };
        assert_eq!(outside(&order).await, outside("0190a000-0000-7000-8000-000000000000").await);
        assert_eq!(world.stock("TEA").await, (10, 1, 9));
    }

    async fn probes_and_documents_need_no_key(world in World) {
        for path in ["/livez", "/readyz", "/openapi.json", "/docs/"] {
            let reply = send(world.api.http.get(format!("{}{path}", world.api.base))).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text);
            assert!(!reply.text.contains(&world.api.key), "{path}");
        }
    }

    async fn the_key_is_written_nowhere(mut world in World) {
        world.stocked("TEA", 250, 10).await;
        world.api.place("k-1", &order_of(&[("TEA", 1)])).await.expect(201);
        let metrics = world.private("/metrics").await;
        assert!(!metrics.text.contains(&world.api.key));
        assert_eq!(world.terminate().await.code(), Some(0));
        assert!(files(world.path()).len() >= 3, "where are the logs and the ledger?");
        for secret in [world.api.key.clone(), "sk_test_of_the_tests".to_owned()] {
            for (path, bytes) in files(world.path()) {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds a key", path.display());
            }
        }
        let hashes = "SELECT count(*) FROM api_key";
        assert_eq!(world.database.number(hashes).await, 1);
    }
}

/// Every file under `folder`.
pub fn files(folder: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found
}
