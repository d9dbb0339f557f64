//! Spans as OTLP writes them: the messages of `opentelemetry/proto` v1 that a trace needs.
//!
//! The crate that has all of them brings OpenTelemetry's SDK along, of which nothing else is used
//! here; in the tests it reads what this writes.

use prost::Message;

use super::trail::{Kind, Span, Word};

/// `opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest`.
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<OtlpSpan>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct OtlpSpan {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "13")]
    links: Vec<Link>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Link {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    /// 2: error.
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "One", tags = "1, 2, 3, 4")]
    value: Option<One>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum One {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Float(f64),
}

/// The body of an export request.
pub(crate) fn encode(service: &str, instance: &str, spans: Vec<Span>) -> Vec<u8> {
    let text = |key: &str, value: &str| pair(key, One::Text(value.to_owned()));
    let attributes = vec![
        text("service.name", service),
        text("service.instance.id", instance),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("telemetry.sdk.language", "rust"),
    ];
    let scope = Scope { name: "orderly".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let spans = spans.into_iter().map(span).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans }];
    let resource_spans =
        vec![ResourceSpans { resource: Some(Resource { attributes }), scope_spans }];
    Export { resource_spans }.encode_to_vec()
}

fn pair(key: &str, value: One) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}

fn span(span: Span) -> OtlpSpan {
    let attributes = span.attributes.into_iter().map(|(key, word)| {
        let value = match word {
            Word::Text(text) => One::Text(text),
            Word::Bool(value) => One::Bool(value),
            Word::Int(value) => One::Int(value),
            Word::Float(value) => One::Float(value),
        };
        KeyValue { key: key.into_owned(), value: Some(AnyValue { value: Some(value) }) }
    });
    OtlpSpan {
        trace_id: span.trace_id.to_be_bytes().to_vec(),
        span_id: span.span_id.to_be_bytes().to_vec(),
        parent_span_id: span.parent.map_or_else(Vec::new, |id| id.to_be_bytes().to_vec()),
        name: span.name,
        kind: match span.kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
            Kind::Producer => 4,
            Kind::Consumer => 5,
        },
        start_time_unix_nano: span.start_ns,
        end_time_unix_nano: span.end_ns,
        attributes: attributes.collect(),
        links: span
            .links
            .into_iter()
            .map(|(trace, span)| Link {
                trace_id: trace.to_be_bytes().to_vec(),
                span_id: span.to_be_bytes().to_vec(),
            })
            .collect(),
        status: span.failed.then_some(Status { code: 2 }),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;

    use super::*;

    #[test]
    fn what_is_written_is_read_by_opentelemetrys_own_messages() {
        let spans = vec![Span {
            trace_id: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c,
            span_id: 0xb7ad_6b71_6920_3331,
            parent: Some(7),
            name: "POST /v1/orders".to_owned(),
            kind: Kind::Server,
            start_ns: 1_700_000_000_000_000_001,
            end_ns: 1_700_000_000_000_000_002,
            attributes: vec![
                ("text".into(), Word::Text("ö".to_owned())),
                ("bool".into(), Word::Bool(true)),
                ("int".into(), Word::Int(-5)),
                ("float".into(), Word::Float(0.5)),
            ],
            links: vec![(3, 4)],
            failed: true,
        }];
        let bytes = encode("orderly", "host:1", spans);
        let read = <ExportTraceServiceRequest as prost::Message>::decode(&*bytes).expect("decodes");
        let of_resource = &read.resource_spans[0];
        let resource = of_resource.resource.as_ref().expect("a resource");
        let texts: Vec<_> = resource.attributes.iter().map(|pair| pair.key.as_str()).collect();
        assert_eq!(texts[..2], ["service.name", "service.instance.id"]);
        let scope = &of_resource.scope_spans[0];
        assert_eq!(scope.scope.as_ref().map(|scope| scope.name.as_str()), Some("orderly"));
        let span = &scope.spans[0];
        assert_eq!(span.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes());
        assert_eq!(span.span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
        assert_eq!(span.parent_span_id, 7_u64.to_be_bytes());
        assert_eq!(span.name, "POST /v1/orders");
        assert_eq!(span.kind, 2);
        assert_eq!(span.start_time_unix_nano, 1_700_000_000_000_000_001);
        assert_eq!(span.end_time_unix_nano, 1_700_000_000_000_000_002);
        let values: Vec<_> = span
            .attributes
            .iter()
            .map(|pair| (pair.key.as_str(), pair.value.clone().and_then(|value| value.value)))
            .collect();
        assert_eq!(
            values,
            [
                ("text", Some(Value::StringValue("ö".to_owned()))),
                ("bool", Some(Value::BoolValue(true))),
                ("int", Some(Value::IntValue(-5))),
                ("float", Some(Value::DoubleValue(0.5))),
            ]
        );
        assert_eq!(span.links[0].trace_id, 3_u128.to_be_bytes());
        assert_eq!(span.links[0].span_id, 4_u64.to_be_bytes());
        assert_eq!(span.status.as_ref().map(|status| status.code), Some(2));
    }
}
