//! The timeline of an order.

use crate::client::{Reply, send};
use crate::world::{World, on_both, order_of};
use serde_json::{Value, json};

async fn timeline(world: &World, id: &str) -> Vec<Value> {
    let events = world.api.get(&format!("/v1/orders/{id}/events")).await.expect(200);
    events["data"].as_array().unwrap().clone()
}

/// Fails unless the order's events are of these types, with versions from 1 without a gap, told
/// by the tests' key in the trace of the request.
async fn assert_timeline(world: &World, reply: &Reply, types: &[&str]) -> Vec<Value> {
    let events = timeline(world, &reply.order_id()).await;
    let found: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(found, types);
    for (event, version) in events.iter().zip(1..) {
        assert_eq!(event["version"], version, "{event}");
        assert_eq!(event["actor"], "key:admin", "{event}");
        assert_eq!(event["trace_id"], reply.header("x-trace-id"), "{event}");
        assert!(event["at"].as_str().unwrap().ends_with('Z'), "{event}");
        assert!(
            !event["cause"].as_str().unwrap().is_empty() && event["data"].is_object(),
            "{event}"
        );
    }
    let ids: std::collections::BTreeSet<_> = events.iter().map(|e| e["id"].to_string()).collect();
    assert_eq!(ids.len(), events.len());
    events
}

on_both! {
    async fn every_change_is_one_event(world in World) {
        world.stocked("TEA", 250, 10).await;
        world.stocked("GIFT", 0, 10).await;
        let confirmed = world.api.place("k-1", &order_of(&[("TEA", 2)])).await;
        confirmed.expect(201);
        let events =
            assert_timeline(&world, &confirmed, &["order.placed", "order.confirmed"]).await;
        assert_eq!(events[0]["data"]["lines"][0]["quantity"], 2);
        assert_eq!(events[1]["data"]["amount_captured"], 500);
        assert_eq!(events[1]["cause"], "payment_settled");

        let short = world.api.place("k-2", &order_of(&[("TEA", 99)])).await;
        short.problem(409, "OUT_OF_STOCK");
        let events = assert_timeline(&world, &short, &["order.placed", "order.rejected"]).await;
        assert_eq!(events[1]["cause"], "out_of_stock");

        let mut body = order_of(&[("TEA", 1)]);
        body["payment"]["method"] = json!("pm_card_chargeDeclined");
        let declined = world.api.place("k-3", &body).await;
        declined.problem(402, "PAYMENT_DECLINED");
        let events = assert_timeline(&world, &declined, &["order.placed", "order.rejected"]).await;
        assert_eq!(events[1]["cause"], "payment_declined");

        let free = world.api.place("k-4", &order_of(&[("GIFT", 1)])).await;
        free.expect(201);
        assert_timeline(&world, &free, &["order.placed", "order.confirmed"]).await;
        let absent = world.api.get("/v1/orders/0190a000-0000-7000-8000-000000000000/events").await;
        absent.problem(404, "NOT_FOUND");
    }

    async fn the_clients_trace_is_continued(world in World) {
        world.stocked("TEA", 250, 10).await;
        let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let order = world.api.order("k-1", &order_of(&[("TEA", 1)]));
        let reply =
            send(order.header("traceparent", format!("00-{trace_id}-00f067aa0ba902b7-01"))).await;
        reply.expect(201);
        assert_eq!(reply.header("x-trace-id"), trace_id);
        assert_timeline(&world, &reply, &["order.placed", "order.confirmed"]).await;
        // What is no traceparent begins a new trace.
        for bad in ["", "00-0-0-0", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            let request = world.api.request(reqwest::Method::GET, "/v1/orders");
            let reply = send(request.header("traceparent", bad)).await;
            let fresh = reply.header("x-trace-id");
            assert_eq!((reply.status, fresh.len()), (200, 32), "{bad:?}");
            assert!(fresh.bytes().any(|byte| byte != b'0'), "{bad:?}");
        }
    }
}
