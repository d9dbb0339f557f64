use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value as Json;
use time::OffsetDateTime;

use super::*;
use crate::fields::Fields;

const SERVICE: &str = "orderly";

/// Names a caller may use: plain ones, reserved ones, and ones that need escapes.
const NAMES: [&str; 16] = [
    "order_id",
    "user_id",
    "amount",
    "cause",
    "code",
    "timestamp",
    "level",
    "service",
    "span_id",
    "parent_span",
    "event",
    "target",
    "field_level",
    "with \"quotes\"\n",
    "ключ\u{2028}",
    "",
];

fn line(level: Level) -> Line {
    Line {
        at: OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_123_999_999).unwrap(),
        level,
        target: "orders".to_owned(),
        trace_id: None,
        span_id: None,
        parent_span: None,
        event: None,
        message: None,
        fields: Fields::default(),
        spans: Vec::new(),
    }
}

fn fields(list: &[(&'static str, Value)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in list {
        fields.set(name, value.clone());
    }
    fields
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn written(line: &Line) -> String {
    let mut out = String::new();
    push_line(&mut out, line, SERVICE);
    out
}

/// The members of an object in the order in which they were written, duplicates kept.
struct Members(Vec<(String, Json)>);

impl Members {
    fn parse(line: &str) -> Self {
        let mut reader = serde_json::Deserializer::from_str(line);
        let members = serde::de::Deserializer::deserialize_map(&mut reader, MembersVisitor);
        let members = members.unwrap_or_else(|error| panic!("{error}: {line:?}"));
        reader.end().unwrap();
        Self(members)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(key, _)| key.as_str()).collect()
    }

    fn get(&self, key: &str) -> &Json {
        let found = self.0.iter().find(|(known, _)| known == key);
        &found.unwrap_or_else(|| panic!("no {key}")).1
    }
}

struct MembersVisitor;

impl<'de> serde::de::Visitor<'de> for MembersVisitor {
    type Value = Vec<(String, Json)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[test]
fn a_line_is_written_in_a_fixed_order() {
    let mut line = line(Level::INFO);
    line.trace_id = Some(0x2a);
    line.span_id = Some(0xff);
    line.parent_span = Some(0xfe);
    line.event = Some(text("order_placed"));
    line.message = Some(text("the order is placed"));
    line.fields = fields(&[("amount", Value::Signed(1999)), ("currency", text("EUR"))]);
    line.spans = vec![Arc::new(fields(&[("user_id", Value::Unsigned(7))]))];
    assert_eq!(
        written(&line),
        "{\"timestamp\":\"2023-11-14T22:13:20.123Z\",\"level\":\"INFO\",\"service\":\"orderly\",\
         \"trace_id\":\"0000000000000000000000000000002a\",\"span_id\":\"00000000000000ff\",\
         \"event\":\"order_placed\",\"message\":\"the order is placed\",\"target\":\"orders\",\
         \"amount\":1999,\"currency\":\"EUR\",\"user_id\":7}\n"
    );
}

#[test]
fn an_error_line_names_the_parent_span_and_the_causes() {
    let mut failed = line(Level::ERROR);
    failed.parent_span = Some(0xfe);
    failed.fields =
        fields(&[("cause", Value::Causes(vec!["outer".to_owned(), "inner".to_owned()]))]);
    let members = Members::parse(&written(&failed));
    assert_eq!(members.get("parent_span"), "00000000000000fe");
    assert_eq!(members.get("cause"), &serde_json::json!(["outer", "inner"]));

    failed.parent_span = None;
    failed.fields = fields(&[("cause", text("only a sentence"))]);
    let members = Members::parse(&written(&failed));
    assert_eq!(members.get("parent_span"), &Json::Null);
    assert_eq!(members.get("cause"), &serde_json::json!(["only a sentence"]));
}

#[test]
fn the_message_stands_in_for_a_missing_event() {
    let mut line = line(Level::INFO);
    line.message = Some(text("listening"));
    let members = Members::parse(&written(&line));
    assert_eq!(members.get("event"), "listening");
    assert_eq!(members.get("message"), "listening");
}

#[test]
fn the_inner_value_of_a_field_wins() {
    let mut line = line(Level::INFO);
    line.fields = fields(&[("order_id", text("event"))]);
    line.spans = vec![
        Arc::new(fields(&[("order_id", text("inner")), ("user_id", text("inner"))])),
        Arc::new(fields(&[
            ("order_id", text("outer")),
            ("user_id", text("outer")),
            ("amount", text("outer")),
        ])),
    ];
    let members = Members::parse(&written(&line));
    let seen = ["order_id", "user_id", "amount"].map(|key| members.get(key).as_str().unwrap());
    assert_eq!(seen, ["event", "inner", "outer"]);
}

#[test]
fn a_field_cannot_pose_as_a_fixed_one() {
    let mut line = line(Level::INFO);
    line.fields = fields(&[("level", text("ERROR")), ("service", text("bank"))]);
    line.spans = vec![Arc::new(fields(&[("field_service", text("outer"))]))];
    let members = Members::parse(&written(&line));
    assert_eq!(members.get("level"), "INFO");
    assert_eq!(members.get("field_level"), "ERROR");
    assert_eq!(members.get("service"), SERVICE);
    assert_eq!(members.get("field_service"), "outer");
}

#[test]
fn numbers_that_json_does_not_know_are_null() {
    for (value, expected) in [
        (f64::NAN, "null"),
        (f64::INFINITY, "null"),
        (f64::NEG_INFINITY, "null"),
        (0.1, "0.1"),
        (1e300, "1e300"),
        (-1e-9, "-1e-9"),
        (3.0, "3.0"),
    ] {
        let mut line = line(Level::INFO);
        line.fields = fields(&[("ratio", Value::Float(value))]);
        let written = written(&line);
        assert!(written.ends_with(&format!("\"ratio\":{expected}}}\n")), "{written}");
    }
}

#[test]
fn text_that_could_break_or_turn_a_line_is_escaped() {
    let mut line = line(Level::INFO);
    line.fields = fields(&[("note", text("a\"\\\n\r\0\u{1b}[2J\u{7f}\u{85}\u{2028}\u{202e}é"))]);
    assert!(
        written(&line).ends_with(
            "\"note\":\"a\\\"\\\\\\n\\u000d\\u0000\\u001b[2J\\u007f\\u0085\\u2028\\u202eé\"}\n"
        ),
        "{}",
        written(&line)
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Signed),
        any::<u64>().prop_map(Value::Unsigned),
        any::<f64>().prop_map(Value::Float),
        any::<String>().prop_map(Value::Text),
        "[\\x00-\\x20\"\\\\\u{7f}-\u{a0}\u{2028}\u{2029}]{0,20}".prop_map(Value::Text),
        proptest::collection::vec(any::<String>(), 0..3).prop_map(Value::Causes),
    ]
}

fn any_fields() -> impl Strategy<Value = Fields> {
    let field = (proptest::sample::select(&NAMES[..]), any_value());
    proptest::collection::vec(field, 0..8).prop_map(|list| fields(&list))
}

fn any_line() -> impl Strategy<Value = Line> {
    let level = prop_oneof![Just(Level::INFO), Just(Level::ERROR)];
    let ids = any::<(Option<u128>, Option<u64>, Option<u64>)>();
    let texts =
        (proptest::option::of(any_value()), proptest::option::of(any_value()), any::<String>());
    let spans = proptest::collection::vec(any_fields().prop_map(Arc::new), 0..4);
    (level, ids, texts, any_fields(), spans).prop_map(
        |(level, (trace_id, span_id, parent_span), (event, message, target), fields, spans)| Line {
            trace_id,
            span_id,
            parent_span,
            event,
            message,
            target,
            fields,
            spans,
            ..line(level)
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_logged_gives_one_line_of_json(line in any_line(), service in any::<String>()) {
        let mut out = String::new();
        push_line(&mut out, &line, &service);
        let body = out.strip_suffix('\n').expect("ends the line");
        prop_assert!(!body.contains(is_unprintable), "{body:?}");
        let members = Members::parse(body);
        let keys = members.keys();
        prop_assert_eq!(
            &keys[..6],
            &["timestamp", "level", "service", "trace_id", "span_id", "event"]
        );
        let unique: std::collections::HashSet<_> = keys.iter().collect();
        prop_assert_eq!(unique.len(), keys.len(), "{:?}", keys);
        prop_assert_eq!(members.get("service").as_str(), Some(service.as_str()));
        prop_assert_eq!(members.get("target").as_str(), Some(line.target.as_str()));
        // Every name that was recorded is there, under its own or its new name.
        let outer = line.spans.iter().flat_map(|span| span.iter());
        for (name, _) in line.fields.iter().chain(outer) {
            let renamed = format!("field_{name}");
            prop_assert!(keys.contains(&name) || keys.contains(&renamed.as_str()), "{name}");
        }
        // A text reads back as it was logged.
        for (name, value) in line.fields.iter() {
            if let (Value::Text(text), "order_id" | "user_id") = (value, name) {
                prop_assert_eq!(members.get(name).as_str(), Some(text.as_str()));
            }
        }
    }
}
