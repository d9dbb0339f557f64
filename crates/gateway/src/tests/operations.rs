//! What keeps the shop going: what the provider tells, dead letters, keys, live timelines.

use super::{ADMIN, Client, READER, TestRequest, config, in_a_shop, probes, request};
use crate::start;
use actix_web::http::Method;
use async_trait::async_trait;
use broker::{ConsumeError, Consumer};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::Duration;
use store::Tx;
use store::outbox::Logged;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The secret that the provider signs with.
pub(super) const SIGNING_SECRET: &str = "whsec_of_the_tests";

/// A consumer that cannot digest deliveries.
pub(super) struct Picky;

#[async_trait]
impl Consumer for Picky {
    fn name(&self) -> &'static str {
        "picky"
    }

    async fn apply(&self, tx: Tx, events: &[Logged]) -> Result<Tx, ConsumeError> {
        match events.iter().find(|event| event.kind == "order.delivered") {
            Some(_) => Err(ConsumeError::event("it tastes bad")),
            None => Ok(tx),
        }
    }
}

fn signed(body: &str, seconds: i64, secret: &str) -> TestRequest {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(format!("{seconds}.{body}").as_bytes());
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    TestRequest::default()
        .method(Method::POST)
        .uri("/v1/webhooks/payments")
        .insert_header(("Stripe-Signature", format!("t={seconds},v1={hex}")))
        .set_payload(body.to_owned())
}

#[test]
fn what_the_provider_tells_is_taken_if_it_is_signed() {
    in_a_shop(|services, client| async move {
        let now = services.clock.now().micros() / 1_000_000;
        let event = r#"{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{}}}"#;
        for _ in 0..2 {
            let told = client.send(signed(event, now, SIGNING_SECRET)).await;
            assert_eq!((told.status, told.body.as_str()), (200, "{}"));
        }
        let refused = (401, "INVALID_SIGNATURE".to_owned());
        for bad in [signed(event, now, "whsec_wrong"), signed(event, now - 301, SIGNING_SECRET)] {
            let told = client.send(bad).await;
            assert_eq!(told.problem(), refused);
            assert_eq!(told.header("www-authenticate"), "Stripe-Signature");
        }
        let other = signed(event, now, SIGNING_SECRET).set_payload(event.replace('1', "2"));
        assert_eq!(client.send(other).await.problem(), refused);
        for nonsense in ["", "[]", "{\"type\":\"x\"}"] {
            let told = client.send(signed(nonsense, now, SIGNING_SECRET)).await;
            assert_eq!(told.problem(), (400, "INVALID_BODY".to_owned()), "{nonsense}");
        }
        let large = " ".repeat(64 * 1024 + 1);
        let told = client.send(signed(&large, now, SIGNING_SECRET)).await;
        assert_eq!(told.problem(), (413, "PAYLOAD_TOO_LARGE".to_owned()));
        let largest = format!("{event}{}", " ".repeat(64 * 1024 - event.len()));
        assert_eq!(client.send(signed(&largest, now, SIGNING_SECRET)).await.status, 200);
    });
}

/// Places a free order and has it delivered, which picky consumers cannot digest.
async fn delivered(client: &Client, key: &str) -> String {
    let order = json!({"currency": "USD", "lines": [{"sku": "A", "quantity": 1}]});
    let told = client.post("/v1/orders", key, &order).await;
    assert_eq!(told.status, 201, "{}", told.body);
    let location = told.header("location");
    for (what, status) in [("shipments", 201), ("deliver", 200)] {
        let told = client.post(&format!("{location}/{what}"), key, &json!({})).await;
        assert_eq!(told.status, status, "{}", told.body);
    }
    told.json()["id"].as_str().expect("an id").to_owned()
}

