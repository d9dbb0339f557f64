//! What the server tells of itself: its log and its traces.

use crate::client::{ADMIN_KEY, send};
use crate::collector::{Collector, hex};
use crate::process::eventually;
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

/// Every hop of an order that is paid.
const HOPS: &[&str] = &[
    "POST /v1/orders",
    "gateway → orders",
    "mailbox orders.lane.0",
    "orders.place_batch",
    "event order.placed",
    "orders → payments",
    "mailbox payments",
    "payments → bank",
    "http charge",
    "orders.settle_batch",
    "event order.confirmed",
    "consume shipping",
];

on_both! {
    async fn the_trace_id_of_an_answer_finds_the_orders_lines_spans_and_events(mut world in World) {
        let collector = Collector::start().await;
        world.stocked("TEA", 250, 100).await;
        world.terminate().await;
        world.set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
        world.set("OTEL_TRACES_SAMPLER_ARG", "1");
        world.restart().await;
        let (trace, caller) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let request = world.api.order("k1", &order_of(&[("TEA", 2)]));
        let placed = send(request.header("traceparent", format!("00-{trace}-{caller}-00"))).await;
        let order = placed.expect(201);
        assert_eq!(placed.header("x-trace-id"), trace);

        let spans = eventually("the trace has all hops", async || {
            let spans = collector.trace(trace);
            let is_there = |hop: &&&str| spans.iter().any(|span| span.name == ***hop);
            let missing: Vec<_> = HOPS.iter().filter(|hop| !is_there(hop)).collect();
            if missing.is_empty() { Ok(spans) } else { Err(format!("{missing:?}: {spans:#?}")) }
        })
        .await;
        let find = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
        // One tree: every parent is there, and the root's is the caller's span.
        for span in &spans {
            let parent = hex(&span.parent_span_id);
            let known = spans.iter().any(|other| other.span_id == span.parent_span_id);
            assert!(known || (span.name == HOPS[0] && parent == caller), "{span:#?}");
            assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
        }
        assert_eq!(find("http charge").parent_span_id, find("payments → bank").span_id);
        let confirmed = &find("event order.confirmed").span_id;
        let consumed = spans.iter().filter(|span| span.name == "consume shipping");
        assert!(consumed.into_iter().any(|span| span.parent_span_id == *confirmed), "{spans:#?}");
        assert_eq!(find("event order.placed").parent_span_id, find("orders.place_batch").span_id);
        // The batch is a trace of its own, linked both ways.
        for transaction in ["orders.place_batch", "orders.settle_batch"] {
            let in_order = find(transaction);
            let link = in_order.links.first().expect("linked with the batch");
            let of_batch = eventually("the batch is there", async || {
                let spans = collector.trace(&hex(&link.trace_id));
                if spans.is_empty() { Err(transaction.to_owned()) } else { Ok(spans) }
            })
            .await;
            let batch = of_batch.iter().find(|span| span.span_id == link.span_id).unwrap();
            assert!(batch.links.iter().any(|link| link.span_id == in_order.span_id), "{batch:#?}");
            assert!(of_batch.iter().any(|span| span.name == "orders → store"), "{of_batch:#?}");
        }
        // Its log lines, those of the bank, and its events.
        let log = lines(&world);
        let is_of_trace = |line: &&Value| line["trace_id"] == trace;
        let finished = log.iter().filter(is_of_trace).find(|l| l["event"] == "request_finished");
        assert_eq!(finished.unwrap()["span_id"], hex(&find(HOPS[0]).span_id));
        let banks = std::fs::read_to_string(world.path().join("bank.log")).unwrap();
        assert!(banks.lines().any(|line| line.contains("bank_called") && line.contains(trace)));
        let id = order["id"].as_str().unwrap();
        let events = world.api.get(&format!("/v1/orders/{id}/events")).await.expect(200);
        let events = events["data"].as_array().unwrap();
        assert_eq!(events.len(), 2);
        assert!(events.iter().all(|event| event["trace_id"] == trace), "{events:?}");

        // Without its collector the shop goes on; the spans are lost and counted.
        drop(collector);
        world.api.place("k2", &order_of(&[("TEA", 1)])).await.expect(201);
        eventually("spans are counted as lost", async || {
            let metrics = world.private("/metrics").await.text;
            let lost = r#"trace_spans_total{outcome="not_taken"}"#;
            if metrics.contains(lost) { Ok(()) } else { Err(metrics) }
        })
        .await;
    }
}

on_both! {
    async fn a_node_is_profiled_while_it_works(world in World) {
        world.stocked("TEA", 250, 1_000).await;
        let orders = async {
            for number in 0.. {
                world.api.place(&format!("k{number}"), &order_of(&[("TEA", 1)])).await;
            }
        };
        let profiles = async {
            let taken = world.private("/debug/pprof/flamegraph?seconds=2").await;
            let waits = world.private("/debug/pprof/mailboxes/flamegraph?seconds=1").await;
            // One at a time, whatever is profiled.
            let (one, other) = tokio::join!(
                world.private("/debug/pprof/mailboxes?seconds=1"),
                world.private("/debug/pprof/profile?seconds=1"),
            );
            let (taken_too, busy) = if one.status == 200 { (one, other) } else { (other, one) };
            assert_eq!(taken_too.status, 200);
            (taken, waits, busy)
        };
        let (cpu, waits, busy) = tokio::select! {
            done = profiles => done,
            () = orders => unreachable!("there is no end to it"),
        };
        assert_eq!((cpu.status, cpu.header("content-type")), (200, "image/svg+xml"));
        for name in ["<svg ", "tokio", "gateway::"] {
            assert!(cpu.text.contains(name), "{name}: {}", cpu.text);
        }
        assert!(waits.text.contains("orders.lane.0") && waits.text.contains("::Place"));
        busy.problem(429, "RATE_LIMITED");
        let memory = world.private("/debug/pprof/heap").await.expect(200);
        assert!(memory["resident_bytes"].as_u64().unwrap() > 1_000_000, "{memory}");
        for wrong in ["seconds=0", "seconds=61", "seconds=x", "second=1"] {
            let path = format!("/debug/pprof/profile?{wrong}");
            world.private(&path).await.problem(400, "INVALID_PARAMETER");
        }
        let public = format!("{}/debug/pprof/heap", world.api.base);
        send(world.api.http.get(public)).await.problem(404, "NOT_FOUND");
    }
}
