//! Flags on SQLite with the real actor, and rules by themselves.

use super::*;
use crate::logic::Rule;
use actors::TraceId;
use domain::Timestamp;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tracing::Span;

const KNOWN: &[Known] = &[Known {
    key: "engine",
    default: r#"{"state": "ENABLED", "variants": {"old": "old", "new": "new"},
        "defaultVariant": "old", "metadata": {"owner": "shop", "expires": "2030-01-01T00:00:00Z"}}"#,
    takes: Value::is_string,
    expected: "a text",
}];

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::parse("2027-01-01T12:00:00Z").expect("a time")
    }
}

#[derive(Default)]
struct Counted(AtomicU64);

impl IdSource for Counted {
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst)))
    }
}

fn definition(targeting: Value) -> Definition {
    let json = json!({"state": "ENABLED", "variants": {"old": "old", "new": "new"},
        "defaultVariant": "old", "targeting": targeting,
        "metadata": {"owner": "shop", "expires": "2030-01-01T00:00:00Z"}});
    serde_json::from_value(json).expect("a definition")
}

fn context() -> RequestContext {
    let deadline = Instant::now() + Duration::from_secs(60);
    RequestContext::new(deadline, TraceId::new(Uuid::from_u128(1)), Span::none(), "ann".into())
}

fn evaluate(rule: &Value, key: Option<&str>, members: &[(&str, &str)]) -> Value {
    let context = Context { targeting_key: key, members, now: 1_000 };
    Rule::parse(rule).expect("a rule").evaluate("engine", &context)
}