/// Waits until the list of dead letters is as wanted.
async fn letters(client: &Client, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let look = async {
        loop {
            let listed = client.get("/v1/dead-letters?limit=100").await.json();
            let rows = listed["data"].as_array().expect("rows").clone();
            if wanted(&rows) {
                return rows;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look).await.expect("the letters")
}

#[test]
fn dead_letters_are_listed_and_tried_again() {
    in_a_shop(|_, client| async move {
        let mut orders = [delivered(&client, "k-1").await, delivered(&client, "k-2").await];
        orders.sort();
        let dead = letters(&client, |rows| rows.len() == 2).await;
        let mut found: Vec<&str> =
            dead.iter().map(|row| row["order_id"].as_str().expect("an id")).collect();
        found.sort_unstable();
        assert_eq!(found, orders);
        for row in &dead {
            assert_eq!(row["consumer"], "picky");
            assert_eq!((&row["version"], &row["type"]), (&json!(4), &json!("order.delivered")));
            assert_eq!(row["attempts"], 1);
            assert!(row["last_error"].as_str().expect("text").contains("it tastes bad"));
            assert!(row["dead_since"].as_str().expect("a time").ends_with('Z'));
        }
        let first = client.get("/v1/dead-letters?limit=1").await.json();
        let cursor = first["next_cursor"].as_str().expect("a cursor");
        let second = client.get(&format!("/v1/dead-letters?limit=1&cursor={cursor}")).await.json();
        assert_eq!((&first["data"][0], &second["data"][0]), (&dead[0], &dead[1]));
        assert_eq!(second["next_cursor"], Value::Null);

        let nothing = (404, "NOT_FOUND".to_owned());
        for absent in [
            "/v1/dead-letters/picky/7/redrive".to_owned(),
            "/v1/dead-letters/picky/0190a000-0000-7000-8000-000000000001/redrive".to_owned(),
            format!("/v1/dead-letters/nobody/{}/redrive", orders[0]),
        ] {
            assert_eq!(client.post(&absent, "-", &json!({})).await.problem(), nothing, "{absent}");
        }
        // It dies again, later than before.
        let path = format!("/v1/dead-letters/picky/{}/redrive", orders[0]);
        let told = client.ask(Method::POST, &path).await;
        assert_eq!((told.status, told.json()), (200, json!({"redriven": 1})));
        let changed = |rows: &[Value]| rows.len() == 2 && rows != dead;
        let again = letters(&client, changed).await;
        assert_eq!(again[1]["order_id"], orders[0]);

        let batch = async |body: Value| client.post("/v1/dead-letters:redrive", "-", &body).await;
        let told = batch(json!({"consumer": "nobody"})).await;
        assert_eq!(told.json(), json!({"redriven": 0}));
        assert_eq!(batch(json!({"limit": 1})).await.json(), json!({"redriven": 1}));
        let changed = |rows: &[Value]| rows.len() == 2 && rows != again;
        letters(&client, changed).await;
        assert_eq!(batch(json!({"consumer": "picky"})).await.json(), json!({"redriven": 2}));
        let refused = (422, "VALIDATION_FAILED".to_owned());
        assert_eq!(batch(json!({"limit": 0})).await.problem(), refused);
        let told = client.send(request(READER, Method::GET, "/v1/dead-letters")).await;
        assert_eq!(told.problem(), (403, "FORBIDDEN".to_owned()));
    });
}

#[test]
fn keys_are_made_used_and_revoked() {
    in_a_shop(|_, client| async move {
        let wanted = json!({"name": "till 3", "scopes": ["products:read", "api-keys:*"]});
        let told = client.post("/v1/api-keys", "-", &wanted).await;
        assert_eq!(told.status, 201, "{}", told.body);
        let made = told.json();
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        let id = made["id"].as_str().expect("an id").to_owned();
        assert_eq!((&made["name"], &made["scopes"]), (&wanted["name"], &wanted["scopes"]));
        assert_eq!(told.header("location"), format!("/v1/api-keys/{id}"));
        let other = client.post("/v1/api-keys", "-", &wanted).await.json();
        assert_ne!((&other["id"], &other["secret"]), (&made["id"], &made["secret"]));

        let own = |method: Method, path: &str| request(&secret, method, path);
        assert_eq!(client.send(own(Method::GET, "/v1/products/A")).await.status, 200);
        let forbidden = (403, "FORBIDDEN".to_owned());
        assert_eq!(client.send(own(Method::GET, "/v1/orders")).await.problem(), forbidden);
        // Nobody gives away more than they have, and nobody locks themselves out.
        for scope in ["*", "orders:read", "products:*", "products:write"] {
            let more = json!({"name": "x", "scopes": ["products:read", scope]});
            let told = client.send(own(Method::POST, "/v1/api-keys").set_json(more)).await;
            assert_eq!(told.problem(), forbidden, "{scope}");
        }
        let less = json!({"name": "x", "scopes": ["products:read", "api-keys:read"]});
        let told = client.send(own(Method::POST, "/v1/api-keys").set_json(less)).await;
        assert_eq!(told.status, 201, "{}", told.body);
        let path = format!("/v1/api-keys/{id}");
        assert_eq!(client.send(own(Method::DELETE, &path)).await.problem(), forbidden);

        let listed = client.get("/v1/api-keys?limit=100").await;
        assert!(!listed.body.contains(&secret) && !listed.body.contains("secret"));
        let listed = listed.json();
        let names: Vec<_> =
            listed["data"].as_array().expect("rows").iter().map(|row| &row["name"]).collect();
        assert_eq!(names, ["x", "till 3", "till 3", "reader", "shopper", "admin"]);
        let told = client.ask(Method::DELETE, &path).await;
        assert_eq!((told.status, told.body.as_str()), (204, ""));
        let absent = (404, "NOT_FOUND".to_owned());
        for gone in [path.as_str(), "/v1/api-keys/7"] {
            assert_eq!(client.ask(Method::DELETE, gone).await.problem(), absent, "{gone}");
        }
        let told = client.send(own(Method::GET, "/v1/products/A")).await;
        assert_eq!(told.problem(), (401, "UNAUTHENTICATED".to_owned()));
        let listed = client.get("/v1/api-keys?limit=3").await.json();
        assert_eq!(listed["data"][2]["revoked"], true);
    });
}

/// A timeline that is followed over a socket.
struct Following {
    socket: TcpStream,
    seen: String,
}

impl Following {
    async fn open(address: std::net::SocketAddr, path: &str, headers: &str) -> Self {
        let mut socket = TcpStream::connect(address).await.expect("connects");
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n\
             Accept: text/event-stream\r\n{headers}\r\n"
        );
        socket.write_all(head.as_bytes()).await.expect("sends");
        Self { socket, seen: String::new() }
    }

    /// Reads until `text` was seen.
    async fn until(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let mut bytes = [0; 4096];
            let read = self.socket.read(&mut bytes).await.expect("reads");
            assert_ne!(read, 0, "the stream broke off: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    }
}

#[test]
fn a_timeline_is_followed_over_a_socket_until_the_server_drains() {
    in_a_shop(|services, client| async move {
        let order = json!({"currency": "USD", "lines": [{"sku": "A", "quantity": 1}]});
        let told = client.post("/v1/orders", "k", &order).await;
        let events = format!("{}/events", told.header("location"));
        let gateway = start(services, probes(), &config()).expect("starts");
        let address = gateway.public_address();
        let mut all = Following::open(address, &events, "").await;
        all.until("id: 2\nevent: order.confirmed\ndata: {").await;
        assert!(all.seen.starts_with("HTTP/1.1 200 OK\r\n"), "{}", all.seen);
        let head = all.seen.to_ascii_lowercase();
        assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
        let mut rest = Following::open(address, &events, "Last-Event-ID: 1\r\n").await;
        rest.until("id: 2\n").await;
        assert!(!rest.seen.contains("id: 1\n"), "{}", rest.seen);
        let ship = format!("{}/shipments", told.header("location"));
        assert_eq!(client.post(&ship, "k", &json!({})).await.status, 201);
        for follower in [&mut all, &mut rest] {
            follower.until("id: 3\nevent: order.shipped\ndata: {").await;
        }
        gateway.drain();
        for follower in [&mut all, &mut rest] {
            // The end of the last chunk.
            follower.until("\r\n0\r\n\r\n").await;
        }
        let mut late = Following::open(address, &events, "").await;
        late.until("HTTP/1.1 503").await;
        gateway.stop(true).await;
    });
}
