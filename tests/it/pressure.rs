//! The program under pressure: clients that ask for too much, orders that wait, a database that is
//! away, clients that are slow, and a stop in the middle of it all.

use crate::client::{Api, Reply, http_client, send, try_send};
use crate::database::Database;
use crate::process::eventually;
use crate::proxy::Proxy;
use crate::world::{World, on_both, order_of};
use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Seconds that a refusal says to wait.
fn retry_after(reply: &Reply) -> u64 {
    reply.header("retry-after").parse().unwrap_or_else(|_| panic!("no seconds: {reply:?}"))
}

/// Fails unless it is a 503 of this code that may be tried again.
fn assert_refused(reply: &Reply, code: &str) {
    assert_eq!(reply.problem(503, code)["retryable"], true, "{}", reply.text);
    assert!((1..=3).contains(&retry_after(reply)), "{reply:?}");
}

/// A metric's value, 0 if it is not there.
async fn metric(world: &World, name: &str) -> f64 {
    let text = world.private("/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
}

/// A client with a key of its own.
async fn another_client(world: &World) -> Api {
    let body = json!({"name": "till", "scopes": ["orders:*", "products:read"]});
    let made = world.api.post("/v1/api-keys", &body).await.expect(201);
    let key = made["secret"].as_str().expect("a key").to_owned();
    Api { key, ..world.api.clone() }
}

fn address(world: &World) -> &str {
    world.api.base.strip_prefix("http://").unwrap()
}

/// Everything that a connection still says.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection that is cut may end in an error.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

on_both! {
    async fn a_client_over_its_quota_waits_and_another_does_not(mut world in World) {
        world.stocked("TEA", 250, 1_000).await;
        let other = another_client(&world).await;
        world.terminate().await;
        world.restart_with("ORDERLY_RATE_LIMIT", "1").await;
        let other = Api { base: world.api.base.clone(), ..other };
        let order = order_of(&[("TEA", 1)]);
        // Far more than the machine can do in as many seconds: most are refused.
        let all = join_all((0..200).map(|n| {
            let key = format!("k-{n}");
            let (api, order) = (&world.api, &order);
            async move { api.place(&key, order).await }
        }))
        .await;
        let (taken, limited): (Vec<_>, Vec<_>) = all.iter().partition(|r| r.status == 201);
        assert!(!taken.is_empty() && !limited.is_empty(), "{} {}", taken.len(), limited.len());
        for reply in &limited {
            assert_eq!(reply.problem(429, "RATE_LIMITED")["retryable"], true);
            assert_eq!(reply.header("ratelimit-policy"), "\"default\";q=1;w=1");
            assert!(reply.header("ratelimit").starts_with("\"default\";r=0;t="));
            assert_eq!(retry_after(reply), 1);
        }
        assert!(taken.iter().all(|reply| reply.header("ratelimit").starts_with("\"default\";r=")));
        let there = other.get("/v1/products/TEA").await;
        assert_eq!((there.status, there.header("ratelimit-policy")), (200, "\"default\";q=1;w=1"));
        // Time gives the quota back; what was refused was not begun.
        let (index, _) = all.iter().enumerate().find(|(_, r)| r.status == 429).unwrap();
        let again = eventually("the quota comes back", async || {
            let reply = world.api.place(&format!("k-{index}"), &order).await;
            if reply.status == 429 { Err(reply.text) } else { Ok(reply) }
        })
        .await;
        assert_eq!((again.status, again.is_replay()), (201, false), "{}", again.text);
        let orders = world.database.number("SELECT count(*) FROM orders").await;
        assert_eq!(orders, i64::try_from(taken.len()).unwrap() + 1);
    }

    async fn whoever_fails_to_authenticate_is_held_up_and_good_keys_are_not(mut world in World) {
        world.terminate().await;
        world.restart_with("ORDERLY_FAILED_AUTH_LIMIT", "5").await;
        assert_eq!(world.api.get("/v1/orders").await.status, 200);
        let guess = async |number: usize| {
            let guesser = Api { key: format!("guess-{number}-0123456789"), ..world.api.clone() };
            // What it says of itself does not help.
            let request = guesser.request(Method::GET, "/v1/orders");
            send(request.header("X-Forwarded-For", format!("192.0.2.{number}"))).await
        };
        let mut refused = None;
        for number in 0..200 {
            let reply = guess(number).await;
            if reply.status == 429 {
                refused = Some(reply);
                break;
            }
            reply.problem(401, "UNAUTHENTICATED");
        }
        let refused = refused.expect("held up after a few");
        refused.problem(429, "RATE_LIMITED");
        let policy = "\"failed-authentication\";q=5;w=60";
        assert_eq!(refused.header("ratelimit-policy"), policy);
        assert!((1..=12).contains(&retry_after(&refused)), "{refused:?}");
        assert_eq!(world.api.get("/v1/orders").await.status, 200);
        let counted = "http_refusals_total{reason=\"failed_authentication\"}";
        assert!(metric(&world, counted).await >= 1.0);
    }

    async fn slow_clients_are_cut_and_others_are_served_meanwhile(mut world in World) {
        world.stocked("TEA", 250, 10).await;
        world.terminate().await;
        world.set("ORDERLY_HEAD_TIMEOUT_MS", "2000");
        world.restart_with("ORDERLY_BODY_TIMEOUT_MS", "2000").await;
        let head = format!(
            "POST /v1/orders HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {}\r\n\
             Idempotency-Key: slow\r\nContent-Length: 1000\r\n\r\n",
            world.api.key
        );
        let mut slow = Vec::new();
        for number in 0..200 {
            let mut stream = TcpStream::connect(address(&world)).await.unwrap();
            let sent = match number % 3 {
                0 => "",
                1 => "GET /v1/orders HTTP/1.1\r\nHost: sho",
                _ => &head,
            };
            stream.write_all(sent.as_bytes()).await.unwrap();
            slow.push(stream);
        }
        world.api.place("k-1", &order_of(&[("TEA", 1)])).await.expect(201);
        for mut stream in slow {
            let answer = rest(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
            assert!(answer.contains("\"REQUEST_TIMEOUT\""), "{answer}");
            assert!(answer.contains("\r\nconnection: close"), "{answer}");
        }
        world.api.place("k-2", &order_of(&[("TEA", 1)])).await.expect(201);
        assert_eq!(world.stock("TEA").await, (10, 2, 8));
    }

    async fn a_stop_is_announced_and_finishes_what_was_begun(mut world in World) {
        world.stocked("TEA", 250, 10).await;
        world.terminate().await;
        world.restart_with("ORDERLY_DRAIN_DELAY_SECS", "3").await;
        world.bank.stall().await;
        let order = order_of(&[("TEA", 1)]);
        let stop = async {
            world.pending(1).await;
            world.ask_to_stop();
            let ready = eventually("the server says that it drains", async || {
                let ready = world.private("/readyz").await;
                if ready.status == 503 { Ok(ready) } else { Err(ready.text) }
            })
            .await;
            assert_eq!(ready.json()["reasons"], json!(["draining"]));
            // It serves on, and asks to connect anew.
            let read = world.api.get("/v1/products/TEA").await;
            assert_eq!((read.status, read.header("connection")), (200, "close"));
            eventually("the server stops listening", async || {
                let fresh = http_client().get(format!("{}/livez", world.api.base));
                if try_send(fresh).await.is_err() { Ok(()) } else { Err("it listens".to_owned()) }
            })
            .await;
            world.bank.recover().await;
        };
        let (reply, ()) = join(world.api.place("k-1", &order), stop).await;
        reply.expect(201);
        assert_eq!(reply.header("connection"), "close");
        assert_eq!(world.stopped().await.code(), Some(0));
    }

    async fn a_second_signal_ends_it_at_once_and_loses_nothing(mut world in World) {
        world.stocked("TEA", 250, 10).await;
        world.terminate().await;
        // So long that no test waits for it.
        world.restart_with("ORDERLY_DRAIN_DELAY_SECS", "3600").await;
        world.bank.stall().await;
        let order = order_of(&[("TEA", 1)]);
        let first = world.api.order("k-1", &order);
        let stop = async {
            world.pending(1).await;
            world.ask_to_stop();
            eventually("the server says that it drains", async || {
                let ready = world.private("/readyz").await;
                if ready.status == 503 { Ok(()) } else { Err(ready.text) }
            })
            .await;
            world.ask_to_stop();
        };
        let (answer, ()) = join(try_send(first), stop).await;
        assert!(answer.is_err(), "nobody was left to answer: {answer:?}");
        assert_eq!(world.stopped().await.code(), Some(3));
        world.bank.recover().await;
        world.restart().await;
        let again = eventually("the order is finished", async || {
            let reply = world.api.place("k-1", &order).await;
            if reply.status == 409 { Err(reply.text) } else { Ok(reply) }
        })
        .await;
        assert_eq!(world.settled(&again.order_id()).await["status"], "confirmed");
        assert_eq!(world.bank.ledger_of(&again.order_id()).await.len(), 1);
        assert_eq!(world.stock("TEA").await, (10, 1, 9));
        world.assert_balanced().await;
    }
}

#[tokio::test]
async fn without_its_database_the_node_reads_from_memory_and_refuses_the_rest() {
    let mut world = World::postgres().await;
    world.expect_errors();
    world.stocked("TEA", 250, 10).await;
    world.product("ALE", 300).await;
    let before = world.api.get("/v1/products").await;
    let Database::Postgres(database) = &world.database else { panic!("a world on Postgres") };
    database.shut().await;
    without_database(&world, &before).await;
    database.reopen().await;
    with_database(&world).await;
}

#[tokio::test]
async fn a_database_that_falls_silent_is_a_database_that_is_away() {
    let mut world = World::postgres().await;
    world.expect_errors();
    world.stocked("TEA", 250, 10).await;
    world.product("ALE", 300).await;
    world.terminate().await;
    let (proxy, url) = Proxy::before(&world.database.url()).await;
    world.restart_with("DATABASE_URL", &url).await;
    let before = world.api.get("/v1/products").await;
    proxy.fall_silent();
    without_database(&world, &before).await;
    proxy.speak_again();
    with_database(&world).await;
    assert_eq!(world.terminate().await.code(), Some(0));
}

/// What a node tells while its database is away; `before` is how it listed its products.
async fn without_database(world: &World, before: &Reply) {
    let order = order_of(&[("TEA", 1)]);
    let counted = "http_refusals_total{reason=\"database\"}";
    // Until then requests fail one by one, each after it has tried.
    eventually("the node notices", async || {
        let hasty = world.api.keyed("/v1/orders", "k-1", &order);
        let reply = send(hasty.header("X-Request-Timeout-Ms", "500")).await;
        if metric(world, counted).await >= 1.0 { Ok(()) } else { Err(reply.text) }
    })
    .await;
    assert_refused(&world.api.place("k-1", &order).await, "UNAVAILABLE");
    assert_refused(&world.api.get("/v1/orders").await, "UNAVAILABLE");
    let list = world.api.get("/v1/products").await;
    assert_eq!((list.status, list.header("x-degraded")), (200, "database"));
    assert_eq!(list.json()["data"], before.json()["data"]);
    let product = world.api.get("/v1/products/TEA").await.expect(200);
    assert_eq!(product["unit_amount"], 250);
    world.api.get("/v1/products/NONE").await.problem(404, "NOT_FOUND");
    let together = world.api.get("/v1/products/TEA/recommendations").await;
    assert_eq!(together.expect(200), json!({"data": [], "degraded": true}));
    for path in ["/livez", "/openapi.json", "/docs/"] {
        assert_eq!(world.api.get(path).await.status, 200, "{path}");
    }
    let stranger = Api { key: "a-key-that-nobody-has-seen".to_owned(), ..world.api.clone() };
    assert_refused(&stranger.get("/v1/products/TEA").await, "UNAVAILABLE");
    assert!(metric(world, counted).await >= 3.0);
    eventually("the node is not ready", async || {
        let ready = world.private("/readyz").await;
        if ready.status == 503 { Ok(()) } else { Err(ready.text) }
    })
    .await;
    // The map is told from memory, and shows where the trouble is.
    let map = world.api.get("/v1/topology").await.expect(200);
    let store = map["nodes"].as_array().unwrap().iter().find(|node| node["name"] == "store");
    let store = store.unwrap_or_else(|| panic!("{map}"));
    assert_eq!(
        (&store["health"], &store["reasons"]),
        (&json!("down"), &json!(["it does not answer"]))
    );
    // For longer than a key passes without another look: it is known all the same.
    assert_eq!(world.api.get("/v1/products/TEA").await.status, 200);
}

/// What a node tells when its database is back.
async fn with_database(world: &World) {
    let order = order_of(&[("TEA", 1)]);
    let reply = eventually("orders are taken again", async || {
        let reply = world.api.place("k-1", &order).await;
        if matches!(reply.status, 503 | 409) { Err(reply.text) } else { Ok(reply) }
    })
    .await;
    assert_eq!(world.settled(&reply.order_id()).await["status"], "confirmed");
    let product = world.api.get("/v1/products/TEA").await;
    assert_eq!((product.status, product.header("x-degraded")), (200, ""));
    assert_eq!(world.stock("TEA").await, (10, 1, 9));
    world.assert_balanced().await;
}

#[tokio::test]
async fn new_orders_are_refused_while_others_wait_too_long_and_taken_again_after() {
    let mut world = World::postgres().await;
    world.stocked("TEA", 250, 1_000).await;
    world.terminate().await;
    world.restart_with("ORDERLY_QUEUE_AGE_LIMIT_MS", "200").await;
    // Nobody can write an order: the lanes are stuck in the middle of a batch.
    let mut lock = PgConnection::connect(&world.database.url()).await.unwrap();
    for statement in ["BEGIN", "LOCK TABLE orders IN SHARE ROW EXCLUSIVE MODE"] {
        sqlx::raw_sql(statement).execute(&mut lock).await.unwrap();
    }
    let order = order_of(&[("TEA", 1)]);
    let waiting = join_all((0..40).map(|n| {
        let (world, order) = (&world, &order);
        async move { world.api.place(&format!("k-{n}"), order).await }
    }));
    let watching = async {
        let refused = eventually("new orders are refused", async || {
            let key = format!("new-{:?}", std::time::Instant::now());
            let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
            let hasty = world.api.keyed("/v1/orders", &key, &order);
            let reply = send(hasty.header("X-Request-Timeout-Ms", "100")).await;
            // One that was let in is not heard of before its deadline.
            if reply.json()["code"] == "OVERLOADED" { Ok(reply) } else { Err(reply.text) }
        })
        .await;
        assert_refused(&refused, "OVERLOADED");
        // Reads and probes are not in the way of orders.
        assert_eq!(world.api.get("/v1/products/TEA").await.status, 200);
        assert_eq!(world.api.get("/livez").await.status, 200);
        assert!(metric(&world, "http_refusals_total{reason=\"queue_age\"}").await >= 1.0);
        sqlx::raw_sql("COMMIT").execute(&mut lock).await.unwrap();
    };
    let (replies, ()) = join(waiting, watching).await;
    // Whoever was let in is served; whoever came late was told so at once.
    for reply in &replies {
        match reply.status {
            201 => {}
            _ => assert_refused(reply, "OVERLOADED"),
        }
    }
    assert!(replies.iter().filter(|reply| reply.status == 201).count() >= 2);
    eventually("orders are taken again", async || {
        let reply = world.api.place("after", &order).await;
        if reply.status == 201 { Ok(()) } else { Err(reply.text) }
    })
    .await;
    world.pending(0).await;
    world.assert_balanced().await;
}

#[tokio::test]
async fn smuggled_requests_are_refused_once_with_a_problem() {
    let world = World::sqlite().await;
    let hidden = "GET /v1/orders HTTP/1.1\r\nHost: shop\r\n\r\n";
    for (headers, body) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        ("Content-Length: 5\r\nContent-Length: 6", "0\r\n\r\n"),
        ("Transfer-Encoding: xchunked", "0\r\n\r\n"),
        ("Content-Length: +5", "0\r\n\r\n"),
        ("Content-Length : 5", "0\r\n\r\n"),
    ] {
        let mut stream = TcpStream::connect(address(&world)).await.unwrap();
        let key = &world.api.key;
        let request = format!(
            "POST /v1/orders HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {key}\r\n\
             {headers}\r\n\r\n{body}{hidden}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{headers}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{headers}: {answer}");
        assert!(answer.contains("\"BAD_REQUEST\""), "{headers}: {answer}");
    }
    assert!(metric(&world, "http_connections_cut_total{reason=\"bad_head\"}").await >= 5.0);
}

#[tokio::test]
async fn head_is_answered_wherever_get_is() {
    let world = World::sqlite().await;
    world.stocked("TEA", 250, 10).await;
    for path in ["/v1/products/TEA", "/v1/orders", "/v1/stock/TEA", "/openapi.json", "/livez"] {
        let get = send(world.api.request(Method::GET, path)).await;
        let head = send(world.api.request(Method::HEAD, path)).await;
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        assert_eq!(head.header("content-length"), get.text.len().to_string(), "{path}");
    }
    let reply = send(world.api.request(Method::DELETE, "/v1/orders")).await;
    reply.problem(405, "METHOD_NOT_ALLOWED");
    assert_eq!(reply.header("allow"), "GET, HEAD, POST");
}
