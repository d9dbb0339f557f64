use std::time::Duration;

use tokio::sync::mpsc;
use tracing::field::Empty;
use tracing::{error, info, info_span};
use tracing_subscriber::layer::SubscriberExt as _;

use super::super::export::Message;
use super::super::trail::{Kind, Span};
use super::*;
use crate::levels::Levels;
use crate::spans::SpanLayer;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const TRACE_ID: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const ORDER: u128 = 0x0190_0000_0000_7000_8000_0000_0000_0001;

/// Everything that is exported of what `work` does.
fn exported(ratio: f64, slow: Duration, work: impl FnOnce()) -> Vec<Span> {
    let (sender, mut receiver) = mpsc::channel(4_096);
    let config = TraceConfig {
        endpoint: String::new(),
        service: "orderly".to_owned(),
        instance: "one".to_owned(),
        ratio,
        slow,
    };
    let subscriber = tracing_subscriber::registry()
        // The log itself keeps errors only.
        .with(Levels::parse("error", true).expect("a filter"))
        .with(SpanLayer::new(7))
        .with(TraceLayer::new(Some((config, Exporter::to(sender))), 7));
    tracing::subscriber::with_default(subscriber, work);
    let mut spans = Vec::new();
    while let Ok(message) = receiver.try_recv() {
        if let Message::Spans(more) = message {
            spans.extend(more);
        }
    }
    spans
}

const NEVER: Duration = Duration::from_secs(3_600);

fn request() -> tracing::Span {
    info_span!(
        "http_request",
        trace_id = TRACE,
        traceparent = Empty,
        http.method = "POST",
        http.route = "/v1/orders",
        http.status = Empty,
    )
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:#?}"))
}

