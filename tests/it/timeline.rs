//! The timeline of an order, followed live.

use crate::client::{Api, send};
use crate::world::{World, on_both, order_of};
use reqwest::{Method, Response};
use serde_json::{Value, json};

/// A timeline that is followed.
struct Following {
    response: Response,
    buffer: String,
}

impl Following {
    async fn open(world: &World, id: &str, last_seen: Option<&str>) -> Self {
        Self::open_by(&world.api, id, last_seen).await
    }

    async fn open_by(api: &Api, id: &str, last_seen: Option<&str>) -> Self {
        let path = format!("/v1/orders/{id}/events");
        let mut request = api.request(Method::GET, &path).header("Accept", "text/event-stream");
        if let Some(last) = last_seen {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, buffer: String::new() }
    }

    /// The next event: its id, its type and its data; `None` at the end of the stream.
    async fn next(&mut self) -> Option<(String, String, Value)> {
        loop {
            while let Some((frame, rest)) = self.buffer.split_once("\n\n") {
                let event = read(frame);
                self.buffer = rest.to_owned();
                if event.is_some() {
                    return event;
                }
            }
            // A stream that breaks off and one that ends are the same to its client.
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The types of the next events, whose ids must follow one another from `first`.
    async fn types(&mut self, first: i64, count: usize) -> Vec<String> {
        let mut found = Vec::new();
        for version in (first..).take(count) {
            let (id, kind, data) = self.next().await.expect("an event");
            assert_eq!((id, &data["version"]), (version.to_string(), &json!(version)));
            assert_eq!(data["type"], kind);
            found.push(kind);
        }
        found
    }
}

/// An event out of its frame; `None` for a comment or a greeting.
fn read(frame: &str) -> Option<(String, String, Value)> {
    let field = |name: &str| {
        let mut lines = frame.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
    };
    let data = field("data").map(|text| serde_json::from_str(&text).unwrap());
    Some((field("id")?, field("event")?, data?))
}

async fn shipped(world: &World, id: &str, key: &str) {
    let path = format!("/v1/orders/{id}/shipments");
    let body = json!({"lines": [{"sku": "TEA", "quantity": 1}]});
    send(world.api.keyed(&path, key, &body)).await.expect(201);
}

on_both! {
    async fn a_timeline_is_followed_from_the_beginning_and_goes_on(world in World) {
        world.stocked("TEA", 250, 10).await;
        let id = world.api.place("k-1", &order_of(&[("TEA", 3)])).await.order_id();
        let mut following = Following::open(&world, &id, None).await;
        let begun = following.types(1, 2).await;
        assert_eq!(begun, ["order.placed", "order.confirmed"]);
        for number in 0..2 {
            shipped(&world, &id, &format!("s-{number}")).await;
            let version = 3 + number;
            assert_eq!(following.types(version, 1).await, ["order.shipped"]);
        }
        // The stream and the list tell the same.
        let mut again = Following::open(&world, &id, None).await;
        let listed = world.api.get(&format!("/v1/orders/{id}/events")).await.expect(200);
        for row in listed["data"].as_array().unwrap() {
            assert_eq!(&again.next().await.unwrap().2, row);
        }
    }

    async fn whoever_comes_back_misses_nothing_and_gets_nothing_twice(mut world in World) {
        world.stocked("TEA", 250, 10).await;
        let id = world.api.place("k-1", &order_of(&[("TEA", 5)])).await.order_id();
        let mut first = Following::open(&world, &id, None).await;
        first.types(1, 2).await;
        drop(first);
        shipped(&world, &id, "s-1").await;
        let mut second = Following::open(&world, &id, Some("2")).await;
        assert_eq!(second.types(3, 1).await, ["order.shipped"]);
        // A crash breaks the stream off; what was seen counts after it.
        world.kill();
        assert_eq!(second.next().await, None);
        world.restart().await;
        let mut third = Following::open(&world, &id, Some("3")).await;
        shipped(&world, &id, "s-2").await;
        shipped(&world, &id, "s-3").await;
        assert_eq!(third.types(4, 2).await, ["order.shipped", "order.shipped"]);
    }

    async fn whoever_is_not_let_in_any_more_is_told_nothing_more(world in World) {
        world.stocked("TEA", 250, 10).await;
        let id = world.api.place("k-1", &order_of(&[("TEA", 3)])).await.order_id();
        let body = json!({"name": "watcher", "scopes": ["orders:read"]});
        let key = world.api.post("/v1/api-keys", &body).await.expect(201);
        let watcher = world.api.with_key(key["secret"].as_str().unwrap());
        let mut following = Following::open_by(&watcher, &id, None).await;
        following.types(1, 2).await;
        shipped(&world, &id, "s-1").await;
        following.types(3, 1).await;
        let path = format!("/v1/api-keys/{}", key["id"].as_str().unwrap());
        assert_eq!(send(world.api.request(Method::DELETE, &path)).await.status, 204);
        shipped(&world, &id, "s-2").await;
        assert_eq!(following.next().await, None);
        watcher.get(&format!("/v1/orders/{id}")).await.problem(401, "UNAUTHENTICATED");
    }

    async fn a_server_that_stops_ends_its_streams(mut world in World) {
        world.stocked("TEA", 250, 10).await;
        let id = world.api.place("k-1", &order_of(&[("TEA", 3)])).await.order_id();
        let mut following = Following::open(&world, &id, None).await;
        following.types(1, 2).await;
        world.ask_to_stop();
        assert_eq!(following.next().await, None);
        assert_eq!(world.stopped().await.code(), Some(0));
    }

    async fn of_an_order_that_is_not_there_nothing_is_told(world in World) {
        let ask = |path: &str| {
            world.api.request(Method::GET, path).header("Accept", "text/event-stream")
        };
        for id in ["0190a000-0000-7000-8000-000000000000", "7"] {
            send(ask(&format!("/v1/orders/{id}/events"))).await.problem(404, "NOT_FOUND");
        }
        world.stocked("TEA", 250, 10).await;
        let id = world.api.place("k-1", &order_of(&[("TEA", 1)])).await.order_id();
        let events = format!("/v1/orders/{id}/events");
        let broken = ask(&events).header("Last-Event-ID", "the last one");
        send(broken).await.problem(400, "INVALID_HEADER");
        send(ask(&format!("{events}?after=x"))).await.problem(400, "INVALID_PARAMETER");
    }
}
