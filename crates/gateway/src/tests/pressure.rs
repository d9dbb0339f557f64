//! The gateway under pressure: quotas, load, and a database that is away. Time, load and the state
//! of the database are the test's.

use super::{ADMIN, Client, READER, SHOPPER, Told, config, in_a_shop, probes, request};
use crate::limits::Senses;
use crate::server::Shared;
use crate::{GatewayConfig, Services};
use actix_web::http::Method;
use actix_web::test::TestRequest;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// What the limits see.
#[derive(Default)]
struct World {
    passed_millis: AtomicU64,
    oldest_wait_millis: AtomicU64,
    database_is_away: AtomicBool,
}

impl World {
    fn senses(self: &Arc<Self>) -> Senses {
        let (time, load, database) = (self.clone(), self.clone(), self.clone());
        let start = Instant::now();
        let millis = |number: &AtomicU64| Duration::from_millis(number.load(Ordering::SeqCst));
        Senses {
            now: Arc::new(move || start + millis(&time.passed_millis)),
            oldest_wait: Arc::new(move || millis(&load.oldest_wait_millis)),
            database: Arc::new(move || !database.database_is_away.load(Ordering::SeqCst)),
        }
    }

    fn pass(&self, millis: u64) {
        self.passed_millis.fetch_add(millis, Ordering::SeqCst);
    }

    fn oldest_wait(&self, millis: u64) {
        self.oldest_wait_millis.store(millis, Ordering::SeqCst);
    }

    fn database_is_away(&self, is_away: bool) {
        self.database_is_away.store(is_away, Ordering::SeqCst);
    }
}

/// A client of a gateway with these limits, in a world of its own.
async fn under(services: &Services, config: &GatewayConfig) -> (Arc<World>, Client) {
    let world = Arc::new(World::default());
    let shared = Shared::new(services.clone(), probes(), config, world.senses());
    (world, Client::new(shared.expect("a document")).await)
}

fn order(sku: &str) -> Value {
    json!({"currency": "USD", "lines": [{"sku": sku, "quantity": 1}],
        "payment": {"method": "pm_card_visa"}})
}

async fn stock_of_a(client: &Client) -> Value {
    client.get("/v1/stock/A").await.json()["reserved"].clone()
}

/// Fails unless it is a 429 that says all it must; gives the seconds to wait.
fn limited(told: &Told, policy: &str) -> u64 {
    assert_eq!(told.problem(), (429, "RATE_LIMITED".to_owned()));
    let body = told.json();
    assert_eq!((&body["retryable"], &body["details"]["policy"]), (&json!(true), &json!(policy)));
    assert!(told.header("ratelimit").starts_with(&format!("\"{policy}\";r=0;t=")));
    told.header("retry-after").parse().expect("seconds")
}

/// Fails unless it is a 503 of this code that says when to come back.
fn refused(told: &Told, code: &str) {
    assert_eq!(told.problem(), (503, code.to_owned()));
    assert_eq!(told.json()["retryable"], true);
    assert!((1..=3).contains(&told.header("retry-after").parse::<u64>().expect("seconds")));
}

#[test]
fn a_client_over_its_quota_is_told_when_to_come_back_and_nothing_happens() {
    in_a_shop(|services, _| async move {
        let mut config = config();
        config.limits.requests_per_second = 2;
        let (world, client) = under(&services, &config).await;
        for (remaining, reset) in [(1, 1), (0, 1)] {
            let told = client.get("/v1/products/A").await;
            assert_eq!(told.status, 200);
            assert_eq!(told.header("ratelimit-policy"), "\"default\";q=2;w=1");
            let standing = format!("\"default\";r={remaining};t={reset}");
            assert_eq!(told.header("ratelimit"), standing);
        }
        let told = client.post("/v1/orders", "k-1", &order("A")).await;
        assert_eq!(limited(&told, "default"), 1);
        assert_eq!(told.header("ratelimit-policy"), "\"default\";q=2;w=1");
        // Another client has a quota of its own, and what needs no key has none.
        let other = client.send(request(READER, Method::GET, "/v1/products/A")).await;
        assert_eq!((other.status, other.header("ratelimit")), (200, "\"default\";r=1;t=1"));
        let document = client.get("/openapi.json").await;
        assert_eq!((document.status, document.header("ratelimit")), (200, ""));
        // Errors count and are told too.
        world.pass(1_000);
        let told = client.get("/v1/orders/7").await;
        assert_eq!((told.status, told.header("ratelimit")), (404, "\"default\";r=1;t=1"));
        // The key is free: nothing was done under it.
        let told = client.post("/v1/orders", "k-1", &order("A")).await;
        assert_eq!((told.status, told.header("idempotent-replayed")), (201, ""), "{}", told.body);
        world.pass(500);
        assert_eq!(stock_of_a(&client).await, 1);
        assert_eq!(limited(&client.get("/v1/stock/A").await, "default"), 1);
    });
}

#[test]
fn without_a_limit_nothing_is_said_of_one() {
    in_a_shop(|_, client| async move {
        for _ in 0..100 {
            let told = client.get("/v1/products/A").await;
            assert_eq!((told.status, told.header("ratelimit-policy")), (200, ""));
        }
    });
}