#[test]
fn rules_do_what_jsonlogic_says() {
    let ann = Some("ann");
    let usd: &[(&str, &str)] = &[("currency", "USD"), ("email", "ann@example.org"), ("n", "7")];
    for (rule, expected) in [
        (json!("new"), json!("new")),
        (json!({"var": "currency"}), json!("USD")),
        (json!({"var": ["nothing", "else"]}), json!("else")),
        (json!({"var": "targetingKey"}), json!("ann")),
        (json!({"var": "$flagd.flagKey"}), json!("engine")),
        (json!({"==": [{"var": "currency"}, "USD"]}), json!(true)),
        (json!({"!=": [{"var": "n"}, 7]}), json!(false)),
        (json!({"in": [{"var": "currency"}, ["EUR", "USD"]]}), json!(true)),
        (json!({"in": ["@example", {"var": "email"}]}), json!(true)),
        (json!({"ends_with": [{"var": "email"}, ".org"]}), json!(true)),
        (json!({"starts_with": [{"var": "email"}, "bob"]}), json!(false)),
        (json!({"<": [{"var": "$flagd.timestamp"}, 1_001]}), json!(true)),
        (json!({"<=": [1, {"var": "n"}, 7]}), json!(true)),
        (json!({">": [{"var": "nothing"}, 1]}), json!(false)),
        (json!({"and": [true, {"!": [false]}]}), json!(true)),
        (json!({"or": [0, "", {"!!": ["a"]}]}), json!(true)),
        (json!({"cat": ["a-", {"var": "n"}]}), json!("a-7")),
        (json!({"if": [false, "a", true, "b", "c"]}), json!("b")),
        (json!({"if": [false, "a"]}), json!(null)),
    ] {
        assert_eq!(evaluate(&rule, ann, usd), expected, "{rule}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    for rule in [
        json!({"percent": ["new", 10]}),
        json!({"==": [1]}),
        json!({"if": [true, "new"], "or": [true]}),
        json!({"fractional": [["new"], ["old", 1.5]]}),
        json!({"fractional": [["new", 0]]}),
        json!({"fractional": [["newer", 1], ["old", 1]]}),
        json!({"var": 7}),
    ] {
        let flaws = definition(rule.clone()).flaws("engine", KNOWN);
        assert_eq!(flaws.len(), 1, "{rule}: {flaws:?}");
        assert_eq!(flaws[0].pointer, "/targeting", "{rule}");
    }
    let mut wrong = definition(Value::Null);
    wrong.variants.insert("a/b".to_owned(), json!(7));
    "none".clone_into(&mut wrong.default_variant);
    " ".clone_into(&mut wrong.metadata.owner);
    let flaws = wrong.flaws("a b", KNOWN);
    let pointers: Vec<&str> = flaws.iter().map(|flaw| flaw.pointer.as_str()).collect();
    assert_eq!(pointers, ["", "/metadata/owner", "/defaultVariant"]);
    let flaws = wrong.flaws("engine", KNOWN);
    assert!(flaws.iter().any(|flaw| flaw.pointer == "/variants/a~1b"), "{flaws:?}");
    for known in KNOWN {
        let default: Definition = serde_json::from_str(known.default).expect("a definition");
        assert_eq!(default.flaws(known.key, KNOWN), Vec::new());
    }
}

/// 10 % of ten thousand made-up customers, 9 % to 11 % of them, and each always the same.
#[test]
fn a_tenth_of_the_customers_is_a_tenth_and_stays_so() {
    let tenth = json!({"fractional": [["new", 10], ["old", 90]]});
    let rule = Rule::parse(&tenth).expect("a rule");
    let of = |rule: &Rule, customer: u128| {
        // As customers are named: UUIDs of version 7.
        let id = Uuid::from_u128((customer * 0x1_0000_0001) << 64 | 0x7000_8000 | customer);
        let id = id.to_string();
        rule.evaluate("engine", &Context { targeting_key: Some(&id), members: &[], now: 0 })
    };
    let new: Vec<u128> = (0..10_000).filter(|customer| of(&rule, *customer) == "new").collect();
    assert!((900..=1_100).contains(&new.len()), "{} of 10,000", new.len());
    let again: Vec<u128> = (0..10_000).filter(|customer| of(&rule, *customer) == "new").collect();
    assert_eq!(new, again);
    // Who is in stays in while the share grows.
    let fifth = Rule::parse(&json!({"fractional": [["new", 20], ["old", 80]]})).expect("a rule");
    assert!(new.iter().all(|customer| of(&fifth, *customer) == "new"));
    assert_eq!(evaluate(&tenth, None, &[]), Value::Null, "guests get the default");
}

#[test]
fn flags_are_set_seen_by_others_and_each_change_is_kept() {
    testbed::on_sqlite(async |scratch| {
        let db = scratch.open().await;
        let ids = Arc::new(Counted::default());
        let open = async || {
            let tools: (Arc<dyn Clock>, Arc<dyn IdSource>) = (Arc::new(Noon), ids.clone());
            start(db.clone(), tools, KNOWN, None, &Home::current()).await.expect("starts")
        };
        let (flags, other) = (open().await, open().await);
        let nobody = Context::default();
        assert_eq!(flags.text("engine", &nobody).as_deref(), Some("old"));
        assert_eq!(flags.text("unknown", &nobody), None);
        let new = definition(json!("new"));
        for _ in 0..2 {
            flags.put("engine".to_owned(), new.clone(), &context()).await.expect("is set");
        }
        assert_eq!(flags.text("engine", &nobody).as_deref(), Some("new"));
        let seen = async {
            while other.text("engine", &nobody).as_deref() != Some("new") {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), seen).await.expect("the other sees it");
        let off = Definition { state: State::Disabled, ..new.clone() };
        flags.put("engine".to_owned(), off.clone(), &context()).await.expect("is set");
        assert_eq!(flags.text("engine", &nobody).as_deref(), Some("old"), "off: as built");
        let changes = flags.changes("engine", None, 10).await.expect("is read");
        let told: Vec<_> =
            changes.iter().map(|c| (c.actor.as_str(), c.from.clone(), c.to.clone())).collect();
        assert_eq!(told, [("ann", Some(new.json()), off.json()), ("ann", None, new.json())]);
        let error = flags.put("engine".to_owned(), definition(json!({"x": []})), &context()).await;
        assert!(matches!(error, Err(FlagsError::Flawed(_))));
        db.close().await;
    });
}

#[test]
fn the_file_is_read_again_and_the_later_change_holds() {
    testbed::on_sqlite(async |scratch| {
        let db = scratch.open().await;
        let folder = testbed::Folder::new();
        let path = folder.path().join("flags.json");
        let write = |targeting: Value| {
            let flags = json!({"flags": {"engine": definition(targeting)}});
            std::fs::write(&path, flags.to_string()).expect("is written");
        };
        write(json!("new"));
        let ids: Arc<dyn IdSource> = Arc::new(Counted::default());
        let open = async || {
            let tools: (Arc<dyn Clock>, Arc<dyn IdSource>) = (Arc::new(Noon), ids.clone());
            start(db.clone(), tools, KNOWN, Some(path.clone()), &Home::current()).await
        };
        let flags = open().await.expect("starts");
        let nobody = Context::default();
        assert_eq!(flags.text("engine", &nobody).as_deref(), Some("new"));
        flags.put("engine".to_owned(), definition(Value::Null), &context()).await.expect("is set");
        // Another start with the same file does not undo what was set.
        let again = open().await.expect("starts");
        assert_eq!(again.text("engine", &nobody).as_deref(), Some("old"));
        write(json!({"if": [true, "new"]}));
        let seen = async {
            while flags.text("engine", &nobody).as_deref() != Some("new") {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), seen).await.expect("the file is read again");
        let changes = flags.changes("engine", None, 10).await.expect("is read");
        let actors: Vec<&str> = changes.iter().map(|change| change.actor.as_str()).collect();
        assert_eq!(actors, ["file", "ann", "file"]);
        std::fs::write(&path, r#"{"flags": {"engine": {}}}"#).expect("is written");
        assert!(matches!(open().await, Err(FlagsError::File { .. })));
        db.close().await;
    });
}
