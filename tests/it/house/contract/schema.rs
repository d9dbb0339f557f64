//! Compares two schemas, as what a client sends or as what it reads.

use super::compare::{entries, members};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Who writes what the schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// The client: what was taken must be taken.
    Request,
    /// The shop: what was there must be there.
    Answer,
}

/// Two documents, to look up what their schemas refer to.
pub(super) struct Schemas<'a> {
    pub(super) old: &'a Value,
    pub(super) new: &'a Value,
}

/// Pairs of references that are being compared: a schema may contain itself.
type Seen = RefCell<BTreeSet<(String, String, Side)>>;

/// Limits below which more is refused if they fall, and above which more is refused if they rise.
const UPPER: &[&str] = &["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
const LOWER: &[&str] = &["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];

/// An object with what all parts of an "all of" say about it.
#[derive(Default)]
struct Object<'a> {
    members: BTreeMap<&'a str, &'a Value>,
    required: BTreeSet<&'a str>,
    closed: bool,
}

impl<'a> Schemas<'a> {
    pub(super) fn old_of(&self, value: &'a Value) -> &'a Value {
        follow(self.old, value)
    }

    pub(super) fn new_of(&self, value: &'a Value) -> &'a Value {
        follow(self.new, value)
    }

    /// What breaks between two schemas.
    pub(super) fn breaks(&self, at: &str, pair: (&'a Value, &'a Value), side: Side) -> Vec<String> {
        let mut found = Vec::new();
        self.compare(at, pair, side, &Seen::default(), &mut found);
        found
    }

    fn compare(
        &self,
        at: &str,
        (old, new): (&'a Value, &'a Value),
        side: Side,
        seen: &Seen,
        found: &mut Vec<String>,
    ) {
        let name = |value: &Value| value["$ref"].as_str().map(str::to_owned);
        if let (Some(old), Some(new)) = (name(old), name(new))
            && !seen.borrow_mut().insert((old, new, side))
        {
            return;
        }
        let (old, new) = (self.old_of(old), self.new_of(new));
        if old.is_null() {
            return; // Nothing was promised.
        }
        self.types(at, old, new, side, found);
        self.values(at, old, new, side, found);
        self.objects(at, (old, new), side, seen, found);
        self.choices(at, (old, new), side, seen, found);
        if let Some(item) = old.get("items") {
            self.compare(&format!("{at}[]"), (item, &new["items"]), side, seen, found);
        }
        if old["additionalProperties"].is_object() {
            let pair = (&old["additionalProperties"], &new["additionalProperties"]);
            self.compare(&format!("{at}.*"), pair, side, seen, found);
        }
    }

    /// Types, and what narrows a text or a number.
    fn types(&self, at: &str, old: &Value, new: &Value, side: Side, found: &mut Vec<String>) {
        let (olds, news) = (types_of(old), types_of(new));
        // A request may be more than before, an answer less; without a type it is anything.
        let fits = match side {
            Side::Request => news.is_empty() || (!olds.is_empty() && olds.is_subset(&news)),
            Side::Answer => olds.is_empty() || (!news.is_empty() && news.is_subset(&olds)),
        };
        // `number` has room for integers.
        let wider =
            side == Side::Request && olds == ["integer".into()].into() && news.contains("number");
        if !fits && !wider {
            found.push(format!("{at} was {} and is {}", words(&olds), words(&news)));
        }
        let same = |key: &str| old.get(key) == new.get(key);
        let lost = |key: &str| new.get(key).is_none();
        for key in ["format", "pattern", "const"] {
            let fits = same(key) || (side == Side::Request && lost(key));
            if !fits {
                found.push(format!("{at} has another {key}: {} was {}", new[key], old[key]));
            }
        }
    }

    /// Lists of values, and limits. Answers may have new values: their readers were told so.
    fn values(&self, at: &str, old: &Value, new: &Value, side: Side, found: &mut Vec<String>) {
        if side == Side::Answer {
            return;
        }
        if let Some(now) = new["enum"].as_array() {
            match old["enum"].as_array() {
                None => found.push(format!("{at} is now one of a list")),
                Some(before) => {
                    let gone = before.iter().filter(|value| !now.contains(value));
                    found.extend(gone.map(|value| format!("{at} may not be {value} any more")));
                }
            }
        }
        for (keys, rises) in [(UPPER, false), (LOWER, true)] {
            for key in keys {
                let Some(now) = new[*key].as_f64() else { continue };
                let tighter = old[*key]
                    .as_f64()
                    .is_none_or(|before| if rises { now > before } else { now < before });
                if tighter {
                    found.push(format!("{at} has {key} {} now; it was {}", new[*key], old[*key]));
                }
            }
        }
    }

    /// Members.
    fn objects(
        &self,
        at: &str,
        pair: (&'a Value, &'a Value),
        side: Side,
        seen: &Seen,
        found: &mut Vec<String>,
    ) {
        let (old, new) = (object(self.old, pair.0), object(self.new, pair.1));
        for (name, schema) in &old.members {
            let at = format!("{at}.{name}");
            match new.members.get(name) {
                // A strict body refuses what it does not know.
                None if side == Side::Answer || new.closed => found.push(format!("{at} is gone")),
                None => {}
                Some(other) => self.compare(&at, (schema, other), side, seen, found),
            }
        }
        match side {
            Side::Request => {
                let more = new.required.difference(&old.required);
                found.extend(more.map(|name| format!("{at}.{name} is required now")));
                if new.closed && !old.closed && !old.members.is_empty() {
                    found.push(format!("{at} takes no other members any more"));
                }
            }
            Side::Answer => {
                let less = old.required.difference(&new.required);
                let less = less.filter(|name| new.members.contains_key(*name));
                found.extend(less.map(|name| format!("{at}.{name} may be missing now")));
            }
        }
    }

    /// "One of" and "any of": what could be sent still fits somewhere, and what comes is known.
    fn choices(
        &self,
        at: &str,
        pair: (&'a Value, &'a Value),
        side: Side,
        seen: &Seen,
        found: &mut Vec<String>,
    ) {
        let of = |value: &'a Value| -> Vec<&'a Value> {
            ["oneOf", "anyOf"].iter().flat_map(|key| entries(&value[*key])).collect()
        };
        let (olds, news) = (of(pair.0), of(pair.1));
        let fits = |old: &'a Value, new: &'a Value| {
            let mut odd = Vec::new();
            self.compare(at, (old, new), side, &RefCell::new(seen.borrow().clone()), &mut odd);
            odd.is_empty()
        };
        match side {
            Side::Request if news.is_empty() => {}
            Side::Request => {
                let lost = olds.iter().filter(|old| !news.iter().any(|new| fits(old, new)));
                found
                    .extend(lost.map(|old| format!("{at}: one choice is gone or narrower: {old}")));
                if olds.is_empty() {
                    found.push(format!("{at} is now a choice"));
                }
            }
            Side::Answer if olds.is_empty() => {}
            Side::Answer => {
                let odd = news.iter().filter(|new| !olds.iter().any(|old| fits(old, new)));
                found.extend(odd.map(|new| format!("{at}: one choice is new or other: {new}")));
            }
        }
    }
}

/// What `$ref` names, or the value itself.
fn follow<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let mut value = value;
    // A chain of references is short; one that is not is a circle.
    for _ in 0..16 {
        let Some(target) = value["$ref"].as_str().and_then(|name| name.strip_prefix('#')) else {
            return value;
        };
        value = document.pointer(target).unwrap_or(&Value::Null);
    }
    value
}

fn object<'a>(document: &'a Value, schema: &'a Value) -> Object<'a> {
    let mut all = Object::default();
    let mut left = vec![schema];
    while let Some(part) = left.pop() {
        let part = follow(document, part);
        all.members
            .extend(members(&part["properties"]).map(|(name, schema)| (name.as_str(), schema)));
        all.required.extend(entries(&part["required"]).filter_map(Value::as_str));
        all.closed |= part["additionalProperties"] == false;
        left.extend(entries(&part["allOf"]));
    }
    all
}

/// The types that a schema allows; none where it says nothing.
fn types_of(schema: &Value) -> BTreeSet<String> {
    let mut types: BTreeSet<String> =
        entries(&schema["type"]).filter_map(Value::as_str).map(str::to_owned).collect();
    types.extend(schema["type"].as_str().map(str::to_owned));
    types
}

fn words(types: &BTreeSet<String>) -> String {
    let words: Vec<&str> = types.iter().map(String::as_str).collect();
    if words.is_empty() { "anything".to_owned() } else { words.join(" or ") }
}