#[test]
fn an_address_that_fails_to_authenticate_is_held_up_and_its_known_clients_are_not() {
    in_a_shop(|services, _| async move {
        let (world, client) = under(&services, &config()).await;
        let from = |address: &str, request: TestRequest| {
            request.peer_addr(SocketAddr::new(address.parse().expect("an address"), 1))
        };
        let guess = |number: usize| {
            request(&format!("guess-{number}-0123456789"), Method::GET, "/v1/products/A")
        };
        let nobody = || TestRequest::get().uri("/v1/products/A");
        let known = || request(READER, Method::GET, "/v1/products/A");
        assert_eq!(client.send(from("192.0.2.1", known())).await.status, 200);
        for number in 0..20 {
            let attempt = if number % 2 == 0 { guess(number) } else { nobody() };
            let told = client.send(from("192.0.2.1", attempt)).await;
            assert_eq!(told.problem(), (401, "UNAUTHENTICATED".to_owned()));
            let policy = "\"failed-authentication\";q=20;w=60";
            assert_eq!(told.header("ratelimit-policy"), policy);
            let left = format!("\"failed-authentication\";r={};", 19 - number);
            assert!(told.header("ratelimit").starts_with(&left), "{}", told.header("ratelimit"));
        }
        for attempt in [guess(20), nobody(), request("short", Method::GET, "/v1/products/A")] {
            // What it says of itself does not help.
            let attempt = attempt.insert_header(("X-Forwarded-For", "198.51.100.7"));
            let told = client.send(from("192.0.2.1", attempt)).await;
            assert_eq!(limited(&told, "failed-authentication"), 3);
        }
        // Not even a good key, as long as nobody knows that it is good.
        let unseen = || request(SHOPPER, Method::GET, "/v1/products/A");
        limited(&client.send(from("192.0.2.1", unseen())).await, "failed-authentication");
        assert_eq!(client.send(from("192.0.2.1", known())).await.status, 200);
        assert_eq!(client.send(from("192.0.2.2", guess(21))).await.status, 401);
        world.pass(3_000);
        assert_eq!(client.send(from("192.0.2.1", unseen())).await.status, 200);
        assert_eq!(client.send(from("192.0.2.1", guess(22))).await.status, 401);
        limited(&client.send(from("192.0.2.1", guess(23))).await, "failed-authentication");
    });
}

#[test]
fn behind_a_trusted_proxy_each_client_has_its_own_failures() {
    in_a_shop(|services, _| async move {
        let mut config = config();
        config.limits.failed_authentications_per_minute = 1;
        config.trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")];
        let (_, client) = under(&services, &config).await;
        let via = |client: &str| {
            let nobody = TestRequest::get().uri("/v1/orders").peer_addr(([10, 0, 0, 1], 1).into());
            nobody.insert_header(("X-Forwarded-For", format!("203.0.113.1, {client}")))
        };
        for (address, status) in
            [("192.0.2.1", 401), ("192.0.2.1", 429), ("192.0.2.2", 401), ("192.0.2.2", 429)]
        {
            assert_eq!(client.send(via(address)).await.status, status, "{address}");
        }
    });
}

#[test]
fn new_work_is_refused_when_orders_wait_too_long_and_nothing_else_is() {
    in_a_shop(|services, _| async move {
        let (world, client) = under(&services, &config()).await;
        world.oldest_wait(999);
        assert_eq!(client.post("/v1/orders", "k-0", &order("A")).await.status, 201);
        world.oldest_wait(1_000);
        refused(&client.post("/v1/orders", "k-1", &order("A")).await, "OVERLOADED");
        let adjust = client.post("/v1/stock/A/adjustments", "k-2", &json!({"delta": 1})).await;
        refused(&adjust, "OVERLOADED");
        let stream = request(ADMIN, Method::POST, "/v1/orders:batch").set_payload("{}");
        refused(&client.send(stream).await, "OVERLOADED");
        assert_eq!(stock_of_a(&client).await, 1);
        assert_eq!(client.get("/livez").await.status, 200);
        // What ends work that was begun is let in: this one finds nothing to end.
        let id = "0190a000-0000-7000-8000-000000000001";
        let cancel =
            client.post(&format!("/v1/orders/{id}/cancel"), "k-3", &json!({"reason": "x"})).await;
        assert_eq!(cancel.problem(), (404, "NOT_FOUND".to_owned()));
        // Refused was not begun: the key is free.
        world.oldest_wait(0);
        let told = client.post("/v1/orders", "k-1", &order("A")).await;
        assert_eq!((told.status, told.header("idempotent-replayed")), (201, ""));
    });
}

#[test]
fn a_wait_that_lasts_counts_from_its_beginning() {
    in_a_shop(|services, _| async move {
        let (world, client) = under(&services, &config()).await;
        world.oldest_wait(600);
        for passed in [0, 300] {
            world.pass(passed);
            let told = client.post("/v1/orders", &format!("k-{passed}"), &order("A")).await;
            assert_eq!(told.status, 201, "{passed}");
        }
        world.pass(100);
        refused(&client.post("/v1/orders", "k-3", &order("A")).await, "OVERLOADED");
    });
}

