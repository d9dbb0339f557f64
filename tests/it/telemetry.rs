//! What the server tells of itself: its log.

use crate::client::{ADMIN_KEY, send};
use crate::world::{World, on_both, order_of};
use reqwest::Method;
use serde_json::{Value, json};

const LEVEL: &str = "/debug/log-level";
/// What no log line may contain, wherever a client puts it.
const PLANTED: &[&str] =
    &["4242424242424242", "5555 5555 5555 4444", "ann.lee@example.org", "sk_live_0123456789abcdef"];

/// The log, line by line, each a JSON object with the fields that every line has.
fn lines(world: &World) -> Vec<Value> {
    let log = world.log();
    let read = |line: &str| -> Value {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    };
    let lines: Vec<Value> = log.lines().map(read).collect();
    for line in &lines {
        for field in ["timestamp", "level", "service", "trace_id", "span_id", "event", "target"] {
            assert!(line.get(field).is_some(), "{field}: {line}");
        }
        if line["level"] == "ERROR" {
            assert!(line.get("parent_span").is_some() && line.get("code").is_some(), "{line}");
        }
    }
    lines
}

async fn set_level(world: &World, body: &Value) -> crate::client::Reply {
    send(world.api.http.request(Method::PUT, format!("{}{LEVEL}", world.private)).json(body)).await
}

on_both! {
    async fn the_log_tells_of_a_request_and_no_secret_at_any_level(mut world in World) {
        world.stocked("TEA", 250, 100).await;
        let placed = world.api.place("k1", &order_of(&[("TEA", 2)])).await;
        let order = placed.expect(201);
        let trace = placed.header("x-trace-id").to_owned();
        let of_request = lines(&world);
        let of_request: Vec<&Value> =
            of_request.iter().filter(|line| line["trace_id"] == trace.as_str()).collect();
        let finished = of_request.iter().find(|line| line["event"] == "request_finished").unwrap();
        assert_eq!(finished["order_id"], order["id"]);
        assert_eq!(finished["amount"], 500);
        assert_eq!(finished["service"], "orderly");
        assert!(finished["user_id"].is_string() && finished["span_id"].is_string(), "{finished}");

        // Everything that any part may say, from now on; what cannot be read changes nothing.
        let before = world.private(LEVEL).await.expect(200);
        assert_eq!(before["filter"], "info,actix_server=warn");
        set_level(&world, &json!({"filter": "trace"})).await.expect(200);
        let refused = set_level(&world, &json!({"filter": "orders=loud"})).await;
        refused.problem(422, "VALIDATION_FAILED");
        set_level(&world, &json!({"level": "info"})).await.problem(400, "INVALID_BODY");
        assert_eq!(world.private(LEVEL).await.expect(200)["filter"], "trace");
        let public = format!("{}{LEVEL}", world.api.base);
        send(world.api.http.get(public)).await.problem(404, "NOT_FOUND");

        for (number, secret) in PLANTED.iter().enumerate() {
            let customer = json!({"name": secret, "external_ref": secret, "email": secret});
            world.api.post("/v1/customers", &customer).await;
            let mut order = order_of(&[("TEA", 1)]);
            order["payment"] = json!({"method": secret});
            world.api.place(&format!("p{number}"), &order).await;
            world.api.place(secret, &order_of(&[(secret, 1)])).await;
            send(world.api.http.get(format!("{}/v1/orders?cursor={secret}", world.api.base))
                .bearer_auth(secret)).await;
        }
        set_level(&world, &json!({"filter": "error"})).await.expect(200);
        assert!(lines(&world).iter().any(|line| line["level"] == "TRACE"));
        let log = world.log();
        // Some of it was about to be logged.
        assert!(log.contains("[card]") && log.contains("[email]") && log.contains("[secret]"));
        for secret in PLANTED.iter().chain([&ADMIN_KEY, &"sk_test_of_the_tests"]) {
            let found = log.lines().find(|line| line.contains(secret));
            assert_eq!(found, None, "{secret}");
        }
        world.expect_errors();
    }
}