#[test]
fn a_request_becomes_spans_that_lie_within_each_other() {
    let spans = exported(1.0, NEVER, || {
        let span = info_span!(
            "http_request",
            trace_id = TRACE,
            traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            http.method = "POST",
            http.route = "/v1/orders",
            http.status = Empty,
        );
        span.in_scope(|| {
            let hop = |name: &str| {
                // Long enough for the clock to see.
                let began = Instant::now();
                while began.elapsed() < Duration::from_micros(50) {}
                assert!(!name.is_empty());
            };
            hop("a call with a mailbox and a bank in it");
            info!(name: "mailbox", target: HOP, label = "payments", took_ns = 1_000_u64);
            let told = outgoing().expect("inside a trace");
            assert!(told.traceparent.starts_with(&format!("00-{TRACE}-")));
            assert!(told.traceparent.ends_with(&format!("{:016x}-01", told.span_id)));
            info!(name: "http", target: HOP, label = "charge", took_ns = 500_u64,
                span_id = told.span_id, failed = true);
            info!(name: "call", target: HOP, from = "orders", to = "payments",
                took_ns = 10_000_000_000_u64);
        });
        span.record("http.status", 201_u64);
    });
    let root = named(&spans, "POST /v1/orders");
    assert_eq!((root.trace_id, root.parent), (TRACE_ID, Some(0xb7ad_6b71_6920_3331)));
    assert_eq!((root.kind, root.failed), (Kind::Server, false));
    let call = named(&spans, "orders → payments");
    assert_eq!(call.parent, Some(root.span_id));
    assert_eq!(named(&spans, "mailbox payments").parent, Some(call.span_id));
    let charge = named(&spans, "http charge");
    assert_eq!(
        (charge.parent, charge.kind, charge.failed),
        (Some(call.span_id), Kind::Client, true)
    );
    for span in &spans {
        assert_eq!(span.trace_id, TRACE_ID);
        assert!(span.start_ns <= span.end_ns);
    }
    let mut ids: Vec<u64> = spans.iter().map(|span| span.span_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn what_is_not_sampled_is_kept_only_if_it_failed_or_was_slow() {
    let ends = |status: u64| {
        let span = request();
        span.record("http.status", status);
    };
    assert_eq!(exported(0.0, NEVER, || ends(201)), []);
    assert_eq!(exported(0.0, NEVER, || ends(402)), []);
    assert_eq!(exported(0.0, NEVER, || ends(503)).len(), 1);
    assert_eq!(exported(0.0, Duration::ZERO, || ends(201)).len(), 1);
    let logged = exported(0.0, NEVER, || {
        let span = request();
        span.in_scope(|| error!("something failed"));
        span.record("http.status", 202_u64);
    });
    assert!(named(&logged, "POST /v1/orders").failed);
    let asked = exported(0.0, NEVER, || {
        let _span = info_span!(
            "http_request",
            trace_id = TRACE,
            traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        );
    });
    assert_eq!(asked.len(), 1, "the caller keeps it");
}

#[test]
fn the_share_that_is_kept_follows_from_the_id() {
    let kept = |ratio: f64| {
        let spans = exported(ratio, NEVER, || {
            for number in 0..10_000_u64 {
                let id = format!("{:032x}", u128::from(span_id(number, 3)) | 1 << 100);
                drop(info_span!("http_request", trace_id = id));
            }
        });
        spans.iter().map(|span| span.trace_id).collect::<Vec<_>>()
    };
    // The queue of the test holds more.
    let some = kept(0.1);
    assert!((800..1_200).contains(&some.len()), "{}", some.len());
    assert_eq!(kept(0.1), some);
    assert_eq!(kept(0.0), [0_u128; 0]);
}

#[test]
fn when_everything_fails_some_of_it_is_kept() {
    let spans = exported(0.0, NEVER, || {
        for _ in 0..1_000 {
            request().record("http.status", 503_u64);
        }
    });
    // The second may change once or twice meanwhile.
    assert!((200..=600).contains(&spans.len()), "{}", spans.len());
}

#[test]
fn a_batch_and_the_orders_in_it_are_linked_and_its_rows_are_spans() {
    let spans = exported(1.0, NEVER, || {
        let (one, two) = (request(), request());
        let batch = info_span!("orders.place_batch", orders = 2);
        batch.in_scope(|| {
            info!(name: "call", target: HOP, from = "orders", to = "inventory", took_ns = 5_u64);
            for request in [&one, &two] {
                info!(name: "transaction", target: HOP, parent: request,
                    label = "orders.place_batch", batched = true);
                info!(name: "event", target: HOP, parent: request, label = "order.placed",
                    order_id = ORDER, version = 1_u64);
            }
        });
        drop((one, two));
        drop(batch);
        info!(name: "consume", target: HOP, parent: None, label = "shipping", trace_id = TRACE,
            order_id = ORDER, version = 1_u64);
    });
    let batch = named(&spans, "orders.place_batch");
    let batch = spans
        .iter()
        .find(|span| span.trace_id != TRACE_ID && span.name == batch.name)
        .expect("the batch has a trace of its own");
    assert_ne!(batch.trace_id, 0);
    assert_eq!(named(&spans, "orders → inventory").parent, Some(batch.span_id));
    let of_orders: Vec<&Span> = spans
        .iter()
        .filter(|span| span.trace_id == TRACE_ID && span.name == "orders.place_batch")
        .collect();
    assert_eq!(of_orders.len(), 2);
    for span in &of_orders {
        assert_eq!(span.links, [(batch.trace_id, batch.span_id)]);
        assert!(batch.links.contains(&(TRACE_ID, span.span_id)));
    }
    let row = named(&spans, "event order.placed");
    assert_eq!(row.kind, Kind::Producer);
    assert!(of_orders.iter().any(|span| Some(span.span_id) == row.parent));
    let consumed = named(&spans, "consume shipping");
    assert_eq!((consumed.kind, consumed.parent), (Kind::Consumer, Some(row.span_id)));
}

#[test]
fn a_batch_of_orders_that_nobody_keeps_is_not_kept() {
    let spans = exported(0.0, NEVER, || {
        let (dull, failing) = (request(), request());
        let batch = info_span!("orders.place_batch");
        batch.in_scope(|| {
            info!(name: "transaction", target: HOP, parent: &dull, label = "x", batched = true);
        });
        drop((batch, dull));
        failing.record("http.status", 500_u64);
        drop(failing);
        // Its consumer may be told of it afterwards.
        info!(name: "consume", target: HOP, parent: None, label = "shipping", trace_id = TRACE,
            order_id = ORDER, version = 1_u64);
    });
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["POST /v1/orders", "consume shipping"]);
}

#[test]
fn a_trace_has_a_bounded_number_of_hops() {
    let spans = exported(1.0, NEVER, || {
        let span = request();
        for _ in 0..10_000 {
            info!(name: "call", target: HOP, parent: &span, label = "a label far longer than a label may be");
        }
    });
    assert!(spans.len() < 1_000, "{}", spans.len());
    let dropped = named(&spans, "POST /v1/orders").attributes.iter();
    assert!(dropped.into_iter().any(|(name, _)| name == "orderly.hops_dropped"));
    assert!(spans[1].name.len() < 40);
}

#[test]
fn without_a_collector_nothing_is_remembered() {
    let subscriber = tracing_subscriber::registry()
        .with(Levels::parse("trace", false).expect("a filter"))
        .with(SpanLayer::new(7))
        .with(TraceLayer::new(None, 7));
    tracing::subscriber::with_default(subscriber, || {
        assert!(!tracing::enabled!(target: "hop", tracing::Level::INFO));
        let span = info_span!("http_request", trace_id = TRACE);
        let has_trail = span.with_subscriber(|(id, dispatch)| {
            let registry = dispatch.downcast_ref::<Registry>().expect("a registry");
            let span = registry.span(id).expect("the span");
            span.extensions().get::<Trail>().is_some()
        });
        assert_eq!(has_trail, Some(false));
        assert!(span.in_scope(outgoing).is_some(), "the provider is told all the same");
    });
}