#[test]
fn only_so_many_requests_are_in_work_and_what_is_vital_is_let_in() {
    in_a_shop(|services, _| async move {
        let mut config = config();
        config.limits.requests_in_work = 0;
        let (_, client) = under(&services, &config).await;
        refused(&client.get("/v1/orders").await, "OVERLOADED");
        refused(&client.post("/v1/orders", "k-1", &order("A")).await, "OVERLOADED");
        let id = "0190a000-0000-7000-8000-000000000001";
        let cancel =
            client.post(&format!("/v1/orders/{id}/cancel"), "k-2", &json!({"reason": "x"})).await;
        assert_eq!(cancel.problem(), (404, "NOT_FOUND".to_owned()));
        for path in ["/livez", "/openapi.json"] {
            assert_eq!(client.get(path).await.status, 200, "{path}");
        }
        // A place is free again when its request is done, however it ended.
        config.limits.requests_in_work = 1;
        let (_, client) = under(&services, &config).await;
        for _ in 0..3 {
            assert_eq!(client.get("/v1/orders/7").await.status, 404);
            assert_eq!(client.post("/v1/orders", "k-3", &order("A")).await.status, 201);
            assert_eq!(client.post("/v1/orders", "k-4", &json!({})).await.status, 422);
        }
    });
}

#[test]
fn while_the_database_is_away_memory_answers_and_says_so_and_the_rest_is_refused() {
    in_a_shop(|services, client| async move {
        let product = json!({"name": "C", "unit_amount": 5, "currency": "USD", "category": "c"});
        let put = request(ADMIN, Method::PUT, "/v1/products/C").set_json(product);
        assert_eq!(client.send(put).await.status, 200);
        let (world, client) = under(&services, &config()).await;
        let pages = ["/v1/products", "/v1/products?limit=2", "/v1/products?category=c&limit=1"];
        let mut before = Vec::new();
        for path in pages.iter().chain(&["/v1/products/A"]) {
            let told = client.get(path).await;
            assert_eq!((told.status, told.header("x-degraded")), (200, ""), "{path}");
            before.push(told);
        }
        world.database_is_away(true);
        for (path, before) in pages.iter().chain(&["/v1/products/A"]).zip(&before) {
            let told = client.get(path).await;
            assert_eq!((told.status, told.header("x-degraded")), (200, "database"), "{path}");
            assert_eq!(told.json()["data"], before.json()["data"], "{path}");
        }
        // The pages of memory follow one another like those of the database.
        let first = client.get("/v1/products?limit=2").await.json();
        let cursor = first["next_cursor"].as_str().expect("more");
        let rest = client.get(&format!("/v1/products?limit=2&cursor={cursor}")).await.json();
        assert_eq!((&rest["data"][0]["sku"], &rest["has_more"]), (&json!("C"), &json!(false)));
        assert_eq!(client.get("/v1/products/D").await.problem().0, 404);
        let told = client.get("/v1/products/A/recommendations").await;
        assert_eq!((told.status, told.header("x-degraded")), (200, "database"));
        assert_eq!(told.json(), json!({"data": [], "degraded": true}));
        for path in ["/openapi.json", "/docs/", "/livez"] {
            assert_eq!(client.get(path).await.status, 200, "{path}");
        }
        refused(&client.post("/v1/orders", "k-1", &order("A")).await, "UNAVAILABLE");
        refused(&client.get("/v1/orders").await, "UNAVAILABLE");
        refused(&client.get("/v1/stock/A").await, "UNAVAILABLE");
        let cancel = client.post("/v1/orders/7/cancel", "k-2", &json!({"reason": "x"})).await;
        refused(&cancel, "UNAVAILABLE");
        // Of a key that was never seen nothing can be said: neither yes nor no.
        let unseen = request(SHOPPER, Method::GET, "/v1/products/A");
        refused(&client.send(unseen).await, "UNAVAILABLE");
        world.database_is_away(false);
        let told = client.get("/v1/products/A").await;
        assert_eq!((told.status, told.header("x-degraded")), (200, ""));
        assert_eq!(client.post("/v1/orders", "k-1", &order("A")).await.status, 201);
    });
}

#[test]
fn head_is_answered_like_get_without_a_body() {
    in_a_shop(|_, client| async move {
        for path in [
            "/v1/products/A",
            "/v1/products",
            "/v1/orders?limit=1",
            "/v1/stock/A",
            "/openapi.json",
            "/docs/",
            "/docs",
            "/livez",
            "/readyz",
            "/v1/orders/7",
            "/nowhere",
        ] {
            let (get, head) = (client.get(path).await, client.ask(Method::HEAD, path).await);
            assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
            for name in ["content-type", "etag", "location", "cache-control"] {
                assert_eq!(head.header(name), get.header(name), "{path} {name}");
            }
        }
        let told = client.ask(Method::HEAD, "/v1/orders:batch").await;
        assert_eq!((told.status, told.header("allow")), (405, "POST"));
    });
}
